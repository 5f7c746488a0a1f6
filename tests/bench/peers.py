"""The servers of the table of ratios: how each is started, which setpoint is driven and which PVs are monitored."""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from dt4acc.install import DT4ACC, server_command
from environments import Environment
from load.server import Server, loopback_environment

LOAD = Path(__file__).resolve().parent / "load"
ONE_THREAD = {"OMP_NUM_THREADS": "1"}
SOFTIOC = Environment("softioc", ("softioc==4.7.2",), "from softioc import asyncio_dispatcher, builder, softioc")
STEERER, STEERER_STEP_A = "HS4P1D1R:set", 0.01
#: What both shadows of BESSY II compute for a put of a steerer. gnomon has two scalars for each monitor besides.
COMPUTED = ("beam:orbit:x", "beam:orbit:y", "beam:twiss:x:beta", "beam:twiss:y:beta", "TUNEZR:rdH", "TUNEZR:rdV")
COUNTER = "dt:command"


@dataclass(frozen=True, slots=True)
class Peer:
    """A server to measure: it is started in an empty folder; a cycle waits for `monitored`, `watched` come besides."""

    name: str
    command: list[str]
    drive: str
    monitored: list[str]
    watched: list[str] = field(default_factory=list)
    step: float = 1.0
    ready_text: str = "ready"
    environment: dict[str, str] = field(default_factory=dict)
    counter: str = ""  # a PV of `monitored`: the number of the last put that the others contain


def plain(name: str, script: str, count: int, *options: str, python: str = sys.executable) -> Peer:
    """One of the minimal servers: a setpoint, and `count` readings that follow it unless options say otherwise."""
    prefix = "BENCH:"
    command = [python, str(LOAD / "peers" / script), "--prefix", prefix, "--count", str(count), *options]
    return Peer(name, command, f"{prefix}SET", [f"{prefix}{i:05d}" for i in range(count)])


def gnomon_bank(count: int, *options: str) -> Peer:
    """gnomon's bank with both of its servers, as in operation, and no model."""
    return plain("gnomon", "gnomon_bank.py", count, "--pva", *options)


def c_softioc(count: int, *options: str) -> Peer:
    return plain("QSRV2" if "--pva" in options else "C soft IOC", "c_softioc.py", count, *options)


def python_softioc(count: int, *options: str) -> Peer:
    """Raises NotInstalled."""
    SOFTIOC.install()
    return plain("pythonSoftIOC", "python_softioc.py", count, *options, python=str(SOFTIOC.python))


def gnomon_bessy2() -> Peer:
    """All of gnomon, with its journal on disk. Tables are left out: Channel Access has none."""
    from gnomon.db.pvs import Kind
    from gnomon.ioc.base.config import Config
    from gnomon.ioc.base.machines import find_machine, pvs_of

    prefix = "TWIN:"
    config = Config()
    specs = [spec for spec in pvs_of(find_machine(config), prefix) if spec.kind is not Kind.TABLE]
    scalars = [spec.name for spec in specs if spec.source in ("monitor.x", "monitor.y")]
    monitored = [*scalars, *(prefix + name for name in COMPUTED)]
    command = [str(Path(sys.executable).parent / "gnomon"), "serve", "--prefix", prefix, "--journal", "journal.sqlite"]
    return Peer(
        "gnomon",
        command,
        prefix + STEERER,
        monitored,
        [spec.name for spec in specs if spec.name not in monitored],
        step=STEERER_STEP_A,
        environment=ONE_THREAD,
    )


def counted(peer: Peer) -> Peer:
    """gnomon with a counter of its commands, for a stream of puts; PVs that are repeated each second only watched."""
    scalars = [name for name in peer.monitored if ":rd" in name and "TUNE" not in name]
    prefix = peer.drive.removesuffix(STEERER)
    others = [name for name in (*peer.monitored, *peer.watched) if name not in scalars and name != prefix + COUNTER]
    return replace(peer, monitored=[*scalars, prefix + COUNTER], watched=others, counter=prefix + COUNTER)


def dt4acc_bessy2() -> Peer:
    """dt4acc as its authors ship it; its PVs are asked of its console. Raises NotInstalled, RuntimeError."""
    DT4ACC.install()
    prefix = "DT:"
    peer = Peer(
        "dt4acc",
        server_command(),
        prefix + STEERER,
        [prefix + name for name in COMPUTED],
        step=STEERER_STEP_A,
        ready_text="iocRun: All initialization complete",
        environment={**ONE_THREAD, "DT4ACC_PREFIX": prefix.removesuffix(":")},
    )
    names = _listed(peer, prefix)
    if missing := set(peer.monitored) - names:
        raise RuntimeError(f"dt4acc has no {', '.join(sorted(missing))}")
    return replace(peer, watched=sorted(names - set(peer.monitored)))


#: For a soft IOC's Python console: write the names of its PVs to a file. On the console itself, C's output, which has a
#: buffer of its own, may come after Python's, or between lines of the log.
LIST_PVS = """
import ctypes, os
flush = ctypes.CDLL(None).fflush
flush(None), os.dup2(1, 99), os.dup2(os.open("unfinished", os.O_CREAT | os.O_WRONLY), 1), None
dbl(), flush(None), os.dup2(99, 1), os.rename("unfinished", "names"), None
"""


def _listed(peer: Peer, prefix: str, patience_s: float = 60.0) -> set[str]:
    """List the PVs that the console of a soft IOC knows. Raises RuntimeError when it does not say within the time."""
    with tempfile.TemporaryDirectory() as folder:
        environment, names = loopback_environment() | peer.environment, Path(folder) / "names"
        with Server(peer.command, environment, peer.ready_text, Path(folder)) as server:
            server.await_ready()
            assert server.process.stdin is not None
            server.process.stdin.write(LIST_PVS)
            server.process.stdin.flush()
            end = time.monotonic() + patience_s
            while not names.exists():
                if time.monotonic() > end:
                    raise RuntimeError(f"{peer.name} did not list its PVs within {patience_s:g} s")
                time.sleep(0.1)
            lines = names.read_text().split()
    return {line for line in lines if re.fullmatch(rf"{prefix}[\w:]+", line)}


def built_load_clients() -> None:
    """Compile the load clients. Raises RuntimeError when that is not possible here."""
    build = [str(LOAD / "build.sh"), sys.executable]
    try:
        done = subprocess.run(build, capture_output=True, text=True, check=False, env=dict(os.environ))
    except OSError as error:
        raise RuntimeError(f"{build[0]}: {error}") from error
    if done.returncode:
        raise RuntimeError(f"the load clients can't be compiled (gcc and g++ are needed): {done.stderr[-1000:]}")


def write_names(path: Path, names: Iterable[str]) -> Path:
    path.write_text("".join(f"{name}\n" for name in names))
    return path
