"""Expected time of a measurement: its plan is gone through without a machine, with the times of the machine document.

What it sets is set nowhere, and what it reads is 0. Supplies settle as the document says, the multiplexer goes through
its states, monitors and tunes are read at the next reading after that. Ramps are not known, and not in it.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gnomon.clients.errors import NoDeviceError
from gnomon.db import sources
from gnomon.lattice import Lattice
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.machine_session import MachineSession, State

if TYPE_CHECKING:
    from gnomon.procedures.measuring import MeasureOptions
    from gnomon.procedures.procedure_options import ProcedureOptions

__all__ = ["Expected", "expected_plan_time", "expected_time"]

#: Time in which a put and a reading are through, besides what hardware takes [s].
PUT_S, READ_S = 0.01, 0.005
_POSITIONS = (*sources.MONITOR, sources.MONITOR_POSITIONS, sources.MONITOR_POSITIONS_INTERLEAVED)
_TUNES = (*sources.TUNE, *sources.TUNE_FREQUENCY, *sources.TUNE_FRACTION)
#: A selection of the multiplexer shows three states; then it must stand for two more (`Multiplexer.set`).
MULTIPLEXER_STATES = 4


@dataclass(frozen=True, slots=True)
class Expected:
    """Number of settings and of readings, and the time that they take [s]."""

    settings: int
    readings: int
    time_s: float

    @property
    def text(self) -> str:
        """The time for people, in the unit that fits."""
        told = next((f"{self.time_s / size:.0f} {unit}" for size, unit in ((3600, "h"), (60, "min"))
                     if self.time_s >= 2 * size), f"{self.time_s:.0f} s")  # fmt: skip
        return f"{self.settings} settings, {self.readings} readings, about {told}"


@dataclass(frozen=True)
class _Device:
    """A device as a plan sees it: what it is called, where it stands, and how long it takes."""

    name: str
    present: Any = 0.0
    unit: str = "A"
    settle_s: float = 0.0
    names: tuple[str, ...] = ()
    parent: None = None

    async def connect(self, *_: Any, **__: Any) -> None:
        """Connect to nothing."""

    def trigger(self) -> None:
        """Can be triggered, for plans that ask; no one does it."""


class _Supplies(dict[str, _Device]):
    def __missing__(self, name: str) -> _Device:
        raise NoDeviceError(f"there is no power supply {name!r}", [name])


@dataclass(frozen=True)
class _Ring:
    """The devices of a ring that plans use."""

    name: str
    supplies: Mapping[str, _Device]
    master_clock: _Device
    monitors: _Device
    tunes: _Device
    current: _Device
    multiplexer: _Device
    pvs: Any

    def __getattr__(self, name: str) -> Any:
        raise ProcedureError(f"how long this takes depends on the beam: it uses {name}")


def expected_time(
    name: str, session: MachineSession, options: "MeasureOptions | ProcedureOptions", reading_period_s: float = 1.0
) -> Expected:
    """Expect how long a measurement takes with these options, and with a reading every `reading_period_s` on a machine.

    A twin has a reading for each setting, at once. Nothing is set. Raises what the preparation of the measurement does.
    """
    from gnomon.procedures.measuring import prepare_measurement
    from gnomon.procedures.plans import Recording

    present = session.present_lattice()

    def plan_of(ring: Any) -> Any:
        return prepare_measurement(name, session, ring, options, Recording(), (present, State())).plan

    return expected_plan_time(session, present, plan_of, reading_period_s)


def expected_plan_time(
    session: MachineSession, present: Lattice, plan_of: Callable[[Any], Any], reading_period_s: float = 1.0
) -> Expected:
    """Expect how long a plan takes, which `plan_of` makes for the devices of a ring; see `expected_time`."""
    twin = session.role == "twin"
    return _go_through(plan_of(_timed_ring(session, present, twin=twin)), 0.0 if twin else reading_period_s)


def _timed_ring(session: MachineSession, present: Lattice, *, twin: bool) -> _Ring:
    pvs, monitors = session.pvs, tuple(bpm.name for bpm in session.ring.bpms)
    supplies = _Supplies(
        (name, _Device(name, present[name, "current"], setting.setpoint.unit, 0.0 if twin else setting.settle_s))
        for name, setting in pvs.supplies.items()
    )
    mux, rf = session.ring.multiplexer, ("rf", "frequency")
    off = session.ring.document.multiplexer.off_name if session.ring.document.multiplexer is not None else ""
    states = MULTIPLEXER_STATES * mux.state_s if mux is not None and not twin else 0.0
    return _Ring(
        session.ring.name,
        supplies,
        _Device("master_clock", present[rf], pvs.others[rf].setpoint.unit if rf in pvs.others else "kHz"),
        _Device("monitors", settle_s=0.0 if twin else pvs.averaging_s(*_POSITIONS), names=monitors),
        _Device("tunes", settle_s=0.0 if twin else pvs.averaging_s(*_TUNES)),
        _Device("current"),
        _Device("multiplexer", off, "", states),
        pvs,
    )


def _go_through(plan: Any, period_s: float) -> Expected:
    """Answer the messages of a plan as a Run Engine does, and add up the times."""
    now = settled = begun = 0.0
    settings = readings = 0
    at: dict[str, Any] = {}
    group: Any = None
    answer: Any = None
    while True:
        try:
            message = plan.send(answer)
        except StopIteration:
            return Expected(settings, readings, now)
        answer, device = None, message.obj
        if message.command == "set":
            at[device.name] = message.args[0]
            settings += 1
            now += PUT_S
            # Several at a time settle at the same time.
            settled = max(settled, now + device.settle_s)
        elif message.command == "trigger":
            readings += 1
            # What is read before that does not count; the next reading comes a period later at the latest. What is
            # triggered together is waited for together.
            together = group is not None and message.kwargs.get("group") == group
            begun = begun if together else now
            now = max(now, max(begun, settled + device.settle_s) + period_s + READ_S)
            group = message.kwargs.get("group")
        elif message.command == "read":
            zero = np.zeros(len(device.names)) if device.names else 0.0
            answer = {f"{device.name}-{plane}": {"value": zero} for plane in "xy"}
            answer[device.name] = {"value": zero}
        elif message.command == "locate":
            answer = {"setpoint": at.get(device.name, device.present)}
        elif message.command == "sleep":
            now += float(message.args[0])
        elif message.command == "wait_for":
            answer = [_done(factory) for factory in message.args[0]]


class _Done:
    def __init__(self, result: Any) -> None:
        self._result = result

    def result(self) -> Any:
        """Return what was waited for."""
        return self._result


def _done(factory: Any) -> _Done:
    async def wait() -> Any:
        return await factory()

    return _Done(asyncio.run(wait()))
