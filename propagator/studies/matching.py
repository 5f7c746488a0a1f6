"""Matching: settings of supplies that change tunes and chromaticities by given numbers, or make a closed bump.

Newton's method on the full model: each step is the bounded least-squares solution of the linear responses by supply
with the smallest changes relative to the supplies' ranges, and the model is computed again after it. Nothing is sent to
a machine.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import numpy as np

from gnomon.lattice import Lattice
from gnomon.lattice.text import shorten
from gnomon.propagator import BeamState, Propagator
from gnomon.propagator.compiled import Floats
from gnomon.propagator.derivatives import SupplyResponse, supplies_of, supply_response
from gnomon.propagator.studies.bumps import closing_place, nearest_steerers
from gnomon.propagator.studies.result_files import StudyError
from gnomon.propagator.studies.shortcoming import shortcoming
from gnomon.propagator.studies.study_parts import Say, stored_beam

#: Differences that have equal weight, and end the search: of tunes, of chromaticities, of positions [m] and angles
#: [rad]. REACHED is the factor on them within which a target counts as reached.
TUNE, CHROMATICITY, ORBIT = 1e-7, 1e-4, 1e-8
REACHED = 100.0
#: A change below this part of a supply's range counts as no change.
NO_CHANGE = 1e-9
#: Maximum steps of the search, and halvings of a step without a stable beam.
STEPS, HALVINGS = 12, 6


@dataclass(frozen=True, slots=True)
class Bump:
    """A closed bump: the wanted change of a monitor's readings [m]."""

    monitor: str
    x_m: float
    y_m: float


@dataclass(frozen=True, slots=True)
class Target:
    """Changes to make in x and y; None leaves one free. Tunes and chromaticities are with the RF frequency held."""

    tunes: tuple[float, float] | None = None
    chromaticities: tuple[float, float] | None = None
    bump: Bump | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One condition: the wanted change, the linear prediction of the first step, and the change found."""

    name: str
    unit: str
    wanted: float
    linear: float
    found: float


@dataclass(frozen=True, slots=True)
class Move:
    """A supply's current [A] before and after, and its drive limits."""

    supply: str
    before: float
    after: float
    low: float
    high: float

    @property
    def at_limit(self) -> bool:
        """True if the supply would be at one of its limits."""
        return self.after in (self.low, self.high)


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """Result of a match: the settings, the conditions, and the beam before and after by the full model."""

    lattice: Lattice
    moves: tuple[Move, ...]
    rows: tuple[Row, ...]
    before: BeamState
    after: BeamState
    reached: bool
    reason: str = ""  # why it was not reached, where the responses of the supplies tell


@dataclass(frozen=True, slots=True, eq=False)
class _Conditions:
    """Conditions as numbers: names, wanted changes and scales."""

    target: Target
    lattice: Lattice
    before: BeamState
    monitor: int = -1
    closing: int = 0
    names: list[tuple[str, str, float, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        target = self.target
        for what, values, scale in (
            ("tune", target.tunes, TUNE), ("chromaticity", target.chromaticities, CHROMATICITY)
        ):  # fmt: skip
            for plane, value in zip("xy", values or (), strict=False):
                self.names.append((f"{what} {plane}", "", value, scale))
        if (bump := target.bump) is not None:
            for plane, value in (("x", bump.x_m), ("y", bump.y_m)):
                self.names.append((f"{bump.monitor} {plane}", "m", value, ORBIT))
            for coordinate, unit in (("x", "m"), ("px", "rad"), ("y", "m"), ("py", "rad")):
                self.names.append((f"{coordinate} outside", unit, 0.0, ORBIT))

    @property
    def wanted(self) -> Floats:
        return np.array([value for _, _, value, _ in self.names])

    @property
    def scale(self) -> Floats:
        return np.array([scale for _, _, _, scale in self.names])

    def changes(self, beam: BeamState) -> Floats:
        """Compute the change of each condition's quantity.

        A bump is closed if outside of it the orbit moves only along the dispersion: it lengthens the path, which
        changes the momentum while the RF frequency is held.
        """
        found: list[Floats] = []
        if self.target.tunes is not None:
            found.append(beam.tune - self.before.tune)
        if self.target.chromaticities is not None:
            found.append(beam.chromaticity - self.before.chromaticity)
        if self.target.bump is not None:
            change = beam.orbit - self.before.orbit
            found.append(self._reading(change[self.monitor, 0], change[self.monitor, 2]))
            outside = self.closing
            found.append(change[outside] - self.before.dispersion[outside] * (beam.delta - self.before.delta))
        return np.concatenate(found)

    def slopes(self, response: SupplyResponse) -> Floats:
        """Compute the derivatives (conditions, supplies) of `changes`."""
        found: list[Floats] = []
        if self.target.tunes is not None:
            found.append(response.tune)
        if self.target.chromaticities is not None:
            found.append(response.chromaticity)
        if self.target.bump is not None:
            at, outside = response.orbit
            found.append(self._reading(at[0], at[2]))
            found.append(outside - self.before.dispersion[self.closing][:, None] * response.delta)
        return np.concatenate(found)

    def _reading(self, x: Floats, y: Floats) -> Floats:
        """Compute the monitor's readings for changes of the position."""
        ring, errors = self.lattice.ring, self.lattice.monitor_errors()
        k = ring.monitors.index(self.monitor)
        shape = (len(ring.monitors), *np.shape(x))
        every = errors.changes(np.broadcast_to(x, shape), np.broadcast_to(y, shape))
        return np.stack([plane[k] for plane in every])


def match(lattice: Lattice, target: Target, supplies: Sequence[str], say: Say) -> Match:
    """Find the settings of `supplies` that make the changes of `target`, starting from `lattice`.

    A bump uses all steerers among `supplies` and is closed after the last of them. If these supplies cannot reach
    everything within their limits, the result is the best approximation, with `reached` False. Raises StudyError
    without a beam, a target or supplies, and for an unknown monitor.
    """
    propagate = Propagator(lattice.ring)
    before = stored_beam(propagate, lattice)
    conditions = _conditions(lattice, target, supplies, before)
    if not conditions.names or not supplies:
        raise StudyError("nothing to match: give tunes, chromaticities or a bump, and supplies")
    specs = [lattice.ring.property_spec(name, "current") for name in supplies]
    low, high = np.array([s.low for s in specs]), np.array([s.high for s in specs])
    current = start = np.array([lattice[name, "current"] for name in supplies])
    size = np.where(high > low, high - low, 1.0)
    wanted, scale = conditions.wanted, conditions.scale
    places = () if target.bump is None else (conditions.monitor, conditions.closing)
    present, beam, left = lattice, before, wanted.copy()
    linear, ranges = np.zeros(len(wanted)), np.zeros((len(wanted), len(supplies)))
    for number in range(STEPS):
        say("matching", number, STEPS)
        response = supply_response(propagate, present, supplies, places=places)
        slopes = conditions.slopes(response)
        step = size * _bounded(
            slopes * size / scale[:, None], left / scale, (low - current) / size, (high - current) / size
        )
        step[np.abs(step) < NO_CHANGE * size] = 0.0
        if number == 0:
            linear, ranges = slopes @ step, slopes * size / scale[:, None]
        better = _better(propagate, lattice, supplies, conditions, current, step, left)
        if better is None:
            break
        present, beam, current = better
        left = wanted - conditions.changes(beam)
        if np.abs(left / scale).max() < 1.0:
            break
    found = conditions.changes(beam)
    rows = tuple(
        Row(name, unit, want, float(line), float(have))
        for (name, unit, want, _), line, have in zip(conditions.names, linear, found, strict=True)
    )
    moves = tuple(map(Move, supplies, start.tolist(), current.tolist(), low.tolist(), high.tolist()))
    reached = bool(np.abs(left / scale).max() < REACHED)
    reason = "" if reached else shortcoming([row.name for row in rows], ranges)
    return Match(present, moves, rows, before, beam, reached, reason)


def chosen_supplies(lattice: Lattice, patterns: Iterable[str], target: Target) -> tuple[str, ...]:
    """Find the supplies that match patterns (`Q1*`); without any, the four steerers nearest to a bump in each plane.

    Raises StudyError if a pattern matches nothing, or if there is neither a pattern nor a bump.
    """
    known, found = supplies_of(lattice), dict[str, None]()
    for pattern in patterns:
        names = [name for name in known if fnmatchcase(name, pattern)]
        if not names:
            raise StudyError(f"{lattice.ring.name}: no supply that feeds a magnet matches {shorten(pattern)}")
        found |= dict.fromkeys(names)
    if not found and target.bump is not None and target.tunes is None and target.chromaticities is None:
        found |= dict.fromkeys(_steerers_of(lattice, target.bump))
    if not found:
        raise StudyError("give the supplies to change with --with, for example --with 'Q1*,Q3*'")
    return tuple(found)


def settings_of(found: Match) -> Mapping[tuple[str, str], float]:
    """Return the settings that change, by device and property."""
    return {(m.supply, "current"): m.after for m in found.moves if m.after != m.before}


def _conditions(lattice: Lattice, target: Target, supplies: Sequence[str], before: BeamState) -> _Conditions:
    if target.bump is None:
        return _Conditions(target, lattice, before)
    monitor = _monitor(lattice, target.bump)
    return _Conditions(target, lattice, before, monitor, closing_place(lattice, supplies, monitor))


def _steerers_of(lattice: Lattice, bump: Bump) -> tuple[str, ...]:
    """Find the nearest steerers of both planes: with coupling, a bump in one plane needs both to be closed.

    A plane without a height may have none, if the ring has none there.
    """
    monitor, found = _monitor(lattice, bump), list[str]()
    for plane, height in (("x", bump.x_m), ("y", bump.y_m)):
        with nullcontext() if height else suppress(StudyError):
            found += nearest_steerers(lattice, monitor, plane)
    return tuple(found)


def _monitor(lattice: Lattice, bump: Bump) -> int:
    """Find the element of a bump's monitor."""
    for bpm in lattice.ring.bpms:
        if bpm.name == bump.monitor:
            return bpm.element
    raise StudyError(f"{lattice.ring.name}: there is no monitor {shorten(bump.monitor)}")


def _bounded(matrix: Floats, wanted: Floats, low: Floats, high: Floats) -> Floats:
    """Compute the smallest least-squares solution within bounds; a supply without room does not change."""
    from scipy.optimize import lsq_linear  # slow to import, and few matches meet a limit

    free = high > low
    step = np.zeros(matrix.shape[1])
    plain = np.linalg.lstsq(matrix, wanted, rcond=1e-10)[0]
    if ((plain >= low) & (plain <= high)).all():
        return np.asarray(plain)
    if free.any():
        step[free] = lsq_linear(matrix[:, free], wanted, (low[free], high[free]), tol=1e-12).x
    return step


def _better(
    propagate: Propagator,
    lattice: Lattice,
    supplies: Sequence[str],
    conditions: _Conditions,
    current: Floats,
    step: Floats,
    left: Floats,
) -> tuple[Lattice, BeamState, Floats] | None:
    """Find lattice and beam after a step, or a part of it, that is closer to the target; None if there is none."""
    before = np.linalg.norm(left / conditions.scale)
    specs = [lattice.ring.property_spec(name, "current") for name in supplies]
    for halving in range(HALVINGS):
        there = np.clip(current + 0.5**halving * step, [s.low for s in specs], [s.high for s in specs])
        tried = lattice.updated({(name, "current"): float(v) for name, v in zip(supplies, there, strict=True)})
        beam = propagate(tried)
        if beam.found:
            rest = conditions.wanted - conditions.changes(beam)
            if np.linalg.norm(rest / conditions.scale) < before:
                return tried, beam, there
    return None
