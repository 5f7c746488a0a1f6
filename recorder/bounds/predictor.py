"""The predictor: from a calibration, the band of a command in milliseconds, or of an ensemble in a second."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from gnomon.lattice import GnomonError, Key, Ring
from gnomon.propagator import BeamState, Propagator
from gnomon.recorder.bounds.band import Band, Reading, Settings, largest_error, rows_of
from gnomon.recorder.bounds.calibrated_model import CalibratedModel
from gnomon.recorder.bounds.calibration_document import CalibrationDocument, lattice_of
from gnomon.recorder.bounds.command_kinds import kind_of
from gnomon.recorder.bounds.conformal import ConformalShell
from gnomon.recorder.bounds.discrepancy import GROUPS, Discrepancy, Term, effect_sizes
from gnomon.recorder.bounds.drawn_machines import Ensemble, EnsembleChange
from gnomon.recorder.bounds.effects import Change
from gnomon.recorder.bounds.observables import Observables, observables_of
from gnomon.recorder.bounds.posterior import Posterior
from gnomon.recorder.bounds.present_state import PresentState, State
from gnomon.recorder.bounds.unmeasured import Unmeasured
from gnomon.recorder.bounds.way import Way

Floats = NDArray[np.float64]

#: Tunes nearer than this to a whole or half number are for the second tier, in units of the tunes' scale and in tune.
NEAR_SCALES, NEAR_TUNE = 3.0, 0.01
#: Orbits that change by more [mm] are for the second tier: sextupoles make them nonlinear in the parameters.
LARGE_MM = 3.0
#: Optics before a command that differ by more from the calibrated ones, in beta functions and tunes, are others.
OPTICS_BEATING, OPTICS_TUNE = 0.2, 0.05
#: Expected values of the tiers that differ by more, in the first tier's scale, or whose scales do by this factor.
TIERS_APART, SCALES_APART = 2.0, 4.0


@dataclass(frozen=True, slots=True, eq=False)
class Forecast:
    """A command in the calibrated model: its kind and the size of its effect, in units of the noise.

    `state` is that to which the machine has drifted. `effect` (rows,) is the expected change of the
    readings, `sizes` (4,) its size in each group of them, `variances` (rows,) those of the parameters, `beyond` (rows,)
    those of the discrepancy; `beams` are those before and after.
    """

    kind: str
    size: float
    state: State
    change: Change
    effect: Floats
    sizes: Floats
    variances: Floats
    beyond: Floats
    beams: tuple[BeamState, BeamState]


@dataclass(frozen=True, eq=False)
class Predictor:
    """Predicts bands with one calibration (`Predicts`). `shell` adapts to measured steps; all else stays.

    Keeps a propagator and what it has computed: not for use by several threads at once.
    """

    document: CalibrationDocument
    model: CalibratedModel
    posterior: Posterior
    discrepancy: Discrepancy
    noise: Floats
    present: PresentState
    unmeasured: Unmeasured
    ensemble: Ensemble
    shell: ConformalShell
    _units: dict[Key, Floats] = field(default_factory=dict, repr=False)
    # Of the last step alone, and not shared with a predictor whose shell has adapted.
    _way: list[Way] = field(default_factory=list, repr=False, init=False)
    _last: list[tuple[dict[Key, float], dict[Key, float], State, Forecast]] = field(
        default_factory=list, repr=False, init=False
    )

    @classmethod
    def of(cls, document: CalibrationDocument, ring: Ring) -> Self:
        """Make it. Raises CalibrationError for another machine document, NoDerivative without a beam of the model."""
        space = document.space(ring)
        posterior, propagate = document.posterior(space), Propagator(ring)
        design = propagate(space.lattice)
        chamber = document.half_aperture_mm
        observables = observables_of(ring, design.beta[list(ring.monitors)], chamber=chamber is not None)
        model = CalibratedModel(space, lattice_of(ring, document.baseline), posterior.mean, propagate)
        seed = int((document.id or "0")[:8], 16)
        noise = document.noise()
        return cls(
            document, model, posterior, document.terms(), noise, PresentState(model, document.still(), noise),
            Unmeasured(model, posterior, observables, noise, chamber, seed),
            Ensemble(model, posterior, seed), document.shell(),
        )  # fmt: skip

    @property
    def calibration_id(self) -> str:
        """See `Predicts`."""
        return self.document.id

    @property
    def document_digest(self) -> str:
        """See `Predicts`."""
        return self.document.document_digest

    @property
    def optics_digest(self) -> str:
        """See `Predicts`."""
        return self.document.optics_digest

    @cached_property
    def made_ns(self) -> int:
        """See `Predicts`."""
        return self.document.made_ns

    @property
    def max_age_s(self) -> float:
        """See `Predicts`."""
        return self.document.max_age_s

    @property
    def observables(self) -> Observables:
        """All observables, in the order of a band."""
        return self.unmeasured.observables

    def prepare(self, keys: Iterable[Key] = (), *, second_tier: bool = False) -> None:
        """Compute ahead what the first bands of commands to `keys` would wait for: derivatives, scales, draws."""
        self.unmeasured.prepare()
        self.present.prepare()
        for key in keys:
            value, spec = self.model.baseline[key], self.model.space.ring.properties[key]
            step = 1e-3 * (spec.high - spec.low)
            self.forecast({}, {key: value + step if value + step <= spec.high else value - step})
        if second_tier:
            self.ensemble.prepare()

    def forecast(
        self, settings: Settings, changes: Settings, age_s: float = 0.0, shown: Floats | None = None
    ) -> Forecast:
        """Compute a command's expected effect and its variances; those of the last one are known.

        It is that in the state which the readings `shown` (rows,) say, else in that of the calibration.
        Raises GnomonError where the model cannot have it.
        """
        found = self._in_state(settings, changes, self.present.find(settings, shown))
        beyond = self.discrepancy.variances(found.kind, found.sizes, self.noise, self._monitors, age_s)
        return replace(found, beyond=beyond)

    def _in_state(self, settings: Settings, changes: Settings, state: State) -> Forecast:
        if not self._last or self._last[0][:3] != (settings, changes, state):
            self._last[:] = [(dict(settings), dict(changes), state, self._forecast(settings, changes, state))]
        return self._last[0][3]

    def _forecast(self, settings: Settings, changes: Settings, state: State) -> Forecast:
        """Compute a forecast without a discrepancy."""
        moved = {key: value for key, value in changes.items() if value != self.model.present(settings, key)}
        before, after = self.present.at(state).beams(settings, changes)
        change, reason = self.model.compare(before, after)
        if change is None:
            raise NoForecast(reason)
        variances = self._variances(settings, moved, change)
        count = self._monitors
        effect = self.model.effects.effect(change)
        kind = kind_of(self.model.space.ring, moved or changes)
        sizes = effect_sizes(effect, variances, count)
        orbit = math.sqrt(float(np.mean(self.noise[: 2 * count] ** 2)))
        tune = math.sqrt(float(np.mean(self.noise[2 * count :] ** 2)))
        size = max(float(sizes[0]) / orbit, float(sizes[2]) / tune)
        return Forecast(
            kind, size, state, change, effect, sizes, variances, np.zeros_like(variances), (before.beam, after.beam)
        )

    @property
    def _monitors(self) -> int:
        return self.noise.size // 2 - 1

    def band(
        self, settings: Settings, changes: Settings, reading: Reading, *, coverage: float, now_ns: int, tier: int = 1
    ) -> Band:
        """See `Predicts`; near a resonance, and for a large step, the first tier leaves it to the second.

        After the band of a step of one setting, those of parts of the same step need no beam: see `Way`.
        """
        shown, age_s, distrust, answerable = self._asked(reading, coverage, now_ns)
        if not answerable:
            return self._infinite(shown, coverage, tier, distrust)
        for way in self._way if tier == 1 else ():
            part = way.part(settings, changes, shown, coverage, now_ns)
            if part is not None:
                return way.band(part)
        self._way.clear()
        try:
            forecast = self.forecast(settings, changes, age_s, shown)
            distrust = (*distrust, *self._other_optics(forecast.beams[0]))
            if far := self.present.too_far(forecast.state):
                distrust = (*distrust, far)
            number, reason = self.shell.find(forecast.kind, forecast.size)
            factor = self.shell.factor(number, coverage) if number >= 0 else math.inf
            # A band that is infinite or distrusted has nothing to gain from an ensemble that was not asked for.
            if not math.isfinite(factor):
                tier = 1
            elif not distrust:
                tier = max(tier, self._tier_for(forecast, shown))
            drawn = None
            if tier > 1:
                drawn = self.ensemble.change(settings, changes, forecast.state, self.present.shift(forecast.state))
            if reason:
                distrust = (*distrust, reason)
            elif math.isinf(factor):
                distrust = (*distrust, self._too_few(number, coverage))
            band = self._band(forecast, drawn, shown, coverage, factor, distrust)
            if band.tier == 1 and band.trusted and len(changes) == 1 and self._is_straight(forecast, shown):
                self._keep_way(settings, changes, forecast, shown, now_ns, band)
            return band
        except (GnomonError, np.linalg.LinAlgError) as error:
            return self._infinite(shown, coverage, tier, (*distrust, str(error)))

    def quiet_band(self, reading: Reading, *, coverage: float, now_ns: int) -> Band:
        """Bound the next reading of a machine to which nothing is done, by the noise of both readings.

        Its observables are the measured ones alone. The factor is the largest among the smallest steps of each kind
        of which enough were held out: those are noise for the most part, and where they are not, the band is wider.
        """
        shown, _, distrust, answerable = self._asked(reading, coverage, now_ns)
        if not answerable:
            return self._infinite(shown, coverage, 1, distrust)
        smallest: dict[str, int] = {}
        for number, each in enumerate(self.shell.bins):
            smallest.setdefault(each.kind, number)
        factors = {number: self.shell.factor(number, coverage) for number in smallest.values()}
        factor = max((each for each in factors.values() if math.isfinite(each)), default=math.inf)
        if math.isinf(factor):
            most = max(factors, key=lambda each: self.shell.bins[each].scores.size, default=-1)
            reason = self._too_few(most, coverage) if factors else "the calibration has no held-out commands"
            distrust = (*distrust, reason)
        measured = np.isfinite(shown)
        scale = np.where(measured, math.sqrt(2.0) * self.noise, np.inf)
        width = _times(factor, scale)
        expected = np.where(measured, shown, 0.0)
        return Band(
            self.observables.all[: shown.size], shown, expected - width, expected + width, scale, measured, coverage, 1,
            self.calibration_id, distrust,
        )  # fmt: skip

    def _asked(self, reading: Reading, coverage: float, now_ns: int) -> tuple[Floats, float, tuple[str, ...], bool]:
        """Return a reading's rows, the calibration's age [s], reasons for distrust, and if it can be answered."""
        shown = rows_of(reading)
        age_s = (now_ns - self.made_ns) * 1e-9
        distrust = self._too_old(age_s)
        answerable = shown.size == self.noise.size and 0.0 < coverage < 1.0
        if not answerable:
            asked = f"{shown.size} readings where the calibration has {self.noise.size}, coverage {coverage}"
            distrust = (*distrust, asked)
        return shown, age_s, distrust, answerable

    def score(self, band: Band, after: Reading) -> float:
        """See `Predicts`."""
        return largest_error(band, after)

    def observe(self, settings: Settings, changes: Settings, band: Band, after: Reading) -> Self:
        """See `Predicts`; a command outside the calibrated kinds and sizes teaches nothing."""
        try:
            state = self.present.find({**settings, **changes}, rows_of(after))
            forecast = self._in_state(settings, changes, state)
        except GnomonError:
            return self
        number, _ = self.shell.find(forecast.kind, forecast.size)
        if number < 0:
            return self
        missed = not bool(band.inside(after).all())
        return replace(self, shell=self.shell.adapted(number, band.coverage, missed))

    def _variances(self, settings: Mapping[Key, float], moved: Mapping[Key, float], change: Change) -> Floats:
        """Variances (rows,) by the parameters: of one key, in proportion to the square of the step."""
        if len(moved) != 1:
            return self.posterior.variances(self.model.effects.jacobian(change))
        ((key, value),) = moved.items()
        step = value - self.model.present(settings, key)
        known = self._units.get(key)
        if known is None:
            known = self._units[key] = self.posterior.variances(self.model.effects.jacobian(change)) / step**2
        return known * step**2

    def _tier_for(self, forecast: Forecast, shown: Floats) -> int:
        tunes = np.asarray(forecast.beams[1].tune)
        scale = np.sqrt(forecast.variances[-2:] + forecast.beyond[-2:])
        measured = shown[-2:] + forecast.effect[-2:]
        for each in (tunes, measured[np.isfinite(measured)]):
            apart = np.abs(2.0 * each - np.rint(2.0 * each)) / 2.0
            if (apart < NEAR_TUNE + NEAR_SCALES * scale.max()).any():
                return 2
        return 2 if np.abs(forecast.change.orbit).max() > 1e-3 * LARGE_MM else 1

    def _is_straight(self, forecast: Forecast, shown: Floats) -> bool:
        """True if the tunes are known and stay in the same half of a unit, and near none of its ends, on the way."""
        before, after = (np.asarray(beam.tune) for beam in forecast.beams)
        scale = np.sqrt(forecast.variances[-2:] + forecast.beyond[-2:])
        ends = np.array([before, after, shown[-2:], shown[-2:] + forecast.effect[-2:]])
        apart = np.abs(2.0 * ends - np.rint(2.0 * ends)) / 2.0
        halves = np.floor(2.0 * ends)
        far = bool((apart >= NEAR_TUNE + NEAR_SCALES * scale.max()).all())
        return far and bool((halves[::2] == halves[1::2]).all())

    def _keep_way(
        self,
        settings: Mapping[Key, float],
        changes: Mapping[Key, float],
        forecast: Forecast,
        shown: Floats,
        now_ns: int,
        end: Band,
    ) -> None:
        """Remember the way of a step: its start has the expected values before it, and the end's half widths."""
        ((key, new),) = changes.items()
        old = self.model.present(settings, key)
        if new == old:
            return
        beams = forecast.beams[0], forecast.beams[0]
        beside = (forecast.variances + forecast.beyond)[:-2]
        sources, _ = self.unmeasured.sources(shown[:-2], beams, beside)
        parts = [shown, sources, self.unmeasured.optics_values(beams[0])]
        count = sum(part.size for part in parts)
        below, above = (end.expected - end.lower)[:count], (end.upper - end.expected)[:count]
        expected = np.concatenate(parts)
        start = [expected - below, expected, expected + above]
        if self.unmeasured.half_aperture_mm is not None:
            number, _ = self.shell.find(forecast.kind, forecast.size)
            factor = self.shell.factor(number, end.coverage)
            nearest, low, high, _ = self.unmeasured.clearance(shown[:-2], beams, beside, factor)
            start = [np.concatenate(pair) for pair in zip(start, (low, nearest, high), strict=True)]
        # Dead monitors: nothing is expected, and nothing bounded.
        low, middle, high = start
        bounds = np.where(np.isnan(low), -np.inf, low), middle, np.where(np.isnan(high), np.inf, high)
        if all(bool(np.isfinite(each[end.measured]).all()) for each in bounds) and end.measured[: shown.size].all():
            self._way.append(Way(dict(settings), shown, now_ns, key, old, new, bounds, end))

    def _band(
        self,
        forecast: Forecast,
        drawn: EnsembleChange | None,
        shown: Floats,
        coverage: float,
        factor: float,
        distrust: tuple[str, ...],
    ) -> Band:
        effect, variances = forecast.effect, forecast.variances
        if drawn is not None:
            distrust = (*distrust, *_tiers_apart(forecast, drawn, self.noise))
            effect, variances = drawn.mean, drawn.variances
        scale = np.sqrt(variances + forecast.beyond + 2.0 * self.noise**2)
        if drawn is not None:
            order = drawn.order_factor(coverage, np.sqrt(forecast.beyond + 2.0 * self.noise**2), scale)
            if math.isinf(order):
                distrust = (*distrust, f"{drawn.lost} of {drawn.count} drawn machines have no beam")
            factor = max(factor, order)
        measured = np.isfinite(shown)
        expected = shown + effect
        expected[-2:] = np.where(measured[-2:], expected[-2:], np.mod(forecast.beams[1].tune, 1.0))
        expected_scale = np.where(measured, scale, np.inf)
        dark = ~measured[-2:]
        if dark.any():  # without a tune meter, the tunes are the model's own
            absolute = self.ensemble.tune_deviation
            expected_scale[-2:] = np.where(dark, np.hypot(scale[-2:], absolute), scale[-2:])
        orbit, beside = shown[:-2], (variances + forecast.beyond)[:-2]
        relative = self.discrepancy.terms.get((forecast.kind, GROUPS[0]), Term()).relative
        sources, source_scale = self.unmeasured.sources(orbit, forecast.beams, beside)
        optics, optics_scale = self.unmeasured.optics(forecast.beams, relative)
        values = [expected, sources, optics]
        scales = [expected_scale, source_scale, optics_scale]
        lower, upper = (
            [value + sign * _times(factor, width) for value, width in zip(values, scales, strict=True)]
            for sign in (-1.0, 1.0)
        )
        if self.unmeasured.half_aperture_mm is not None:
            nearest, low, high, width = self.unmeasured.clearance(orbit, forecast.beams, beside, factor)
            values, scales, lower, upper = [*values, nearest], [*scales, width], [*lower, low], [*upper, high]
        low, high = np.concatenate(lower), np.concatenate(upper)
        alive = np.zeros(len(self.observables.all), dtype=np.bool_)
        alive[: shown.size] = measured
        return Band(
            self.observables.all, np.concatenate(values), np.where(np.isnan(low), -np.inf, low),
            np.where(np.isnan(high), np.inf, high), np.concatenate(scales), alive, coverage,
            1 if drawn is None else 2, self.calibration_id, distrust,
        )  # fmt: skip

    def _infinite(self, shown: Floats, coverage: float, tier: int, distrust: tuple[str, ...]) -> Band:
        """The band of a command about which nothing can be said."""
        count = len(self.observables.all)
        expected, measured = np.full(count, np.nan), np.zeros(count, dtype=np.bool_)
        size = self.noise.size
        if shown.size == size:
            expected[:size], measured[:size] = shown, np.isfinite(shown)
        endless = np.full(count, np.inf)
        return Band(
            self.observables.all, expected, -endless, endless, endless, measured, coverage, tier,
            self.calibration_id, distrust,
        )  # fmt: skip

    def _other_optics(self, before: BeamState) -> tuple[str, ...]:
        """Distrust a machine whose optics before the command are far from those that were calibrated."""
        calibrated = self.model.beam(self.model.reference)
        beating = float(np.max(np.abs(before.beta / calibrated.beta - 1.0)))
        moved = float(np.max(np.abs(np.asarray(before.tune) - np.asarray(calibrated.tune))))
        if beating <= OPTICS_BEATING and moved <= OPTICS_TUNE:
            return ()
        return (
            f"the settings make other optics than the calibrated ones: beta beating {100.0 * beating:.3g} % (at most "
            f"{100.0 * OPTICS_BEATING:g} %), tunes {moved:.3g} apart (at most {OPTICS_TUNE:g}): calibrate again",
        )

    def _too_old(self, age_s: float) -> tuple[str, ...]:
        if 0.0 <= age_s <= self.max_age_s:
            return ()
        if age_s < 0.0:
            return (f"the calibration is from the future, by {-age_s:.0f} s: check the clocks",)
        return (
            f"the calibration is {age_s / 3600.0:.1f} h old, above its limit of {self.max_age_s / 3600.0:.1f} h: "
            "calibrate again",
        )

    def _too_few(self, number: int, coverage: float) -> str:
        each, missing = self.shell.bins[number], self.shell.missing(number, coverage)
        if not missing:
            return f"too many misses of late among commands of {each.name}: calibrate again"
        return (
            f"{each.scores.size} held-out commands of {each.name} are too few for a coverage of {coverage:.4g}: "
            f"{missing} are missing"
        )


class NoForecast(GnomonError):
    """The model has no beam before or after a command."""


def _times(factor: float, scale: Floats) -> Floats:
    """Multiply, where an infinite factor makes even an exact observable infinite."""
    return np.full(scale.shape, np.inf) if math.isinf(factor) else factor * scale


def _tiers_apart(forecast: Forecast, drawn: EnsembleChange, noise: Floats) -> tuple[str, ...]:
    scale = np.sqrt(forecast.variances + forecast.beyond + 2.0 * noise**2)
    second = np.sqrt(drawn.variances + forecast.beyond + 2.0 * noise**2)
    apart = float(np.max(np.abs(drawn.mean - forecast.effect) / scale, initial=0.0))
    ratio = float(np.max(np.maximum(second / scale, scale / second), initial=1.0))
    if not (apart <= TIERS_APART and ratio <= SCALES_APART):
        return (
            f"the tiers disagree: expected values by {apart:.2g} scales (at most {TIERS_APART:g}), scales by a factor "
            f"of {ratio:.2g} (at most {SCALES_APART:g})",
        )
    return ()
