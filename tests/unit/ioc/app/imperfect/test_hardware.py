"""Hardware of an imperfect machine: an orbit outside the envelope ends the beam, an injection brings it back."""

import asyncio
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from gnomon.db import sources
from gnomon.fault_injection import Active, Fault, Injector
from gnomon.ioc.app.imperfect.hardware import Hardware, Imperfect
from gnomon.ioc.app.imperfect.imperfect_machine import machine_errors
from gnomon.ioc.base.config import Config, ImperfectionsConfig
from gnomon.ioc.base.machines import find_machine
from gnomon.ioc.commands.controls import RefusedControl
from gnomon.ioc.outputs.model_state import ModelState
from gnomon.lattice import Client, Lattice
from gnomon.propagator import Answer, BeamState, Propagator

RING = find_machine(Config(machine="mls")).ring
CLIENT = Client("op", "console", "ca")
SUPPLY = next(s.name for s in RING.document.supplies if RING.property_spec(s.name, "current").high > 50.0)
NOMINAL = RING.nominal[SUPPLY, "current"]
SPAN = RING.property_spec(SUPPLY, "current").high - RING.property_spec(SUPPLY, "current").low


class FakeStoredBeam:
    """The stored beam of 200 mA, as the hardware sees it."""

    def __init__(self) -> None:
        self.current_ma, self.stored, self.factor, self.kept_up = 200.0, True, 1.0, 0
        self.losses: Any = None
        self.assumed_ma: float | None = None

    def assume_current(self, nominal_ma: float) -> None:
        self.assumed_ma = nominal_ma

    def set_lifetime_factor(self, factor: float) -> None:
        self.factor = factor

    def lose_part(self, fraction: float) -> None:
        self.current_ma *= 1.0 - fraction

    def fill(self) -> bool:
        missing, self.current_ma = self.current_ma < 200.0, 200.0
        return missing

    def keep_up(self, readings: object, period_s: float) -> None:
        self.kept_up += 1


class FakeOutputs:
    """Outputs that keep what they are told; `state` takes what is published, as that of a server does."""

    def __init__(self, state: ModelState) -> None:
        self.stored_beam = FakeStoredBeam()
        self.state = state
        self.published: list[Answer] = []
        self.shown: list[tuple[str, object]] = []
        self.repeated = 0

    def publish(self, answer: Answer) -> None:
        self.published.append(answer)
        self.state.take(answer)

    def repeat(self) -> None:
        self.repeated += 1

    def show(self, source: Any, value: object) -> None:
        self.shown.append((source.name, value))


class Rig:
    """The hardware of the MLS, imperfect unless it is that of a twin, asking a model that gives `beam`."""

    def __init__(self, beam: BeamState | None, *, twin: bool = False) -> None:
        self.beam, self.asked = beam, list[Lattice]()
        self.state = ModelState(len(RING.bpms))
        self.outputs = FakeOutputs(self.state)
        self.handlers: dict[str, Any] = {}
        self.now_s = 1000.0
        self.injector = Injector(clock_s=lambda: self.now_s)
        self.noted: list[str] = []
        config = ImperfectionsConfig.model_validate(
            {
                "seed": 1,
                "supplies": {"remanence": 0.0, "ramp_s": 100.0, "lag_s": 0.0, "resolution_bits": 0},
                "drifts": {"tide": 0.0, "temperature": 0.0},
            }
        )
        imperfect = None if twin else Imperfect(config, machine_errors(RING.document, config))
        outputs: Any = self.outputs
        self.hardware = Hardware(RING.nominal, self.state, outputs, self.injector, imperfect, lambda: self.now_s)
        self.hardware.use(self)
        self.hardware.begin(lambda text, client: self.noted.append(f"{client.protocol}: {text}"))
        controls: Any = SimpleNamespace(register=lambda source, handler: self.handlers.update({source.name: handler}))
        self.hardware.register(controls)

    def submit(self, lattice: Lattice, sequence: int) -> "asyncio.Future[Answer]":
        self.asked.append(lattice)
        answer = Answer(len(self.asked), sequence, lattice, self.beam, "" if self.beam else "the model failed")
        self.hardware.take(answer)
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        future.set_result(answer)
        return future

    async def inject(self, value: float = 1.0) -> None:
        await self.handlers[sources.INJECT.name](value, CLIENT)

    async def put(self, lattice: Lattice) -> Answer:
        """A put that leads to this lattice, and what its client is answered."""
        return await self.hardware.submit(lattice, len(self.asked))

    def add(self, kind: str, **keys: Any) -> int:
        return self.injector.add(Fault.from_request({"kind": kind, **keys}))

    def tick(self, seconds: float = 0.1) -> None:
        self.now_s += seconds
        self.hardware.tick()

    def clear(self) -> None:
        self.injector.clear()
        self.tick(0.0)

    @property
    def shown(self) -> Answer:
        return self.outputs.published[-1]

    @property
    def readback(self) -> float:
        return self.shown.lattice[SUPPLY, "current"]

    @property
    def field(self) -> float:
        return self.asked[-1][SUPPLY, "current"]


@pytest.fixture(scope="module")
def good() -> BeamState:
    return Propagator(RING)(RING.nominal)


def far_out(beam: BeamState) -> BeamState:
    orbit = beam.orbit.copy()
    orbit[RING.monitors[3], 0] = 8e-3
    return replace(beam, orbit=orbit)


def test_a_machine_assumes_the_current_of_its_configuration_and_a_twin_none() -> None:
    assert Rig(None).outputs.stored_beam.assumed_ma == 100.0
    assert Rig(None, twin=True).outputs.stored_beam.assumed_ma is None


async def test_a_beam_outside_the_envelope_is_lost_until_somebody_injects(good: BeamState) -> None:
    rig = Rig(far_out(good))
    await rig.hardware.submit(RING.nominal, 1)
    lost = rig.outputs.published[-1].beam
    assert lost is not None
    assert not lost.found
    rig.beam = good
    await rig.hardware.submit(RING.nominal, 2)
    assert not rig.outputs.published[-1].beam.found  # type: ignore[union-attr]
    await rig.inject()
    assert rig.outputs.published[-1].beam.found  # type: ignore[union-attr]
    assert rig.outputs.shown == [(sources.INJECT.name, 0)]


async def test_an_injection_that_cannot_store_a_beam_is_refused_with_the_reason(good: BeamState) -> None:
    rig = Rig(far_out(good))
    await rig.hardware.submit(RING.nominal, 1)
    with pytest.raises(RefusedControl, match=r"no beam could be stored: .*outside"):
        await rig.inject()
    rig.beam = None
    with pytest.raises(RefusedControl, match="no beam could be stored: the model failed"):
        await rig.inject()


async def test_an_injection_beside_a_stored_beam_is_refused_and_zero_asks_for_none(good: BeamState) -> None:
    rig = Rig(good)
    await rig.hardware.submit(RING.nominal, 1)
    asked = len(rig.asked)
    await rig.inject(0.0)
    with pytest.raises(RefusedControl, match="a beam is stored already; nothing was injected"):
        await rig.inject()
    assert len(rig.asked) == asked


@pytest.mark.parametrize("twin", [True, False])
async def test_a_current_of_which_a_part_was_lost_is_filled_up(good: BeamState, twin: bool) -> None:
    rig = Rig(good, twin=twin)
    await rig.put(RING.nominal)
    rig.add("beam_loss", fraction=0.25)
    rig.tick()
    assert rig.outputs.stored_beam.current_ma == 150.0
    assert (rig.outputs.repeated, rig.noted) == (1, ["fault: fault 1 acts: beam_loss: 200.000 mA fell to 150.000 mA"])
    assert rig.injector.active() == ()
    await rig.inject()
    assert rig.outputs.stored_beam.current_ma == 200.0
    with pytest.raises(RefusedControl, match="stored already"):
        await rig.inject()


def test_the_machine_reads_through_its_instruments_and_loses_particles(good: BeamState) -> None:
    rig = Rig(good)
    assert rig.state.instruments is not None
    assert rig.outputs.stored_beam.losses is not None


async def test_a_twin_hands_everything_on_until_a_fault_disturbs_it_and_again_after_that(good: BeamState) -> None:
    rig = Rig(good, twin=True)
    lattice = RING.nominal.updated({(SUPPLY, "current"): NOMINAL + 0.5})
    assert (await rig.put(lattice)).lattice is lattice
    assert rig.asked == [lattice]
    rig.tick()
    assert len(rig.asked) == 1
    rig.add("supply_readback", device=SUPPLY, offset_a=2)
    rig.tick()
    assert (rig.readback, rig.field) == (NOMINAL + 2.5, NOMINAL + 0.5)
    rig.clear()
    assert (rig.readback, rig.shown.lattice.id) == (NOMINAL + 0.5, lattice.id)
    rig.tick()
    asked = len(rig.asked)
    rig.tick()
    assert (await rig.put(RING.nominal)).lattice is RING.nominal
    assert len(rig.asked) == asked + 1
    acts = f"fault: fault 1 acts: supply_readback {SUPPLY} off by 2 A: {SUPPLY}"
    assert rig.noted == [acts, "fault: fault 1 is over"]


async def test_a_supply_that_trips_falls_and_keeps_its_setpoint(good: BeamState) -> None:
    rig = Rig(good, twin=True)
    await rig.put(RING.nominal)
    rig.add("supply_trip", device=SUPPLY, decay_s=0.5)
    rig.tick()
    rig.tick(0.5)
    assert rig.readback == rig.field == pytest.approx(NOMINAL * np.exp(-1.0))
    asked = RING.nominal.updated({(SUPPLY, "current"): NOMINAL + 1.0})
    answer = await rig.put(asked)
    assert answer.lattice_id == asked.id
    rig.tick(100.0)
    assert rig.readback == 0.0
    rig.clear()
    assert rig.readback == NOMINAL + 1.0


async def test_a_machines_supply_ramps_back_after_a_trip(good: BeamState) -> None:
    rig = Rig(good)
    await rig.put(RING.nominal)
    rig.add("supply_trip", device=SUPPLY, decay_s=0)
    rig.tick()
    rig.tick()
    assert rig.readback == 0.0
    rig.clear()
    rig.tick(0.1)
    assert rig.readback == pytest.approx(np.sign(NOMINAL) * SPAN * 1e-3)


async def test_a_put_of_its_setpoint_resets_a_supply_that_can_be_reset(good: BeamState) -> None:
    rig = Rig(good, twin=True)
    await rig.put(RING.nominal)
    rig.add("supply_trip", device=SUPPLY, decay_s=0, reset="setpoint")
    rig.tick()
    rig.tick()
    assert (rig.readback, rig.hardware.listens) == (0.0, True)
    change: Any = SimpleNamespace(device=SUPPLY, property="current")
    rig.hardware.acted((SimpleNamespace(device="other", property="current"),))  # type: ignore[arg-type]
    assert rig.injector.active() != ()
    rig.hardware.acted((change,))
    await rig.put(RING.nominal)
    assert (rig.readback, rig.hardware.listens) == (NOMINAL, False)
    assert rig.injector.active() == ()
    assert rig.noted[1:] == [
        f"fault: fault 1 lets its supplies be switched on again: {SUPPLY}",
        "fault: fault 1 is over",
    ]


async def test_a_slow_supply_ramps_on_a_twin_and_the_slower_ramp_counts_on_a_machine(good: BeamState) -> None:
    for twin, ramp_s, expected in ((True, 200.0, 200.0), (False, 200.0, 200.0), (False, 50.0, 100.0)):
        rig = Rig(good, twin=twin)
        await rig.put(RING.nominal)
        rig.add("supply_slow", device=SUPPLY, ramp_s=ramp_s)
        rig.tick()
        await rig.put(RING.nominal.updated({(SUPPLY, "current"): NOMINAL + 0.1 * SPAN}))
        rig.tick(1.0)
        assert rig.readback - NOMINAL == pytest.approx(SPAN / expected)
        assert rig.field == rig.readback


async def test_readback_swings_with_a_limit_cycle_and_not_with_ripple(good: BeamState) -> None:
    rig = Rig(good, twin=True)
    await rig.put(RING.nominal)
    rig.add("supply_limit_cycle", device=SUPPLY, amplitude_a=0.5, period_s=4)
    rig.hardware.tick()
    rig.tick(1.0)
    assert rig.readback == rig.field == pytest.approx(NOMINAL + 0.5)
    rig.clear()
    rig.add("supply_ripple", device=SUPPLY, amplitude_a=0.5, frequency_hz=0.01)
    seen = []
    for _ in range(20):
        rig.tick(10.0)
        seen.append((rig.readback, rig.field - NOMINAL))
    assert {readback for readback, _ in seen} == {NOMINAL}
    assert max(abs(field) for _, field in seen) == pytest.approx(0.5, abs=0.05)


async def test_grown_hysteresis_makes_a_field_low_on_its_way_up_and_not_down(good: BeamState) -> None:
    rig = Rig(good, twin=True)
    await rig.put(RING.nominal)
    rig.add("supply_hysteresis", device=SUPPLY, width=1e-2, grow_s=0)
    rig.tick()
    assert rig.field == pytest.approx(NOMINAL, abs=1e-9)
    by = 0.2 * (RING.property_spec(SUPPLY, "current").high - NOMINAL)
    await rig.put(RING.nominal.updated({(SUPPLY, "current"): NOMINAL - by}))
    assert rig.field == pytest.approx(NOMINAL - by, abs=1e-9)
    await rig.put(RING.nominal)
    assert rig.readback == NOMINAL
    assert -1e-2 * SPAN < rig.field - NOMINAL < -1e-4 * SPAN


@pytest.mark.parametrize("kind", ["beam_dump", "beam_no_orbit"])
async def test_a_twins_beam_is_back_when_a_fault_is_over(good: BeamState, kind: str) -> None:
    rig = Rig(good, twin=True)
    await rig.put(RING.nominal)
    rig.add(kind)
    rig.tick()
    beam = rig.shown.beam
    assert beam is not None
    assert (beam.found, "dumped" in beam.reason or "no closed orbit" in beam.reason) == (False, True)
    with pytest.raises(RefusedControl, match="no beam could be stored"):
        await rig.inject()
    rig.clear()
    assert rig.shown.beam is good


async def test_a_fault_that_is_cleared_while_it_begins_is_taken_back(
    good: BeamState, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(good, twin=True)
    await rig.put(RING.nominal)
    rig.add("beam_dump")
    on_occasion = rig.injector.on_occasion

    def cleared_by_another_thread(group: str) -> tuple[Active, ...]:
        found = on_occasion(group)
        if found:
            rig.injector.clear()
        return found

    monkeypatch.setattr(rig.injector, "on_occasion", cleared_by_another_thread)
    rig.tick()
    assert not rig.shown.beam.found  # type: ignore[union-attr]
    rig.tick()
    assert rig.shown.beam is good


@pytest.mark.parametrize("kind", ["beam_dump", "beam_no_orbit"])
async def test_a_machines_beam_stays_away_until_somebody_injects_after_the_fault(good: BeamState, kind: str) -> None:
    rig = Rig(good)
    await rig.put(RING.nominal)
    rig.add(kind)
    rig.tick()
    assert not rig.shown.beam.found  # type: ignore[union-attr]
    with pytest.raises(RefusedControl, match=r"no beam could be stored: the beam was (dumped|lost: no closed orbit)"):
        await rig.inject()
    rig.clear()
    assert not rig.shown.beam.found  # type: ignore[union-attr]
    assert "put 1 to dt:inject" in rig.shown.beam.reason  # type: ignore[union-attr]
    await rig.inject()
    assert rig.shown.beam.found  # type: ignore[union-attr]


async def test_a_shorter_lifetime_lasts_as_long_as_its_fault(good: BeamState) -> None:
    rig = Rig(good, twin=True)
    await rig.put(RING.nominal)
    rig.add("beam_lifetime", factor=0.1)
    rig.add("beam_lifetime", factor=0.5)
    rig.tick()
    assert rig.outputs.stored_beam.factor == pytest.approx(0.05)
    rig.clear()
    assert rig.outputs.stored_beam.factor == 1.0


@pytest.mark.parametrize("twin", [True, False])
async def test_a_jump_stays_until_it_is_cleared_and_no_readback_shows_it(good: BeamState, twin: bool) -> None:
    rig = Rig(good, twin=twin)
    await rig.put(RING.nominal)
    before = rig.asked[-1]
    rig.add("beam_jump", kick_mrad=0.05, plane="y")
    rig.tick()
    changed = rig.asked[-1].changed_slots(before)
    assert len(changed) == 1
    assert rig.shown.lattice.id == RING.nominal.id
    rig.tick()
    assert rig.asked[-1].changed_slots(before) == changed
    rig.clear()
    assert rig.asked[-1].changed_slots(before) == []


async def test_while_faults_are_suspended_nothing_is_disturbed(good: BeamState) -> None:
    rig = Rig(good, twin=True)
    await rig.put(RING.nominal)
    rig.add("supply_readback", device="*", scale=2)
    rig.tick()
    assert rig.readback == 2.0 * NOMINAL
    rig.injector.suspended = "it follows a machine"
    rig.tick()
    assert rig.readback == NOMINAL
    rig.injector.suspended = ""
    rig.tick()
    assert rig.readback == 2.0 * NOMINAL
