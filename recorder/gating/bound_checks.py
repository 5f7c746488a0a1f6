"""Checks of the model: a calibration of this machine and these optics, and bounds inside the limits on the whole way.

Settings land one by one and supplies ramp, so the bounds are checked after the step, on its way, and before it.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from gnomon.lattice import Key
from gnomon.recorder.bounds import Band, Predicts, Reading, values_of
from gnomon.recorder.gating.band_limits import beyond_limits
from gnomon.recorder.gating.reasons import Code, Reason
from gnomon.recorder.gating.resonance_check import check_lines, distance_to_lines
from gnomon.recorder.gating.situation import Situation

__all__ = ["ModelResult", "check_calibration", "check_model"]


@dataclass(slots=True)
class ModelResult:
    """The bands on the way, the smallest margin, and the reasons against them."""

    bands: list[Band] = field(default_factory=list)
    margin: float = math.inf
    reasons: list[Reason] = field(default_factory=list)


def check_calibration(at: Situation) -> Iterator[Reason]:
    """Refuse to decide without a calibration, or with one of another review, other optics, or too old."""
    predictor, approved = at.predictor, at.authority.approved
    if predictor is None:
        yield Reason(Code.NO_CALIBRATION, "there is no calibration, so there is no bound; make one: gnomon calibrate")
        return
    if approved.calibration_id and predictor.calibration_id != approved.calibration_id:
        yield Reason(
            Code.CALIBRATION_DIFFERS,
            f"the calibration is {predictor.calibration_id[:12]}, the recording was reviewed with "
            f"{approved.calibration_id[:12]}",
        )
    if predictor.optics_digest != approved.optics_digest:
        yield Reason(
            Code.OPTICS_DIFFER,
            f"the optics of the calibration are {predictor.optics_digest[:12]}, those of the recording "
            f"{approved.optics_digest[:12]}",
        )
    age_s = (at.state.now_ns - predictor.made_ns) / 1e9
    if not 0.0 <= age_s <= predictor.max_age_s:
        yield Reason(
            Code.CALIBRATION_AGE,
            f"the calibration is {age_s / 3600.0:.2f} h old; it may be from 0 to {predictor.max_age_s / 3600.0:.2f} h",
        )


def check_model(at: Situation, predictor: Predicts) -> ModelResult:
    """Compute the bands of all states on the way and compare them with the limits.

    The state after the step comes first: one that is refused there is refused, and the way to it is not computed.
    """
    result = ModelResult()
    seen: set[str] = set()

    def ask(when: str, changes: Mapping[Key, float]) -> Sequence[Band]:
        bands = _bands_at(at, predictor, changes, result)
        for band in bands:
            for reason in _distrust(at, predictor, band):
                if reason.text not in seen:
                    seen.add(reason.text)
                    result.reasons.append(reason)
            _compare(at, band, when, result)
        return bands

    *on_the_way, end = states_on_the_way(at)
    after = first = ask(*end)
    way: list[Band] = []
    if not result.reasons:
        way = [band for state in on_the_way for band in ask(*state)]
        first = way or after
    before = before_step(first[0], at.state.reading)
    _compare(at, before, "before the step", result)
    result.bands = [before, *way, *after]
    margin, reasons = check_lines(at.limits.document.tunes, result.bands)
    if not result.reasons or all(np.isfinite(band.upper[band.measured]).all() for band in result.bands):
        result.reasons += reasons  # left out only where other reasons say already that nothing is bounded
    result.margin = min(result.margin, margin) if not math.isnan(margin + result.margin) else math.nan
    return result


def _compare(at: Situation, band: Band, when: str, result: ModelResult) -> None:
    if band.distrust and not np.isfinite(band.upper[band.measured]).any():
        result.margin = math.nan  # the reasons for distrust say it; that nothing is bounded says no more
        return
    margin, reasons = beyond_limits(at, band, when)
    result.margin = min(result.margin, margin) if not math.isnan(margin + result.margin) else math.nan
    result.reasons += reasons


def before_step(band: Band, reading: Reading) -> Band:
    """Make the band before a step: around the reading itself, as wide as a band on the way.

    What is not measured stays as on the way.
    """
    shown = values_of(band, reading)
    expected = np.where(band.measured, shown, band.expected)
    return replace(
        band,
        expected=expected,
        lower=np.where(band.measured, shown - (band.expected - band.lower), band.lower),
        upper=np.where(band.measured, shown + (band.upper - band.expected), band.upper),
    )


def states_on_the_way(at: Situation) -> Iterator[tuple[str, Mapping[Key, float]]]:
    """Yield each state to check after the start, with its name: along the ramp, settings one by one, end."""
    changes, points = at.command.changes, at.limits.document.bounds.ramp_points
    for number in range(1, points + 1):
        part = number / (points + 1)
        yield f"at {100.0 * part:.0f} % of the step", {k: old + part * (new - old) for k, (old, new) in changes.items()}
    if len(changes) > 1:
        for key in changes:
            yield (
                f"when {key[0]} has landed first",
                {k: new if k == key else old for k, (old, new) in changes.items()},
            )
            yield f"when {key[0]} lands last", {k: old if k == key else new for k, (old, new) in changes.items()}
    yield "after the step", {key: new for key, (_, new) in changes.items()}


def _bands_at(at: Situation, predictor: Predicts, changes: Mapping[Key, float], result: ModelResult) -> Sequence[Band]:
    """Ask the first tier, and the second one where the first needs it; the band after the step comes last."""
    rules, state = at.limits.document.bounds, at.state
    first = predictor.band(state.settings, changes, state.reading, coverage=rules.coverage, now_ns=state.now_ns, tier=1)
    if first.distrust or not _needs_second(at, first):
        return (first,)  # a band that must not be relied on refuses, whatever an ensemble says
    second = predictor.band(
        state.settings, changes, state.reading, coverage=rules.coverage, now_ns=state.now_ns, tier=2
    )
    if not agree(first, second, rules.agreement):
        result.reasons.append(
            Reason(
                Code.TIERS_DISAGREE,
                f"{at.command.step.pv}: linear bounds and ensemble expect values that differ by more than "
                f"{rules.agreement:g} half widths",
            )
        )
    return second, first


def _needs_second(at: Situation, band: Band) -> bool:
    """True for a large step or near a line; what touches a line is refused, and a second tier only refuses more."""
    rules = at.limits.document.bounds
    distance = distance_to_lines(at.limits.document.tunes, band)
    if distance < 0.0:
        return False
    if at.row is not None and not at.size <= rules.second_tier_step * at.row.max_step:
        return True
    return not distance >= rules.second_tier_distance


def agree(first: Band, second: Band, agreement: float) -> bool:
    """True if both expect the same, within a part of the first one's half width, at all that is measured."""
    if first.observables != second.observables:
        return False
    both = first.measured
    apart = np.abs(first.expected - second.expected)[both]
    return bool((apart <= agreement * 0.5 * (first.upper - first.lower)[both]).all())


def _distrust(at: Situation, predictor: Predicts, band: Band) -> Iterator[Reason]:
    if band.calibration_id != predictor.calibration_id or not band.coverage >= at.limits.document.bounds.coverage:
        yield Reason(
            Code.DISTRUST,
            f"the band has the coverage {band.coverage:g} and the calibration {band.calibration_id[:12]}, "
            f"instead of {at.limits.document.bounds.coverage:g} and {predictor.calibration_id[:12]}",
        )
    for text in band.distrust:
        yield Reason(Code.DISTRUST, text)
    known = ~np.isnan(band.expected)
    if not ((band.lower <= band.expected) & (band.expected <= band.upper))[known].all():
        yield Reason(Code.DISTRUST, "the band's bounds are not around its expected values")
    if not all(np.shape(part) == (len(band.observables),) for part in (band.lower, band.upper, band.measured)):
        yield Reason(Code.DISTRUST, "the band's bounds do not belong to its observables")
