"""Pictures of a replay's report as SVG: the measured orbit in its band, the margins, the setpoints. Pure."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from gnomon.recorder.replaying.step_record import Plane, StepRecord

Floats = NDArray[np.float64]

WIDTH, HEIGHT = 720, 200
LEFT, RIGHT, TOP, BOTTOM = 60, 12, 22, 30


@dataclass(frozen=True, slots=True)
class _Frame:
    """Scales of a picture: ranges of both axes, and their position in it."""

    x: tuple[float, float]
    y: tuple[float, float]

    def px(self, value: float) -> float:
        return LEFT + (value - self.x[0]) / (self.x[1] - self.x[0]) * (WIDTH - LEFT - RIGHT)

    def py(self, value: float) -> float:
        return HEIGHT - BOTTOM - (value - self.y[0]) / (self.y[1] - self.y[0]) * (HEIGHT - TOP - BOTTOM)

    def points(self, xs: Floats, ys: Floats) -> list[tuple[float, float]]:
        return [(self.px(x), self.py(y)) for x, y in zip(xs, ys, strict=True) if np.isfinite(y)]


def band_picture(plane: Plane, title: str) -> str:
    """Draw the change of an orbit at all monitors: the band as an area, the expected change, the measured one."""
    xs = np.arange(plane.before.size, dtype=float)
    curves = [plane.lower - plane.before, plane.upper - plane.before, plane.expected - plane.before]
    after = None if plane.after is None else plane.after - plane.before
    frame = _Frame((-0.5, max(0.5, xs.size - 0.5)), _range([*curves, *([] if after is None else [after])]))
    upper, lower = frame.points(xs, curves[1]), frame.points(xs, curves[0])
    area = f'<polygon class="band" points="{_path([*upper, *reversed(lower)])}"/>'
    line = f'<polyline class="expected" points="{_path(frame.points(xs, curves[2]))}"/>'
    dots = "" if after is None else _dots(frame.points(xs, after), "measured")
    return _svg(frame, f"{title} [{plane.unit}]", "monitor", area + line + dots)


def margins_picture(records: Sequence[StepRecord]) -> str:
    """Draw the margin and the deviation of each write."""
    xs = np.arange(1.0, len(records) + 1.0)
    margins = np.array([record.margin for record in records])
    shares = np.array([record.share for record in records])
    frame = _Frame((0.5, len(records) + 0.5), _range([margins, shares, np.array([0.0, 1.0])]))
    drawn = f'<line class="limit" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{frame.py(1):.1f}" y2="{frame.py(1):.1f}"/>'
    drawn += f'<polyline class="expected" points="{_path(frame.points(xs, margins))}"/>'
    drawn += _dots(frame.points(xs, shares), "measured")
    return _svg(frame, "margin to the limits (line), deviation in half widths of the band (dots)", "write", drawn)


def setpoints_picture(records: Sequence[StepRecord]) -> str:
    """Draw the way of each PV in its own range, from one write to the next."""
    names = list(dict.fromkeys(record.pv for record in records))
    frame = _Frame((0.0, float(max(1, len(records)))), (-0.05, 1.05))
    drawn = ""
    for number, pv in enumerate(names):
        own = [record for record in records if record.pv == pv]
        low = min(min(record.start, record.target) for record in own)
        high = max(max(record.start, record.target) for record in own)
        width = high - low or 1.0
        at, points = own[0].start, [(frame.px(0.0), frame.py((own[0].start - low) / width))]
        for place, record in enumerate(records, 1):
            at = record.target if record.pv == pv else at
            points.append((frame.px(float(place)), frame.py((at - low) / width)))
        label = escape(f"{pv}: {low:.6g} to {high:.6g} {own[0].unit}")
        drawn += f'<polyline class="way c{number % 6}" points="{_path(points)}"><title>{label}</title></polyline>'
    return _svg(frame, "setpoints, each in its own range", "write", drawn)


def _range(curves: Iterable[Floats]) -> tuple[float, float]:
    values = np.concatenate([curve[np.isfinite(curve)] for curve in curves])
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
    edge = 0.08 * (high - low) or 1e-6
    return low - edge, high + edge


def _path(points: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _dots(points: Iterable[tuple[float, float]], name: str) -> str:
    return "".join(f'<circle class="{name}" cx="{x:.1f}" cy="{y:.1f}" r="2.2"/>' for x, y in points)


def _svg(frame: _Frame, title: str, along: str, drawn: str) -> str:
    marks = "".join(
        f'<text class="mark" x="{LEFT - 6}" y="{frame.py(value) + 4:.1f}" text-anchor="end">{value:.4g}</text>'
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{frame.py(value):.1f}" y2="{frame.py(value):.1f}"/>'
        for value in _ticks(*frame.y)
    )
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
        f'<text class="title" x="{LEFT}" y="14">{escape(title)}</text>{marks}{drawn}'
        f'<text class="mark" x="{WIDTH - RIGHT}" y="{HEIGHT - 8}" text-anchor="end">{escape(along)}</text></svg>'
    )


def _ticks(low: float, high: float) -> list[float]:
    """Choose about four round values between two others."""
    step = 10.0 ** math.floor(math.log10((high - low) / 4.0))
    step *= next(factor for factor in (1.0, 2.0, 5.0, 10.0) if (high - low) / (step * factor) <= 5.0)
    first = math.ceil(low / step)
    return [n * step for n in range(first, math.floor(high / step) + 1)]
