"""The application under test as a process: its environment, its output, its end."""

import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress

from gnomon.lattice import GnomonError

#: Output that is kept: this number of blocks of at most 4 KiB, the newest.
MAX_BLOCKS = 256
#: Time for the rest of its output when it has ended; a process that it left behind may hold the pipe open [s].
DRAIN_S = 0.2
#: Time that an application has to end by itself when it is asked to, before it is killed [s].
GRACE_S = 3.0


class ApplicationError(GnomonError):
    """An application that cannot be started."""

    exit_code = 2  # of the command line: wrong use


class Application:
    """A command with a process group of its own, so that Ctrl-C reaches it through the scenario alone."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.command = tuple(command)
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None
        self._output: deque[bytes] = deque(maxlen=MAX_BLOCKS)
        self._reader: threading.Thread | None = None
        self.started_s = 0.0
        self.ended_s: float | None = None

    def start(self) -> None:
        """Start it. Raises ApplicationError if there is no such program."""
        try:
            self._process = subprocess.Popen(
                self.command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise ApplicationError(f"{self.command[0]}: the application cannot be started: {error}") from error
        self.started_s = time.monotonic()
        self._reader = threading.Thread(target=self._read, name="application-output", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            while block := os.read(stream.fileno(), 4096):
                self._output.append(block)

    def poll(self) -> int | None:
        """Return its exit code, None while it runs; that of a shell, 128 + number, if a signal has ended it."""
        if self._process is None:
            return None
        code = self._process.poll()
        if code is None:
            return None
        if self.ended_s is None:
            self.ended_s = time.monotonic()
            if self._reader is not None:
                self._reader.join(DRAIN_S)
        return code if code >= 0 else 128 - code

    @property
    def running(self) -> bool:
        """True from its start to its end."""
        return self._process is not None and self.poll() is None

    @property
    def took_s(self) -> float:
        """Time from its start to its end, or to now [s]."""
        return (time.monotonic() if self.ended_s is None else self.ended_s) - self.started_s

    @property
    def output(self) -> str:
        """The newest part of all that it has printed."""
        return b"".join(list(self._output)).decode(errors="replace")

    def end(self, number: int = signal.SIGTERM) -> None:
        """Ask it to end by a signal, and kill it with all that it started if it does not."""
        if self._process is None:
            return
        end_group(self._process, number, GRACE_S)
        self.poll()
        with suppress(ProcessLookupError):  # what it started and left behind
            os.killpg(self._process.pid, signal.SIGKILL)


def end_group(process: "subprocess.Popen[bytes]", number: int, patience_s: float) -> None:
    """Ask the group of a process to end by a signal, and kill it if the process has not ended after a time."""
    for each in (number, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, each)
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience_s)
            return
