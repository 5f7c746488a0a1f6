"""A device that can be set: done when its readback is there."""

import math
import time
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ophyd_async.core import (
    MovableLogic,
    SignalR,
    SignalRW,
    StandardMovable,
    StandardReadable,
    TimeoutCalculator,
    observe_value,
    soft_signal_rw,
)
from ophyd_async.core import StandardReadableFormat as Format

from gnomon.clients.bluesky_devices.server_session import Served, Session, read_now
from gnomon.clients.errors import NoAnswerError, NotReachedError, RefusedError
from gnomon.clients.machine_pvs import SettingPvs
from gnomon.db.pvs import Kind

__all__ = ["Setting"]

#: Time in which a server tells that a put is done, at least [s].
PUT_S = 5.0
#: A readback must show a small step too: it is there when it is this share of the step off, but not less than this
#: share of the tolerance, in which converters round.
SHARE_OF_STEP, SHARE_OF_TOLERANCE = 0.05, 0.1

_TYPES: dict[Kind, type] = {Kind.FLOAT: float, Kind.INT: int, Kind.ENUM: str}


@dataclass
class SettingLogic(MovableLogic[Any]):
    """The way a setting moves: one put that the server completes, then the readback comes to the setpoint."""

    pvs: SettingPvs
    session: Session
    tolerance: Any
    _limits: tuple[float, float] | None = field(default=None, init=False)

    async def check_move(self, new_position: Any) -> None:
        """Refuse what the server would refuse. Raises RefusedError."""
        spec = self.pvs.setpoint
        if spec.kind is Kind.ENUM:
            if new_position not in spec.states:
                raise RefusedError(f"{spec.name} = {new_position!r}: not one of its states {', '.join(spec.states)}")
            return
        low, high = await self._drive_limits()
        if not low <= new_position <= high:
            raise RefusedError(
                f"{spec.name} = {new_position:.10g} {spec.unit}: outside the drive limits {low:.10g} to {high:.10g} "
                f"{spec.unit}; nothing was changed"
            )

    async def _drive_limits(self) -> tuple[float, float]:
        """Return the limits of the server, or where it has none those of the machine document."""
        if self._limits is None:
            (key,) = (await self.setpoint.describe()).values()
            told = key.get("limits", {}).get("control") or {}
            low, high = told.get("low"), told.get("high")
            low_here, high_here = self.pvs.setpoint.drive or (-math.inf, math.inf)
            self._limits = (low_here if low is None else low, high_here if high is None else high)
        return self._limits

    async def get_units_precision(self) -> tuple[str | None, int | None]:
        """Return unit and precision of the document."""
        return self.pvs.setpoint.unit or None, self.pvs.setpoint.precision

    async def move(self, new_position: Any, timeout: TimeoutCalculator) -> None:
        """Put the value, and return when the readback shows it.

        Raises RefusedError, NotReachedError, and NoAnswerError when the connection is lost.
        """
        before = await read_now(self.readback)
        tolerance = await self._tolerance_of(before["value"], new_position)
        await self._put(new_position, timeout())
        await self._arrival(new_position, tolerance, timeout)
        self.session.note_setting(self.pvs.settle_s)

    async def _tolerance_of(self, before: Any, wanted: Any) -> float:
        if self.pvs.setpoint.kind is not Kind.FLOAT:
            return 0.0
        largest = float(await self.tolerance.get_value())
        step = SHARE_OF_STEP * abs(wanted - before)
        return largest if step == 0.0 else min(largest, max(step, SHARE_OF_TOLERANCE * largest))

    async def _put(self, wanted: Any, timeout_s: float | None) -> None:
        pv = self.pvs.setpoint.name
        limit_s = max(self.pvs.timeout_s, PUT_S) if timeout_s is None else timeout_s
        try:
            await self.setpoint.set(wanted, timeout=limit_s)
        except TimeoutError as error:
            seen = (await read_now(self.readback, 1.0))["value"]
            raise NotReachedError(
                f"{self._asked(wanted)}: the put was not completed within {limit_s:.2f} s; "
                f"{self.pvs.readback.name if self.pvs.readback.name != pv else 'it'} is {self._shown(seen)}"
            ) from error

    async def _arrival(self, wanted: Any, tolerance: float, timeout: TimeoutCalculator) -> None:
        """Wait for the readback; one that comes closer may take its time, unless there is a time-out."""
        reading = await read_now(self.readback)
        if _distance(reading["value"], wanted) <= tolerance:
            return
        began = progress = time.monotonic()
        closest, seen = math.inf, reading["value"]
        try:
            async for seen in observe_value(self.readback, timeout=self.pvs.timeout_s, done_timeout=timeout()):
                distance, now = _distance(seen, wanted), time.monotonic()
                if distance <= tolerance:
                    return
                if distance < closest:
                    closest, progress = distance, now
                elif now - progress > self.pvs.timeout_s:
                    break
        except TimeoutError:
            pass
        try:
            reading = await read_now(self.readback, 1.0)
        except NoAnswerError as error:
            raise NoAnswerError(
                f"{self._asked(wanted)}: the connection to {self.pvs.readback.name} was lost; it was last seen at "
                f"{self._shown(seen)}"
            ) from error
        if _distance(reading["value"], wanted) <= tolerance:
            return
        raise NotReachedError(
            f"{self._asked(wanted)}: after {time.monotonic() - began:.1f} s the readback {self.pvs.readback.name} is "
            f"{self._shown(reading['value'])}" + (f" (tolerance {self._shown(tolerance)})" if tolerance else "")
        )

    def _asked(self, wanted: Any) -> str:
        return f"{self.pvs.setpoint.name} = {self._shown(wanted)}"

    def _shown(self, value: Any) -> str:
        return f"{value:.10g} {self.pvs.setpoint.unit}".rstrip() if isinstance(value, int | float) else repr(value)


def _distance(value: Any, wanted: Any) -> float:
    if isinstance(value, str):
        return 0.0 if value == wanted else math.inf
    return float(abs(value - wanted))


class Setting(Served, StandardMovable[Any], StandardReadable):
    """A power supply's current, the master clock, or another setting: `set` is done when the readback is there.

    `read` gives the readback under the device's own name and `NAME-setpoint`; `NAME-tolerance` is configuration, in the
    unit of the setpoint, and can be set. A readback that does not come closer for the document's `timeout_s`, or that
    is not there after the `timeout` given to `set`, raises NotReachedError. Values of states are their names.
    """

    def __init__(self, pvs: SettingPvs, session: Session, name: str = "") -> None:
        self.pvs = pvs
        self._session = session
        kind = _TYPES[pvs.setpoint.kind]
        with self.add_children_as_readables(Format.HINTED_UNCACHED_SIGNAL):
            self.readback: SignalR[Any] = session.readable(kind, pvs.readback)
        with self.add_children_as_readables(Format.UNCACHED_SIGNAL):
            self.setpoint: SignalRW[Any] = session.settable(kind, pvs.setpoint)
        with self.add_children_as_readables(Format.CONFIG_SIGNAL):
            self.tolerance = soft_signal_rw(float, pvs.tolerance, units=self.unit, precision=pvs.setpoint.precision)
        super().__init__(name=name)

    @cached_property
    def movable_logic(self) -> SettingLogic:
        """The way it moves."""
        return SettingLogic(self.setpoint, self.readback, self.pvs, self._session, self.tolerance)

    @property
    def unit(self) -> str:
        """Unit of setpoint and readback."""
        return self.pvs.setpoint.unit
