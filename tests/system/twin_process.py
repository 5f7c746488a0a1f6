"""`gnomon serve` as a process of its own, and clients in processes of theirs, as at a user's."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from patience import PATIENCE_S

from programs.__main__ import MARK
from programs.running import python_path

Given = ParamSpec("Given")
Result = TypeVar("Result")

#: Time for a server to be ready or a command to end, which only one that hangs reaches [s].
READY_S = 240.0

GNOMON = [sys.executable, "-c", "from gnomon.cli import main; main()"]


class TwinProcess:
    """A running server; use as a context manager. `lines` is what it has printed until it was ready.

    `program` is what is run instead of gnomon's own command line.
    """

    def __init__(
        self,
        environment: dict[str, str],
        folder: Path,
        *arguments: str,
        ready: bool = True,
        program: Sequence[str] = GNOMON,
    ) -> None:
        self.environment = os.environ | {"GNOMON_TIMEOUT": f"{PATIENCE_S:g}"} | environment | homes(folder)
        self.journal = folder / f"{environment['EPICS_CA_SERVER_PORT']}.journal"
        self.log = folder / f"{environment['EPICS_CA_SERVER_PORT']}.log"
        self._stderr = self.log.open("w")
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [*program, "serve", "--journal", str(self.journal), *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
        )
        self.lines: list[str] = []
        if ready:
            self._wait(READY_S)

    def _wait(self, timeout_s: float) -> None:
        assert self.process.stdout is not None
        end = time.monotonic() + timeout_s
        text = b""
        while time.monotonic() < end:
            if select.select([self.process.stdout], [], [], 0.1)[0]:
                read = os.read(self.process.stdout.fileno(), 65536)
                text += read
                self.lines = text.decode().splitlines()
                if any("ready" in line for line in self.lines):
                    return
                if not read:
                    break
        self.stop()
        raise AssertionError(f"not ready: {self.lines}, {self.log.read_text()}")

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal; the exit status. Raises TimeoutExpired when it has not ended after `READY_S`."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(READY_S)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            assert self.process.stdout is not None
            self.process.stdout.close()
            self._stderr.close()

    def __enter__(self) -> "TwinProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def gnomon(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run another gnomon command against this server and its journal."""
        return subprocess.run(
            [*GNOMON, *arguments],
            env=self.environment | {"COLUMNS": "200"},
            capture_output=True,
            text=True,
            timeout=READY_S,
            check=False,
        )

    @property
    def client_environment(self) -> dict[str, str]:
        """The environment of a client that imports from tests/."""
        return self.environment | {"PYTHONPATH": python_path()}

    def client(self, program: Callable[Given, Result], *arguments: Given.args, **named: Given.kwargs) -> Any:
        """Run a function of a client module in a process of its own; what it returns has gone through JSON."""
        done = subprocess.run(
            [sys.executable, "-m", "programs", f"{program.__module__}.{program.__qualname__}"],
            env=self.client_environment,
            input=json.dumps([arguments, named]),
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        lines = [line for line in done.stdout.splitlines() if line.startswith(MARK)]
        assert lines, f"client failed: {done.stdout}\n{done.stderr}"
        return json.loads(lines[-1].removeprefix(MARK))


def homes(folder: Path) -> dict[str, str]:
    """Keep journals and stores of a test in its own folder."""
    places = {"XDG_STATE_HOME": "state", "XDG_DATA_HOME": "data", "XDG_RUNTIME_DIR": "run"}
    (folder / "run").mkdir(exist_ok=True)
    return {name: str(folder / place) for name, place in places.items()} | {"OMP_NUM_THREADS": "1"}
