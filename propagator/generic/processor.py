"""Second stage: run a phase space through a program's steps, and show it to observers."""

import time
from collections.abc import Sequence

import numpy as np

from gnomon.propagator.generic.generic_errors import PropagationError
from gnomon.propagator.generic.postprocessor import Observer
from gnomon.propagator.generic.preprocessor import Program
from gnomon.propagator.physics.number_types import is_plain
from gnomon.propagator.physics.phase_space import PhaseSpace


def propagate(
    program: Program,
    ray: PhaseSpace,
    observers: Sequence[Observer] = (),
    *,
    turns: int = 1,
    time_limit_s: float | None = None,
) -> PhaseSpace:
    """Propagate a phase space of any type of number through `turns` turns of a program.

    Lost particles of an ensemble continue as infinity or NaN; the observer `Losses` records where they were lost.
    Raises PropagationError for 0 particles, less than one turn, arithmetic that fails (a division by zero, say), and
    when the time limit is reached.
    """
    if turns < 1:
        raise PropagationError(f"turns: {turns}; give at least 1")
    check_phase_space(ray)
    watching: list[list[Observer]] = [[] for _ in range(len(program.steps) + 1)]
    for observer in observers:
        for place in observer.places(program):
            watching[place].append(observer)
    deadline = None if time_limit_s is None else time.monotonic() + time_limit_s
    with np.errstate(all="ignore"):
        for turn in range(turns):
            for place, step in enumerate(program.steps):
                for observer in watching[place]:
                    observer.observe(turn, place, ray)
                if deadline is not None and time.monotonic() > deadline:
                    raise PropagationError(
                        f"the time limit of {time_limit_s:g} s ended in turn {turn} of {turns} before {step.name}; "
                        "ask for fewer turns, particles or orders"
                    )
                try:
                    ray = step(ray)
                except (ArithmeticError, ValueError) as error:
                    raise PropagationError(f"{program.name}: turn {turn}, in {step.name}: {error}") from error
            for observer in watching[-1]:
                observer.observe(turn, len(program.steps), ray)
    return ray


def check_phase_space(ray: PhaseSpace) -> None:
    """Raise PropagationError for no particles, arrays of different shapes, or a particle without forward momentum."""
    shapes = {np.shape(value) for value in ray if isinstance(value, np.ndarray)}
    if len(shapes) > 1:
        raise PropagationError(f"the coordinates have different shapes: {', '.join(map(str, sorted(shapes)))}")
    if shapes and 0 in shapes.pop():
        raise PropagationError("0 particles: there is nothing to propagate; give at least one")
    if isinstance(ray.delta, np.ndarray) or is_plain(ray.delta):
        smallest = float(np.min(ray.delta))
        if smallest <= -1.0:
            raise PropagationError(f"delta {smallest:g}: a momentum deviation must be above -1")
