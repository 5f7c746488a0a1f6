"""Comparison of one band with the limits of each kind of observable, lower and upper bound. Pure.

Comparisons are written so that NaN and infinite bounds refuse.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnomon.recorder.bounds import Band, Kind
from gnomon.recorder.gating.limits_document import LimitsDocument, RangeLimits
from gnomon.recorder.gating.observable_places import ObservablePlaces, places_of
from gnomon.recorder.gating.reasons import Code, Reason
from gnomon.recorder.gating.situation import Situation

__all__ = ["beyond_limits"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class _Window:
    """The range in which the bounds of some observables must be; `scale` is the limit, in which margins are counted."""

    low: float
    high: float
    scale: float


@dataclass(frozen=True, slots=True)
class _Rule:
    """The observables of a kind, all or those of one plane, and their window; `unit` is that of the limit."""

    kind: Kind
    plane: str
    unit: str
    key: str
    window: Callable[[LimitsDocument], _Window | None]


def _symmetric(limit: float | str) -> _Window | None:
    return None if isinstance(limit, str) else _Window(-limit, limit, limit)


def _range(limit: RangeLimits | str) -> _Window | None:
    return None if isinstance(limit, str) else _Window(limit.low, limit.high, 0.5 * (limit.high - limit.low))


def _at_least(limit: float | str) -> _Window | None:
    return None if isinstance(limit, str) else _Window(limit, math.inf, limit)


def _at_most(limit: float | str) -> _Window | None:
    return None if isinstance(limit, str) else _Window(-math.inf, limit, limit)


#: Observables whose limits are about their own values; orbit and tunes, which have a reference, are treated apart.
_RULES = (
    _Rule(Kind.SOURCE_X, "", "mm", "sources.x_mm", lambda d: _symmetric(d.sources.x_mm)),
    _Rule(Kind.SOURCE_Y, "", "mm", "sources.y_mm", lambda d: _symmetric(d.sources.y_mm)),
    _Rule(Kind.SOURCE_ANGLE_X, "", "mrad", "sources.angle_x_mrad", lambda d: _symmetric(d.sources.angle_x_mrad)),
    _Rule(Kind.SOURCE_ANGLE_Y, "", "mrad", "sources.angle_y_mrad", lambda d: _symmetric(d.sources.angle_y_mrad)),
    _Rule(
        Kind.BETA_BEATING, "", "%", "optics.beta_beating_percent", lambda d: _symmetric(d.optics.beta_beating_percent)
    ),
    _Rule(Kind.DISPERSION, "x", "m", "optics.dispersion_m.x", lambda d: _range(d.optics.dispersion_m.x)),
    _Rule(Kind.DISPERSION, "y", "m", "optics.dispersion_m.y", lambda d: _range(d.optics.dispersion_m.y)),
    _Rule(Kind.CHROMATICITY, "x", "", "optics.chromaticity.x", lambda d: _range(d.optics.chromaticity.x)),
    _Rule(Kind.CHROMATICITY, "y", "", "optics.chromaticity.y", lambda d: _range(d.optics.chromaticity.y)),
    _Rule(Kind.COUPLING, "", "", "optics.coupling", lambda d: _at_most(d.optics.coupling)),
    _Rule(Kind.APERTURE, "", "mm", "aperture_mm", lambda d: _at_least(d.aperture_mm)),
)


def beyond_limits(at: Situation, band: Band, when: str) -> tuple[float, list[Reason]]:
    """Return the smallest margin of a band, in units of the limits, and the reasons against it; `when` is for texts."""
    layout = places_of(band.observables)
    margins: list[float] = []
    reasons: list[Reason] = []
    for margin, found in _compared(at, band, layout, when):
        margins.append(margin)
        reasons += found
    worst = math.nan if any(math.isnan(margin) for margin in margins) else min(margins, default=math.nan)
    return worst, reasons


def _compared(at: Situation, band: Band, layout: ObservablePlaces, when: str) -> Iterator[tuple[float, list[Reason]]]:
    document, approved = at.limits.document, at.authority.approved
    orbit = document.orbit
    for plane, kind, limit, rms, absolute in (
        (0, Kind.ORBIT_X, orbit.x_mm, orbit.rms_x_mm, orbit.absolute_x_mm),
        (1, Kind.ORBIT_Y, orbit.y_mm, orbit.rms_y_mm, orbit.absolute_y_mm),
    ):
        places, name = layout.of(kind), kind.value
        reference, alive = approved.reference.orbit[:, plane], np.isfinite(at.state.reading.orbit[:, plane])
        factor = layout.factor(kind, "", "mm")
        if places.size != reference.size:
            yield math.nan, [_no_bound(f"orbit.{name[-1]}_mm", f"{places.size} bounds for {reference.size} monitors")]
            continue
        places, reference = places[alive], reference[alive]
        if not band.measured[places].all():
            yield math.nan, [_no_bound(f"orbit.{name[-1]}_mm", "a monitor that shows something has no bound")]
            continue
        lower, upper = factor * band.lower[places], factor * band.upper[places]
        yield _window(
            band, places, lower - reference, upper - reference, _Window(-limit, limit, limit), kind, when, "mm"
        )
        if not isinstance(absolute, str):
            yield _window(band, places, lower, upper, _Window(-absolute, absolute, absolute), kind, when, "mm absolute")
        if not isinstance(rms, str):
            size = np.maximum(np.abs(lower - reference), np.abs(upper - reference))
            yield _rms(float(np.sqrt(np.mean(size**2))), rms, kind, when)
    yield _tunes(at, band, layout, when)
    for rule in _RULES:
        window = rule.window(document)
        if window is None:
            continue
        places, factor = layout.of(rule.kind, rule.plane), layout.factor(rule.kind, rule.plane, rule.unit)
        if not places.size or math.isnan(factor):
            yield math.nan, [_no_bound(rule.key, "the model has no observable for it")]
            continue
        yield _window(
            band, places, factor * band.lower[places], factor * band.upper[places], window, rule.kind, when, rule.unit
        )


def _window(
    band: Band,
    places: NDArray[np.int64],
    lower: Floats,
    upper: Floats,
    window: _Window,
    kind: Kind,
    when: str,
    unit: str,
) -> tuple[float, list[Reason]]:
    """Compare bounds with a window: the margin, and one reason that names the worst observable."""
    inside = (lower >= window.low) & (upper <= window.high) & np.isfinite(lower) & np.isfinite(upper)
    margins = np.minimum(lower - window.low, window.high - upper) / window.scale
    margin = math.nan if np.isnan(margins).any() else float(np.min(margins, initial=1.0))
    if inside.all():
        return margin, []
    worst = int(np.argmin(np.where(np.isnan(margins), -np.inf, margins)))
    others = int((~inside).sum()) - 1
    more = f", and {others} more" if others else ""
    text = (
        f"{band.observables[int(places[worst])].name} {when}: the bounds {lower[worst]:.4g} to {upper[worst]:.4g} "
        f"{unit} leave the limits {window.low:g} to {window.high:g}{more}"
    )
    return margin, [Reason(Code(f"bound_{kind.value}"), text)]


def _rms(value: float, limit: float, kind: Kind, when: str) -> tuple[float, list[Reason]]:
    margin = (limit - value) / limit
    if value <= limit:
        return margin, []
    text = f"{kind.value} {when}: its bounds allow an rms of {value:.4g} mm (limit {limit:g} mm)"
    return margin, [Reason(Code(f"bound_{kind.value}"), text)]


def _tunes(at: Situation, band: Band, layout: ObservablePlaces, when: str) -> tuple[float, list[Reason]]:
    places, reference = layout.of(Kind.TUNE), at.authority.approved.reference.tune
    limit = at.limits.document.tunes.max_change
    if places.size != 2 or not band.measured[places].all():
        return math.nan, [_no_bound("tunes.max_change", "the model has no bounds of both tunes")]
    lower, upper = band.lower[places] - reference, band.upper[places] - reference
    return _window(band, places, lower, upper, _Window(-limit, limit, limit), Kind.TUNE, when, "from the reference")


def _no_bound(key: str, reason: str) -> Reason:
    return Reason(Code.NO_BOUND, f"`{key}` cannot be checked: {reason}")
