"""The last thing between readings and their publication: a filter that may let them go wrong."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Published:
    """A publication before it is shown: numbers of scalar PVs at `indices`, objects of others, and who is INVALID.

    `alarms` (severity, status) and `times` [ns] are those that differ from what follows from the value and from the
    time stamp of all, `time_ns`.
    """

    indices: Indices
    values: Floats
    objects: Mapping[int, Any]
    alarms: Mapping[int, tuple[int, int]]
    invalid: Indices
    time_ns: int
    generation: int
    times: Mapping[int, int] = field(default_factory=dict)


class ReadingFilter(Protocol):
    """Changes what is published, and nothing else. While `idle`, nobody asks it."""

    @property
    def idle(self) -> bool:
        """True if it changes nothing now."""
        ...

    def positions(self, count: int, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Return what the monitors show [m], in beam order, in the reading of this count."""
        ...

    def publication(self, published: Published) -> Published:
        """Return what is published instead."""
        ...
