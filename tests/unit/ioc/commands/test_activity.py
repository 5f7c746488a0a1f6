"""A model at rest: outputs say so, setpoints and journal go on."""

import asyncio
import threading
from pathlib import Path

import pytest
from patience import PATIENCE_S

from gnomon.ioc.commands.activity import PAUSED
from gnomon.ioc.outputs.bank import Severity
from gnomon.lattice import Lattice
from gnomon.propagator import BeamState
from gnomon.recorder.reader import Reader
from unit.ioc.rig import beam, running


async def test_a_paused_model_makes_outputs_invalid_at_once_and_puts_go_on(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        await rig.put("T:CP:set", 1.0)
        before = rig.get("T:BPM1:rdX")
        assert (await rig.put("T:dt:active", "paused")).accepted
        after = rig.get("T:BPM1:rdX")
        assert (after.severity, after.value, after.time_ns) == (Severity.INVALID, before.value, before.time_ns)
        assert rig.get("T:dt:reason").value == PAUSED
        assert rig.get("T:dt:active").value == 0
        reply = await rig.put("T:CP:set", 2.0)
        assert reply.accepted
        assert rig.get("T:CP:set").value == rig.get("T:CP:rdbk").value == 2.0
        assert rig.get("T:BPM1:rdX").severity is Severity.INVALID
    with Reader(tmp_path / "journal") as reader:
        entries = list(reader.entries())
    assert [(e.changes[0].new, e.outcome and e.outcome.value, e.reason) for e in entries] == [
        (1.0, "applied", ""),
        (2.0, "applied", ""),
    ]


async def test_a_resumed_model_shows_the_present_lattice_when_the_put_ends(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        await rig.put("T:dt:active", 0)
        reply = await rig.put("T:CP:set", 2.0)
        assert (await rig.put("T:dt:active", 1)).accepted
        assert rig.get("T:BPM1:rdX").value == pytest.approx(2.0)
        assert rig.get("T:BPM1:rdX").severity is Severity.NO_ALARM
        assert rig.get("T:dt:lattice").value == reply.lattice_id
        assert rig.get("T:dt:reason").value == ""
        assert rig.get("T:dt:active").value == 1


async def test_a_pause_amid_a_computation_completes_its_put_and_drops_its_result(tmp_path: Path) -> None:
    go = threading.Event()
    go.set()

    def model(lattice: Lattice) -> BeamState:
        go.wait(PATIENCE_S)
        return beam(lattice)

    async with running(tmp_path, model) as rig:
        go.clear()
        put = rig.start_put("T:CP:set", 1.0)
        while not rig.get("T:dt:calc:orbit:roe").value:
            await asyncio.sleep(0.001)
        await rig.put("T:dt:active", 0)
        assert (await put).accepted
        assert rig.get("T:dt:calc:orbit:roe").value == 0
        go.set()
        await asyncio.sleep(0.02)
        assert rig.get("T:BPM1:rdX").severity is Severity.INVALID


async def test_roe_is_set_with_the_setpoint_and_cleared_with_the_result(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        roe = rig.bank.index["T:dt:calc:orbit:roe"]
        setpoint = rig.bank.index["T:CP:set"]
        seen: list[tuple[bool, float]] = []
        rig.bank.listen(lambda indices: seen.append((setpoint in indices, rig.bank.values[roe])))
        await rig.put("T:CP:set", 1.0)
        assert seen == [(True, 1), (False, 0)]
