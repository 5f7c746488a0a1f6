"""Plan of an aperture: a closed bump moves the beam towards the wall in steps, until it does not live any more."""

from collections.abc import Generator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

import bluesky.plan_stubs as bps
import numpy as np
from bluesky.preprocessors import finalize_wrapper
from bluesky.utils import FailedStatus, Msg
from numpy.typing import NDArray

from gnomon.clients.bluesky_devices import RingDevices
from gnomon.clients.errors import NoBeamError
from gnomon.procedures.aperture import ApertureData
from gnomon.procedures.closed_bump import ClosedBumpData, ClosedBumpParameters
from gnomon.procedures.closed_bump import analyse as close_bump
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.loss_rates import HOUR_S, fit_loss_rate
from gnomon.procedures.plans.measured_rows import Recording
from gnomon.procedures.plans.putting_back import setpoint_of
from gnomon.procedures.plans.scans import connected_run
from gnomon.procedures.plans.stored_beam import BeamSamples, NoInjectionError, StoredBeamKeeper, beam_is_lost

__all__ = ["ApertureSearch", "aperture_plan", "way_of"]

Plan = Generator[Msg, Any, Any]
Array = NDArray[np.float64]

LOW, HIGH = 0, 1
#: Orbit that one steerer of a bump may make alone, before the others have moved, where nobody knows the wall [mm].
TRANSIENT_MM = 0.1


@dataclass(frozen=True, slots=True)
class ApertureSearch:
    """The search: the bump and its response, steps [mm], and the lifetime that ends it.

    Steps of `step_mm` are made until the beam is lost or lives shorter, then halved to `resolution_mm`. `max_mm` are
    the largest displacements to the low and the high side, and `max_reasons` why they are not larger. One steerer
    alone moves the orbit by `orbit_by_one` of the displacement at most.
    """

    place: str
    plane: Literal["x", "y"]
    bump: ClosedBumpData
    per_mm: Array
    max_mm: tuple[float, float]
    max_reasons: tuple[str, str]
    step_mm: float
    resolution_mm: float
    orbit_by_one: float
    seconds: float
    lifetime_h: float


def aperture_plan(
    ring: RingDevices, search: ApertureSearch, keeper: StoredBeamKeeper, recording: Recording
) -> Generator[Msg, Any, ApertureData]:
    """Search the wall on both sides. A lost beam is injected again, with the bump taken away before.

    The first step shows what the bump leaks, which is corrected. Raises what the devices raise, NoBeamError without a
    beam at the beginning, NoInjectionError if there is none at the end; after everything was put back.
    """
    steerers = {name: ring.supplies[name] for name in search.bump.steerers}
    sides = [side for side in (LOW, HIGH) if search.max_mm[side] > 0.0]
    recording.total = 1 + sum(_expected(search, side) for side in sides)
    scan = _Scan(ring, search, keeper, recording, steerers)

    def searched() -> Plan:
        yield from finalize_wrapper(scan.run(sides), scan.go_home)  # type: ignore[no-untyped-call]

    yield from keeper.around(lambda: connected_run("aperture", [ring.monitors], list(steerers.values()), searched))
    return scan.data()


def _expected(search: ApertureSearch, side: int) -> int:
    halvings = max(0, int(np.ceil(np.log2(search.step_mm / search.resolution_mm))))
    return int(np.ceil(search.max_mm[side] / search.step_mm)) + halvings


def way_of(start: float, end: float, safe: float, orbit_by_one: float) -> list[float]:
    """List the displacements [mm] between two of one side, in moves that make small orbits before they are complete.

    One steerer that has arrived first moves the orbit by `orbit_by_one` of the move. That may be `TRANSIENT_MM`, or the
    distance to a displacement `safe` at which the beam has lived.
    """
    if abs(end) < abs(start):
        return way_of(end, start, safe, orbit_by_one)[::-1]
    sign, at, way = np.sign(end), abs(start), [start]
    while at < abs(end):
        at += max(TRANSIENT_MM, safe - at) / max(orbit_by_one, 1e-9)
        at = at if at < (1.0 - 1e-9) * abs(end) else abs(end)
        way.append(float(sign * at))
    return way


class _Scan:
    """One search, with what it has found so far."""

    def __init__(
        self,
        ring: RingDevices,
        search: ApertureSearch,
        keeper: StoredBeamKeeper,
        recording: Recording,
        steerers: Mapping[str, Any],
    ) -> None:
        self._ring, self._search, self._keeper, self._recording = ring, search, keeper, recording
        self._steerers = steerers
        self._index = search.bump.monitors.index(search.place)
        self._per_mm = search.per_mm
        self._base: dict[str, float] = {}
        self._orbit: Array = np.zeros(0)
        self._asked: list[float] = []
        self._reading: list[float] = []
        self._samples: list[BeamSamples] = []
        self._ends = ["not searched", "not searched"]
        self._closed, self._at, self._safe = False, 0.0, 0.0

    def run(self, sides: list[int]) -> Plan:
        for name, device in self._steerers.items():
            self._base[name] = yield from setpoint_of(device)
        self._orbit = yield from self._read_orbit()
        yield from self._step(0.0)
        for side in sides:
            try:
                yield from self._search_side(side)
            except NoInjectionError as error:
                self._ends[side] = f"{error}"
                return
            yield from self._put(0.0)

    def go_home(self) -> Plan:
        """Take the bump away, however the search ends: put back one by one, steerers would throw the beam at the wall.

        What fails here is put back by the wrapper of all plans.
        """
        with suppress(Exception):
            yield from self._put(0.0)

    def _search_side(self, side: int) -> Plan:
        search, sign = self._search, (-1.0, 1.0)[side]
        good, bad, self._safe = 0.0, np.inf, 0.0
        while True:
            largest = min(bad, self._room_mm(side))
            if largest - good <= search.resolution_mm:
                break
            wanted = 0.5 * (good + bad) if np.isfinite(bad) else min(good + search.step_mm, largest)
            alive = yield from self._step(sign * wanted)
            self._safe = max(self._safe, wanted if alive else 0.0)
            good, bad = (wanted, bad) if alive else (good, wanted)
        if np.isfinite(bad):
            lost = [x for x, seen in zip(self._asked, self._samples, strict=True) if seen.lost and sign * x > 0.0]
            self._ends[side] = (
                f"the beam was lost at {min(lost, key=abs):+.3f} mm" if lost
                else f"the lifetime was below {search.lifetime_h:g} h at {sign * bad:+.3f} mm"
            )  # fmt: skip
        else:
            self._ends[side] = search.max_reasons[side]

    def _room_mm(self, side: int) -> float:
        """Return the largest displacement that is asked for, and that leaves all steerers within their limits."""
        bump, base = self._search.bump, np.array(list(self._base.values()))
        rates = (-1.0, 1.0)[side] * self._per_mm
        with np.errstate(divide="ignore", invalid="ignore"):
            room = np.where(rates > 0.0, (bump.high - base) / rates, (bump.low - base) / rates)
        return float(max(0.0, min(self._search.max_mm[side], np.where(rates == 0.0, np.inf, room).min())))

    def _step(self, wanted: float) -> Plan:
        """Move the beam and see how it lives; False if it is lost, or lives shorter than it should."""
        yield from self._put(wanted)
        samples = yield from self._keeper.sample(self._search.seconds)
        reading = np.nan
        if not samples.lost:
            try:
                orbit = yield from self._read_orbit()
                reading = float(orbit[self._index] - self._orbit[self._index])
                self._close(wanted, orbit)
            except (FailedStatus, NoBeamError) as error:
                if not beam_is_lost(error):
                    raise
                samples.lost = True
        found = fit_loss_rate(np.array(samples.time_s), np.array(samples.current_ma))
        lifetime = np.nan if samples.lost or not found.rate > 0.0 else 1.0 / (HOUR_S * found.rate)
        self._asked.append(wanted)
        self._reading.append(reading)
        self._samples.append(samples)
        self._recording.add(
            {self._search.place: wanted}, len(self._asked) - 1,
            reading_mm=reading, current_ma=samples.current_ma[-1], lifetime_h=0.0 if samples.lost else lifetime,
        )  # fmt: skip
        if samples.lost:
            yield from self._put(0.0, lost=True)
            yield from self._keeper.bring_back()
        else:
            yield from self._keeper.fill()
        return not samples.lost and not lifetime < self._search.lifetime_h

    def _put(self, wanted: float, *, lost: bool = False) -> Plan:
        """Move the beam, so slowly that steerers which arrive one after the other do not throw it at the wall."""
        way = [self._at, wanted] if lost else way_of(self._at, wanted, self._safe, self._search.orbit_by_one)
        for there in way[1:]:
            self._at = there
            for (name, device), by in zip(self._steerers.items(), self._per_mm, strict=True):
                yield from bps.abs_set(device, self._base[name] + there * by, group="bump")
            yield from bps.wait("bump")

    def _read_orbit(self) -> Plan:
        """Read the orbit of the bump's plane [mm]."""
        monitors = self._ring.monitors
        told = yield from bps.trigger_and_read([monitors])
        return np.array(told[f"{monitors.name}-{self._search.plane}"]["value"], dtype=float)

    def _close(self, made: float, orbit: Array) -> None:
        """Take away once what leaks out of the bump, by the orbit that its first step has made."""
        bump = self._search.bump
        if self._closed or made == 0.0:
            return
        self._closed = True
        wanted = np.zeros(len(bump.targets))
        wanted[0] = made
        seen = np.zeros(len(bump.targets))
        seen[0] = orbit[self._index] - self._orbit[self._index]
        try:
            found = close_bump(
                bump.model_copy(
                    update={"wanted": wanted, "made": made * self._per_mm, "measured_mm": orbit - self._orbit,
                            "measured_target": seen}
                ),
                ClosedBumpParameters(),
            )  # fmt: skip
        except ProcedureError:
            return
        self._per_mm = found.changes / made

    def data(self) -> ApertureData:
        search = self._search
        start = next((each.time_s[0] for each in self._samples if each.time_s), 0.0)
        return ApertureData(
            place=search.place,
            plane=search.plane,
            steerers=search.bump.steerers,
            setting_unit=search.bump.setting_unit,
            per_mm=self._per_mm,
            displacement_mm=np.array(self._asked),
            reading_mm=np.array(self._reading),
            lost=np.array([float(each.lost) for each in self._samples]),
            orbit_mm=float(self._orbit[self._index]),
            sample_step=np.repeat(np.arange(float(len(self._samples))), [len(each.time_s) for each in self._samples]),
            sample_time_s=np.concatenate([np.array(each.time_s) - start for each in self._samples]),
            current_ma=np.concatenate([np.array(each.current_ma) for each in self._samples]),
            ends=(self._ends[LOW], self._ends[HIGH]),
        )
