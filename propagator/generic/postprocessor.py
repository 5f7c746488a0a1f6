"""Third stage: observers collect results along the way.

An observer is any object with `places` and `observe`; to add one, write a class.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from gnomon.propagator.generic.preprocessor import Program
from gnomon.propagator.physics.number_types import Number
from gnomon.propagator.physics.phase_space import PhaseSpace


class Observer(Protocol):
    """An object that is shown the phase space at the places that it names."""

    def places(self, program: Program) -> Iterable[int]:
        """Return the steps before which to observe; the number of steps means the end of the turn."""

    def observe(self, turn: int, place: int, ray: PhaseSpace) -> None:
        """Take note of the phase space before step `place` of turn `turn`, counted from 0."""


@dataclass(slots=True)
class OrbitAtMonitors:
    """Positions at the monitors: `x`, `y` [m] have one entry per monitor and turn, in order of passage."""

    x: list[Number] = field(default_factory=list)
    y: list[Number] = field(default_factory=list)

    def places(self, program: Program) -> Iterable[int]:
        """Return the steps of the monitors."""
        return program.monitors

    def observe(self, turn: int, place: int, ray: PhaseSpace) -> None:
        """Record the position."""
        self.x.append(ray.x)
        self.y.append(ray.y)


@dataclass(slots=True)
class Everywhere:
    """The phase space before each step and at the end of the turn: `rays` has n + 1 entries per turn."""

    rays: list[PhaseSpace] = field(default_factory=list)

    def places(self, program: Program) -> Iterable[int]:
        """Return all steps, and the end of the turn."""
        return range(len(program.steps) + 1)

    def observe(self, turn: int, place: int, ray: PhaseSpace) -> None:
        """Record the phase space."""
        self.rays.append(ray)


@dataclass(slots=True)
class TurnByTurn:
    """The phase space once a turn, before step `place`: `rays` has one entry per turn."""

    place: int = 0
    rays: list[PhaseSpace] = field(default_factory=list)

    def places(self, program: Program) -> Iterable[int]:
        """Return the step `place` alone."""
        return (self.place,)

    def observe(self, turn: int, place: int, ray: PhaseSpace) -> None:
        """Record the phase space."""
        self.rays.append(ray)


@dataclass(frozen=True, slots=True)
class Loss:
    """A lost particle: its number, the turn and step before which it was found outside, and its position."""

    particle: int
    turn: int
    place: int
    ray: PhaseSpace


@dataclass(slots=True)
class Losses:
    """Losses: the first time each particle is outside `|x| < limit_x`, `|y| < limit_y` [m], or has a NaN coordinate."""

    limit_x: float
    limit_y: float
    losses: list[Loss] = field(default_factory=list)
    _lost: set[int] = field(default_factory=set)

    def places(self, program: Program) -> Iterable[int]:
        """Return all steps, and the end of the turn."""
        return range(len(program.steps) + 1)

    def observe(self, turn: int, place: int, ray: PhaseSpace) -> None:
        """Record the particles that are newly outside."""
        inside = (np.abs(ray.x) < self.limit_x) & (np.abs(ray.y) < self.limit_y)
        if np.all(inside):
            return
        outside = np.flatnonzero(~np.atleast_1d(inside)).tolist()
        for particle in (p for p in outside if p not in self._lost):
            where = PhaseSpace(*(float(v if np.ndim(v) == 0 else v[particle]) for v in ray))
            self.losses.append(Loss(particle, turn, place, where))
            self._lost.add(particle)
