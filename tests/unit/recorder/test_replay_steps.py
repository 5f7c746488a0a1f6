"""Steps of recordings on BESSY II, made with the real lattice; the beam is a stand-in where optics do not matter."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from gnomon.db import shipped_machine
from gnomon.db.machines import pv_document
from gnomon.db.pvs import PvSpec
from gnomon.db.templates import expand, read_pvs
from gnomon.lattice import Change, Client, Command, Lattice, Outcome, Record, Ring, Setting, Settled
from gnomon.propagator import Propagator
from gnomon.recorder import Journal, ReplayError
from gnomon.recorder.filters import Filter
from gnomon.recorder.reader import Reader
from gnomon.recorder.recorded_states import state_before
from gnomon.recorder.replay_steps import Beam, Plan, make_plan, predict
from unit.recorder.conftest import bessy2
from unit.recorder.records import CLIENT, MORNING, SECOND


@dataclass
class FakeBeam:
    orbit: NDArray[np.float64]
    tune: NDArray[np.float64]
    found: bool = True
    reason: str = ""


def fake_beam(lattice: Lattice) -> FakeBeam:
    """Orbit [m] everywhere 1e-5 x the current of one steerer; the tune follows one quadrupole supply."""
    kick = lattice["HS4P1D1R", "current"]
    orbit = np.zeros((len(lattice.ring.elements) + 1, 4))
    orbit[:, 0] = 1e-5 * kick
    found = abs(kick) < 5.0
    return FakeBeam(orbit, np.array([lattice["Q1PDR", "current"] * 1e-3, 6.7]), found, "" if found else "no orbit")


@cache
def specs(prefix: str, ring: Ring) -> tuple[PvSpec, ...]:
    return expand(read_pvs(ring.document.pvs, partial(pv_document, beside=None)), ring, prefix)


class Recording:
    """A twin without servers: settings go to a lattice and, as a server would write them, to a journal."""

    def __init__(self, path: Path, ring: Ring) -> None:
        self.path = path
        self.journal = Journal(path)
        self.lattice = ring.nominal
        self.start = ring.nominal
        self.number = 0
        self.begin()

    def begin(self) -> None:
        self.lattice = self.start
        ring = self.lattice.ring
        self.journal.begin_run(
            machine=ring.name, digest=ring.digest, prefix="TWIN:", lattice_id=self.lattice.id, baseline={}
        )

    def put(
        self,
        *asked: Setting,
        outcome: Outcome = Outcome.APPLIED,
        factor: float = 1.0,
        reason: str = "",
        client: Client = CLIENT,
    ) -> None:
        self.number += 1
        values = {(s.device, s.property): s.value * factor for s in asked}
        acts = outcome in (Outcome.APPLIED, Outcome.MODIFIED)
        after = self.lattice.updated(values) if acts else self.lattice
        changes = tuple(self.change(s, after, done=False) for s in asked)
        effects = tuple(self.change(s, after, done=True) for s in asked) if acts else ()
        command = Command(self.number, asked, client, MORNING + self.number * SECOND, self.number)
        done = Settled(self.number, outcome, after.id, MORNING + self.number * SECOND, effects, reason)
        self.journal.append([Record(command, changes, self.lattice.id)], [done])
        self.lattice = after

    def change(self, asked: Setting, after: Lattice, *, done: bool) -> Change:
        spec = after.ring.property_spec(asked.device, asked.property)
        key, stored = (asked.device, asked.property), (asked.device, spec.setting)
        return Change(
            pv=asked.pv,
            device=asked.device,
            property=asked.property,
            unit=spec.unit,
            old=self.lattice[key],
            new=asked.value,
            done=after[key] if done else None,
            setting=spec.setting,
            setting_old=self.lattice[stored],
            setting_done=after[stored] if done else None,
        )

    def plan(self, first: int, last: int, prefix: str = "MACH:", beam: Callable[[Lattice], Beam] = fake_beam) -> Plan:
        self.journal.close()
        with Reader(self.path) as reader:
            before = state_before(reader, first)
            entries = tuple(reader.entries(Filter(first=first, last=last)))
        start = self.start.updated(before.settings)
        return make_plan(entries, before.run, prefix, start, specs(prefix, self.start.ring), beam)


@pytest.fixture
def recording(tmp_path: Path, ring: Ring) -> Recording:
    return Recording(tmp_path / "twin.journal", ring)


def current(device: str, value: float) -> Setting:
    return Setting(f"TWIN:{device}:set", device, "current", value)


def test_steps_name_the_machines_pvs_and_readbacks_with_values_and_limits(recording: Recording) -> None:
    recording.put(current("HS4P1D1R", 0.5))
    recording.put(current("HS4P1D1R", 0.8))
    plan = recording.plan(1, 2)
    assert [(s.pv, s.readback, s.start, s.target, s.unit) for s in plan.steps] == [
        ("MACH:HS4P1D1R:set", "MACH:HS4P1D1R:rdbk", 0.0, 0.5, "A"),
        ("MACH:HS4P1D1R:set", "MACH:HS4P1D1R:rdbk", 0.5, 0.8, "A"),
    ]
    assert (plan.steps[0].low, plan.steps[0].high) == (-10.0, 10.0)


def test_each_step_has_its_own_prediction(recording: Recording) -> None:
    recording.put(current("HS4P1D1R", 0.5), current("Q1PDR", recording.lattice["Q1PDR", "current"] + 1.0))
    plan = recording.plan(1, 1)
    assert [p.max_mm[0] for p in plan.predictions] == pytest.approx([0.005, 0.0])
    assert [p.rms_mm[0] for p in plan.predictions] == pytest.approx([0.005, 0.0])
    assert [p.tune[0] for p in plan.predictions] == pytest.approx([0.0, 1e-3])


def test_only_effects_are_replayed_with_the_values_that_acted(recording: Recording) -> None:
    recording.put(current("HS4P1D1R", 0.5), outcome=Outcome.ABANDONED)
    recording.put(current("HS4P1D1R", 1.0), outcome=Outcome.MODIFIED, factor=0.9)
    recording.put(current("HS4P1D1R", 2.0), outcome=Outcome.REJECTED)
    (step,) = recording.plan(1, 3).steps
    assert (step.start, step.target, step.asked, step.sequence) == (0.0, 0.9, 1.0, 2)


def test_a_range_in_the_middle_begins_with_the_settings_of_then(recording: Recording) -> None:
    recording.put(current("HS4P1D1R", 0.5))
    recording.put(current("Q1PDR", recording.lattice["Q1PDR", "current"] + 1.0))
    plan = recording.plan(2, 2)
    starts = {start.pv: start.value for start in plan.starts}
    assert starts["MACH:HS4P1D1R:set"] == 0.5
    assert starts["MACH:Q1PDR:set"] == recording.start["Q1PDR", "current"]
    assert starts["MACH:MCLKHX251C:freq"] == recording.start["rf", "frequency"]
    assert sum(pv.endswith(":set") for pv in starts) == sum(
        s.source == "set" and s.property == "current" for s in specs("MACH:", bessy2())
    )


def test_a_strength_is_written_as_such_and_starts_at_its_readback(recording: Recording) -> None:
    strength = recording.lattice["Q1M1D1R", "k1"]
    recording.put(Setting("TWIN:Q1M1D1R:Cm:set", "Q1M1D1R", "k1", strength * 1.01))
    plan = recording.plan(1, 1)
    (step,) = plan.steps
    assert (step.pv, step.readback) == ("MACH:Q1M1D1R:Cm:set", "MACH:Q1M1D1R:Cm:rdbk")
    assert (step.start, step.target) == (strength, strength * 1.01)
    assert {s.pv: s.value for s in plan.starts}["MACH:Q1M1D1R:Cm:rdbk"] == strength


def test_a_plan_knows_what_each_step_moves_of_the_start_state(recording: Recording) -> None:
    supply, strength = recording.lattice["Q1PDR", "current"], recording.lattice["Q1M1D1R", "k1"]
    recording.put(current("HS4P1D1R", 0.5))
    recording.put(current("Q1PDR", supply + 1.0))
    between = recording.lattice["Q1M1D1R", "k1"]
    recording.put(Setting("TWIN:Q1M1D1R:Cm:set", "Q1M1D1R", "k1", strength * 1.01))
    plan = recording.plan(1, 3)
    starts = {start.pv: start.value for start in plan.starts}
    assert starts["MACH:Q1M1D1R:Cm:rdbk"] == strength, "at the start of the recording, not of its own step"
    assert plan.moves[0] == {"MACH:HS4P1D1R:set": 0.5, "MACH:HS4P1D1R:rdbk": 0.5}
    assert plan.moves[1] == {
        "MACH:Q1PDR:set": supply + 1.0,
        "MACH:Q1PDR:rdbk": supply + 1.0,
        "MACH:Q1M1D1R:Cm:rdbk": between,
    }
    assert plan.moves[2] == {"MACH:Q1M1D1R:Cm:rdbk": pytest.approx(strength * 1.01, rel=1e-12)}


def test_a_trim_that_the_recording_started_with_belongs_to_the_start_state(recording: Recording) -> None:
    strength = recording.lattice["Q1M1D1R", "k1"]
    recording.put(Setting("TWIN:Q1M1D1R:Cm:set", "Q1M1D1R", "k1", strength * 1.01))
    recording.put(current("HS4P1D1R", 0.5))
    starts = {start.pv: start.value for start in recording.plan(2, 2).starts}
    assert starts["MACH:Q1M1D1R:Cm:rdbk"] == pytest.approx(strength * 1.01, rel=1e-12)
    assert "MACH:Q1M2D1R:Cm:rdbk" not in starts


def test_a_trim_that_was_put_back_is_written_as_the_strength_that_it_makes(recording: Recording) -> None:
    strength = recording.lattice["Q1M1D1R", "k1"]
    recording.put(Setting("TWIN:Q1M1D1R:Cm:set", "Q1M1D1R", "k1", strength * 1.01))
    recording.put(Setting("TWIN:dt:set", "Q1M1D1R", "k1_trim", 0.0))
    back = recording.plan(1, 2).steps[1]
    assert back.pv == "MACH:Q1M1D1R:Cm:set"
    assert back.start == pytest.approx(strength * 1.01)
    assert back.target == pytest.approx(strength, rel=1e-12)


def test_a_property_without_readback_is_read_back_itself(recording: Recording) -> None:
    recording.put(Setting("TWIN:Q1M1D1R:x:set", "Q1M1D1R", "dx", 1e-4))
    (step,) = recording.plan(1, 1).steps
    assert step.readback == step.pv == "MACH:Q1M1D1R:x:set"


def test_a_step_that_loses_the_beam_says_so(recording: Recording) -> None:
    recording.put(current("HS4P1D1R", 9.0))
    recording.put(current("HS4P1D1R", 0.0))
    first, second = recording.plan(1, 2).predictions
    assert not first.found
    assert first.reason == "no beam after it: no orbit"
    assert second.reason == "no beam before it: no orbit"


def test_a_range_over_two_runs_is_refused(recording: Recording) -> None:
    recording.put(current("HS4P1D1R", 0.5))
    recording.begin()
    recording.put(current("HS4P1D1R", 0.5))
    with pytest.raises(ReplayError, match="runs 1, 2"):
        recording.plan(1, 2)


def test_a_range_that_changed_nothing_is_refused(recording: Recording) -> None:
    recording.put(current("HS4P1D1R", 0.5), outcome=Outcome.REJECTED)
    with pytest.raises(ReplayError, match="nothing to replay"):
        recording.plan(1, 1)


def test_a_device_without_a_setpoint_on_the_machine_is_refused(recording: Recording, ring: Ring) -> None:
    recording.put(current("HS4P1D1R", 0.5))
    recording.journal.close()
    with Reader(recording.path) as reader, pytest.raises(ReplayError, match="no setpoint for that"):
        make_plan(tuple(reader.entries()), reader.run(1), "MACH:", ring.nominal, (), fake_beam)


def test_the_prediction_is_the_change_at_the_monitors_alone(ring: Ring) -> None:
    before, after = fake_beam(ring.nominal), fake_beam(ring.nominal)
    after.orbit[:, 2] = 1.0
    where = list(ring.monitors)
    after.orbit[where, 2] = 0.0
    after.orbit[where[0], 2] = -3e-3
    prediction = predict(before, after, ring.monitors)
    assert prediction.max_mm[0] == 0.0
    assert prediction.max_mm[1] == pytest.approx(3.0)
    assert prediction.rms_mm[1] == pytest.approx(3.0 / np.sqrt(len(where)))


def test_a_switch_of_the_optics_is_one_step_of_its_pv(tmp_path: Path) -> None:
    ring = shipped_machine("mls")
    recording = Recording(tmp_path / "mls.journal", ring)
    name = "TWIN:MLSOPCCP:actOptRmpTblSet"
    recording.put(*(Setting(name, *key, value) for key, value in ring.optics_settings(4).items()))
    recording.put(Setting("TWIN:PAHRP:setVoltCav", "rf", "voltage", 80.0))
    plan = recording.plan(1, 2, beam=Propagator(ring))
    assert [(s.pv, s.start, s.target) for s in plan.steps] == [
        ("MACH:MLSOPCCP:actOptRmpTblSet", 0.0, 4.0),
        ("MACH:PAHRP:setVoltCav", 72.0, 80.0),
    ]
    before, after = (Propagator(ring)(lattice) for lattice in (ring.nominal, ring.optics["injection"]))
    assert plan.predictions[0].tune == pytest.approx(tuple(after.tune - before.tune), abs=1e-12)


def test_a_selection_of_the_multiplexer_presses_the_machines_button(recording: Recording) -> None:
    number = float(recording.start.ring.document.multiplexer.magnets.index("Q1M2D1R") + 1)  # type: ignore[union-attr]
    recording.put(Setting("TWIN:PMUXZR:Q1M2D1R", "PMUXZR", "selected", number))
    recording.put(Setting("TWIN:PMUXZR:off", "PMUXZR", "selected", 0.0))
    plan = recording.plan(1, 2)
    assert [(s.pv, s.readback, s.start, s.target) for s in plan.steps] == [
        ("MACH:PMUXZR:Q1M2D1R", "MACH:PMUXZR:Q1M2D1R", 0.0, 1.0),
        ("MACH:PMUXZR:off", "MACH:PMUXZR:off", 0.0, 1.0),
    ]
    assert [s.back_pv for s in plan.steps] == ["MACH:PMUXZR:off", "MACH:PMUXZR:Q1M2D1R"]
    starts = {start.pv: start.value for start in plan.starts}
    assert (starts["MACH:PMUXZR:Q1M2D1R"], starts["MACH:PMUXZR:off"]) == (0.0, 1.0)
    buttons = [{pv: v for pv, v in moves.items() if pv.startswith("MACH:PMUXZR:")} for moves in plan.moves]
    assert buttons == [
        {"MACH:PMUXZR:Q1M2D1R": 1.0, "MACH:PMUXZR:off": 0.0},
        {"MACH:PMUXZR:Q1M2D1R": 0.0, "MACH:PMUXZR:off": 1.0},
    ]
