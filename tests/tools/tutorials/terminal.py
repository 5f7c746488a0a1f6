"""A terminal in a home of its own: one shell whose commands run one after another or stay in the background."""

import os
import random
import select
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import psutil

from gnomon.testing.quiet_repeater import QuietRepeater
from tools.tutorials.pages import INTERRUPT, Command

COLUMNS = 110
#: A command that is not through by then has failed [s]; on a busy machine some take a minute.
TIMEOUT_S = 240.0
#: What a server prints last when it has started.
READY = "ready"
#: A background command that does not say so has started when it has been quiet this long [s].
QUIET_S = 3.0
#: Printed before anything else by what finds no compiled kernels; a page shows how it is with them.
COMPILING = "compiling kernels"
#: Ports that pages show, as they are for a user who gives none: Channel Access, PV Access, its searches.
PORTS = (5064, 5075, 5076)
#: Ports that pages name for a second server, in the same order.
SECOND_PORTS = (5164, 5175, 5176)
HOME = "/home/operator"

_END = "-- end of command --"


class Terminal:
    """A shell as a new user has it: an empty home, no variables of EPICS or gnomon, ports of its own.

    Use as a context manager; whatever it started ends with it. `gnomon` is the command of the environment that has
    the folder `programs`. Kernels are taken from the user's cache: an installation compiles them once.
    """

    def __init__(self, home: Path, programs: Path, python_path: str | None = None, **variables: str) -> None:
        self._home, self._ports, self._second_ports = home, _free_ports(), _free_ports()
        self._background: list[int] = []
        self._count = 0
        self._run = home.parent / "run"
        home.mkdir(parents=True, exist_ok=True)
        self._run.mkdir(mode=0o700, exist_ok=True)
        # With a repeater there, no program starts EPICS's own, which would stay.
        self._repeater = QuietRepeater()
        own = {"EPICS_CA_REPEATER_PORT": str(self._repeater.port)}
        self.environment = environment(home, programs, self._ports, python_path) | own | variables
        self._shell = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self.environment,
            cwd=home,
            start_new_session=True,
        )

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pid in reversed(self._background):
            _end(pid)
        self._shell.kill()
        for pipe in (self._shell.stdin, self._shell.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()  # not read to its end: what a program has left behind may hold it open
        self._shell.wait()
        self._repeater.stop()

    def run(self, command: Command) -> tuple[list[str], int]:
        """Run a command; the lines that it printed, as a user with the usual ports sees them, and its status."""
        line = command.text
        for port, usual in zip(self._second_ports, SECOND_PORTS, strict=True):
            line = line.replace(str(usual), str(port))
        if command.stays:
            text, status = self._start(line.removesuffix(" &"), READY), 0
        elif INTERRUPT in command.shown:
            text, status = self._interrupted(replace(command, text=line))
        else:
            text, status = self._execute(f"{{ {line}\n}} < /dev/null")
        return self.as_shown(text).rstrip().splitlines(), status

    def _execute(self, line: str, timeout_s: float = TIMEOUT_S) -> tuple[str, int]:
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.write(f"{line}\nprintf '\\n{_END} %s\\n' $?\n".encode())
        self._shell.stdin.flush()
        end, read = time.monotonic() + timeout_s, b""
        while f"\n{_END} ".encode() not in read or not read.endswith(b"\n"):
            if not select.select([self._shell.stdout], [], [], max(0.0, end - time.monotonic()))[0]:
                raise TimeoutError(f"{line}: not through after {timeout_s:g} s; printed {read.decode()!r}")
            more = os.read(self._shell.stdout.fileno(), 65536)
            if not more:
                raise RuntimeError(f"{line}: the shell has ended; printed {read.decode()!r}")
            read += more
        text, _, status = read.decode().rpartition(f"\n{_END} ")
        return text, int(status)

    def _launch(self, text: str) -> tuple[int, Path]:
        """Start a command in the background, in the shell's folder; its process group, and the file of its output."""
        self._count += 1
        output = self._run / f"background-{self._count}.txt"
        output.touch()  # who reads it may be sooner than the command
        # A shell without job control has its background commands ignore Ctrl-C.
        program = f"env --default-signal=INT setsid bash -c {shlex.quote(f'exec {text}')}"
        answer, _ = self._execute(f"{program} > {shlex.quote(str(output))} 2>&1 < /dev/null & echo $!")
        pid = int(answer.split()[-1])
        self._background.append(pid)
        return pid, output

    def _start(self, text: str, ready: str) -> str:
        pid, output = self._launch(text)
        end, changed, printed = time.monotonic() + TIMEOUT_S, time.monotonic(), ""
        while time.monotonic() < end:
            time.sleep(0.1)
            if (now := output.read_text()) != printed:
                printed, changed = now, time.monotonic()
            serving = "gnomon serve" in text or text.startswith("make")
            if any(line.startswith(ready) for line in printed.splitlines()):
                return printed
            if not is_running(pid) or (not serving and printed and time.monotonic() - changed > QUIET_S):
                return printed
        raise TimeoutError(f"{text}: not ready after {TIMEOUT_S:g} s; printed {printed!r}")

    def _interrupted(self, command: Command) -> tuple[str, int]:
        """Press Ctrl-C when as many lines are out as the page shows before it."""
        wanted = command.shown.index(INTERRUPT)
        pid, output = self._launch(command.text)
        end = time.monotonic() + 30.0
        while time.monotonic() < end and len(output.read_text().splitlines()) < wanted:
            time.sleep(0.1)
        before = output.read_text()
        os.killpg(pid, signal.SIGINT)
        end = time.monotonic() + 30.0
        while is_running(pid) and time.monotonic() < end:
            time.sleep(0.05)
        return f"{before}{INTERRUPT}\n{output.read_text().removeprefix(before)}", 0

    def as_shown(self, text: str) -> str:
        """Put the usual ports and home in place of those of this terminal."""
        for port, usual in zip(self._ports + self._second_ports, PORTS + SECOND_PORTS, strict=True):
            text = text.replace(str(port), str(usual))
        # What a progress display has overwritten is not on the screen any more.
        lines = [line.rpartition("\r")[2].rstrip() for line in text.replace(str(self._home), HOME).splitlines()]
        while lines and (lines[0].startswith(COMPILING) or not lines[0]):
            lines = lines[1:]
        return "\n".join(lines)


def environment(home: Path, programs: Path, ports: tuple[int, int, int], python_path: str | None) -> dict[str, str]:
    """The variables of a user who has set none."""
    kept = {name: value for name, value in os.environ.items() if name in ("LANG", "LC_ALL", "TZ", "NUMBA_CACHE_DIR")}
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    own = {
        "HOME": str(home),
        "PATH": f"{programs}:{os.environ.get('PATH', os.defpath)}",
        "XDG_RUNTIME_DIR": str(home.parent / "run"),
        "XDG_CACHE_HOME": cache,
        "COLUMNS": str(COLUMNS),
        "TERM": "dumb",
        "NO_COLOR": "1",
        "OMP_NUM_THREADS": "1",
        "EPICS_CA_SERVER_PORT": str(ports[0]),
        "EPICS_PVA_SERVER_PORT": str(ports[1]),
        "EPICS_PVA_BROADCAST_PORT": str(ports[2]),
    }
    return kept | own | ({"PYTHONPATH": python_path} if python_path else {})


def programs_here() -> Path:
    """The folder with the commands of the environment that runs this."""
    return Path(sys.executable).parent


def _free_ports() -> tuple[int, int, int]:
    """Three ports of five digits that nobody holds: for TCP and UDP, and the last after the second."""
    for first in random.SystemRandom().sample(range(20000, 32000, 4), 500):
        with suppress(OSError):
            for port in range(first, first + 3):
                for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                    with socket.socket(type=kind) as held:
                        held.bind(("", port))
            return first, first + 1, first + 2
    raise RuntimeError("no free ports between 20000 and 32000")


def is_running(pid: int) -> bool:
    """Return True if a process runs; False for one that has ended but has not been waited for."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _is_group_running(group: int) -> bool:
    for pid in psutil.pids():
        with suppress(ProcessLookupError):
            if os.getpgid(pid) == group and is_running(pid):
                return True
    return False


def _end(group: int, patience_s: float = 15.0) -> None:
    """End a process group, every member of it: politely, then for good."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(group, number)
        end = time.monotonic() + patience_s
        while _is_group_running(group) and time.monotonic() < end:
            time.sleep(0.05)
        if not _is_group_running(group):
            return


def variables_of_a_picture(environment: Mapping[str, str], columns: int, rows: int) -> dict[str, str]:
    """The same user in a terminal with colours."""
    kept = {name: value for name, value in environment.items() if name not in ("NO_COLOR", "TERM")}
    size = {"COLUMNS": str(columns), "LINES": str(rows)}
    return kept | size | {"TERM": "xterm-256color", "COLORTERM": "truecolor", "FORCE_COLOR": "1"}
