"""Which settings of given supplies change tunes and chromaticities by given numbers, or make a closed bump: predicted.

Newton's method on the full model: the responses by supply are linear about the present solution, each step is the
bounded least-squares solution with the smallest changes relative to the supplies' ranges, and the model is computed
anew after it. Nothing is sent to a machine.
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
from gnomon.propagator.studies.common import Say, stored_beam
from gnomon.propagator.studies.result_files import StudyError

#: Differences that count the same and end the search: of tunes, of chromaticities, of positions [m] and angles [rad].
#: What is left may be so many times larger for a target to be reached.
TUNE, CHROMATICITY, ORBIT = 1e-7, 1e-4, 1e-8
REACHED = 100.0
#: A change that is a smaller part of a supply's range is none.
NO_CHANGE = 1e-9
#: Steps of the search, and how often one is halved when it finds no stable beam.
STEPS, HALVINGS = 12, 6


@dataclass(frozen=True, slots=True)
class Bump:
    """A closed bump: by how much the readings of a monitor change [m]."""

    monitor: str
    x_m: float
    y_m: float


@dataclass(frozen=True, slots=True)
class Target:
    """Changes to make, in x and y; None: free. Tunes and chromaticities are those with the RF frequency held."""

    tunes: tuple[float, float] | None = None
    chromaticities: tuple[float, float] | None = None
    bump: Bump | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One condition: the change that is wanted, what the linear response predicts for the first step, what is found."""

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
        """Whether the supply would stand at one of its limits."""
        return self.after in (self.low, self.high)


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """What was found: the settings, the conditions, and the beam before and after by the full model."""

    lattice: Lattice
    moves: tuple[Move, ...]
    rows: tuple[Row, ...]
    before: BeamState
    after: BeamState
    reached: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Conditions:
    """Conditions as numbers: names, what is wanted, and by how much each is scaled."""

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
        """What has changed, condition by condition.

        A bump is closed when nothing but the dispersion moves outside of it: its lengthening of the path moves the
        momentum while the RF frequency is held.
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
        """The derivatives (conditions, supplies) of `changes`."""
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
        """What the monitor shows of changes of the position."""
        ring, errors = self.lattice.ring, self.lattice.monitor_errors()
        k = ring.monitors.index(self.monitor)
        shape = (len(ring.monitors), *np.shape(x))
        every = errors.changes(np.broadcast_to(x, shape), np.broadcast_to(y, shape))
        return np.stack([plane[k] for plane in every])


def match(lattice: Lattice, target: Target, supplies: Sequence[str], say: Say) -> Match:
    """Find the settings of `supplies` that make the changes of `target`, from `lattice` on.

    A bump uses all steerers among `supplies` and is closed behind the last of them. If not everything can be reached,
    by these supplies within their limits, the result is the best approximation, with `reached` False. Raises StudyError
    without a beam, a target, or supplies, and for an unknown monitor.
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
    linear = np.zeros(len(wanted))
    for number in range(STEPS):
        say("matching", number, STEPS)
        response = supply_response(propagate, present, supplies, places=places)
        slopes = conditions.slopes(response)
        step = size * _bounded(
            slopes * size / scale[:, None], left / scale, (low - current) / size, (high - current) / size
        )
        step[np.abs(step) < NO_CHANGE * size] = 0.0
        if number == 0:
            linear = slopes @ step
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
    return Match(present, moves, rows, before, beam, bool(np.abs(left / scale).max() < REACHED))


def chosen_supplies(lattice: Lattice, patterns: Iterable[str], target: Target) -> tuple[str, ...]:
    """The supplies that match patterns (`Q1*`); without any, the four steerers nearest to a bump in each plane.

    Raises StudyError when a pattern matches none, or when there is no pattern and no bump.
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
    """The settings that change, as a command names them."""
    return {(m.supply, "current"): m.after for m in found.moves if m.after != m.before}


def _conditions(lattice: Lattice, target: Target, supplies: Sequence[str], before: BeamState) -> _Conditions:
    if target.bump is None:
        return _Conditions(target, lattice, before)
    monitor = _monitor(lattice, target.bump)
    return _Conditions(target, lattice, before, monitor, closing_place(lattice, supplies, monitor))


def _steerers_of(lattice: Lattice, bump: Bump) -> tuple[str, ...]:
    """The nearest steerers of both planes: where the planes are coupled, a bump in one needs the other's to be closed.

    A plane without a height does without them where the ring has none.
    """
    monitor, found = _monitor(lattice, bump), list[str]()
    for plane, height in (("x", bump.x_m), ("y", bump.y_m)):
        with nullcontext() if height else suppress(StudyError):
            found += nearest_steerers(lattice, monitor, plane)
    return tuple(found)


def _monitor(lattice: Lattice, bump: Bump) -> int:
    """The element of a bump's monitor."""
    for bpm in lattice.ring.bpms:
        if bpm.name == bump.monitor:
            return bpm.element
    raise StudyError(f"{lattice.ring.name}: there is no monitor {shorten(bump.monitor)}")


def _bounded(matrix: Floats, wanted: Floats, low: Floats, high: Floats) -> Floats:
    """The smallest least-squares solution within bounds; a supply without room stays where it is."""
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
    """Find the lattice and beam after a step, or after a part of it, that come nearer; None if none of them does."""
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
