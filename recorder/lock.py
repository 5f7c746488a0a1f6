"""Locks that allow one recorder for a journal, whatever its name; they end with the process that holds them."""

import fcntl
import os
import sys
from pathlib import Path

from gnomon.recorder.recorder_errors import JournalError

#: Device and inode.
Identity = tuple[int, int]

#: Journals that this process holds. Opening one again and closing it would release SQLite's own locks.
_held: set[Identity] = set()


class RecorderLock:
    """Advisory locks on a file beside the journal, with the holder's process id in it, and on the journal itself.

    The first one tells who the holder is, and the second one does not depend on the name: a journal may be reached
    through links. Both belong to open files, not to the process, so that SQLite's own locks are left alone.
    """

    def __init__(self, journal: Path) -> None:
        """Take the locks; the journal is created if there is none. Raises JournalError if another recorder has it."""
        self._journal = journal
        #: The journal with links resolved: its log has this name.
        self.place = journal.resolve()
        self._owner = os.getpid()
        self._database = self._beside = -1
        self.identity: Identity = (0, 0)
        try:
            self._beside = self._lock_beside()
            self._database = self._lock_database()
        except BaseException:
            self.release()
            raise
        # A forked child must not keep the locks when its parent has died.
        os.register_at_fork(after_in_child=self._close)

    def trouble(self) -> str:
        """Give the reason if the journal's name no longer leads to the locked file; empty if it does."""
        try:
            found = os.stat(self._journal)
        except FileNotFoundError:
            gone = "removed" if self.deleted() else "renamed, or the folder it is in,"
            return f"the journal was {gone} while the server was running"
        except OSError as error:
            return f"the journal can no longer be accessed ({error.strerror})"
        if (found.st_dev, found.st_ino) != self.identity:
            return "another file was put in the journal's place while the server was running"
        return ""

    def deleted(self) -> bool:
        """True if the locked file has no name left: only this process can still read it."""
        return os.fstat(self._database).st_nlink == 0

    def release(self) -> None:
        """Let another recorder have the journal. The file beside stays: removing it could remove another one's lock."""
        if self._owner == os.getpid():
            _held.discard(self.identity)
        self._close()

    def _lock_beside(self) -> int:
        path = self.place.with_name(self.place.name + ".lock")
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise JournalError(f"{self._journal}: cannot be written: {path.name}: {error.strerror}") from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(file, 0)
            os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
        except BlockingIOError as error:
            holder = os.pread(file, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(file)
            raise self._taken(f"process {holder}") from error
        except OSError as error:
            os.close(file)
            raise JournalError(f"{self._journal}: cannot be locked: {error.strerror}") from error
        return file

    def _lock_database(self) -> int:
        try:
            known = os.stat(self.place)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise JournalError(f"{self._journal}: cannot be opened: {error.strerror}") from error
        else:
            if (known.st_dev, known.st_ino) in _held:
                raise self._taken("this one, under another name")
            if known.st_nlink > 1:
                raise JournalError(
                    f"{self._journal}: the file has {known.st_nlink} names (hard links), and its log may be beside "
                    "another one of them; make it a separate file: copy it, remove this name, and give the copy this "
                    "name"
                )
        try:
            file = os.open(self.place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise JournalError(f"{self._journal}: cannot be written: {error.strerror}") from error
        try:
            if sys.platform == "linux":  # elsewhere such a lock and those of SQLite may be one
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(file)
            raise self._taken("it has opened the file under another name") from error
        except OSError as error:
            os.close(file)
            raise JournalError(f"{self._journal}: cannot be locked: {error.strerror}") from error
        found = os.fstat(file)
        self.identity = (found.st_dev, found.st_ino)
        _held.add(self.identity)
        return file

    def _taken(self, holder: str) -> JournalError:
        return JournalError(
            f"{self._journal}: another recorder ({holder}) is writing to it; stop that one, or give this server "
            "its own journal with --journal"
        )

    def _close(self) -> None:
        """Close the files and end the locks, unless a forked process has the files too."""
        for file in (self._database, self._beside):
            if file >= 0:
                if self._owner == os.getpid():
                    fcntl.flock(file, fcntl.LOCK_UN)
                os.close(file)
        self._database = self._beside = -1
