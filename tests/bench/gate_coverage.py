"""Coverage and width of the bands of one machine, by family and step size, next to a 2 sigma rule and to an oracle."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from bench.gate_commands import Case, Commands, balanced
from bench.gate_oracle import Oracle, flat, largest
from bench.gate_statistics import Coverage, conformal_quantile
from bench.gate_truth import Moment, TrueMachine
from numpy.typing import NDArray

from gnomon.lattice import Key
from gnomon.recorder.bounds import Predicts, Reading

Floats = NDArray[np.float64]
Bin = tuple[str, int]

COVERAGES = (0.95, 0.99)
#: Time between two commands [s].
PERIOD_S = 4.0


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

    fitted: int = 33
    calibrated: int = 299
    tested: int = 667


@dataclass(slots=True)
class CoverageResult:
    """Result of one machine. Keys of the mappings are family, size, and the nominal coverage.

    `gaussian` counts the commands inside of 2 sigma of the calibrated scale without the conformal shell. Widths are
    medians over the monitors' bands [mm], one per command; `kinds` counts (tested, inside) by kind at each coverage.
    """

    machine: int
    counts: dict[tuple[str, int, float], Coverage] = field(default_factory=dict)
    gaussian: dict[Bin, tuple[int, int]] = field(default_factory=dict)
    kinds: dict[tuple[str, float], list[int]] = field(default_factory=dict)
    width: dict[Bin, list[float]] = field(default_factory=dict)
    oracle: dict[Bin, list[float]] = field(default_factory=dict)
    sigma: dict[Bin, list[float]] = field(default_factory=dict)
    distrust: dict[str, int] = field(default_factory=dict)
    calibration_id: str = ""
    seconds: dict[str, float] = field(default_factory=dict)


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
        machine.restore({**machine.baseline, **case.prepare})
        start = machine.moment()
        before, settings = machine.reading(start), machine.settings
        changes = {case.key: case.value}
        expected = None if oracle is None else oracle.predict(start, before, changes)
        after = machine.apply(changes)
        machine.restore(machine.baseline)
        machine.wait(PERIOD_S)
        family = self.commands.family_of(case.kind)
        return Sample(family, case.size, case.kind, settings, changes, before, after), start, expected


def samples(session: Session, each: int) -> list[Sample]:
    """Carry out `each` commands of every bin, in a random order."""
    found = []
    for family, size in balanced(session.commands.families(), each, session.rng):
        found.append(session.carry_out(session.commands.draw_of(family, size, session.rng))[0])
    return found


Calibrate = Callable[[Session, list[Sample], list[Sample]], Predicts]


def measure_coverage(
    session: Session, counts: Counts, calibrate: Calibrate, every: int = 5
) -> tuple[CoverageResult, Predicts]:
    """Calibrate a machine and count how often held-out commands are inside of their bands.

    `calibrate` gets the commands for posterior and discrepancy, and those for the conformal scores. Widths are taken of
    one command in `every`.
    """
    machine, commands, rng = session.machine, session.commands, session.rng
    oracle = Oracle(machine)
    fitted = samples(session, counts.fitted)
    held: list[Sample] = []
    oracle_scores: dict[Bin, list[float]] = {}
    for family, size in balanced(commands.families(), counts.calibrated, rng):
        sample, _, expected = session.carry_out(commands.draw_of(family, size, rng), oracle)
        held.append(sample)
        assert expected is not None
        oracle_scores.setdefault((family, size), []).append(largest(*expected, sample.after))
    predictor = calibrate(session, fitted, held)
    result = CoverageResult(machine.seed, calibration_id=predictor.calibration_id)
    factor = {b: conformal_quantile(np.array(s), COVERAGES[0]) for b, s in oracle_scores.items()}
    inside = {(f, s, c): 0 for f, s in oracle_scores for c in COVERAGES}
    tested = dict.fromkeys(oracle_scores, 0)
    for number, (family, size) in enumerate(balanced(commands.families(), counts.tested, rng)):
        wide = number % every == 0
        sample, _, expected = session.carry_out(commands.draw_of(family, size, rng), oracle if wide else None)
        tested[family, size] += 1
        for coverage in COVERAGES:
            band = predictor.band(
                sample.settings, sample.changes, sample.before, coverage=coverage, now_ns=sample.before.time_ns
            )
            held_in = bool(band.inside(sample.after).all()) and bool(np.isfinite(band.upper[band.measured]).all())
            inside[family, size, coverage] += held_in
            of_kind = result.kinds.setdefault((sample.kind, coverage), [0, 0])
            of_kind[0] += 1
            of_kind[1] += held_in
            for reason in band.distrust:
                result.distrust[reason[:60]] = result.distrust.get(reason[:60], 0) + 1
        band = predictor.band(
            sample.settings, sample.changes, sample.before, coverage=COVERAGES[0], now_ns=sample.before.time_ns
        ) if wide else band  # fmt: skip
        n = flat(sample.before).size
        error = np.abs(flat(sample.after) - band.expected[:n])
        within, seen = result.gaussian.get((family, size), (0, 0))
        result.gaussian[family, size] = within + bool((error <= 2.0 * band.scale[:n]).all()), seen + 1
        if wide and expected is not None:
            monitors = slice(0, n - 2)
            result.width.setdefault((family, size), []).append(
                float(np.median((band.upper - band.lower)[:n][monitors]))
            )
            result.sigma.setdefault((family, size), []).append(float(np.median(4.0 * band.scale[:n][monitors])))
            result.oracle.setdefault((family, size), []).append(
                float(np.median(2.0 * factor[family, size] * expected[1][monitors]))
            )
    for family, size, coverage in inside:
        result.counts[family, size, coverage] = Coverage(
            counts.calibrated, tested[family, size], inside[family, size, coverage], coverage
        )
    return result, predictor
