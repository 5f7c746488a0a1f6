"""However a plan ends, the machine is as it was found: success, error, Ctrl-C, a lost connection that comes back."""

import os
import signal
import threading
from collections.abc import Generator
from typing import Any

import bluesky.plan_stubs as bps
import pytest
from bluesky.protocols import Location
from bluesky.utils import Msg
from ophyd.status import Status

from gnomon.clients.errors import NoBeamError
from gnomon.procedures.plans import Interrupted, NotRestoredError, restoring, run_plan


class Knob:
    """A device as Bluesky sees it; `broken` sets fail, as when the connection is lost."""

    parent = None

    def __init__(self, name: str, value: float = 1.0) -> None:
        self.name, self.value, self.broken, self.slow = name, value, 0, False
        self.set_to: list[float] = []

    def set(self, value: float) -> Status:
        status = Status(timeout=60 if self.slow else 5)
        if self.broken:
            self.broken -= 1
            status.set_exception(ConnectionError(f"{self.name}: the connection is lost"))
            return status
        self.value = value
        self.set_to.append(value)
        if not self.slow:
            status.set_finished()
        self.slow = False
        return status

    def locate(self) -> Location[float]:
        return Location(setpoint=self.value, readback=self.value)


Plan = Generator[Msg, Any, str]


def moving(*knobs: Knob, then: Exception | None = None, broken: int = 0) -> Plan:
    for knob in knobs:
        yield from bps.abs_set(knob, 7.0, wait=True)
        knob.broken = broken
    if then is not None:
        raise then
    return "measured"


@pytest.fixture
def knobs() -> tuple[Knob, Knob]:
    return Knob("A", 1.5), Knob("B", -2.5)


def test_success_gives_the_result_and_the_machine_is_as_it_was(knobs: tuple[Knob, Knob]) -> None:
    assert run_plan(restoring(moving(*knobs), knobs)) == "measured"
    assert [knob.set_to for knob in knobs] == [[7.0, 1.5], [7.0, -2.5]]


def test_a_knob_that_did_not_move_is_not_written(knobs: tuple[Knob, Knob]) -> None:
    run_plan(restoring(moving(knobs[0]), knobs))
    assert knobs[1].set_to == []


def test_a_lost_beam_is_raised_as_it_is_after_everything_was_put_back(knobs: tuple[Knob, Knob]) -> None:
    with pytest.raises(NoBeamError, match="no closed orbit"):
        run_plan(restoring(moving(*knobs, then=NoBeamError("no closed orbit")), knobs))
    assert [knob.value for knob in knobs] == [1.5, -2.5]


def test_a_connection_that_comes_back_is_waited_for(knobs: tuple[Knob, Knob]) -> None:
    run_plan(restoring(moving(*knobs, broken=3), knobs, pause_s=0.01))
    assert [knob.value for knob in knobs] == [1.5, -2.5]


def test_one_that_does_not_go_back_does_not_keep_the_others_and_is_named_with_its_value(
    knobs: tuple[Knob, Knob],
) -> None:
    def plan() -> Plan:
        yield from moving(*knobs)
        knobs[1].broken = 10**9
        return ""

    with pytest.raises(
        NotRestoredError, match=r"not put back: B to -2.5; .*the connection is lost. Set by hand"
    ) as error:
        run_plan(restoring(plan(), knobs, patience_s=0.1))
    assert error.value.settings == {"B": -2.5}
    assert knobs[0].value == 1.5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_or_kill_while_a_setting_hangs_puts_everything_back_and_a_second_one_does_no_harm(
    knobs: tuple[Knob, Knob], number: signal.Signals
) -> None:
    before = signal.getsignal(number)
    told: list[str] = []
    knobs[1].slow = True
    timer = threading.Timer(0.3, os.kill, (os.getpid(), number))

    def notice() -> None:
        told.append("interrupted")
        os.kill(os.getpid(), number)

    timer.start()
    with pytest.raises(Interrupted, match="the machine was put back"):
        run_plan(restoring(moving(*knobs), knobs), notice=notice)
    timer.join()
    assert [knob.value for knob in knobs] == [1.5, -2.5]
    assert told == ["interrupted"]
    assert signal.getsignal(number) is before
