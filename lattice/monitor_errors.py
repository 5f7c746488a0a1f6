"""Errors of beam position monitors: what a monitor shows of the position at which the beam passes it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from gnomon.lattice.chunks import Chunk

Floats = NDArray[np.float64]

#: Settings of each monitor, in the order of their slots: property and unit.
SETTINGS = (("offset_x", "m"), ("offset_y", "m"), ("gain_x", ""), ("gain_y", ""), ("roll", "rad"))

#: Their values for a monitor that shows the position itself.
IDEAL = (0.0, 0.0, 1.0, 1.0, 0.0)

#: Sets of monitor errors that a ring keeps.
KEPT = 16


@dataclass(frozen=True, slots=True, eq=False)
class MonitorErrors:
    """Errors of a ring's monitors, in beam order; all arrays are read-only.

    `offsets` (n, 2) [m] and `gains` (n, 2) [1] are those of x and y; `rolls` (n,) [rad] turn a monitor around the beam
    axis from x to y, as a magnet's roll does. `ideal` says that no monitor has any.
    """

    offsets: Floats
    gains: Floats
    rolls: Floats
    ideal: bool

    @classmethod
    def of_table(cls, values: Floats) -> Self:
        """Take the errors from a table, one row of `SETTINGS` for each monitor, which becomes read-only."""
        table = values.reshape(-1, len(SETTINGS))
        table.flags.writeable = False
        return cls(table[:, 0:2], table[:, 2:4], table[:, 4], ideal=bool((table == IDEAL).all()))

    def readings(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Return what monitors show [m] of positions x, y (n,) [m]: gain x (position in the rolled axes - offset)."""
        if self.ideal:
            return x, y
        cos, sin = np.cos(self.rolls), np.sin(self.rolls)
        (offset_x, offset_y), (gain_x, gain_y) = self.offsets.T, self.gains.T
        return gain_x * (x * cos + y * sin - offset_x), gain_y * (y * cos - x * sin - offset_y)

    def changes(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Return how readings change when positions change by x, y (n, ...): gains and rolls without the offsets."""
        if self.ideal:
            return x, y
        shape = (-1,) + (1,) * (x.ndim - 1)
        cos, sin = np.cos(self.rolls).reshape(shape), np.sin(self.rolls).reshape(shape)
        gain_x, gain_y = (gain.reshape(shape) for gain in self.gains.T)
        return gain_x * (x * cos + y * sin), gain_y * (y * cos - x * sin)


def monitor_errors(chunks: Sequence[Chunk]) -> MonitorErrors:
    """The errors that these chunks hold, `SETTINGS` after `SETTINGS`, one set for each monitor."""
    return MonitorErrors.of_table(np.concatenate([np.empty(0), *chunks]))
