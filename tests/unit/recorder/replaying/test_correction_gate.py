"""Corrections of a machine go through the gate: bounded from the orbit at the start, measured, and put back."""

from dataclasses import replace

import pytest

from gnomon.db.pvs import Kind, PvSpec
from gnomon.lattice import Lattice
from gnomon.propagator import Propagator
from gnomon.recorder import MachineError, ReplayError
from gnomon.recorder.apply import MachineTarget, SetStep, apply
from gnomon.recorder.bounds import optics_digest
from gnomon.recorder.gating import parse_limits
from gnomon.recorder.replay_steps import Beam
from gnomon.recorder.replaying import CorrectionGate, settle_times
from unit.recorder.fake_machine import ListAudit
from unit.recorder.replaying.limits_for_mls import LIMITS
from unit.recorder.replaying.simulated_machine import (
    OPTIONS,
    PREFIX,
    Clock,
    LinearPredictor,
    SimulatedMachine,
    mls,
    quiet,
    steerers,
)

RING, SPECS = mls()
BEAM = Propagator(RING)(RING.nominal)
KEYS = [(spec.device, spec.property) for spec in steerers()]


def target(machine: SimulatedMachine, limits: str = LIMITS) -> MachineTarget:
    predictor = LinearPredictor(
        document_digest=RING.digest, optics_digest=optics_digest(RING.nominal), made_ns=machine.clock.time_ns()
    )
    gate = CorrectionGate(parse_limits(limits, PREFIX), predictor, "eve", clock=machine.clock)

    return MachineTarget(
        machine, PREFIX, RING.nominal, SPECS, _flat, ListAudit(), quiet, OPTIONS,
        gate=lambda plan: gate(plan, machine, RING.nominal, SPECS, 1.0),
    )  # fmt: skip


def _flat(lattice: Lattice) -> Beam:
    """A beam that is there whatever is set: the gate is asked here, not the model."""
    return replace(BEAM, orbit=BEAM.orbit)


def test_a_correction_is_made_in_parts_and_measured() -> None:
    machine = SimulatedMachine(Clock())
    done = apply([SetStep(KEYS[0], 0.3), SetStep(KEYS[1], -0.2)], target(machine))
    assert done.done == 2
    assert [machine.values[spec.name] for spec in steerers()[:2]] == [0.3, -0.2]
    assert len(machine.puts) > 2


def test_a_correction_that_does_not_come_as_predicted_is_put_back() -> None:
    machine = SimulatedMachine(Clock())
    machine.polarity[steerers()[1].name] = -1.0
    with pytest.raises(ReplayError, match="put back: "):
        apply([SetStep(KEYS[0], 0.3), SetStep(KEYS[1], -0.2)], target(machine))
    assert machine.values == machine.start


def test_a_correction_beyond_the_limits_is_refused() -> None:
    machine = SimulatedMachine(Clock())
    with pytest.raises(ReplayError, match="orbit_x"):
        apply([SetStep(KEYS[0], 0.3)], target(machine, LIMITS.replace("x_mm: 3.0", "x_mm: 0.001")))
    assert not machine.puts


def test_a_machine_without_monitors_is_not_written() -> None:
    machine = SimulatedMachine(Clock())
    machine.beam = False
    with pytest.raises(MachineError, match="there is no beam"):
        apply([SetStep(KEYS[0], 0.3)], target(machine))
    assert not machine.puts


def test_settle_times_are_those_of_the_machine_document() -> None:
    found = settle_times(RING.nominal, SPECS)
    supply = next(supply for supply in RING.document.supplies if supply.name == steerers()[0].device)
    assert found(steerers()[0].name) == supply.settle_time_s
    magnet = RING.magnets[0]
    strength = PvSpec(name="S", kind=Kind.FLOAT, source="set", description="", device=magnet.name, property=magnet.main,
                      writable=True)  # fmt: skip
    assert settle_times(RING.nominal, [strength])("S") == 0.5, "a strength is there no earlier than its current"
    assert RING.settle_time_s("ring", "optics") == max(each.settle_time_s for each in RING.document.supplies)
    assert RING.settle_time_s("rf", "frequency") == 0.0
    assert found("nobody") == 0.0
