"""Machine and shadow side by side under a mix of faults of all groups: no traceback, no leak, no stale value."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE_S

from fault.soak.oracle import FOUND, Judge, LostBeam, Seen
from fault.soak.plan import MAKERS, Targets
from fault.soak.servers import Server
from fault.soak.stage import Soak
from gnomon.db.pvs import Kind, PvSpec
from gnomon.fault_injection import KINDS
from gnomon.ioc.base.config import Config
from gnomon.ioc.base.machines import find_machine, pvs_of
from gnomon.recorder.reader import Reader
from programs import soak_clients
from programs.__main__ import MARK
from system.test_shadow_operation import ports, until
from system.twin_process import TwinProcess

#: A server that shows the stacks of its threads in its log when it is sent SIGUSR1.
PROGRAM = [
    sys.executable,
    "-c",
    "import faulthandler, signal; faulthandler.register(signal.SIGUSR1); from gnomon.cli import main; main()",
]
#: How long everything goes on, in a soak and otherwise [s].
SOAK_S, SHORT_S = 3600.0, 45.0
#: Part of that for which it goes on before, so that what is made once is there, and the least time for that [s].
BEFORE, BEFORE_S = 0.125, 15.0
#: Both servers are healthy so long after all faults are cleared [s].
RECOVER_S = PATIENCE_S
#: A process may have grown by so much [MB, open files, threads]. A computation that hangs has a model of its own, of
#: 15 MB for BESSY II, and the C library keeps the memory of the first few.
MEMORY_MB, FILES, THREADS = 60.0, 10, 5
SEED = 8

MACHINE = "{{role: machine, machine: {ring}, prefix: '', faults: {{seed: {seed}}}}}"
SHADOW = """
role: shadow
machine: {ring}
prefix: 'SHADOW:'
shadow: {{addresses: ['127.0.0.1:{port}'], leave_alone: ['*:par:hw2phys', '*:Cm:set']}}
"""


def test_every_kind_of_fault_is_in_the_mix() -> None:
    assert MAKERS.keys() == KINDS.keys()


def test_a_stale_value_is_one_that_is_valid_and_old() -> None:
    judge = Judge({"x": 4.0, "z": 4.0})
    judge.look({"x": Seen(1.0, 0, 100.0), "y": Seen(1.0, 0, 0.0)}, 103.0)
    judge.look({"x": Seen(1.0, 3, 50.0)}, 200.0)
    judge.look({"x": Seen(1.0, 0, 100.0), "z": Seen(1.0, 0, 102.0)}, 110.0)  # the server is late with everything
    assert not judge.complaints
    judge.look({"x": Seen(1.0, 2, 99.0), "z": Seen(1.0, 0, 104.0)}, 104.0)
    judge.stopped({"x": Seen(1.0, 3, 0.0), "y": Seen(1.0, 0, 0.0)}, "its source is silent")
    assert judge.complaints == [
        "x is valid with a time stamp 5.0 s old",
        "x is valid with a time stamp 1.000 s before its last",
        "y is valid although its source is silent",
    ]


def test_readings_that_stay_valid_without_a_beam_are_found() -> None:
    lost = LostBeam()
    none, stays = {FOUND: Seen(0.0, 0, 0.0)}, {"x": Seen(1.0, 0, 0.0), "y": Seen(1.0, 3, 0.0)}
    looks = [lost.still_valid(none | stays, 0.5 * n, 0.5 * n) for n in range(8)]
    assert [list(found) for found in looks] == [[]] * 6 + [["x"]] * 2
    assert not lost.still_valid({FOUND: Seen(1.0, 0, 0.0)} | stays, 4.0, 4.0)
    assert not lost.still_valid(none | stays, 4.5, 4.5)


@pytest.mark.slow(90)
@pytest.mark.timeout(2.0 * SOAK_S)
def test_machine_and_shadow_stay_honest_under_a_mix_of_faults_and_recover(tmp_path: Path, soak: bool) -> None:
    run(tmp_path, "bessy2" if soak else "mls", SOAK_S if soak else SHORT_S, SEED)


def run(folder: Path, ring: str, for_s: float, seed: int) -> Mapping[str, int]:
    """Run a soak; the numbers of what happened."""
    found = find_machine(Config(machine=ring))
    specs = pvs_of(found, "")
    targets = Targets.of(found.ring, "*:rdbk" if ring == "bessy2" else "*:rdCur")
    by_device = {s.device: s.name for s in specs if s.source == "set" and s.property == "current"}
    setpoints = [by_device[name] for name in (*targets.quadrupoles, *targets.steerers)]
    watched = beam_pvs(specs, targets)
    with ExitStack() as stack:
        servers: list[Server] = []
        theirs = ports()
        for name, text in (("machine", MACHINE), ("shadow", SHADOW)):
            where = ports() if servers else theirs
            own = folder / name
            own.mkdir()
            (own / "config.yaml").write_text(text.format(ring=ring, port=theirs.ca, seed=seed))
            twin = stack.enter_context(
                TwinProcess(where.environment, own, "--config", str(own / "config.yaml"), program=PROGRAM)
            )
            servers.append(Server(name, twin, where, "SHADOW:" if servers else ""))
            stack.callback(servers[-1].close)
        machine, shadow = servers
        until(lambda: int(shadow.value("dt:machine:connected")) == 3)
        until(lambda: shadow.value("dt:residual:x:rms").severity == 0)
        soaking = Soak(machine, shadow, targets, setpoints[:-1], setpoints[-1], seed)
        soaking.begin(watched)
        assert all(len(judge.limits) > 5 for judge in soaking.judges.values())
        few = {name: soaking.baseline[name] for name in setpoints[-21:-1]}
        repeated = [*soaking.judges[machine].limits][:60], [f"SHADOW:{n}" for n in soaking.judges[shadow].limits][:60]
        end = folder / "end"
        clients = [
            stack.enter_context(client(machine, soak_clients.over_ca, repeated[0], few, str(end), seed + 10)),
            stack.enter_context(client(machine, soak_clients.over_pva, repeated[0], few, str(end), seed + 11)),
            stack.enter_context(client(shadow, soak_clients.over_ca, repeated[1], {}, str(end), seed + 12)),
            stack.enter_context(client(shadow, soak_clients.over_pva, repeated[1], {}, str(end), seed + 13)),
        ]
        stack.callback(end.touch)
        soaking.run(max(BEFORE_S, BEFORE * for_s))
        before = {server: server.usage() for server in servers}
        soaking.run(for_s)
        end.touch()
        took_s = soaking.recover(RECOVER_S)
        after = {server: server.usage() for server in servers}
        problems = soaking.complaints()
        told = [told_by(each) for each in clients]
        problems += [f"client {n} hears nothing of {each['silent']}" for n, each in enumerate(told) if each["silent"]]
        for server in servers:
            was, now = before[server], after[server]
            print(f"{server.name}: {was} before, {now} after")
            grown = now.memory_mb - was.memory_mb, now.files - was.files, now.threads - was.threads
            if any(more > most for more, most in zip(grown, (MEMORY_MB, FILES, THREADS), strict=True)):
                problems.append(f"{server.name}: it has grown by {grown}")
            if (status := server.twin.stop()) != 0:
                problems.append(f"{server.name}: it ended with {status}")
            log = server.twin.log.read_text()
            problems += [f"{server.name}: {word} in the log" for word in ("Traceback", "internal error") if word in log]
            with Reader(server.twin.journal) as reader:
                entries = list(reader.entries())
            assert [e.sequence for e in entries] == list(range(1, len(entries) + 1))
            assert all(e.outcomes for e in entries)
        print(f"healthy after {took_s:.1f} s; {len(entries)} commands; {dict(soaking.counts)}; clients: {told}")
        assert not problems, "\n".join(problems)
        return soaking.counts


def client(server: Server, program: Callable[..., Any], *arguments: object) -> "subprocess.Popen[str]":
    """Start a client program against a server."""
    name = f"{program.__module__}.{program.__qualname__}"
    started = subprocess.Popen(
        [sys.executable, "-m", "programs", name],
        env=server.twin.client_environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert started.stdin is not None
    started.stdin.write(json.dumps([arguments, {}]))
    started.stdin.close()
    started.stdin = None
    return started


def told_by(program: "subprocess.Popen[str]") -> dict[str, Any]:
    """Wait for a client program, and read what it returned."""
    out, complaint = program.communicate(timeout=3.0 * PATIENCE_S)
    lines = [line for line in out.splitlines() if line.startswith(MARK)]
    assert lines, complaint[-3000:]
    told: dict[str, Any] = json.loads(lines[-1].removeprefix(MARK))
    return told


def beam_pvs(specs: Sequence[PvSpec], targets: Targets) -> list[str]:
    """PVs that show the beam, and that no fault of readings gives a wrong time stamp."""
    of_beam = ("orbit", "tune", "monitor", "residual", "twiss")
    numbers = (Kind.FLOAT, Kind.INT, Kind.FLOATS, Kind.INTS)
    found = [s for s in specs if s.source.partition(".")[0] in of_beam and s.kind in numbers]
    return [s.name for s in found if s.device not in targets.monitors][:150]
