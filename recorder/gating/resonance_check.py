"""Check of the way through the tune diagram: no listed line of resonances is touched or crossed. Pure.

The line a Qx + b Qy = p is crossed if a Qx + b Qy goes through a whole number. Bounds give an interval of it for each
state on the way; the hull of all intervals, with the half width on both sides, must hold no whole number.
"""

import math
from collections.abc import Sequence

from gnomon.recorder.bounds import Band, Kind
from gnomon.recorder.gating.limits_document import TuneLimits, TuneLine
from gnomon.recorder.gating.observable_places import places_of
from gnomon.recorder.gating.reasons import Code, Reason

__all__ = ["check_lines", "distance_to_lines"]

#: Bounds of the tunes, ((lowest, highest) of x, the same of y).
Box = tuple[tuple[float, float], tuple[float, float]]


def check_lines(limits: TuneLimits, bands: Sequence[Band]) -> tuple[float, list[Reason]]:
    """Return the smallest margin to all lines, in half widths, and the reasons for each that is touched or crossed."""
    boxes = [_box(band) for band in bands]
    margins, reasons = [], []
    for line in limits.lines:
        distance, low, high = _distance(line, boxes)
        margins.append((distance - line.half_width) / line.half_width)
        if not distance >= line.half_width:
            text = (
                f"the working point comes within {distance:.4g} of the resonance {_name(line)} = p (half width "
                f"{line.half_width:g}): on the way, the bounds of {_name(line)} are {low:.5g} to {high:.5g}"
            )
            reasons.append(Reason(Code.RESONANCE, text))
    return (math.nan if any(map(math.isnan, margins)) else min(margins)), reasons


def distance_to_lines(limits: TuneLimits, band: Band) -> float:
    """Return the smallest distance of the bounds from any line beyond its half width; NaN if it is not known."""
    boxes = [_box(band)]
    distances = [_distance(line, boxes)[0] - line.half_width for line in limits.lines]
    return math.nan if any(map(math.isnan, distances)) else min(distances)


def _box(band: Band) -> Box:
    places = places_of(band.observables).of(Kind.TUNE)
    if places.size != 2:
        return (math.nan, math.nan), (math.nan, math.nan)
    x, y = places
    return (float(band.lower[x]), float(band.upper[x])), (float(band.lower[y]), float(band.upper[y]))


def _distance(line: TuneLine, boxes: Sequence[Box]) -> tuple[float, float, float]:
    """Return the distance of the bounds from a line in the tune diagram, and the interval of a Qx + b Qy.

    The distance is 0 if the line is crossed, NaN if the bounds are not known.
    """
    corners = [line.x * x + line.y * y for box in boxes for x in box[0] for y in box[1]]
    if not corners or not all(map(math.isfinite, corners)):
        return math.nan, math.nan, math.nan
    low, high = min(corners), max(corners)
    above = math.ceil(low)
    apart = 0.0 if above <= high else min(above - high, low - (above - 1))
    return apart / math.hypot(line.x, line.y), low, high


def _name(line: TuneLine) -> str:
    terms = [(line.x, "Qx"), (line.y, "Qy")]
    text = " ".join(f"{'-' if n < 0 else '+'} {'' if abs(n) == 1 else f'{abs(n)} '}{q}" for n, q in terms if n)
    return text.removeprefix("+ ")
