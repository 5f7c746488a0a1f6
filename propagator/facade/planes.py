"""A pair of numbers, one for each plane."""

from typing import NamedTuple


class Planes(NamedTuple):
    """A number for the horizontal plane and one for the vertical; with coupling, for mode 1 and mode 2."""

    x: float
    y: float

    def __repr__(self) -> str:
        return f"x {self.x:.6f}, y {self.y:.6f}"
