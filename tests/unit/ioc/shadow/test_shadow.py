"""A shadow of a machine that the test plays: commands, refusals, INVALID, residuals."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from patience import PATIENCE_S

from gnomon.fault_injection import Fault
from gnomon.ioc.base.config import Config, ShadowConfig, changed
from gnomon.ioc.base.protocols import PutFuture
from gnomon.ioc.outputs.bank import Severity
from gnomon.ioc.outputs.readings import revolution_frequency
from gnomon.ioc.shadow import follower, shadow_assembly
from gnomon.ioc.shadow import shadow as shadow_module
from gnomon.ioc.shadow.bound_watch import PredictsNext
from gnomon.ioc.shadow.machine_readings import MachineReadings
from gnomon.ioc.shadow.mode import Mode
from gnomon.ioc.shadow.watched_pvs import choose_watched_pvs
from gnomon.lattice import Lattice, Outcome
from gnomon.propagator import BeamState
from gnomon.recorder.entries import Entry
from gnomon.recorder.reader import Reader
from unit.ioc.rig import RING, Rig, beam, running, specs
from unit.ioc.shadow.fake_link import FakeLink

SETTLE_S, STALE_S = 0.02, 0.6
SUPPLIES = ("CP", "QFP", "QDP", "SFP", "OCP", "QTRIM", "MUXP")
STATE = {f"{name}:set": RING.nominal[name, "current"] for name in SUPPLIES} | {"CP:set": 1.0}
STATE |= {"MCLKHX251C:freq": RING.nominal["rf", "frequency"], "rf:voltage": RING.nominal["rf", "voltage"]}
STATE |= {"MUXP:cmd1": 1.0, "PMUXZR:off": 1.0, "PMUXZR:QF": 0.0, "PMUXZR:QD": 0.0}
QFP = STATE["QFP:set"]
#: The multiplexer takes 20 A from QD, whose conversion begins at 0 A.
CONNECTED = {"PMUXZR:QD": 1.0, "PMUXZR:off": 0.0, "MUXP:set": 10.0}


def entries(folder: Path) -> list[Entry]:
    with Reader(folder / "journal") as reader:
        return list(reader.entries())


async def eventually(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        await asyncio.sleep(0.005)


@asynccontextmanager
async def following(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    compute: Callable[[Lattice], BeamState] = beam,
    make_predictor: Callable[..., PredictsNext] | None = None,
    stale_s: float = STALE_S,
) -> AsyncIterator[tuple[Rig, FakeLink]]:
    """A shadow that has just been told to follow, with a calibration if there is a predictor."""
    links: list[FakeLink] = []

    def link(_: ShadowConfig) -> FakeLink:
        links.append(FakeLink())
        return links[-1]

    monkeypatch.setattr(shadow_assembly, "make_link", link)
    monkeypatch.setattr(follower, "GATHER_S", 0.02)
    monkeypatch.setattr(shadow_module, "LOOK_S", 0.025)
    shadow: dict[str, object] = {"addresses": ["machine"], "settle_s": SETTLE_S, "stale_s": stale_s}
    if make_predictor is not None:
        monkeypatch.setattr(shadow_assembly, "make_predictor", make_predictor)
        shadow["calibration"] = "newest"
    config = changed(Config(prefix="T:"), {"role": "shadow", "shadow": shadow})
    async with running(folder, compute) as rig:
        mode = shadow_assembly.make_mode(config, RING, rig.services, rig.controls)
        mode.begin()
        try:
            yield rig, links[0]
        finally:
            mode.close()


def readings(x_mm: float, y_mm: float) -> dict[str, object]:
    """Return the readings of the machine's one monitor and of its tunes, as the model has them."""
    return {"ORBITCC:rdPos": np.array([x_mm, y_mm]) * 1e6, "TUNEZR:rdH": tune_khz(3.25), "TUNEZR:rdV": tune_khz(2.4)}


def tune_khz(tune: float) -> float:
    """A tune as it is measured: the frequency of its fractional part."""
    return tune % 1.0 * revolution_frequency(RING.nominal) * 1e-3


async def caught_up(rig: Rig) -> None:
    await eventually(lambda: rig.get("T:BPM1:rdX").severity is Severity.NO_ALARM)


async def test_the_machines_state_comes_as_one_command_and_its_changes_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with following(tmp_path, monkeypatch) as (rig, link):
        assert rig.get("T:BPM1:rdX").severity is Severity.INVALID  # until the state is known
        link.say({"CP:set": 1.0, "QFP:set": 1.02 * QFP})
        link.say(STATE | {"CP:set": 1.5})
        await caught_up(rig)
        assert rig.get("T:CP:rdbk").value == 1.5
        link.say({"CP:set": 1.6, "QFP:set": 1.015 * QFP})
        link.say({"CP:set": 1.7})
        await eventually(lambda: rig.get("T:CP:rdbk").value == 1.7)
        assert rig.get("T:BPM1:rdX").value == pytest.approx(1.7)
    first, second = entries(tmp_path)
    assert (first.note, first.client.user, first.client.protocol) == ("catch up", "shadow-of the machine", "ca")
    assert {c.pv: c.new for c in first.changes}["T:CP:set"] == 1.5
    assert (second.note, len(second.changes)) == ("follow", 2)
    assert {c.pv: c.new for c in second.changes} == {"T:QFP:set": 1.015 * QFP, "T:CP:set": 1.7}


async def test_a_strength_is_a_trim_on_the_current_of_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = RING.nominal.updated({("QF", "k1"): 1.21}).updated({("QFP", "current"): 1.01 * QFP})
    async with following(tmp_path, monkeypatch) as (rig, link):
        # The machine's setpoint still says what was put to it, its readback what there is now.
        link.say(STATE | {"QFP:set": 1.01 * QFP, "QF:Cm:set": 1.21, "QF:Cm:rdbk": machine["QF", "k1"]})
        await caught_up(rig)
        assert rig.dispatcher.lattice["QF", "k1"] == pytest.approx(machine["QF", "k1"], rel=1e-14)
        now = time.time_ns()
        link.say({"QF:Cm:set": 1.22}, time_ns=now)
        link.say({"QFP:set": 1.005 * QFP}, time_ns=now + 1)
        machine = machine.updated({("QF", "k1"): 1.22}).updated({("QFP", "current"): 1.005 * QFP})
        await eventually(lambda: rig.get("T:QFP:rdbk").value == 1.005 * QFP)
        assert rig.dispatcher.lattice["QF", "k1"] == pytest.approx(machine["QF", "k1"], rel=1e-14)
        link.say({"QFP:set": 1.003 * QFP, "QF:Cm:set": 1.23}, time_ns=now + 2)  # together: the strength is what counts
        await eventually(lambda: rig.get("T:QFP:rdbk").value == 1.003 * QFP)
        assert rig.dispatcher.lattice["QF", "k1"] == pytest.approx(1.23, rel=1e-14)


@pytest.mark.parametrize(
    ("value", "severity", "reason"),
    [(1e6, 0, "drive limits"), (float("nan"), 0, "finite"), ("much", 0, "number"), (1.2, 3, "INVALID")],
)
async def test_a_value_that_cannot_be_had_is_refused_and_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: object, severity: int, reason: str
) -> None:
    async with following(tmp_path, monkeypatch) as (rig, link):
        link.say(STATE | readings(1.0, -1.0))
        await caught_up(rig)
        link.say({"CP:set": value}, severity)
        await eventually(lambda: rig.get("T:dt:machine:refused").value == 1)
        assert reason in rig.get("T:dt:machine:reason").value
        assert rig.get("T:dt:machine:connected").value == 2  # in part
        assert rig.get("T:CP:set").severity is Severity.INVALID
        assert rig.get("T:CP:rdbk").value == 1.0
        link.say({"CP:set": 1.1})
        await eventually(lambda: rig.get("T:dt:machine:refused").value == 0)
        await eventually(lambda: rig.get("T:CP:rdbk").value == 1.1)
        assert rig.get("T:CP:set").value == 1.1
        await eventually(lambda: rig.get("T:CP:set").severity is not Severity.INVALID)
    assert [e.outcome and e.outcome.value for e in entries(tmp_path)] == ["applied", "rejected", "applied"]


async def test_one_refused_value_does_not_hold_back_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with following(tmp_path, monkeypatch) as (rig, link):
        link.say(STATE | CONNECTED)
        await caught_up(rig)
        link.say({"CP:set": 2.0, "QFP:set": 0.3 * QFP, "QDP:set": 10.0})  # beyond what the conversion of QD knows
        await eventually(lambda: rig.get("T:CP:rdbk").value == 2.0)
        await eventually(lambda: rig.get("T:QFP:rdbk").value == 0.3 * QFP)
        await eventually(lambda: rig.get("T:dt:machine:refused").value == 1)


async def test_a_retry_does_not_bring_back_an_older_value_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with following(tmp_path, monkeypatch) as (rig, link):
        link.say(STATE | CONNECTED)
        await caught_up(rig)
        link.say({"CP:set": 2.0, "QFP:set": 0.3 * QFP, "QDP:set": 10.0})
        await asyncio.sleep(0.0)
        link.say({"CP:set": 3.0})  # on its way while the others are refused
        await eventually(lambda: rig.get("T:QFP:rdbk").value == 0.3 * QFP)
        await eventually(lambda: rig.get("T:dt:machine:refused").value == 1)
        assert rig.get("T:CP:rdbk").value == 3.0


async def test_a_machine_that_goes_while_its_state_is_taken_is_not_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with following(tmp_path, monkeypatch) as (rig, link):
        valid: list[float] = []
        index = rig.bank.index["T:BPM1:rdX"]
        rig.bank.listen(
            lambda changed: (
                valid.append(rig.get("T:BPM1:rdX").value)
                if index in changed and rig.get("T:BPM1:rdX").severity is Severity.NO_ALARM
                else None
            )
        )
        command = rig.dispatcher.command

        def command_and_lose(*rest: Any) -> PutFuture:
            done = command(*rest)
            link.lose()
            return done

        monkeypatch.setattr(rig.dispatcher, "command", command_and_lose)
        link.say(STATE | {"CP:set": 1.5})
        await eventually(lambda: rig.get("T:CP:rdbk").value == 1.5)
        monkeypatch.undo()
        link.say(STATE | {"CP:set": 3.0})
        link.lose("rf:voltage")  # has the shadow look how things stand
        assert rig.get("T:BPM1:rdX").severity is Severity.INVALID
        await caught_up(rig)
        assert valid == pytest.approx([3.0])


async def test_a_change_that_was_on_its_way_does_not_make_a_lost_setpoint_valid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with following(tmp_path, monkeypatch) as (rig, link):
        link.say(STATE)
        await caught_up(rig)
        link.say({"CP:set": 2.0})
        link.lose("CP:set")
        await eventually(lambda: rig.get("T:CP:rdbk").value == 2.0)
        await eventually(lambda: rig.get("T:CP:set").severity is Severity.INVALID)
        link.say({"CP:set": 2.0})
        await eventually(lambda: rig.get("T:CP:set").severity is not Severity.INVALID)


async def test_a_command_that_is_still_delayed_does_not_act_in_a_shadow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with following(tmp_path, monkeypatch) as (rig, link):
        link.say(STATE)
        await caught_up(rig)
        await rig.put("T:par:mode", "twin")
        rig.injector.add(Fault.from_request({"kind": "delay", "device": "CP", "delay_s": 5.0}, created_by="test"))
        delayed = rig.start_put("T:CP:set", 2.0)
        await eventually(lambda: rig.get("T:CP:set").value == 2.0)
        rig.injector.clear()
        await rig.put("T:par:mode", "shadow")
        reply = await asyncio.wait_for(delayed, PATIENCE_S)
        assert not reply.accepted
        assert "still delayed" in reply.message
    assert entries(tmp_path)[-1].outcome is Outcome.FAILED


async def test_a_machine_out_of_reach_makes_outputs_invalid_until_it_is_caught_up_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with following(tmp_path, monkeypatch) as (rig, link):
        link.say(STATE | readings(1.0, -1.0))
        await caught_up(rig)
        link.say(readings(1.0, -1.0))
        await eventually(lambda: rig.get("T:dt:residual:x").severity is Severity.NO_ALARM)
        before = rig.get("T:dt:residual:x")
        link.lose()
        for name in ("T:CP:set", "T:BPM1:rdX", "T:dt:residual:x", "T:dt:residual:tune:x", "T:dt:machine:age"):
            assert rig.get(name).severity is Severity.INVALID, name
        assert rig.get("T:dt:residual:x").time_ns == before.time_ns
        assert rig.get("T:dt:machine:connected").severity is Severity.MAJOR
        assert "not reached" in rig.get("T:dt:machine:reason").value
        link.say(STATE | {"CP:set": 3.0})
        await caught_up(rig)
        assert rig.get("T:BPM1:rdX").value == pytest.approx(3.0)
        assert rig.get("T:QFP:set").severity is Severity.NO_ALARM  # what has not changed is known again, too


async def test_a_shadow_that_fails_shows_nothing_as_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with following(tmp_path, monkeypatch) as (rig, link):
        link.say(STATE)
        await caught_up(rig)
        monkeypatch.setattr(MachineReadings, "snapshot", lambda _: 1 // 0)
        await eventually(lambda: rig.get("T:BPM1:rdX").severity is Severity.INVALID)
        assert link.closed
        assert "internal error: ZeroDivisionError" in rig.get("T:dt:machine:reason").value
        assert rig.get("T:dt:machine:connected").severity is Severity.MAJOR


async def test_some_setpoints_out_of_reach_are_invalid_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with following(tmp_path, monkeypatch) as (rig, link):
        link.say(STATE | readings(1.0, -1.0))
        await caught_up(rig)
        link.lose("QFP:set")
        assert rig.get("T:QFP:set").severity is Severity.INVALID
        assert rig.get("T:QDP:set").severity is Severity.NO_ALARM
        assert rig.get("T:BPM1:rdX").severity is Severity.NO_ALARM
        assert "QFP:set" in rig.get("T:dt:machine:reason").value
        assert rig.get("T:dt:machine:connected").severity is Severity.MINOR


async def test_setpoints_that_have_not_been_found_are_invalid_from_the_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with following(tmp_path, monkeypatch) as (rig, link):
        assert rig.get("T:CP:set").severity is Severity.INVALID
        link.say({name: value for name, value in STATE.items() if name != "QFP:set"})
        await caught_up(rig)
        assert rig.get("T:CP:set").severity is Severity.MINOR  # above its limit
        assert rig.get("T:QDP:set").severity is Severity.NO_ALARM  # nothing was to be changed
        assert rig.get("T:QFP:set").severity is Severity.INVALID
        link.say({"QFP:set": QFP})
        await eventually(lambda: rig.get("T:QFP:set").severity is Severity.NO_ALARM)
        assert (await rig.put("T:par:mode", "twin")).accepted
        assert (await rig.put("T:par:mode", "shadow")).accepted
        assert rig.get("T:QFP:set").severity is Severity.INVALID
        assert (await rig.put("T:par:mode", "twin")).accepted
        assert rig.get("T:QFP:set").severity is Severity.NO_ALARM


async def test_residuals_are_measured_minus_predicted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with following(tmp_path, monkeypatch) as (rig, link):
        link.say(STATE)
        await caught_up(rig)
        await asyncio.sleep(2.0 * SETTLE_S)
        link.say(readings(1.25, -1.0) | {"TUNEZR:rdH": tune_khz(3.251)})
        await eventually(lambda: rig.get("T:dt:residual:x").severity is Severity.NO_ALARM)
        assert rig.get("T:dt:residual:x").value == pytest.approx([0.25])
        assert rig.get("T:dt:residual:x:max").value == pytest.approx(0.25)
        assert rig.get("T:dt:residual:x:rms").value == pytest.approx(0.25)
        assert rig.get("T:dt:residual:x:where").value == "BPM1"
        assert rig.get("T:dt:residual:x:z").value == pytest.approx([250.0])
        assert rig.get("T:dt:residual:y").value == pytest.approx([0.0], abs=1e-9)
        assert rig.get("T:dt:residual:tune:x").value == pytest.approx(1e-3)
        assert rig.get("T:dt:residual:tune:x:z").value == pytest.approx(10.0)
        await eventually(lambda: rig.get("T:dt:residual:fresh").value == [1.0])
        # Nothing new for a while: what is shown would be old.
        await eventually(lambda: rig.get("T:dt:residual:x").severity is Severity.INVALID)
        await eventually(lambda: rig.get("T:dt:residual:fresh").value == [0.0])


async def test_a_reading_from_before_a_change_is_not_compared_with_what_follows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with following(tmp_path, monkeypatch) as (rig, link):
        link.say(STATE)
        await caught_up(rig)
        await asyncio.sleep(2.0 * SETTLE_S)
        link.say(readings(1.0, -1.0))
        await eventually(lambda: rig.get("T:dt:residual:x").severity is Severity.NO_ALARM)
        shown: list[float] = []
        index = rig.bank.index["T:dt:residual:x"]
        rig.bank.listen(lambda changed: shown.extend(rig.bank.objects[index]) if index in changed else None)
        changed_ns = time.time_ns()
        link.say({"CP:set": 2.0}, time_ns=changed_ns)
        link.say(readings(1.0, -1.0), time_ns=changed_ns + 1000)  # the machine's orbit of before
        await asyncio.sleep(3.0 * SETTLE_S)
        assert shown == []
        link.say(readings(2.0, -2.0))
        await eventually(lambda: bool(shown))
        assert shown == pytest.approx([0.0], abs=1e-9)


async def test_without_a_predicted_beam_there_are_no_residuals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def model(lattice: Lattice) -> BeamState:
        return beam(lattice, found=lattice["CP", "current"] < 2.0, reason="unstable")

    async with following(tmp_path, monkeypatch, model) as (rig, link):
        link.say(STATE)
        await caught_up(rig)
        await asyncio.sleep(2.0 * SETTLE_S)
        link.say(readings(1.0, -1.0))
        await eventually(lambda: rig.get("T:dt:residual:x").severity is Severity.NO_ALARM)
        link.say({"CP:set": 2.5})
        await asyncio.sleep(2.0 * SETTLE_S)
        link.say(readings(1.0, -1.0))
        await eventually(lambda: rig.get("T:dt:residual:x").severity is Severity.INVALID)
        await eventually(lambda: "no beam" in rig.get("T:dt:machine:reason").value)


async def test_the_mode_decides_who_sets_the_lattice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with following(tmp_path, monkeypatch) as (rig, link):
        link.say(STATE)
        await caught_up(rig)
        refused = await rig.put("T:CP:set", 0.5)
        assert not refused.accepted
        assert "T:CP:set: this shadow follows the machine at machine" in refused.message
        assert "par:mode" in refused.message
        assert (rig.get("T:par:mode").value, rig.get("T:dt:role").value) == (1, 1)
        assert (await rig.put("T:par:mode", "twin")).accepted
        assert link.closed
        assert rig.get("T:dt:machine:connected").value == 0
        assert rig.get("T:CP:rdbk").value == 1.0
        assert (await rig.put("T:CP:set", 0.5)).accepted
        assert rig.get("T:BPM1:rdX").value == pytest.approx(0.5)
        assert (rig.get("T:par:mode").value, rig.get("T:dt:role").value) == (0, 0)
        assert (await rig.put("T:par:mode", 1)).accepted
        assert not (await rig.put("T:CP:set", 0.6)).accepted
        assert rig.get("T:BPM1:rdX").severity is Severity.INVALID


async def test_a_paused_shadow_stays_paused_whatever_the_machine_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with following(tmp_path, monkeypatch) as (rig, link):
        link.say(STATE)
        await caught_up(rig)
        await rig.put("T:dt:active", 0)
        link.lose()
        link.say(STATE | {"CP:set": 2.0})
        await eventually(lambda: rig.get("T:CP:rdbk").value == 2.0)
        await eventually(lambda: "paused" in rig.get("T:dt:reason").value)
        assert rig.get("T:BPM1:rdX").severity is Severity.INVALID
        assert (await rig.put("T:dt:active", 1)).accepted
        assert rig.get("T:BPM1:rdX").value == pytest.approx(2.0)


@pytest.mark.parametrize(("role", "words"), [("twin", "shadow.addresses"), ("machine", "stands in for")])
async def test_a_mode_that_cannot_be_had_is_refused_with_what_to_do(tmp_path: Path, role: str, words: str) -> None:
    async with running(tmp_path) as rig:
        mode = shadow_assembly.make_mode(changed(Config(prefix="T:"), {"role": role}), RING, rig.services, rig.controls)
        assert isinstance(mode, Mode)
        mode.begin()
        reply = await rig.put("T:par:mode", "shadow")
        assert not reply.accepted
        assert words in reply.message
        assert rig.get("T:par:mode").value == 0
        assert rig.get("T:dt:role").value == {"twin": 0, "machine": 2}[role]
        assert rig.get("T:dt:residual:x").severity is Severity.INVALID


def test_a_shadow_without_a_machine_is_refused_as_a_configuration() -> None:
    with pytest.raises(Exception, match="--follow"):
        changed(Config(), {"role": "shadow"})


def test_noise_of_a_monitor_that_is_not_there_is_refused() -> None:
    with pytest.raises(Exception, match="no monitor 'BPM9'"):
        shadow_assembly.make_noise(ShadowConfig(monitor_noise_of={"BPM9": 1e-6}), RING)
    noise = shadow_assembly.make_noise(ShadowConfig(monitor_noise_of={"BPM1": 2e-6}), RING)
    assert noise.monitors == pytest.approx([2e-6])


def test_pvs_left_alone_are_not_watched_and_the_others_keep_their_place() -> None:
    found = choose_watched_pvs(specs(), RING, "T:", "M:", ("rf:*", "PMUXZR:Q?"))
    assert not [name for name in found.names if name.startswith(("M:rf:", "M:PMUXZR:Q"))]
    by_name = {found.names[channel]: setpoint for channel, setpoint in found.setpoints.items()}
    assert specs()[by_name["M:CP:set"].index].name == "T:CP:set"
    assert by_name["M:CP:set"].required
    assert not by_name["M:QF:Cm:set"].required


def test_a_strength_that_is_left_alone_is_not_taken_from_its_readback() -> None:
    assert any(s.spec.property == "k1" for s in choose_watched_pvs(specs(), RING, "T:", "M:").setpoints.values())
    found = choose_watched_pvs(specs(), RING, "T:", "M:", ("*:Cm:set",))
    assert not [name for name in found.names if ":Cm:" in name]
    assert {s.spec.property for s in found.setpoints.values()}.isdisjoint({"k1", "b3", "kick"})


async def test_strengths_found_before_their_currents_are_taken_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = RING.nominal.updated({("QF", "k1"): 1.21}).updated({("QFP", "current"): 1.01 * QFP})
    async with following(tmp_path, monkeypatch) as (rig, link):
        link.say({"CP:set": 1.0, "QF:Cm:set": 1.21, "QF:Cm:rdbk": machine["QF", "k1"]})
        await caught_up(rig)
        link.say({"QFP:set": 1.01 * QFP})
        await eventually(lambda: rig.get("T:QFP:rdbk").value == 1.01 * QFP)
        assert rig.dispatcher.lattice["QF", "k1"] == pytest.approx(machine["QF", "k1"], rel=1e-14)
        assert rig.dispatcher.lattice["QF", "k1_trim"] == pytest.approx(machine["QF", "k1_trim"], rel=1e-9)


def test_without_a_calibration_nothing_is_loaded_that_only_bounds_need(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gnomon.recorder.calibration_folder", None)
    assert shadow_assembly.find_calibration(Config(), RING) is None
    with pytest.raises(ImportError):
        shadow_assembly.find_calibration(changed(Config(), {"shadow": {"calibration": "newest"}}), RING)
