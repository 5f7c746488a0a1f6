"""Pictures in braille characters: two by four dots in each cell, legible without colour."""

from collections.abc import Iterable
from math import isfinite

#: First braille character, and its dots by column and row.
EMPTY = 0x2800
DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
#: Scales of bars, the smallest first.
SCALES = [mantissa * 10.0**exponent for exponent in range(-4, 7) for mantissa in (1.0, 2.0, 5.0)]


class Canvas:
    """A picture of `width` by `height` cells; dots count from the upper left."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._cells = [[0] * width for _ in range(height)]

    def dot(self, x: int, y: int) -> None:
        """Set a dot; one outside is left out."""
        if 0 <= x < 2 * self.width and 0 <= y < 4 * self.height:
            self._cells[y // 4][x // 2] |= DOTS[x % 2][y % 4]

    def lines(self) -> list[str]:
        """Return the rows as text, empty cells as spaces."""
        return ["".join(chr(EMPTY + cell) if cell else " " for cell in row) for row in self._cells]


def draw_bars(values: Iterable[float], places: Iterable[float], scale: float, width: int, height: int) -> list[str]:
    """Draw values as bars from the middle, `scale` high on each side; places from 0 to 1 across the width.

    A bar has one dot at least; NaN has none; a value beyond the scale ends at the edge.
    """
    canvas, middle = Canvas(width, height), 2 * height
    longest: dict[int, float] = {}
    for value, place in zip(values, places, strict=True):
        column = min(2 * width - 1, int(place * 2 * width))
        if 0.0 <= place <= 1.0 and isfinite(value) and abs(value) >= abs(longest.get(column, 0.0)):
            longest[column] = value
    for column, value in longest.items():
        count = max(1, min(middle, round(abs(value) / scale * middle)))
        for step in range(count):
            canvas.dot(column, middle - 1 - step if value >= 0.0 else middle + step)
    return canvas.lines()


def scale_for(values: Iterable[float], present: float = 0.0) -> float:
    """Choose a scale of 1, 2 or 5 times a power of ten; keeps the present one while it fits, down to a fifth of it."""
    largest = max((abs(value) for value in values if isfinite(value)), default=0.0)
    if present and present / 5.0 <= largest <= present:
        return present
    return next((scale for scale in SCALES if scale >= largest), SCALES[-1])
