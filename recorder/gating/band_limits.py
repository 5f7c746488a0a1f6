"""Comparison of one band with the limits of each kind of observable, lower and upper bound. Pure.

Comparisons are written so that NaN and infinite bounds refuse.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnomon.recorder.bounds import Band, Kind, Observable, Reading
from gnomon.recorder.gating.limits_document import LimitsDocument, RangeLimits
from gnomon.recorder.gating.observable_places import places_of
from gnomon.recorder.gating.reasons import Code, Reason
from gnomon.recorder.gating.situation import Situation

__all__ = ["beyond_limits"]

Floats = NDArray[np.float64]

#: Lowest and highest bound, and the limit in which margins are counted; None: not checked.
Window = tuple[float, float, float] | None


@dataclass(frozen=True, slots=True)
class _Rule:
    """A limit on the observables of a kind, all or those of one plane; `unit` is that of the limit."""

    kind: Kind
    plane: str
    unit: str
    key: str
    window: Callable[[LimitsDocument], Window]


def _symmetric(limit: float | str) -> Window:
    return None if isinstance(limit, str) else (-limit, limit, limit)


def _range(limit: RangeLimits | str) -> Window:
    return None if isinstance(limit, str) else (limit.low, limit.high, 0.5 * (limit.high - limit.low))


def _at_least(limit: float | str) -> Window:
    return None if isinstance(limit, str) else (limit, math.inf, limit)


def _at_most(limit: float | str) -> Window:
    return None if isinstance(limit, str) else (-math.inf, limit, limit)


#: Limits on the values of observables themselves. Limits of orbit and tunes, which are needed, are about a reference.
_RULES = (
    _Rule(Kind.ORBIT_X, "", "mm", "orbit.absolute_x_mm", lambda d: _symmetric(d.orbit.absolute_x_mm)),
    _Rule(Kind.ORBIT_Y, "", "mm", "orbit.absolute_y_mm", lambda d: _symmetric(d.orbit.absolute_y_mm)),
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


class _Windows:
    """The window of each observable (n,), in its own unit; `missing` are limits that no observable meets."""

    def __init__(self, observables: tuple[Observable, ...], document: LimitsDocument, reference: Reading) -> None:
        self.of = (observables, document, reference)
        places = places_of(observables)
        self.low, self.high = np.full(len(observables), -np.inf), np.full(len(observables), np.inf)
        self.scale = np.ones(len(observables))
        self.missing: list[Reason] = []
        self.orbit = places.of(Kind.ORBIT_X), places.of(Kind.ORBIT_Y)
        self.orbit_factor = tuple(places.factor(kind, "", "mm") for kind in (Kind.ORBIT_X, Kind.ORBIT_Y))
        tunes, orbit = document.tunes, document.orbit
        for key, kind, unit, limit, about in (
            ("orbit.x_mm", Kind.ORBIT_X, "mm", orbit.x_mm, reference.orbit[:, 0]),
            ("orbit.y_mm", Kind.ORBIT_Y, "mm", orbit.y_mm, reference.orbit[:, 1]),
            ("tunes.max_change", Kind.TUNE, "", tunes.max_change, reference.tune),
        ):
            where, factor = places.of(kind), places.factor(kind, "", unit)
            if where.size != about.size or math.isnan(factor):
                self.missing.append(_no_bound(key, f"{where.size} bounds for {about.size} observables"))
            else:
                self._narrow(where, about - limit, about + limit, limit, factor)
        for rule in _RULES:
            window = rule.window(document)
            if window is None:
                continue
            where, factor = places.of(rule.kind, rule.plane), places.factor(rule.kind, rule.plane, rule.unit)
            if not where.size or math.isnan(factor):
                self.missing.append(_no_bound(rule.key, "the model has no such observable"))
            else:
                self._narrow(where, *window, factor)

    def _narrow(
        self, where: NDArray[np.int64], low: Floats | float, high: Floats | float, scale: float, factor: float
    ) -> None:
        """Narrow windows: `factor` brings an observable to the unit of the limits."""
        self.low[where] = np.maximum(self.low[where], np.asarray(low) / factor)
        self.high[where] = np.minimum(self.high[where], np.asarray(high) / factor)
        self.scale[where] = scale / factor


def beyond_limits(at: Situation, band: Band, when: str) -> tuple[float, list[Reason]]:
    """Return the smallest margin of a band, in units of the limits, and the reasons against it; `when` is for texts.

    The margin is NaN if a bound is not known.
    """
    windows = _windows_of(at, band)
    if windows.missing:
        return math.nan, list(windows.missing)
    checked = np.isfinite(windows.low) | np.isfinite(windows.high)
    alive = np.isfinite(at.state.reading.orbit)
    for plane, where in enumerate(windows.orbit):
        checked[where[~alive[:, plane]]] = False  # the number of dead monitors has a limit of its own
    must_be_measured = np.concatenate((*(w[alive[:, p]] for p, w in enumerate(windows.orbit)), _tunes(band)))
    reasons = []
    if not band.measured[must_be_measured].all():
        reasons.append(_no_bound("orbit", "a monitor or a tune that is shown has no measured bound"))
    finite = np.isfinite(band.lower) & np.isfinite(band.upper)
    with np.errstate(invalid="ignore"):  # infinite bounds of what has no limit
        margins = np.minimum(band.lower - windows.low, windows.high - band.upper) / windows.scale
    inside = (band.lower >= windows.low) & (band.upper <= windows.high) & finite
    margin = float(np.min(margins[checked], initial=math.inf))
    wrong = np.flatnonzero(checked & ~inside)
    if wrong.size:
        reasons += _texts(band, windows, wrong, margins, when)
    for plane, limit in enumerate((at.limits.document.orbit.rms_x_mm, at.limits.document.orbit.rms_y_mm)):
        if isinstance(limit, str):
            continue
        where = windows.orbit[plane][alive[:, plane]]
        reference = at.authority.approved.reference.orbit[alive[:, plane], plane]
        factor = windows.orbit_factor[plane]
        ends = np.abs(factor * np.stack((band.lower[where], band.upper[where])) - reference).max(axis=0)
        rms = math.sqrt(float(ends @ ends) / max(ends.size, 1))
        margin = min(margin, (limit - rms) / limit) if margin == margin else margin
        if not rms <= limit:
            text = f"orbit_{'xy'[plane]} {when}: its bounds allow an rms of {rms:.4g} mm (limit {limit:g} mm)"
            reasons.append(Reason((Code.BOUND_ORBIT_X, Code.BOUND_ORBIT_Y)[plane], text))
    return margin, reasons


def _texts(band: Band, windows: _Windows, wrong: NDArray[np.int64], margins: Floats, when: str) -> Iterator[Reason]:
    """One reason for each kind, which names the worst observable."""
    by_kind: dict[Kind, list[int]] = {}
    for index in wrong.tolist():
        by_kind.setdefault(band.observables[index].kind, []).append(index)
    for kind, indices in by_kind.items():
        worst = min(indices, key=lambda i: margins[i] if margins[i] == margins[i] else -math.inf)
        observable, more = band.observables[worst], f", and {len(indices) - 1} more" if len(indices) > 1 else ""
        unit = f" {observable.unit}".rstrip()
        yield Reason(
            Code(f"bound_{kind.value}"),
            f"{observable.name} {when}: the bounds {band.lower[worst]:.4g} to {band.upper[worst]:.4g}{unit} leave the "
            f"limits {windows.low[worst]:.4g} to {windows.high[worst]:.4g}{unit}{more}",
        )


def _tunes(band: Band) -> NDArray[np.int64]:
    return places_of(band.observables).of(Kind.TUNE)


def _no_bound(key: str, reason: str) -> Reason:
    return Reason(Code.NO_BOUND, f"`{key}` cannot be checked: {reason}")


_last: _Windows | None = None


def _windows_of(at: Situation, band: Band) -> _Windows:
    """Find the windows; those of the same observables, limits and reference as last time are remembered."""
    global _last
    of = (band.observables, at.limits.document, at.authority.approved.reference)
    found = _last
    if found is None or any(mine is not theirs for mine, theirs in zip(found.of, of, strict=True)):
        found = _last = _Windows(*of)
    return found
