"""Repetition of stages, so that the number of times may be one that is only recorded."""

from collections.abc import Callable, Sequence

from gnomon.propagator.physics.number_types import Number
from gnomon.propagator.physics.phase_space import PhaseSpace

#: A stage, which is told the length [m] of the free space at the end of the last one.
Stage = Callable[[PhaseSpace, Number], PhaseSpace]


def repeated(count: Number, stages: Sequence[Stage], ray: PhaseSpace, between: Number, last: Number) -> PhaseSpace:
    """Apply all stages `count` times, with `between` as the length ahead and `last` in the last repetition.

    A count that is not an int does this by its method `repeat`.
    """
    if not isinstance(count, int):
        end: PhaseSpace = count.repeat(stages, ray, between, last)
        return end
    for number in range(count):
        for stage in stages:
            ray = stage(ray, between if number < count - 1 else last)
    return ray
