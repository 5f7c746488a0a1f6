"""Lines of resonances in the plane of the tunes. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import floor, gcd

__all__ = ["MAX_ORDER", "ResonanceLine", "nearest_line", "resonance_lines"]

#: Highest order of resonances that are listed unless another one is asked for.
MAX_ORDER = 3


@dataclass(frozen=True, slots=True)
class ResonanceLine:
    """The line m Qx + n Qy = p."""

    m: int
    n: int
    p: int

    @property
    def order(self) -> int:
        """Order of the resonance: |m| + |n|."""
        return abs(self.m) + abs(self.n)

    def distance(self, x: float, y: float) -> float:
        """Distance of a working point from the line, in tune."""
        return float(abs(self.m * x + self.n * y - self.p) / (self.m**2 + self.n**2) ** 0.5)

    def within(self, x: tuple[float, float], y: tuple[float, float]) -> tuple[tuple[float, float], ...]:
        """Return the two ends of the line in a window of tunes; empty if it misses the window."""
        ends: list[tuple[float, float]] = []
        if self.n:
            ends += [(at, (self.p - self.m * at) / self.n) for at in x]
        if self.m:
            ends += [((self.p - self.n * at) / self.m, at) for at in y]
        inside = sorted({end for end in ends if x[0] <= end[0] <= x[1] and y[0] <= end[1] <= y[1]})
        return (inside[0], inside[-1]) if len(inside) > 1 else ()

    def __str__(self) -> str:
        parts = [_term(self.m, "Qx"), _term(self.n, "Qy")]
        return " ".join(part for part in parts if part).removeprefix("+ ") + f" = {self.p}"


def resonance_lines(
    x: tuple[float, float], y: tuple[float, float], max_order: int = MAX_ORDER
) -> Iterator[ResonanceLine]:
    """Yield all resonances up to an order that cross a window of tunes; none twice."""
    for m in range(max_order + 1):
        for n in range(-max_order, max_order + 1):
            if not 1 <= m + abs(n) <= max_order or (m == 0 and n < 0):
                continue
            corners = [m * a + n * b for a in x for b in y]
            for p in range(floor(min(corners)), floor(max(corners)) + 2):
                if min(corners) <= p <= max(corners) and gcd(m, n, p) == 1:
                    yield ResonanceLine(m, n, p)


def nearest_line(x: float, y: float, max_order: int = MAX_ORDER) -> ResonanceLine:
    """Find the resonance that is nearest to a working point."""
    around = resonance_lines((x - 1.0, x + 1.0), (y - 1.0, y + 1.0), max_order)
    return min(around, key=lambda line: line.distance(x, y))


def _term(factor: int, name: str) -> str:
    if not factor:
        return ""
    size = "" if abs(factor) == 1 else f"{abs(factor)} "
    return f"{'-' if factor < 0 else '+'} {size}{name}"
