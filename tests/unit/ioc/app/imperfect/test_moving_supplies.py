"""Supplies between dispatcher and model: what the model is asked for, and what readbacks show meanwhile."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from gnomon.fault_injection.dynamics import Drifts, SupplyDynamics, SupplyEffects
from gnomon.ioc.app.imperfect.assembly import supply_dynamics
from gnomon.ioc.app.imperfect.moving_supplies import MovingSupplies
from gnomon.ioc.base.config import Config
from gnomon.ioc.base.dynamics_config import SuppliesConfig
from gnomon.ioc.base.machines import find_machine
from gnomon.lattice import Lattice, Ring, parse_machine
from gnomon.propagator import Answer
from unit.lattice import small_ring

RING = find_machine(Config(machine="mls")).ring
SUPPLY = next(s.name for s in RING.document.supplies if RING.property_spec(s.name, "current").high > 50.0)
RANGE = RING.property_spec(SUPPLY, "current").high - RING.property_spec(SUPPLY, "current").low
NOMINAL = RING.nominal[SUPPLY, "current"]


class FakeModel:
    """Answers at once, as the service does, with the lattice that it was asked for."""

    def __init__(self) -> None:
        self.asked: list[Lattice] = []
        self.supplies: MovingSupplies | None = None

    def submit(self, lattice: Lattice, sequence: int) -> "asyncio.Future[Answer]":
        self.asked.append(lattice)
        answer = Answer(len(self.asked), sequence, lattice, None, "no beam in this test")
        assert self.supplies is not None
        self.supplies.take(answer)
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        future.set_result(answer)
        return future


class Machine:
    """Moving supplies with a clock that stands still, the model that they ask, and what they publish."""

    def __init__(self, *, drifts: Drifts | None = None, **sizes: float) -> None:
        ideal = {"ramp_s": 0.0, "steerer_ramp_s": 0.0, "lag_s": 0.0, "resolution_bits": 0, "remanence": 0.0}
        self.now_s = 1000.0
        self.shown: list[Answer] = []
        self.model = FakeModel()
        dynamics: SupplyDynamics = supply_dynamics(RING, SuppliesConfig.model_validate(ideal | sizes), 1, 1.0)
        self.supplies = MovingSupplies(
            RING, dynamics, drifts or Drifts(), RING.nominal, publish=self.shown.append, clock_s=lambda: self.now_s
        )
        self.model.supplies = self.supplies
        self.supplies.use(self.model)

    def tick(self, seconds: float) -> None:
        self.now_s += seconds
        self.supplies.tick()

    @property
    def readback(self) -> float:
        return self.shown[-1].lattice[SUPPLY, "current"]


def changed(by: float) -> Lattice:
    return RING.nominal.updated({(SUPPLY, "current"): NOMINAL + by})


async def test_supplies_without_dynamics_hand_the_lattice_on_as_it_is() -> None:
    machine = Machine()
    asked = changed(0.5)
    answer = await machine.supplies.submit(asked, 7)
    assert machine.model.asked == [asked]
    assert answer.lattice is asked
    assert answer.sequence == 7


async def test_a_put_is_answered_at_once_and_the_readback_ramps() -> None:
    machine = Machine(ramp_s=10.0)
    by = 0.05 * RANGE
    answer = await machine.supplies.submit(changed(by), 1)
    assert answer.lattice_id == changed(by).id
    assert machine.readback == pytest.approx(NOMINAL)
    machine.tick(0.2)
    assert machine.readback == pytest.approx(NOMINAL + 0.02 * RANGE)
    machine.tick(0.2)
    assert machine.readback == pytest.approx(NOMINAL + 0.04 * RANGE)
    machine.tick(0.2)
    assert machine.readback == NOMINAL + by
    assert machine.shown[-1].lattice.id == changed(by).id


async def test_the_model_is_left_alone_once_everything_has_arrived() -> None:
    machine = Machine(ramp_s=1.0)
    await machine.supplies.submit(changed(0.01 * RANGE), 1)
    machine.tick(1.0)
    asked = len(machine.model.asked)
    for _ in range(5):
        machine.tick(1.0)
    assert len(machine.model.asked) == asked


async def test_a_setting_without_a_supply_takes_effect_at_once() -> None:
    machine = Machine(ramp_s=10.0)
    frequency = RING.nominal["rf", "frequency"] + 0.5
    both = changed(0.1 * RANGE).updated({("rf", "frequency"): frequency})
    await machine.supplies.submit(both, 1)
    assert machine.model.asked[-1]["rf", "frequency"] == frequency
    assert machine.model.asked[-1][SUPPLY, "current"] == pytest.approx(NOMINAL)


async def test_the_iron_remembers_and_readbacks_do_not_show_it() -> None:
    machine = Machine(remanence=1e-3)
    await machine.supplies.submit(changed(-0.2 * RANGE), 1)
    await machine.supplies.submit(RING.nominal, 2)
    assert machine.readback == NOMINAL
    field = machine.model.asked[-1][SUPPLY, "current"]
    assert -1e-3 * RANGE < field - NOMINAL < -1e-4 * RANGE


async def test_a_longer_ring_is_one_with_a_higher_frequency() -> None:
    machine = Machine(drifts=Drifts(tide=1e-6))
    await machine.supplies.submit(RING.nominal, 1)
    nominal = RING.nominal["rf", "frequency"]
    expected = nominal * (1.0 + Drifts(tide=1e-6).circumference(machine.now_s))
    assert machine.model.asked[-1]["rf", "frequency"] == pytest.approx(expected, rel=1e-15)
    assert machine.shown[-1].lattice["rf", "frequency"] == nominal
    asked = len(machine.model.asked)
    machine.tick(3600.0)
    assert len(machine.model.asked) == asked + 1


async def test_ripple_is_seen_by_the_beam_alone() -> None:
    machine = Machine(ripple=1e-4, ripple_hz=50.0)
    fields = []
    for _ in range(40):
        machine.tick(0.0013)
        fields.append(machine.model.asked[-1][SUPPLY, "current"] - NOMINAL)
        assert machine.readback == NOMINAL
    assert np.abs(fields).max() == pytest.approx(1e-4 * RANGE, rel=0.05)


async def test_answers_that_come_late_show_the_readbacks_of_their_time() -> None:
    machine = Machine(ramp_s=10.0)
    held: list[tuple[Lattice, int]] = []
    machine.model.submit = lambda lattice, sequence: _held(held, lattice, sequence)  # type: ignore[method-assign]
    machine.supplies.submit(changed(0.1 * RANGE), 1)
    machine.tick(0.5)
    for lattice, sequence in held:
        machine.supplies.take(Answer(1, sequence, lattice, None, "late"))
    assert [a.lattice[SUPPLY, "current"] for a in machine.shown] == pytest.approx([NOMINAL, NOMINAL + 0.05 * RANGE])


def _held(held: list[tuple[Lattice, int]], lattice: Lattice, sequence: int) -> "asyncio.Future[Answer]":
    held.append((lattice, sequence))
    return asyncio.get_running_loop().create_future()


@pytest.mark.parametrize("scale", [-3.0, 5.0])
async def test_a_disturbed_current_stays_where_the_fields_of_its_magnets_are_known(scale: float) -> None:
    ring = Ring(parse_machine(small_ring.text(), "ring.json"))
    model, shown = FakeModel(), list[Answer]()
    supplies = MovingSupplies(ring, None, Drifts(), ring.nominal, publish=shown.append, clock_s=lambda: 1.0)
    model.supplies = supplies
    supplies.use(model)
    n = len(supplies.slots.names)
    none = SupplyEffects.none(n)
    supplies.disturb(replace(none, scale=np.full(n, scale), field_scale=np.full(n, scale)), {})
    await supplies.submit(ring.nominal, 1)
    currents = {name: shown[-1].lattice[name, "current"] for name in supplies.slots.names}
    assert (currents["QDP"], currents["SFP"]) == ((0.0, 0.0) if scale < 0.0 else (150.0, 100.0))
    assert currents["QFP"] == pytest.approx(scale * ring.nominal["QFP", "current"])
    assert [lattice.strength(m) for lattice in (model.asked[-1], shown[-1].lattice) for m in ring.magnets]
