"""The server's process as the tests see it: started, renewed for each test, ended with all that it had."""

import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from gnomon.lattice import GnomonError
from gnomon.testing.ports import Ports, without_epics

__all__ = ["RingServer", "ServerError"]

#: The server's process; its argument is the folder for its files.
PROGRAM = (sys.executable, "-m", "gnomon.testing.server_process")
#: Time for a start [s]; with compiled kernels it takes a second or two.
START_S = 180.0
#: Time for a fresh twin [s]; a server that needs longer is replaced by another one.
RENEW_S = 10.0
#: Time to compile the kernels, once for each version of gnomon [s].
COMPILE_S = 600.0
#: Time for the process to end by itself [s].
END_S = 5.0
#: End of a log that a message quotes [characters].
QUOTED = 2000


class ServerError(GnomonError):
    """A server that did not start, or did not give a fresh ring; the text has its last words."""


class RingServer:
    """A server on ports of its own. `say` is told what takes long."""

    def __init__(
        self, ports: Ports, say: Callable[[str], None] = lambda text: None, program: Sequence[str] = PROGRAM
    ) -> None:
        self.ports = ports
        self._program = program
        self.journal = Path()
        self._say = say
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None
        self._request: Mapping[str, Any] = {}
        self._asked = False
        self._unread = b""

    @property
    def configuration(self) -> dict[str, Any]:
        """The whole configuration with which the present ring is served."""
        from gnomon.ioc.base.config import changed, read_config

        file = self._request["file"]
        return changed(read_config(Path(file) if file else None), self._request["changes"]).model_dump(mode="json")

    @property
    def running(self) -> bool:
        """True while the process runs."""
        return self._process is not None and self._process.poll() is None

    def fresh(self, request: Mapping[str, Any]) -> bool:
        """Serve a fresh ring; returns True if clients stayed connected, False if the server was started (again).

        Raises ServerError.
        """
        if self._asked and self.running and self._has_the_same_pvs(request):
            with suppress(ServerError):  # hung, crashed or broken by a fault of a test: another one then
                self._ask(request, RENEW_S)
                return True
        if self._asked or not self.running:  # else it was started before, and waits for its first request
            self.stop()
            self.start()
        try:
            self._ask(request, START_S)
        except BaseException:
            self.stop()
            raise
        return False

    def log(self, since: int = 0) -> str:
        """Read what the server has logged, from a place on."""
        path = self._log_path
        if path is None or not path.exists():
            return ""
        with path.open(encoding="utf-8", errors="replace") as file:
            file.seek(since)
            return file.read()

    @property
    def log_size(self) -> int:
        """Size of the log until now [bytes]."""
        path = self._log_path
        return path.stat().st_size if path is not None and path.exists() else 0

    def stop(self) -> None:
        """End the process, and remove its files."""
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None
            assert process.stdout is not None
            with suppress(OSError):
                process.stdin.close()
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            finally:
                process.stdout.close()
        folder, self._folder = self._folder, None
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    @property
    def _log_path(self) -> Path | None:
        return None if self._folder is None else self._folder / "log.txt"

    def _has_the_same_pvs(self, request: Mapping[str, Any]) -> bool:
        from gnomon.ioc.base.config import OF_THE_SERVER

        def of_the_server(of: Mapping[str, Any]) -> list[Any]:
            return [of["file"], *(of["changes"].get(key) for key in OF_THE_SERVER)]

        return of_the_server(request) == of_the_server(self._request)

    def start(self) -> None:
        """Start the process, which gets ready while the tests do; it serves nothing yet."""
        self._asked, self._unread = False, b""
        folder = self._folder = Path(tempfile.mkdtemp(prefix="gnomon-test-"))
        environment = without_epics(os.environ)
        places = {name: str(folder) for name in ("XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR")}
        with (folder / "log.txt").open("wb") as log:
            self._process = subprocess.Popen(
                [*self._program, str(folder)],
                env={**environment, **places, "OMP_NUM_THREADS": "1"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the tests
            )

    def _ask(self, request: Mapping[str, Any], timeout_s: float) -> None:
        """Send a request and wait for its answer. Raises ServerError."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._request, self._asked = request, True
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            raise self._trouble("it has ended") from error
        answer = self._answer(timeout_s)
        if "compiling" in answer:
            self._say("gnomon: compiling kernels, once for each version; this takes about a minute")
            answer = self._answer(COMPILE_S)
        if "error" in answer:
            raise ServerError(str(answer["error"]))
        self.journal = Path(answer["journal"])

    def _answer(self, timeout_s: float) -> Mapping[str, Any]:
        assert self._process is not None
        assert self._process.stdout is not None
        pipe = self._process.stdout.fileno()
        end = time.monotonic() + timeout_s
        while b"\n" not in self._unread:
            if not select.select([pipe], [], [], max(0.0, end - time.monotonic()))[0]:
                raise self._trouble(f"no answer within {timeout_s:g} s")
            read = os.read(pipe, 65536)
            if not read:
                raise self._trouble("it has ended")
            self._unread += read
        line, _, self._unread = self._unread.partition(b"\n")
        answer: Mapping[str, Any] = json.loads(line)
        return answer

    def _trouble(self, what: str) -> ServerError:
        said = self.log()[-QUOTED:].strip()
        log = f". Its log ends:\n{said}" if said else ""
        return ServerError(f"the server of the test does not serve: {what}{log}")
