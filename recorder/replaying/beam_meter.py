"""Readings of the beam over the PVs of a machine: orbit, tunes, current and lifetime, begun after the last put."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from gnomon.db import sources
from gnomon.db.pvs import PvSpec
from gnomon.lattice.units import conversion_factor
from gnomon.recorder.bounds import Reading
from gnomon.recorder.recorder_errors import MachineError, MissedError
from gnomon.recorder.replay_machine import INVALID, MachineClient, PvState
from gnomon.recorder.verifying import POLL_S, Clock

#: Share of the monitors that must show something: with fewer, there is no beam, or no orbit.
ENOUGH = 0.5
#: Time in which every monitor and the tune meter show something new, once they have averaged [s].
NEW_READINGS_S = 15.0
#: A lifetime, which follows from many readings of the current, is shown if it is not older than this [s].
LIFETIME_S = 60.0


class Meter(Protocol):
    """Readings of a beam."""

    def read(self) -> Reading:
        """Read what is shown now. Raises MachineError."""
        ...

    def measure(self, settle_s: float = 0.0) -> Reading:
        """Wait `settle_s`, then for readings whose averages began after that, and read them. Raises MachineError.

        A monitor, tune or current that shows nothing new in time is NaN in the result; MissedError is raised if too few
        monitors are left.
        """
        ...

    @property
    def states(self) -> Mapping[str, PvState]:
        """The PVs behind the last reading, as they were read."""
        ...


@dataclass(frozen=True)
class BeamPvs:
    """The PVs of a machine that show the beam; `monitors` has x and y of each monitor in the ring's order."""

    monitors: tuple[tuple[PvSpec, PvSpec], ...]
    tunes: tuple[PvSpec, ...]
    current: PvSpec | None
    lifetime: PvSpec | None

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All names."""
        single = [each.name for each in (self.current, self.lifetime) if each is not None]
        return (*self.of_orbit_and_tunes, *single)

    @cached_property
    def of_orbit_and_tunes(self) -> tuple[str, ...]:
        """Names of those that show the orbit and the tunes."""
        return (*(spec.name for pair in self.monitors for spec in pair), *(spec.name for spec in self.tunes))

    @cached_property
    def averaging_s(self) -> float:
        """The longest time over which one of those averages that are waited for [s]."""
        specs = (*(spec for pair in self.monitors for spec in pair), *self.tunes, self.current)
        return max((spec.averaging_s for spec in specs if spec is not None), default=0.0)

    @cached_property
    def waited_for(self) -> tuple[str, ...]:
        """Names of those that show something new after each put: orbit, tunes and current, not the lifetime."""
        return (*self.of_orbit_and_tunes, *([] if self.current is None else [self.current.name]))


def beam_pvs(specs: Sequence[PvSpec], monitors: Sequence[str]) -> BeamPvs:
    """Find the PVs of the monitors, by name, and of tunes, current and lifetime.

    Raises MachineError if a monitor has no PVs of its own, or there are no PVs of the tunes.
    """
    first: dict[str, PvSpec] = {}
    planes: dict[tuple[str, str], PvSpec] = {}
    sides = {source.name: plane for plane, source in zip("xy", sources.MONITOR, strict=True)}
    for spec in specs:
        first.setdefault(spec.source, spec)
        if spec.source in sides:
            planes.setdefault((spec.device, sides[spec.source]), spec)
    missing = [name for name in monitors for plane in "xy" if (name, plane) not in planes]
    if missing:
        raise MachineError(f"monitor {missing[0]}: the PV document has no PVs of its position")
    tunes = tuple(first[source.name] for source in sources.TUNE_FRACTION if source.name in first)
    if len(tunes) < 2:
        raise MachineError("the PV document has no PVs of the fractional tunes")
    lifetimes = (sources.BEAM_LIFETIME_10S, sources.BEAM_LIFETIME_100S)
    return BeamPvs(
        tuple((planes[name, "x"], planes[name, "y"]) for name in monitors),
        tunes,
        first.get(sources.BEAM_CURRENT.name),
        next((first[each.name] for each in lifetimes if each.name in first), None),
    )


class BeamMeter:
    """See `Meter`. New is what has a later time stamp than before; a monitor that stays for `wait_s` shows nothing.

    A reading that comes before the slowest meter has averaged once may mix the states before and after a write. So that
    time is waited for first: what is new after that began after the write. Each time stamp is compared with an earlier
    one of the same PV, so no clocks need to agree.
    """

    def __init__(self, machine: MachineClient, pvs: BeamPvs, timeout_s: float, wait_s: float, clock: Clock) -> None:
        self._machine = machine
        self._pvs = pvs
        self._timeout_s = timeout_s
        self._wait_s = wait_s
        self._clock = clock
        self._states: Mapping[str, PvState] = {}
        self._silent: set[str] = set()

    @property
    def states(self) -> Mapping[str, PvState]:
        """See `Meter`."""
        return self._states

    def connect(self) -> tuple[str, ...]:
        """Connect to all PVs; return those that did not answer."""
        return self._machine.connect(self._pvs.names, self._timeout_s)

    def read(self) -> Reading:
        """See `Meter`."""
        self._states = self._machine.get_all(self._pvs.names, self._timeout_s)
        return self._reading(set())

    def measure(self, settle_s: float = 0.0) -> Reading:
        """See `Meter`."""
        self._clock.sleep(settle_s + self._pvs.averaging_s)
        before = self._machine.get_all(self._pvs.names, self._timeout_s)
        # What was dead before is not waited for.
        waiting = {name for name in self._pvs.waited_for if _shows(before[name])}
        deadline = self._clock.monotonic() + self._wait_s
        while True:
            self._clock.sleep(POLL_S)
            self._states = self._machine.get_all(self._pvs.names, self._timeout_s)
            waiting -= {
                name for name in waiting
                if self._states[name].stamp_ns > before[name].stamp_ns or not _shows(self._states[name])
            }  # fmt: skip
            if not waiting or not self._beam() or self._clock.monotonic() >= deadline:
                return self._reading(waiting | self._old_lifetime())

    def _beam(self) -> bool:
        """False if so few monitors show a position that there is no beam, and nothing to wait for."""
        seen = sum(all(_shows(self._states[spec.name]) for spec in pair) for pair in self._pvs.monitors)
        return seen >= ENOUGH * len(self._pvs.monitors)

    def _old_lifetime(self) -> set[str]:
        if self._pvs.lifetime is None:
            return set()
        newest_ns = max(self._states[name].stamp_ns for name in self._pvs.of_orbit_and_tunes)
        name = self._pvs.lifetime.name
        return {name} if self._states[name].stamp_ns < newest_ns - 1e9 * LIFETIME_S else set()

    def _reading(self, stale: set[str]) -> Reading:
        def value(spec: PvSpec | None, unit: str) -> float:
            if spec is None or spec.name in stale or not _shows(self._states[spec.name]):
                return float("nan")
            return self._states[spec.name].value * (conversion_factor(spec.unit, unit) or float("nan"))

        orbit = np.array([[value(spec, "mm") for spec in pair] for pair in self._pvs.monitors]).reshape(-1, 2)
        seen = int(np.isfinite(orbit).all(axis=1).sum())
        if seen < ENOUGH * len(orbit):
            raise MissedError(f"{seen} of {len(orbit)} monitors show a new position: there is no beam")
        return Reading(
            orbit=orbit,
            tune=np.array([value(spec, "") for spec in self._pvs.tunes]),
            time_ns=max(state.stamp_ns for state in self._states.values()),
            current_ma=value(self._pvs.current, "mA"),
            lifetime_h=value(self._pvs.lifetime, "h"),
        )


def _shows(state: PvState) -> bool:
    return state.severity < INVALID and np.isfinite(state.value)
