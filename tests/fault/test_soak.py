"""Machine and shadow side by side under a mix of faults of all groups, with clients: no traceback, leak or stale value."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from fault.soak.plan import MAKERS, Targets
from fault.soak.servers import Server
from fault.soak.stage import Soak
from gnomon.db.pvs import Kind, PvSpec
from gnomon.fault_injection import KINDS
from gnomon.ioc.app.machines import find_machine, pvs_of
from gnomon.ioc.base.config import Config
from system.test_shadow_operation import ports, until
from system.twin_process import TwinProcess

#: How long everything goes on, in a soak and otherwise [s].
SOAK_S, SHORT_S = 3600.0, 45.0
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


@pytest.mark.slow
def test_machine_and_shadow_stay_honest_under_a_mix_of_faults_and_recover(tmp_path: Path, soak: bool) -> None:
    run(tmp_path, "bessy2" if soak else "mls", SOAK_S if soak else SHORT_S, SEED)


def run(folder: Path, ring: str, for_s: float, seed: int) -> Mapping[str, int]:
    """Run a soak; the numbers of what happened."""
    found = find_machine(Config(machine=ring))
    specs = pvs_of(found, "")
    by_setting = {(s.device, s.property): s.name for s in specs if s.source == "set"}
    readback = "*:rdbk" if ring == "bessy2" else "*:rdCur"
    targets = Targets.of(found.ring, readback)
    with ExitStack() as stack:
        servers: list[Server] = []
        theirs = ports()
        for name, text in (("machine", MACHINE), ("shadow", SHADOW)):
            where = ports() if servers else theirs
            own = folder / name
            own.mkdir()
            (own / "config.yaml").write_text(text.format(ring=ring, port=theirs.ca, seed=seed))
            twin = stack.enter_context(TwinProcess(where.environment, own, "--config", str(own / "config.yaml")))
            servers.append(Server(name, twin, where, "SHADOW:" if servers else ""))
            stack.callback(servers[-1].close)
        machine, shadow = servers
        until(lambda: int(shadow.value("dt:machine:connected")) == 3)
        until(lambda: shadow.value("dt:residual:x:rms").severity == 0)
        soaking = Soak(machine, shadow, targets, lambda device: by_setting[device, "current"], seed)
        soaking.begin(watched(specs, targets))
        assert all(len(judge.repeated) > 5 for judge in soaking.judges.values())
        soaking.run(for_s / 4)  # what is made once is made here
        before = {server: server.usage() for server in servers}
        soaking.run(for_s)
        took_s = soaking.recover(10.0)
        after = {server: server.usage() for server in servers}
        print(f"recovered in {took_s:.1f} s", before, after, soaking.counts)
        problems = soaking.complaints()
        for server in servers:
            was, now = before[server], after[server]
            if now.memory_mb > was.memory_mb + 30.0 or now.files > was.files + 10 or now.threads > was.threads + 5:
                problems.append(f"{server.name}: a leak, from {was} to {now}")
            if (status := server.twin.stop()) != 0:
                problems.append(f"{server.name}: it ended with {status}")
            log = server.twin.log.read_text()
            problems += [f"{server.name}: {word} in the log" for word in ("Traceback", "internal error") if word in log]
        assert not problems, "\n".join(problems)
        return soaking.counts


def watched(specs: tuple[PvSpec, ...], targets: Targets) -> list[str]:
    """PVs that show the beam, and that no fault of readings gives a wrong time stamp."""
    of_beam = ("beam", "orbit", "tune", "monitor", "residual", "packed", "twiss")
    return [
        s.name
        for s in specs
        if s.source.partition(".")[0] in of_beam
        and s.device not in targets.monitors
        and s.kind in (Kind.FLOAT, Kind.INT, Kind.ENUM, Kind.FLOATS, Kind.INTS)
    ][:120]
