"""One device for all beam position monitors, and one for the tunes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from bluesky.protocols import Reading
from event_model import DataKey
from numpy.typing import NDArray
from ophyd_async.core import (
    Array1D,
    DeviceVector,
    SignalR,
    make_datakey,
    soft_signal_r_and_setter,
    soft_signal_rw,
)
from ophyd_async.core import StandardReadableFormat as Format

from gnomon.clients.bluesky_devices.measurement import INVALID, Measurement, Readings
from gnomon.clients.bluesky_devices.server_session import Session
from gnomon.clients.errors import ClientError
from gnomon.clients.machine_pvs import MachinePvs
from gnomon.db import sources
from gnomon.db.pvs import PvSpec
from gnomon.lattice.units import FREQUENCY_UNITS

__all__ = ["Monitors", "Tunes"]

Floats = NDArray[np.float64]
Orbit = tuple[Floats, Floats]

MM = 1e3
_TEXTS: type[Any] = Sequence[str]


class Monitors(Measurement):
    """All beam position monitors of a ring, in beam order: `NAME-x`, `NAME-y` (n,) [mm] of one moment.

    `NAME-x_rms`, `NAME-y_rms` [mm] are for tables; `NAME-generation`, on a machine `NAME-count`, tells which reading it
    is. With `NAME-samples` above 1 so many readings are averaged, and `NAME-x_std`, `NAME-y_std` (n,) are the standard
    deviations of one. NaN is a monitor that shows nothing. `names` and `NAME-s` [m] are configuration.
    """

    _hinted = ("x_rms", "y_rms")

    def __init__(self, pvs: MachinePvs, session: Session, name: str = "monitors") -> None:
        self.names: tuple[str, ...] = tuple(bpm.name for bpm in pvs.ring.bpms)
        specs, self._split = _positions(pvs)
        self._specs = specs
        if len(specs) == 1:
            self.positions = session.readable(Array1D[np.float64], specs[0])
        else:
            self.position = DeviceVector({n: session.readable(float, spec) for n, spec in enumerate(specs)})
        count = pvs.counter_of(specs[0]) if len(specs) == 1 else None
        if count is not None:
            self.counter = session.readable(int, count)
        with self.add_children_as_readables(Format.CONFIG_SIGNAL):
            self.samples = soft_signal_rw(int, 1)
            self.monitor_names, _ = soft_signal_r_and_setter(_TEXTS, list(self.names))
            positions = np.array([pvs.ring.s[bpm.element] for bpm in pvs.ring.bpms])
            self.s, _ = soft_signal_r_and_setter(Array1D[np.float64], positions, units="m", precision=5)
        super().__init__(session, name, averaging_s=max(spec.averaging_s for spec in specs))
        self._count = self.counter if count is not None else None

    def _signals(self) -> Sequence[SignalR[Any]]:
        return [self.positions] if len(self._specs) == 1 else list(self.position.values())

    def orbit_of(self, readings: Readings) -> Orbit:
        """Turn readings of the PVs into positions x, y (n,) [mm]. Raises ClientError if there are too many or few."""
        if len(self._specs) == 1:
            values = np.asarray(readings[0]["value"], dtype=float)
        else:
            values = np.array([_value_of(reading) for reading in readings])
        if len(values) != 2 * len(self.names):
            raise ClientError(
                f"{self._signals()[0].source} has {len(values)} values, of {len(self.names)} monitors in the machine "
                f"document {2 * len(self.names)} are expected"
            )
        return self._split(values)

    def _values(self, readings: Readings) -> Mapping[str, Any]:
        return _named(*self.orbit_of(readings))

    async def _take(self) -> dict[str, Reading[Any]]:
        samples = max(1, await self.samples.get_value())
        taken = await super()._take()
        if samples == 1:
            return taken
        orbits = [[taken[f"{self.name}-{plane}"]["value"] for plane in "xy"]]
        for _ in range(samples - 1):
            readings, _more = await self._next()
            orbits.append(list(self.orbit_of(readings)))
        array = np.array(orbits)  # (samples, planes, n)
        mean, std = array.mean(axis=0), array.std(axis=0, ddof=1)
        values = {**_named(*mean), "x_std": std[0], "y_std": std[1]}
        first = next(iter(taken.values()))
        return taken | {f"{self.name}-{key}": Reading(**{**first, "value": value}) for key, value in values.items()}

    async def _describe_values(self) -> Mapping[str, DataKey]:
        spec = self._specs[0]
        array = np.zeros(len(self.names))
        precision = max(0, spec.precision - round(np.log10(MM / spec.scale)))
        source = self._signals()[0].source
        shown: Any = {"units": "mm", "precision": precision}
        if spec.display is not None:
            low, high = (limit * MM / spec.scale for limit in spec.display)
            shown["limits"] = {"display": {"low": low, "high": high}}
        arrays = ["x", "y"] + (["x_std", "y_std"] if await self.samples.get_value() > 1 else [])
        told = {key: make_datakey(Array1D[np.float64], array, source, shown) for key in arrays}
        return told | {key: make_datakey(float, 0.0, source, shown) for key in ("x_rms", "y_rms")}


def _positions(pvs: MachinePvs) -> tuple[Sequence[PvSpec], Callable[[Floats], Orbit]]:
    """Choose the PVs that show all positions: one array if there is one, else those of the single monitors."""
    count = len(pvs.ring.bpms)
    if (spec := pvs.first(sources.MONITOR_POSITIONS_INTERLEAVED)) is not None:
        factor = MM / spec.scale
        return [spec], lambda values: (factor * values[0::2], factor * values[1::2])
    if (spec := pvs.first(sources.MONITOR_POSITIONS)) is not None:
        factor = MM / spec.scale
        return [spec], lambda values: (factor * values[:count], factor * values[count:])
    planes = [pvs.each(source) for source in sources.MONITOR]
    names = [bpm.name for bpm in pvs.ring.bpms]
    if not names or any(name not in plane for plane in planes for name in names):
        raise ClientError(
            f"{pvs.ring.name}: the PV document has no PV for all positions (monitor.positions), and not one for x "
            "and one for y of each monitor"
        )
    specs = [plane[name] for plane in planes for name in names]
    factors = np.array([MM / spec.scale for spec in specs])
    return specs, lambda values: ((factors * values)[:count], (factors * values)[count:])


def _value_of(reading: Reading[Any]) -> float:
    return np.nan if reading.get("alarm_severity", 0) == INVALID else float(reading["value"])


def _named(x: Floats, y: Floats) -> dict[str, Any]:
    return {"x": x, "y": y, "x_rms": _rms(x), "y_rms": _rms(y)}


def _rms(values: Floats) -> float:
    return float(np.sqrt(np.nanmean(np.square(values))))


class Tunes(Measurement):
    """Both tunes: `NAME-x`, `NAME-y`, their fractional parts. Of frequencies they are shares of the revolution's."""

    _hinted = ("x", "y")

    def __init__(self, pvs: MachinePvs, session: Session, name: str = "tunes") -> None:
        specs = [
            pvs.first(*kinds) for kinds in zip(sources.TUNE, sources.TUNE_FREQUENCY, sources.TUNE_FRACTION, strict=True)
        ]
        if any(spec is None for spec in specs):
            raise ClientError(f"{pvs.ring.name}: the PV document has no PVs for the tunes")
        self._specs = [spec for spec in specs if spec is not None]
        self.x, self.y = (session.readable(float, spec) for spec in self._specs)
        self._hertz: float | None = None
        if any(spec.source in _FREQUENCIES for spec in self._specs):
            clock = pvs.others["rf", "frequency"].readback
            self.frequency = session.readable(float, clock)
            self._hertz = FREQUENCY_UNITS[pvs.ring.rf_unit] / clock.scale / pvs.ring.harmonic_number
        super().__init__(session, name, averaging_s=max(spec.averaging_s for spec in self._specs))

    def _signals(self) -> Sequence[SignalR[Any]]:
        return [self.x, self.y]

    async def _take(self) -> dict[str, Reading[Any]]:
        self._revolution_hz = self._hertz * await self.frequency.get_value() if self._hertz is not None else None
        return await super()._take()

    def _values(self, readings: Readings) -> Mapping[str, Any]:
        values = (
            float(reading["value"]) / spec.scale / (self._revolution_hz or 1.0)
            if spec.source in _FREQUENCIES
            else float(reading["value"]) / spec.scale
            for reading, spec in zip(readings, self._specs, strict=True)
        )
        return dict(zip("xy", (value % 1.0 for value in values), strict=True))

    async def _describe_values(self) -> Mapping[str, DataKey]:
        signals = {"x": self.x, "y": self.y}
        return {key: make_datakey(float, 0.0, signal.source, {"precision": 6}) for key, signal in signals.items()}


_FREQUENCIES = {source.name for source in sources.TUNE_FREQUENCY}
