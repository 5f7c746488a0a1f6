"""Tasks: which supplies an agent moves, what it sees, and what it is rewarded for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from gnomon.clients.gym.plants import Floats, PlantState

__all__ = ["TASKS", "Task"]


@dataclass(frozen=True, slots=True)
class Task:
    """One task. `properties` are those that its supplies drive; `error` is what is to become small.

    `see` turns a beam, the ring's design and the target into the numbers that an agent sees, of order 1. As fractions
    of the drive range, `step` is the largest change of a current in one step, and `start` the standard deviation of the
    currents at the start. `target` is how far target tunes lie from the design's. Below `goal` an episode is won.
    """

    properties: frozenset[str]
    see: Callable[[PlantState, PlantState, Floats], Floats]
    error: Callable[[PlantState, PlantState, Floats], float]
    goal: float
    unit: str
    step: float
    start: float
    target: float = 0.0
    chromatic: bool = False
    steps: int = 50


def _orbit(state: PlantState, design: PlantState, target: Floats) -> Floats:
    return np.concatenate((state.x, state.y))


def _orbit_error(state: PlantState, design: PlantState, target: Floats) -> float:
    return state.rms_mm


def _tunes(state: PlantState, design: PlantState, target: Floats) -> Floats:
    return 100.0 * np.concatenate((_distance(state, target), _distance(target, design)))


def _tune_error(state: PlantState, design: PlantState, target: Floats) -> float:
    return float(np.abs(_distance(state, target)).max())


def _distance(one: PlantState | Floats, other: PlantState | Floats) -> Floats:
    """Return the distance of tunes on the circle."""
    a, b = (each.tune if isinstance(each, PlantState) else each for each in (one, other))
    distance: Floats = (a - b + 0.5) % 1.0 - 0.5
    return distance


def _optics(state: PlantState, design: PlantState, target: Floats) -> Floats:
    beating = (state.beta / design.beta - 1.0).ravel()
    dispersion = state.dispersion - design.dispersion
    rest = np.concatenate((100.0 * _distance(state, design), state.chromaticity - design.chromaticity))
    return np.concatenate((10.0 * beating, 10.0 * dispersion, rest))


def _beating(state: PlantState, design: PlantState, target: Floats) -> float:
    return float(np.sqrt(np.square(state.beta / design.beta - 1.0).mean()))


_STEERERS, _QUADRUPOLES = frozenset({"kick_x", "kick_y"}), frozenset({"k1"})

#: All tasks by name.
TASKS: Mapping[str, Task] = {
    "orbit": Task(_STEERERS, _orbit, _orbit_error, 0.05, "mm", step=0.005, start=0.0015),
    "tune": Task(_QUADRUPOLES, _tunes, _tune_error, 1e-3, "", step=2e-4, start=0.0, target=0.01),
    "optics": Task(_QUADRUPOLES, _optics, _beating, 0.01, "", step=5e-4, start=1e-3, chromatic=True),
}
