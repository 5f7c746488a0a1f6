"""Coverage and width of the bands of one machine, by family and step size, next to a 2 sigma rule and to an oracle."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from bench.gate_commands import Case, Commands, balanced
from bench.gate_oracle import Oracle, largest
from bench.gate_statistics import Coverage, conformal_quantile
from bench.gate_truth import Moment, TrueMachine
from numpy.typing import NDArray

from gnomon.lattice import Key
from gnomon.recorder.bounds import Band, Reading, rows_of
from gnomon.recorder.bounds.predictor import Predictor

Floats = NDArray[np.float64]
Bin = tuple[str, int]

COVERAGES = (0.95, 0.99)
#: Time between two commands [s].
PERIOD_S = 4.0
#: Hours after the calibration that are counted together.
PART_H = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A command that a machine has carried out: the settings before, the change, and the readings around it."""

    family: str
    size: int
    kind: str
    settings: Mapping[Key, float]
    changes: Mapping[Key, float]
    before: Reading
    after: Reading


@dataclass(frozen=True, slots=True)
class Counts:
    """Number of commands per bin: for the posterior and the discrepancy, for the conformal scores, and held out."""

    fitted: int = 22
    calibrated: int = 299
    tested: int = 667


@dataclass(slots=True)
class CoverageResult:
    """Result of one machine. Keys of the mappings are family, size, and the nominal coverage.

    `without_growth` counts (tested, inside) at each coverage, for bands that do not grow with the age of the
    calibration. `gaussian` counts the commands inside of 2 sigma of the calibrated scale without the conformal shell.
    `adapted` is the coverage with a shell that learns from each command, as in a replay; `unbounded`
    counts the commands for which that one wants a new calibration: its band is infinite. `hours` counts (tested,
    inside) by the number of the `PART_H` hours after the calibration, without that. Widths are medians over the
    monitors' bands [mm], one per command; `kinds` counts (tested, inside) by kind at each coverage.
    """

    machine: int
    counts: dict[tuple[str, int, float], Coverage] = field(default_factory=dict)
    gaussian: dict[Bin, tuple[int, int]] = field(default_factory=dict)
    kinds: dict[tuple[str, float], list[int]] = field(default_factory=dict)
    width: dict[Bin, list[float]] = field(default_factory=dict)
    oracle: dict[Bin, list[float]] = field(default_factory=dict)
    sigma: dict[Bin, list[float]] = field(default_factory=dict)
    width_99: dict[Bin, list[float]] = field(default_factory=dict)
    without_growth: dict[float, list[int]] = field(default_factory=dict)
    outside: int = 0
    distrust: dict[str, int] = field(default_factory=dict)
    calibration_id: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    adapted: dict[tuple[str, int, float], Coverage] = field(default_factory=dict)
    hours: dict[tuple[int, float], list[int]] = field(default_factory=dict)
    unbounded: dict[float, int] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Session:
    """A machine, its commands, and one generator of random numbers."""

    machine: TrueMachine
    commands: Commands
    rng: np.random.Generator

    def carry_out(
        self, case: Case, oracle: Oracle | None = None
    ) -> tuple[Sample, Moment, tuple[Floats, Floats] | None]:
        """Carry out a case from the baseline, and go back; with the oracle's expectation."""
        machine = self.machine
        machine.restore(case.prepare)
        start = machine.moment()
        before, settings = machine.reading(start), machine.settings
        changes = {case.key: case.value}
        expected = None if oracle is None else oracle.predict(start, before, changes)
        after = machine.apply(changes)
        machine.restore()
        machine.wait(PERIOD_S)
        family = self.commands.family_of(case.kind)
        return Sample(family, case.size, case.kind, settings, changes, before, after), start, expected


def samples(session: Session, each: int) -> list[Sample]:
    """Carry out `each` commands of every bin, in a random order."""
    found = []
    for family, size in balanced(session.commands.families(), each, session.rng):
        found.append(session.carry_out(session.commands.draw_of(family, size, session.rng))[0])
    return found


Calibrate = Callable[[Session, list[Sample], list[Sample]], Predictor]


def measure_coverage(
    session: Session, counts: Counts, calibrate: Calibrate, every: int = 5
) -> tuple[CoverageResult, Predictor]:
    """Calibrate a machine and count how often held-out commands are inside of their bands.

    `calibrate` gets the commands for the discrepancy and those for the conformal scores. Coverage is counted in the
    bins of the calibration: by kind, and by size of the predicted effect. Widths are taken of one command in `every`.
    """
    machine, commands, rng = session.machine, session.commands, session.rng
    oracle = Oracle(machine)
    fitted = samples(session, counts.fitted)
    held: list[Sample] = []
    of_oracle: list[float] = []
    for family, size in balanced(commands.families(), counts.calibrated, rng):
        sample, _, expected = session.carry_out(commands.draw_of(family, size, rng), oracle)
        held.append(sample)
        assert expected is not None
        of_oracle.append(largest(*expected, sample.after))
    predictor = calibrate(session, fitted, held)
    result = CoverageResult(machine.seed, calibration_id=predictor.calibration_id)
    scores: dict[int, list[float]] = {}
    for sample, score in zip(held, of_oracle, strict=True):
        scores.setdefault(bin_of(predictor, sample), []).append(score)
    factors = {number: conformal_quantile(np.array(s), COVERAGES[0]) for number, s in scores.items()}
    inside: dict[tuple[int, float], int] = {}
    learnt: dict[tuple[int, float], int] = {}
    shell = predictor.shell
    tested: dict[int, int] = {}
    for count, (family, size) in enumerate(balanced(commands.families(), counts.tested, rng)):
        wide = count % every == 0
        sample, _, expected = session.carry_out(commands.draw_of(family, size, rng), oracle if wide else None)
        number = bin_of(predictor, sample)
        if number < 0:
            result.outside += 1
            continue
        tested[number] = tested.get(number, 0) + 1
        # The forecast of the bin is known to the band.
        band = predictor.band(
            sample.settings, sample.changes, sample.before, coverage=COVERAGES[1], now_ns=sample.before.time_ns
        )
        for reason in band.distrust:
            result.distrust[reason[:60]] = result.distrust.get(reason[:60], 0) + 1
        # The band of another coverage has the same expected values and scales, and another factor.
        score = predictor.score(band, sample.after)
        held_in = {COVERAGES[1]: bool(band.inside(sample.after).all()) and bool(np.isfinite(score))}
        held_in[COVERAGES[0]] = score <= predictor.shell.factor(number, COVERAGES[0])
        at_once = _score_at_once(predictor, sample)
        part = int(1e-9 * (sample.before.time_ns - predictor.made_ns) / 3600.0 // PART_H)
        for coverage, covered in held_in.items():
            factor = shell.factor(number, coverage)
            missed = not score <= factor
            result.unbounded[coverage] = result.unbounded.get(coverage, 0) + bool(np.isinf(factor))
            learnt[number, coverage] = learnt.get((number, coverage), 0) + (not missed)
            shell = shell.adapted(number, coverage, missed)
            of_part = result.hours.setdefault((part, coverage), [0, 0])
            of_part[0] += 1
            of_part[1] += covered
            inside[number, coverage] = inside.get((number, coverage), 0) + int(covered)
            of_kind = result.kinds.setdefault((sample.kind, coverage), [0, 0])
            of_kind[0] += 1
            of_kind[1] += covered
            fresh = result.without_growth.setdefault(coverage, [0, 0])
            fresh[0] += 1
            fresh[1] += at_once <= predictor.shell.factor(number, coverage)
        where = named(predictor, number)
        within, seen = result.gaussian.get(where, (0, 0))
        result.gaussian[where] = within + (score <= 2.0), seen + 1
        if wide and expected is not None:
            _widths(result, where, predictor, number, band, expected[1] * factors[number])
    for (number, coverage), held_inside in inside.items():
        calibrated = predictor.shell.bins[number].scores.size
        key = *named(predictor, number), coverage
        result.counts[key] = Coverage(calibrated, tested[number], held_inside, coverage)
        result.adapted[key] = Coverage(calibrated, tested[number], learnt[number, coverage], coverage)
    return result, predictor


def _score_at_once(predictor: Predictor, sample: Sample) -> float:
    """The score in a band as wide as right after the calibration: the shell's own scores are such."""
    forecast = predictor.forecast(sample.settings, sample.changes, shown=rows_of(sample.before))
    scale = np.sqrt(forecast.variances + forecast.beyond + 2.0 * predictor.noise**2)
    return largest(rows_of(sample.before) + forecast.effect, scale, sample.after)


def _widths(result: CoverageResult, where: Bin, predictor: Predictor, number: int, band: Band, oracle: Floats) -> None:
    """Note median widths over the monitors [mm]: at both coverages, of the oracle at the first, of 2 sigma."""
    monitors = oracle.size - 2
    scale = float(np.median(band.scale[:monitors]))
    result.width.setdefault(where, []).append(2.0 * predictor.shell.factor(number, COVERAGES[0]) * scale)
    result.width_99.setdefault(where, []).append(float(np.median((band.upper - band.lower)[:monitors])))
    result.sigma.setdefault(where, []).append(4.0 * scale)
    result.oracle.setdefault(where, []).append(2.0 * float(np.median(oracle[:monitors])))


def bin_of(predictor: Predictor, sample: Sample) -> int:
    """Number of the calibration's bin that a command is in; -1 for one outside of all."""
    forecast = predictor.forecast(sample.settings, sample.changes, shown=rows_of(sample.before))
    return predictor.shell.find(forecast.kind, forecast.size)[0]


def named(predictor: Predictor, number: int) -> Bin:
    """Kind and number of a bin among those of its kind, from 0."""
    bins = predictor.shell.bins
    return bins[number].kind, sum(each.kind == bins[number].kind for each in bins[:number])
