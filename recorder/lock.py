"""One journal, one recorder: a lock that ends with the process that holds it, however that ends."""

import fcntl
import os
from pathlib import Path

from gnomon.recorder.errors import JournalError


class RecorderLock:
    """An advisory lock on a file beside the journal, with the holder's process id in it."""

    def __init__(self, journal: Path) -> None:
        """Take the lock. Raises JournalError, naming the holder, if another recorder has it."""
        self._path = journal.with_name(journal.name + ".lock")
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise JournalError(f"{journal}: cannot be written: {self._path.name}: {error.strerror}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)
        except BlockingIOError as error:
            holder = os.pread(self._file, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(self._file)
            raise JournalError(
                f"{journal}: another recorder (process {holder}) is writing it; stop that one, or give this server "
                "a journal of its own with --journal"
            ) from error
        except OSError as error:
            os.close(self._file)
            raise JournalError(f"{journal}: cannot be locked: {error.strerror}") from error
        self._owner = os.getpid()
        # A forked child must not keep the lock when its parent has died.
        os.register_at_fork(after_in_child=self._close)

    def release(self) -> None:
        """Let another recorder have the journal. The file stays: removing it could remove another one's lock."""
        if self._file >= 0 and self._owner == os.getpid():
            fcntl.flock(self._file, fcntl.LOCK_UN)
        self._close()

    def _close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
