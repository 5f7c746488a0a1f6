"""The judgement after a step: the measurement compared with its band, sums of small misses, the stored beam. Pure."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from gnomon.recorder.bounds import Band, Reading, values_of
from gnomon.recorder.gating.cusum import Cusum
from gnomon.recorder.gating.history import History
from gnomon.recorder.gating.limits import Limits
from gnomon.recorder.gating.reasons import Code, Reason
from gnomon.recorder.gating.trust_region import TrustRegion

__all__ = ["Outcome", "assess"]


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """The judgement: reasons to stop and roll back, and the history with this step.

    `share` is the largest deviation of a measured observable, in half widths of its band: up to 1 it is inside;
    infinite if something that was measured is not shown any more. `hit` is False for a near miss.
    """

    reasons: tuple[Reason, ...]
    history: History
    share: float
    hit: bool = True


def assess(
    family: str, band: Band | None, before: Reading, after: Reading, limits: Limits, history: History
) -> Outcome:
    """Compare the reading after a step with the band that was predicted. Never raises: what fails is a reason."""
    try:
        return _assess(family, band, before, after, limits, history)
    except Exception as error:  # noqa: BLE001 - whatever fails stops the replay
        reason = Reason(Code.FAILED_CHECK, f"the comparison failed: {type(error).__name__}: {error}")
        return Outcome((reason,), history, math.inf, hit=False)


def _assess(
    family: str, band: Band | None, before: Reading, after: Reading, limits: Limits, history: History
) -> Outcome:
    rules = limits.document.outcome
    if band is None:
        return Outcome((Reason(Code.NO_BOUND, "the step had no band to compare with"),), history, math.inf, hit=False)
    shares = _shares(band, after)
    share = float(np.max(shares[band.measured], initial=0.0))
    reasons = [*_missed(band, after, shares, rules.stop_band), *_beam(before, after, limits)]
    hit = share < rules.near_miss
    cusum = history.cusum.after(_residuals(band, after), rules.cusum_slack)
    if not cusum.largest <= rules.cusum_alarm:
        reasons.append(Reason(Code.CUSUM, _cusum_text(band, cusum, rules.cusum_alarm)))
    trust = limits.document.trust_region
    region = history.regions.get(family, TrustRegion(trust.start, trust.smallest, trust.grow_after))
    return Outcome(tuple(reasons), history.measured(family, region.after(hit), cusum, hit), share, hit)


def _shares(band: Band, after: Reading) -> NDArray[np.float64]:
    """Deviations in half widths (n,); infinite where something measured is not shown or has no width."""
    deviation = np.abs(values_of(band, after) - band.expected)
    half = 0.5 * (band.upper - band.lower)
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = deviation / half
    known = np.isfinite(deviation) & np.isfinite(half) & (half > 0.0)
    return np.where(known, shares, np.inf)


def _residuals(band: Band, after: Reading) -> NDArray[np.float64]:
    """Deviations in standard deviations (n,), NaN where nothing is measured.

    The standard deviation is the one for which independent normal errors have bands of these widths, so it contains
    what the conformal shell has found the model's own to be wrong by.
    """
    count = max(int(band.measured.sum()), 1)
    quantile = NormalDist().inv_cdf(0.5 * (1.0 + band.coverage ** (1.0 / count)))
    half = 0.5 * (band.upper - band.lower)
    with np.errstate(divide="ignore", invalid="ignore"):
        residuals = quantile * (values_of(band, after) - band.expected) / half
    return np.where(band.measured & np.isfinite(residuals), residuals, np.nan)


def _missed(band: Band, after: Reading, shares: NDArray[np.float64], stop_band: float) -> Iterator[Reason]:
    measured = np.flatnonzero(band.measured)
    missed = [int(i) for i in measured if not shares[i] <= stop_band]
    if not measured.size:
        yield Reason(Code.MISSED_BAND, "nothing was measured after the step")
    if missed:
        worst = max(missed, key=lambda i: shares[i])
        observable, value = band.observables[worst], values_of(band, after)[worst]
        more = f", and {len(missed) - 1} more" if len(missed) > 1 else ""
        yield Reason(
            Code.MISSED_BAND,
            f"{observable.name} is {value:.5g} {observable.unit} after the step, expected were {band.lower[worst]:.5g} "
            f"to {band.upper[worst]:.5g}{more}",
        )


def _beam(before: Reading, after: Reading, limits: Limits) -> Iterator[Reason]:
    rules = limits.document.beam
    for code, name, unit, least, drop, first, last in (
        (Code.CURRENT, "beam current", "mA", rules.min_current_ma, rules.max_current_drop, before.current_ma,
         after.current_ma),
        (Code.LIFETIME, "lifetime", "h", rules.min_lifetime_h, rules.max_lifetime_drop, before.lifetime_h,
         after.lifetime_h),
    ):  # fmt: skip
        if math.isnan(last) and not (isinstance(least, str) and isinstance(drop, str)):
            yield Reason(code, f"the {name} is not shown any more after the step, or its time stamp is old")
            continue
        if not isinstance(least, str) and not last >= least:
            yield Reason(code, f"the {name} is {last:.4g} {unit} after the step (limit {least:g} {unit})")
        if not isinstance(drop, str) and not first - last <= drop * first:
            yield Reason(
                code,
                f"the {name} has dropped from {first:.4g} to {last:.4g} {unit} in one step (limit {100.0 * drop:g} %)",
            )


def _cusum_text(band: Band, cusum: Cusum, alarm: float) -> str:
    sums = np.maximum(cusum.high, cusum.low)
    worst = int(np.argmax(np.where(np.isnan(sums), np.inf, sums)))
    side = "above" if cusum.high[worst] >= cusum.low[worst] else "below"
    return (
        f"{band.observables[worst].name} has been {side} the prediction for several steps: its deviations sum up to "
        f"{sums[worst]:.3g} standard deviations (limit {alarm:g})"
    )
