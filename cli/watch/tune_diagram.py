"""The tunes in a small resonance diagram."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import floor, gcd

from gnomon.cli.watch.braille import Canvas

#: Highest order of the resonances shown.
ORDER = 3
#: Width of the window that is shown, in both planes.
WINDOW = 0.5


@dataclass(frozen=True, slots=True)
class Resonance:
    """The line m Qx + n Qy = p."""

    m: int
    n: int
    p: int

    def distance(self, x: float, y: float) -> float:
        """Distance of a working point from the line, in tune."""
        return float(abs(self.m * x + self.n * y - self.p) / (self.m**2 + self.n**2) ** 0.5)

    def __str__(self) -> str:
        parts = [_term(self.m, "Qx"), _term(self.n, "Qy")]
        return " ".join(part for part in parts if part).removeprefix("+ ") + f" = {self.p}"


def resonances(x: tuple[float, float], y: tuple[float, float]) -> Iterator[Resonance]:
    """Yield all resonances up to the order that cross a window of tunes; none twice."""
    for m in range(ORDER + 1):
        for n in range(-ORDER, ORDER + 1):
            if not 1 <= m + abs(n) <= ORDER or (m == 0 and n < 0):
                continue
            corners = [m * a + n * b for a in x for b in y]
            for p in range(floor(min(corners)), floor(max(corners)) + 2):
                if min(corners) <= p <= max(corners) and gcd(m, n, p) == 1:
                    yield Resonance(m, n, p)


def nearest(x: float, y: float) -> Resonance:
    """Find the resonance that is nearest to a working point."""
    return min(resonances((x - 1.0, x + 1.0), (y - 1.0, y + 1.0)), key=lambda line: line.distance(x, y))


def draw_tunes(x: float, y: float, width: int, height: int) -> tuple[list[str], tuple[int, int]]:
    """Draw the half-integer square in which the tunes lie; returns its rows and the cell of the working point."""
    left, bottom = floor(x / WINDOW) * WINDOW, floor(y / WINDOW) * WINDOW
    canvas, columns, rows = Canvas(width, height), 2 * width, 4 * height
    for line in resonances((left, left + WINDOW), (bottom, bottom + WINDOW)):
        for column in range(columns) if line.n else ():
            tune = (line.p - line.m * (left + WINDOW * column / (columns - 1))) / line.n
            canvas.dot(column, round((bottom + WINDOW - tune) / WINDOW * (rows - 1)))
        for row in range(rows) if line.m else ():
            tune = (line.p - line.n * (bottom + WINDOW * (rows - 1 - row) / (rows - 1))) / line.m
            canvas.dot(round((tune - left) / WINDOW * (columns - 1)), row)
    point = (int((x - left) / WINDOW * width), int((bottom + WINDOW - y) / WINDOW * height))
    return canvas.lines(), (min(point[0], width - 1), min(point[1], height - 1))


def _term(factor: int, name: str) -> str:
    if not factor:
        return ""
    size = "" if abs(factor) == 1 else f"{abs(factor)} "
    return f"{'-' if factor < 0 else '+'} {size}{name}"
