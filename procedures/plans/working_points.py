"""Plans of the lifetime of the stored beam, as it is and over a region of working points."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import bluesky.plan_stubs as bps
import numpy as np
from bluesky.utils import FailedStatus, Msg
from numpy.typing import NDArray

from gnomon.clients.bluesky_devices import RingDevices
from gnomon.clients.errors import NoBeamError
from gnomon.procedures.beam_lifetimes import LifetimeData
from gnomon.procedures.loss_map import LossMapData
from gnomon.procedures.loss_rates import HOUR_S, fit_loss_rate
from gnomon.procedures.plans.measured_rows import Recording
from gnomon.procedures.plans.putting_back import setpoint_of
from gnomon.procedures.plans.scans import connected_run
from gnomon.procedures.plans.stored_beam import BeamSamples, NoInjectionError, StoredBeamKeeper, beam_is_lost
from gnomon.procedures.working_point import nearest_tunes

__all__ = ["WorkingPoints", "lifetime_plan", "loss_map_plan"]

Plan = Generator[Msg, Any, Any]
Array = NDArray[np.float64]


def lifetime_plan(
    ring: RingDevices, seconds: float, keeper: StoredBeamKeeper, recording: Recording
) -> Generator[Msg, Any, LifetimeData]:
    """Read the current for a time; nothing is set. A beam that is lost meanwhile is injected where that is possible."""
    recording.total = 1
    samples = BeamSamples()

    def scan() -> Plan:
        nonlocal samples
        samples = yield from keeper.sample(seconds)
        found = fit_loss_rate(np.array(samples.time_s), np.array(samples.current_ma))
        recording.add({}, 0, current_ma=samples.current_ma[-1], lifetime_h=_hours(found.rate))

    yield from keeper.around(lambda: connected_run("lifetime", [ring.current], [], scan))
    return LifetimeData(
        time_s=np.array(samples.time_s) - samples.time_s[0],
        current_ma=np.array(samples.current_ma),
        shown_h=np.array(samples.shown_h),
    )


@dataclass(frozen=True, slots=True)
class WorkingPoints:
    """Points to visit, tunes (points, 2) with their integer part, and the supplies that go there.

    `per_tune` (supplies, 2) is the change of the settings per change of the tunes, `start` (2,) the model's tunes.
    """

    points: Array
    supplies: tuple[str, ...]
    per_tune: Array
    low: Array
    high: Array
    start: Array
    seconds: float


def loss_map_plan(
    ring: RingDevices, wanted: WorkingPoints, keeper: StoredBeamKeeper, recording: Recording
) -> Generator[Msg, Any, LossMapData]:
    """Visit working points, and read tunes and current at each.

    Each step starts from the tunes that were measured at the last point. After a lost beam the settings go back, a beam
    is injected, and the map goes on; it ends when none can be injected, or a setting would leave its limits. Raises
    what the devices raise after everything was put back.
    """
    supplies = {name: ring.supplies[name] for name in wanted.supplies}
    recording.total = len(wanted.points)
    visit = _Visit(ring, wanted, keeper, recording, supplies)
    yield from keeper.around(lambda: connected_run("losses", [ring.tunes], list(supplies.values()), visit.run))
    return visit.data()


class _Visit:
    """One map, with what was measured so far."""

    def __init__(
        self,
        ring: RingDevices,
        wanted: WorkingPoints,
        keeper: StoredBeamKeeper,
        recording: Recording,
        supplies: Mapping[str, Any],
    ) -> None:
        self._ring, self._wanted, self._keeper, self._recording = ring, wanted, keeper, recording
        self._supplies = supplies
        self._tunes: list[Array] = []
        self._settings: list[Array] = []
        self._samples: list[BeamSamples] = []
        self._end = ""

    def run(self) -> Plan:
        wanted = self._wanted
        base = np.zeros(len(wanted.supplies))
        for number, device in enumerate(self._supplies.values()):
            base[number] = yield from setpoint_of(device)
        began = yield from self._read_tunes(wanted.start)
        settings, tunes = base, began
        for number, point in enumerate(wanted.points):
            change = wanted.per_tune @ (point - tunes)
            if ((settings + change < wanted.low) | (settings + change > wanted.high)).any():
                over = np.maximum(wanted.low - settings - change, settings + change - wanted.high)
                self._end = f"{wanted.supplies[int(over.argmax())]} has reached its limit"
                return
            settings = settings + change
            yield from self._put(settings)
            seen, samples = yield from self._look(point)
            self._tunes.append(seen)
            self._settings.append(settings)
            self._samples.append(samples)
            self._tell(number, point, seen, samples)
            tunes = np.where(np.isfinite(seen), seen, point)
            if not samples.lost:
                yield from self._keeper.fill()
                continue
            settings, tunes = base, began
            yield from self._put(base)
            try:
                yield from self._keeper.bring_back()
            except NoInjectionError as error:
                self._end = f"{error}"
                return

    def _look(self, point: Array) -> Plan:
        """Read the tunes and the current; the beam may be lost at any time."""
        seen, lost = np.full(2, np.nan), False
        try:
            seen = yield from self._read_tunes(point)
        except (FailedStatus, NoBeamError) as error:
            if not beam_is_lost(error):
                raise
            lost = True
        samples = yield from self._keeper.sample(0.0 if lost else self._wanted.seconds)
        samples.lost = samples.lost or lost
        return seen, samples

    def _tell(self, number: int, point: Array, seen: Array, samples: BeamSamples) -> None:
        found = fit_loss_rate(np.array(samples.time_s), np.array(samples.current_ma))
        self._recording.add(
            {"Qx": float(point[0]), "Qy": float(point[1])}, number,
            x=float(seen[0]), y=float(seen[1]), current_ma=samples.current_ma[-1],
            lifetime_h=0.0 if samples.lost else _hours(found.rate),
        )  # fmt: skip

    def _put(self, settings: Array) -> Plan:
        for device, value in zip(self._supplies.values(), settings, strict=True):
            yield from bps.abs_set(device, float(value), group="tunes")
        yield from bps.wait("tunes")

    def _read_tunes(self, near: Array) -> Plan:
        """Read the tunes, with the integer part that brings them nearest."""
        tunes = self._ring.tunes
        told = yield from bps.trigger_and_read([tunes])
        return nearest_tunes(np.array([told[f"{tunes.name}-{plane}"]["value"] for plane in "xy"]), near)

    def data(self) -> LossMapData:
        count = len(self._samples)
        wanted, tunes = self._wanted.points[:count], np.array(self._tunes).reshape(count, 2)
        start = next((each.time_s[0] for each in self._samples if each.time_s), 0.0)
        return LossMapData(
            supplies=self._wanted.supplies,
            setting_unit=next(iter(self._supplies.values())).unit,
            wanted_x=wanted[:, 0],
            wanted_y=wanted[:, 1],
            tune_x=tunes[:, 0],
            tune_y=tunes[:, 1],
            lost=np.array([float(each.lost) for each in self._samples]),
            settings=np.array(self._settings).reshape(count, len(self._supplies)),
            sample_point=np.repeat(np.arange(float(count)), [len(each.time_s) for each in self._samples]),
            sample_time_s=_joined([np.array(each.time_s) - start for each in self._samples]),
            current_ma=_joined([np.array(each.current_ma) for each in self._samples]),
            injections=self._keeper.injections,
            end=self._end,
        )


def _joined(parts: Sequence[Array]) -> Array:
    return np.concatenate(parts) if parts else np.zeros(0)


def _hours(rate: float) -> float:
    return 1.0 / (HOUR_S * rate) if rate > 0.0 else np.nan
