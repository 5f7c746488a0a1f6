"""Classic ophyd devices of a ring. This module imports nothing of gnomon: an exported file has its text.

`Setting` is a power supply, the master clock or the like, `Monitors` all positions in one array, `readings` makes a
device of single values.
"""

import math
import threading
import time
from typing import Any

import numpy as np
from ophyd import Component, DerivedSignal, Device, EpicsSignal, EpicsSignalRO, FormattedComponent
from ophyd.status import DeviceStatus, Status
from ophyd.utils import LimitError

__all__ = ["Monitors", "Readings", "Setting", "readings"]

#: How often a readback is looked at, and the time in which a server tells that a put is done, at least [s].
POLL_S, PUT_S = 0.02, 5.0


class Setting(Device):
    """A setting: `set` is done when the readback is there, within the tolerance, in the unit of the setpoint.

    A readback that does not come closer for `timeout_s` is an error that names both PVs and all values. `settle_s` is
    waited for after it has arrived, on a machine until the field has settled and the slowest meter has averaged once: a
    reading that comes then shows the new state alone. It is 0 on a twin, whose put is done when the beam's new readings
    are out.
    """

    setpoint = FormattedComponent(EpicsSignal, "{setpoint_pv}", put_complete=True, kind="normal")
    readback = FormattedComponent(EpicsSignalRO, "{readback_pv}", kind="hinted")

    def __init__(
        self,
        prefix: str = "",
        *,
        name: str,
        setpoint_pv: str,
        readback_pv: str,
        tolerance: float = 0.0,
        timeout_s: float = 2.0,
        settle_s: float = 0.0,
        unit: str = "",
        limits: tuple[float, float] | None = None,
        **kwargs: Any,
    ) -> None:
        self.setpoint_pv, self.readback_pv = setpoint_pv, readback_pv
        self.tolerance, self.timeout_s, self.settle_s = tolerance, timeout_s, settle_s
        self.unit, self.limits = unit, tuple(limits) if limits else None
        super().__init__(prefix, name=name, **kwargs)
        self.readback.name = name

    @property
    def position(self) -> Any:
        """The readback."""
        return self.readback.get()

    def check_value(self, value: float) -> None:
        """Refuse a value outside the limits. Raises LimitError."""
        low, high = self.limits or (-math.inf, math.inf)
        if not low <= value <= high:
            raise LimitError(f"{self.setpoint_pv} = {value} {self.unit}: outside {low:.10g} to {high:.10g} {self.unit}")

    def set(self, value: float) -> DeviceStatus:
        """Put a value; the status is done when the readback is there."""
        self.check_value(value)
        status = DeviceStatus(self)
        threading.Thread(target=self._move, args=(value, status), daemon=True, name=f"set {self.name}").start()
        return status

    def _move(self, value: float, status: DeviceStatus) -> None:
        try:
            self._put(value)
            self._wait(value)
        except Exception as error:  # noqa: BLE001 - whoever waits for the status is told
            status.set_exception(error)
            return
        time.sleep(self.settle_s)
        status.set_finished()

    def _put(self, value: float) -> None:
        self.setpoint.set(value).wait(timeout=max(self.timeout_s, PUT_S))
        asked = self.setpoint.get()
        if abs(asked - value) > self.tolerance:  # pyepics does not tell that a put was refused
            raise RuntimeError(f"{self.setpoint_pv} = {value} {self.unit}: refused; it is {asked:.10g} {self.unit}")

    def _wait(self, value: float) -> None:
        closest, progress = math.inf, time.monotonic()
        while (distance := abs((seen := self.readback.get()) - value)) > self.tolerance:
            if distance < closest:
                closest, progress = distance, time.monotonic()
            elif time.monotonic() - progress > self.timeout_s:
                raise TimeoutError(
                    f"{self.setpoint_pv} = {value} {self.unit}: the readback {self.readback_pv} is {seen:.10g} "
                    f"{self.unit} (tolerance {self.tolerance:.3g} {self.unit})"
                )
            time.sleep(POLL_S)


class _New(Device):
    """A device whose `trigger` waits for a new reading, if `new`: until all its marks have gone up."""

    new = False

    def marks(self) -> list[float]:
        """Read what goes up with each reading."""
        raise NotImplementedError

    def trigger(self) -> Any:
        """Wait for a new reading."""
        status = DeviceStatus(self, timeout=20.0)
        if not self.new:
            status.set_finished()
        else:
            threading.Thread(target=self._wait, args=(self.marks(), status), daemon=True).start()
        return status

    def _wait(self, first: list[float], status: Status) -> None:
        while not status.done and any(now <= then for now, then in zip(self.marks(), first, strict=True)):
            time.sleep(POLL_S)
        if not status.done:
            status.set_finished()


class _Plane(DerivedSignal):
    """One plane of an array of positions."""

    def __init__(self, *args: Any, start: int, **kwargs: Any) -> None:
        self._start = start
        super().__init__(*args, write_access=False, **kwargs)

    def inverse(self, value: Any) -> Any:
        """Return the plane's positions (n,) [mm]."""
        half = len(value) // 2
        values = value[self._start :: 2] if self.parent.interleaved else value[self._start * half :][:half]
        return self.parent.factor * np.asarray(values)

    def describe(self) -> dict[str, Any]:
        """Describe the positions, with their unit."""
        told: dict[str, Any] = super().describe()
        more = {"units": "mm", "precision": 6, "source": f"PV:{self.parent.positions_pv}"}
        return {key: {**value, **more} for key, value in told.items()}


class Monitors(_New):
    """All beam position monitors: `x`, `y` (n,) [mm] in beam order, of one array.

    With `new` a reading is one whose counter has gone up since the trigger: on a machine; not on a twin, whose readings
    are new when a put is done.
    """

    positions = FormattedComponent(EpicsSignalRO, "{positions_pv}", kind="omitted")
    count = FormattedComponent(EpicsSignalRO, "{count_pv}", kind="normal")
    x = Component(_Plane, derived_from="positions", start=0, kind="normal")
    y = Component(_Plane, derived_from="positions", start=1, kind="normal")

    def __init__(
        self,
        prefix: str = "",
        *,
        name: str,
        positions_pv: str,
        count_pv: str,
        factor: float,
        interleaved: bool,
        monitors: tuple[str, ...] = (),
        new: bool = False,
        **kwargs: Any,
    ) -> None:
        self.positions_pv, self.count_pv = positions_pv, count_pv
        self.factor, self.interleaved, self.new = factor, interleaved, new
        self.monitors = tuple(monitors)
        super().__init__(prefix, name=name, **kwargs)

    def marks(self) -> list[float]:
        """Read the counter."""
        return [self.count.get()]


class Readings(_New):
    """Values that can only be read. With `new`, each has a later time stamp than at the trigger: on a machine."""

    def marks(self) -> list[float]:
        """Read the time stamps."""
        signals = [getattr(self, name) for name in self.component_names]
        for signal in signals:
            signal.get()
        return [signal.timestamp for signal in signals]


def readings(prefix: str = "", *, name: str, pvs: dict[str, str], new: bool = False, **kwargs: Any) -> Any:
    """Make a device of values that can only be read, by the names of its attributes."""
    parts = {key: Component(EpicsSignalRO, pv, kind="hinted") for key, pv in pvs.items()}
    return type("Readings", (Readings,), {**parts, "new": new})(prefix, name=name, **kwargs)
