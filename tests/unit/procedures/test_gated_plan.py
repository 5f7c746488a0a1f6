"""Bluesky plans through the gate, with a Run Engine in this process and a machine in memory."""

from typing import Any

import bluesky.plan_stubs as bps
import pytest
from bluesky import RunEngine
from bluesky.utils import FailedStatus

from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.plans.gated_plan import gated, written_pv
from gnomon.recorder.gating import GateRefusedError, GateStoppedError
from unit.recorder.gating.toy_machine import NAME, Notes, ToyMachine, at_rest, gate_of


class Done:
    """A status that is done."""

    done = success = True

    def add_callback(self, callback: Any) -> None:
        callback(self)

    def exception(self, timeout: float | None = None) -> None:
        return None


class Signal:
    """A signal as ophyd-async has them: the PV is its source."""

    source = f"ca://{NAME}"


class Steerer:
    """A device that sets the machine when a plan says so."""

    name = "H1"
    parent = None
    setpoint = Signal()

    def __init__(self, machine: ToyMachine) -> None:
        self._machine = machine

    def set(self, value: float) -> Done:
        self._machine.put(NAME, value)
        return Done()


@pytest.fixture
def engine() -> RunEngine:
    return RunEngine({}, context_managers=[])


def test_a_plan_sets_in_parts_and_each_is_compared(engine: RunEngine) -> None:
    machine, notes = ToyMachine(), Notes()
    with gate_of(machine, notes) as gate:
        engine(gated(bps.mv(Steerer(machine), 0.6), gate))
    assert machine.puts == pytest.approx([0.3, 0.6])
    assert notes.names == ["write", "measured", "write", "measured", "end"]


def test_a_refused_value_never_reaches_the_device(engine: RunEngine) -> None:
    machine, notes = ToyMachine(), Notes()
    with pytest.raises(GateRefusedError), gate_of(machine, notes) as gate:
        engine(gated(bps.mv(Steerer(machine), 5.0), gate))
    assert machine.puts == []


def test_a_plan_that_goes_wrong_is_put_back(engine: RunEngine) -> None:
    machine, notes = ToyMachine(gain=-1.0), Notes()
    with pytest.raises(GateStoppedError), gate_of(machine, notes) as gate:
        engine(gated(bps.mv(Steerer(machine), 0.3), gate))
    assert machine.puts[0] == 0.3
    assert at_rest(machine)


def test_a_plan_may_catch_a_refusal_and_go_on(engine: RunEngine) -> None:
    machine, notes = ToyMachine(), Notes()
    steerer = Steerer(machine)

    def plan() -> Any:
        try:
            yield from bps.abs_set(steerer, 5.0, wait=True)
        except (GateRefusedError, FailedStatus):
            yield from bps.abs_set(steerer, 0.2, group="a")
            yield from bps.wait("a")

    with gate_of(machine, notes) as gate:
        engine(gated(plan(), gate))
    assert machine.puts == [0.2]


def test_a_device_without_a_setpoint_is_refused() -> None:
    assert written_pv(Signal()) == NAME
    with pytest.raises(ProcedureError, match="tell it with pv_of"):
        written_pv(object())
