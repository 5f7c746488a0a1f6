"""Resonances of low order in the plane of the tunes."""

import math

import pytest

from gnomon.lattice import ResonanceLine, nearest_line, resonance_lines


def test_resonances_are_those_of_low_order_once_each() -> None:
    found = [str(each) for each in resonance_lines((0.0, 0.5), (0.0, 0.5))]
    assert len(found) == len(set(found))
    assert {"Qx = 0", "3 Qx = 1", "Qx + Qy = 0", "Qx + Qy = 1", "2 Qx + Qy = 1", "Qx - Qy = 0"} <= set(found)
    assert "2 Qx + 2 Qy = 1" not in found  # of fourth order
    assert "2 Qx + 2 Qy = 1" in [str(each) for each in resonance_lines((0.0, 0.5), (0.0, 0.5), 4)]


def test_the_nearest_resonance_of_a_working_point() -> None:
    line = nearest_line(17.848, 6.727)
    assert (line, line.order) == (ResonanceLine(2, -1, 29), 3)
    assert line.distance(17.848, 6.727) == pytest.approx(abs(2 * 17.848 - 6.727 - 29) / math.sqrt(5))


@pytest.mark.parametrize(
    ("line", "ends"),
    [
        (ResonanceLine(1, 1, 1), ((0.0, 1.0), (1.0, 0.0))),
        (ResonanceLine(2, 0, 1), ((0.5, 0.0), (0.5, 1.0))),
        (ResonanceLine(0, 4, 1), ((0.0, 0.25), (1.0, 0.25))),
        (ResonanceLine(1, -1, 3), ()),
    ],
)
def test_a_line_ends_at_the_window(line: ResonanceLine, ends: tuple[tuple[float, float], ...]) -> None:
    assert line.within((0.0, 1.0), (0.0, 1.0)) == ends
