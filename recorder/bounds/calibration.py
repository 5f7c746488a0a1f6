"""Make a calibration: fit the parameters to measured changes, then the discrepancy and the shell to held-out ones."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve

from gnomon.lattice import OPTICS, GnomonError, Key, Lattice
from gnomon.lattice.document import NOMINAL_OPTICS
from gnomon.propagator import Propagator
from gnomon.recorder.bounds.calibrated_model import CalibratedModel
from gnomon.recorder.bounds.calibration_document import (
    MAX_AGE_S,
    CalibrationDocument,
    DataUsed,
    DiscrepancyTerm,
    HeldOut,
    ScoreBin,
    changed_settings,
    packed,
    still_of,
)
from gnomon.recorder.bounds.command_kinds import optics_digest
from gnomon.recorder.bounds.conformal import MIN_PER_BIN, make_bins
from gnomon.recorder.bounds.discrepancy import GROUPS, Discrepancy, Term, effect_sizes, fit_term, group_slices
from gnomon.recorder.bounds.effects import Change
from gnomon.recorder.bounds.parameters import ParameterSpace, Priors
from gnomon.recorder.bounds.posterior import Posterior, update
from gnomon.recorder.bounds.predictor import Predictor
from gnomon.recorder.bounds.present_state import PresentState
from gnomon.recorder.recorder_errors import CalibrationError

Floats = NDArray[np.float64]

#: Updates of the mean, each about the last one's model, at most; one that lowers chi^2 by a smaller part is the last.
ITERATIONS, DONE = 5, 0.01
#: Part of the held-out commands that fit the discrepancy; the others are for the shell.
FOR_DISCREPANCY = 0.2
#: Commands of one kind from which the discrepancy is fitted at most.
MAX_FITTED = 300
#: Largest deviation that counts for chi^2, in standard deviations.
CLIP = 6.0
#: Largest deviation that the search of the mean sees; halvings of one of its steps.
FAR, HALVINGS = 1e3, 5
#: Noise of a monitor below this part of the median one counts as this part; of all, at least this [mm], and tune.
QUIET, SMALLEST_MM, SMALLEST_TUNE = 0.5, 1e-6, 1e-7


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredChange:
    """A command and what it changed: `effect` (rows,) is x, y at the monitors [mm] and the tunes, NaN if not measured.

    `settings` are those before it that may not be the baseline's, `shown` (rows,) what the machine showed there, which
    has its state. `deviations` (rows,) are the standard deviations of the effect's noise; None: those of a difference
    of two readings.
    """

    changes: Mapping[Key, float]
    effect: Floats
    settings: Mapping[Key, float]
    deviations: Floats | None = None
    shown: Floats | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Noise:
    """Standard deviations of single readings: `orbit` (monitors, 2) [mm], `tune` (2,)."""

    orbit: Floats
    tune: Floats

    @property
    def rows(self) -> Floats:
        """The same in the order of a reading (rows,)."""
        return np.concatenate((self.orbit[:, 0], self.orbit[:, 1], self.tune))


def noise_of(orbits: Floats, tunes: Floats) -> Noise:
    """Estimate the noise from repeated readings: orbits (times, monitors, 2) [mm], tunes (times, 2).

    Half the mean square of successive differences is the variance, so that a slow drift does not count (J. von Neumann,
    Ann. Math. Stat. 12 (1941) 367). A monitor that happened to be quiet, or is dead, has a part of the median noise: a
    scale that is too small would take the score. Raises CalibrationError with fewer than 3 readings.
    """
    if len(orbits) < 3:
        raise CalibrationError(f"{len(orbits)} readings of the orbit are too few for its noise: give 3 or more")
    with np.errstate(invalid="ignore"):
        orbit = np.sqrt(0.5 * np.mean(np.diff(orbits, axis=0) ** 2, axis=0))
        tune = np.sqrt(0.5 * np.mean(np.diff(tunes, axis=0) ** 2, axis=0))
    usual = np.array([np.median(column[np.isfinite(column)]) if np.isfinite(column).any() else 0 for column in orbit.T])
    orbit = np.where(np.isfinite(orbit), np.maximum(orbit, QUIET * usual), usual)
    seen = tune[np.isfinite(tune)]
    tune = np.where(np.isfinite(tune), tune, seen.max() if seen.size else 0.0)
    return Noise(np.maximum(orbit, SMALLEST_MM), np.maximum(tune, SMALLEST_TUNE))


def calibrate(
    reference: Lattice,
    baseline: Lattice,
    noise: Noise,
    fitted: Sequence[MeasuredChange],
    held_out: Sequence[MeasuredChange] = (),
    *,
    made: str,
    author: str,
    still: Floats | None = None,
    note: str = "",
    prefix: str | None = None,
    data: Sequence[DataUsed] = (),
    priors: Priors | None = None,
    max_age_s: float = MAX_AGE_S,
    growth_per_day: float = 0.2,
    half_aperture_mm: tuple[float, float] | None = None,
    min_per_bin: int = MIN_PER_BIN,
    for_discrepancy: float = FOR_DISCREPANCY,
    progress: Callable[[str], None] = lambda text: None,
) -> CalibrationDocument:
    """Calibrate a model at `reference` of a machine with the settings `baseline`.

    `fitted` gives the posterior of the parameters, by a linear-Gaussian update that is repeated about its own mean;
    `held_out`, of which nothing is used for that, gives the discrepancy (a drawn part, `for_discrepancy`) and, all
    others, the scores of the shell.
    The posterior's deviations are multiplied by sqrt(chi^2 / readings) where that is above 1. Commands without a beam
    in the model are left out, and counted as such by `progress`. `still` (rows,) is what the machine showed at its
    baseline, from which its state counts; without it, no drift is followed. `prefix` is that of the PVs that were
    measured: the calibration is used with no others. Raises CalibrationError.
    """
    space = ParameterSpace(reference, priors or Priors())
    rows = noise.rows
    if rows.size != 2 * len(space.ring.bpms) + 2:
        raise CalibrationError(f"the noise is that of {len(noise.orbit)} monitors, not of {len(space.ring.bpms)}")
    nothing = np.full(rows.size, np.nan)
    still = nothing if still is None else still
    if still.size != rows.size:
        raise CalibrationError(f"the baseline has {still.size} readings where the noise has {rows.size}")
    posterior, chi_square = _fit(space, baseline, fitted, rows, still, progress)
    optics = (NOMINAL_OPTICS, *space.ring.document.optics)
    number = int(baseline[OPTICS]) if OPTICS in space.ring.properties else 0
    document = CalibrationDocument(
        machine=space.ring.name,
        document_digest=space.ring.digest,
        optics=optics[number],
        optics_digest=optics_digest(baseline),
        made=made,
        author=author,
        note=note,
        prefix=prefix,
        max_age_s=max_age_s,
        data=tuple(data),
        reference=changed_settings(reference),
        baseline=changed_settings(baseline),
        priors=space.priors,
        mean={kind: tuple(posterior.mean[where].tolist()) for kind, where in space.slices.items()},
        active=tuple(posterior.active.tolist()),
        factor=packed(posterior.factor),
        monitors=tuple(bpm.name for bpm in space.ring.bpms),
        noise_mm=tuple((float(x), float(y)) for x, y in noise.orbit),
        noise_tune=(float(noise.tune[0]), float(noise.tune[1])),
        still_mm=still_of(still),
        still_tune=(float(still[-2]), float(still[-1])) if np.isfinite(still[-2:]).all() else None,
        growth_per_day=growth_per_day,
        held_out=HeldOut(chi_square=chi_square),
        half_aperture_mm=half_aperture_mm,
    )
    return with_held_out(document, baseline, held_out, min_per_bin, for_discrepancy, progress).identified()


def with_held_out(
    document: CalibrationDocument,
    baseline: Lattice,
    held_out: Sequence[MeasuredChange],
    min_per_bin: int = MIN_PER_BIN,
    for_discrepancy: float = FOR_DISCREPANCY,
    progress: Callable[[str], None] = lambda text: None,
) -> CalibrationDocument:
    """Return a calibration with discrepancy and shell of held-out commands, which replace those that it has."""
    if not held_out:
        return document
    bare = document.model_copy(update={"discrepancy": (), "bins": ()})
    predictor = Predictor.of(bare, baseline.ring)
    compared = _compare(predictor, held_out, progress)
    order = np.random.default_rng(0).permutation(len(compared))
    first, others = np.split(order, [round(for_discrepancy * len(order))])
    terms = _fit_terms([compared[i] for i in first], predictor.noise)
    discrepancy = Discrepancy(terms, document.growth_per_day)
    mine = [compared[i] for i in others]
    scores = np.array([_score(each, predictor.noise, discrepancy) for each in mine])
    bins = make_bins([each.kind for each in mine], np.array([each.size for each in mine]), scores, min_per_bin)
    finite = scores[np.isfinite(scores)]
    return document.model_copy(
        update={
            "discrepancy": tuple(
                DiscrepancyTerm(kind=kind, group=group, relative=term.relative, floor=term.floor)
                for (kind, group), term in sorted(terms.items())
            ),
            "bins": tuple(
                ScoreBin(kind=b.kind, low=b.low, high=b.high, scores=tuple(np.minimum(b.scores, 1e9).tolist()))
                for b in bins
            ),
            "held_out": document.held_out.model_copy(
                update={
                    "for_discrepancy": len(first),
                    "for_shell": len(mine),
                    "median_score": float(np.median(finite)) if finite.size else None,
                }
            ),
        }
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Compared:
    """A held-out command: what was measured less what is expected, and the variances that explain it."""

    kind: str
    size: float
    residual: Floats
    variances: Floats
    sizes: Floats


def _compare(
    predictor: Predictor, held_out: Sequence[MeasuredChange], progress: Callable[[str], None]
) -> list[_Compared]:
    found, lost = [], 0
    count = len(predictor.model.space.ring.monitors)
    for each in held_out:
        try:
            forecast = predictor.forecast(each.settings, each.changes, shown=each.shown)
        except GnomonError:
            lost += 1
            continue
        sizes = effect_sizes(forecast.effect, forecast.variances, count)
        residual = each.effect - forecast.effect
        found.append(_Compared(forecast.kind, forecast.size, residual, forecast.variances, sizes))
    if lost:
        progress(f"{lost} of {len(held_out)} held-out commands have no beam in the model and are left out")
    return found


def _fit_terms(compared: Sequence[_Compared], noise: Floats) -> dict[tuple[str, str], Term]:
    terms: dict[tuple[str, str], Term] = {}
    for kind in sorted({each.kind for each in compared}):
        mine = [each for each in compared if each.kind == kind][:MAX_FITTED]
        for number, where in enumerate(group_slices(len(noise) // 2 - 1)):
            residuals = np.array([each.residual[where] for each in mine])
            known = np.array([each.variances[where] for each in mine]) + 2.0 * noise[where] ** 2
            effects = np.broadcast_to(np.array([each.sizes[number] for each in mine])[:, None], residuals.shape)
            beside = np.broadcast_to(noise[where], residuals.shape)
            terms[kind, GROUPS[number]] = fit_term(residuals.ravel(), known.ravel(), effects.ravel(), beside.ravel())
    return terms


def _score(each: _Compared, noise: Floats, discrepancy: Discrepancy) -> float:
    beyond = discrepancy.variances(each.kind, each.sizes, noise, noise.size // 2 - 1, 0.0)
    scores = np.abs(each.residual) / np.sqrt(each.variances + beyond + 2.0 * noise**2)
    return float(np.max(scores[np.isfinite(scores)], initial=0.0))


def _fit(
    space: ParameterSpace,
    baseline: Lattice,
    fitted: Sequence[MeasuredChange],
    noise: Floats,
    still: Floats,
    progress: Callable[[str], None],
) -> tuple[Posterior, float | None]:
    """Fit by Gauss-Newton steps, each halved until the real cost falls; the covariance is that at the last mean."""
    prior, propagate = Posterior.prior(space.widths), Propagator(space.ring)
    if not fitted:
        return prior, None

    def compare(mean: Floats) -> _Deviations | None:
        model = CalibratedModel(space, baseline, mean, propagate)
        return _deviations(model, PresentState(model, still, noise), fitted, noise, progress)

    mean = prior.mean
    at = compare(mean)
    if at is None:
        raise CalibrationError("the model has no beam for any of the commands that were measured")
    kept: list[Floats] = []
    for number in range(ITERATIONS):
        step = _step(at, at.weighted(kept), mean, space.widths)
        before = at
        for halving in range(HALVINGS):
            tried = mean + 0.5**halving * step
            found = compare(tried)
            if found is not None and found.cost(tried, space.widths) < before.cost(mean, space.widths):
                mean, at = tried, found
                break
        progress(f"update {number + 1}: chi^2 per reading {at.chi_square:.3g}")
        if at is before or at.chi_square > (1.0 - DONE) * before.chi_square:
            break
    weighted = at.weighted(kept)
    right = at.left + weighted @ mean
    posterior = update(prior, weighted, right, np.ones_like(right))
    posterior = Posterior(mean, posterior.widths, posterior.active, posterior.factor)
    return posterior.inflated(math.sqrt(max(1.0, at.chi_square))), at.chi_square


@dataclass(frozen=True, eq=False)
class _Deviations:
    """Measured less expected changes (m,) at a mean, their standard deviations, and the commands behind them."""

    model: CalibratedModel
    changes: tuple[Change, ...]
    residuals: Floats
    sigma: Floats

    @property
    def _clipped(self) -> Floats:
        left = self.residuals / self.sigma
        return np.clip(left[np.isfinite(left)], -FAR, FAR)

    @property
    def chi_square(self) -> float:
        """Mean square per reading."""
        left = np.clip(self._clipped, -CLIP, CLIP)
        return float((left**2).sum()) / max(left.size, 1)

    def cost(self, mean: Floats, widths: Floats) -> float:
        """Squares of all deviations, and of the parameters'."""
        return float((self._clipped**2).sum() + ((mean / widths) ** 2).sum())

    @property
    def weights(self) -> Floats:
        """Inverse standard deviations (m,); 0 for what was not measured."""
        valid = np.isfinite(self.residuals) & np.isfinite(self.sigma) & (self.sigma > 0.0)
        return np.divide(1.0, self.sigma, out=np.zeros_like(self.sigma), where=valid)

    @property
    def left(self) -> Floats:
        """Deviations (m,) in standard deviations; 0 for what was not measured."""
        return np.where(self.weights > 0.0, self.residuals, 0.0) * self.weights

    def weighted(self, kept: list[Floats]) -> Floats:
        """Derivatives (m, n) of the expected changes, in standard deviations, in the memory that was `kept`.

        For a large ring it has a gigabyte, which is not asked for again at each step.
        """
        effects, rows = self.model.effects, len(self.residuals) // len(self.changes)
        if not kept or len(kept[0]) != len(self.residuals):
            kept[:] = [np.empty((len(self.residuals), effects.space.size))]
        weights = self.weights
        for number, change in enumerate(self.changes):
            where = slice(number * rows, (number + 1) * rows)
            np.multiply(effects.jacobian(change), weights[where, None], out=kept[0][where])
        return kept[0]


def _deviations(
    model: CalibratedModel,
    present: PresentState,
    fitted: Sequence[MeasuredChange],
    noise: Floats,
    progress: Callable[[str], None],
) -> _Deviations | None:
    changes, residuals, sigma = [], [], []
    for each in fitted:
        try:
            state = present.find(each.settings, each.shown)
            change, reason = present.at(state).change(each.settings, each.changes)
        except GnomonError as error:
            change, reason = None, str(error)
        if change is None:
            progress(f"left out: {reason}")
            continue
        changes.append(change)
        residuals.append(each.effect - model.effects.effect(change))
        sigma.append(np.sqrt(2.0) * noise if each.deviations is None else each.deviations)
    if 2 * len(changes) < len(fitted):
        return None
    return _Deviations(model, tuple(changes), np.concatenate(residuals), np.concatenate(sigma))


def _step(at: _Deviations, weighted: Floats, mean: Floats, widths: Floats) -> Floats:
    """Find the step (n,) to the minimum of the linearised cost; only its direction counts, so squares are formed."""
    squares = (weighted.T @ weighted) * widths[:, None] * widths
    squares[np.diag_indices_from(squares)] += 1.0
    step: Floats = widths * solve(squares, widths * (weighted.T @ at.left) - mean / widths, assume_a="pos")
    return step
