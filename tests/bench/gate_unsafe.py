"""Unsafe steps, and safe ones: candidates from a seed, classified by the truth, decided by the gate and by other rules.

The candidates are made to be unsafe in every way that one step can be: too far from the reference, a little too far
from where the beam already is, a half of a bump, or a working point that is moved over a line. Limits of the settings
are those of the supplies, so that nothing but the bounds refuses them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from bench.gate_commands import SIZES, Case, Commands
from bench.gate_limits import Class
from bench.gate_scene import Scene
from bench.gate_truth import Moment

from gnomon.lattice import Key, LatticeError
from gnomon.recorder.bounds import Kind, Reading, rows_of

#: Moments of a ramp at which the truth is asked, as parts of it: the end first, which tells most.
RAMP = (1.0, 0.5, 0.25, 0.75, 0.125, 0.375, 0.625, 0.875)
#: A candidate that is not unsafe at the first of these moments is passed over where unsafe ones are looked for.
GLANCE = 2
#: Distance in tune up to which the knob brings the working point to a resonance: within the optics that are trusted.
REACH = 0.055
#: Largest candidates, in the unit of the step sizes: for steerers 0.5 mm, for quadrupoles a tune change of 0.01.
FAR = {"steerer_x": 6.0, "steerer_y": 6.0, "rf": 6.0, "quadrupole": 30.0}


@dataclass(slots=True)
class DecisionCounts:
    """Decisions about the commands of one machine, by the rules: gate, 2 sigma, drive limits alone, none.

    `margins` are the gate's, of (safe, unsafe) commands; `kinds` counts the unsafe ones by kind; `accepted` keeps the
    texts of unsafe ones that the gate accepted; `known` of the unsafe ones were not distrusted, so that limits alone
    have refused them, `sole` counts those that one reason alone has refused, by its code. `beyond` are steps from
    inside of the gate's limits that leave them, and not the envelope.
    """

    unsafe: int = 0
    safe: int = 0
    unsafe_accepted: dict[str, int] = field(default_factory=dict)
    safe_rejected: dict[str, int] = field(default_factory=dict)
    kinds: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    safe_reasons: dict[str, int] = field(default_factory=dict)
    margins: tuple[list[float], list[float]] = field(default_factory=lambda: ([], []))
    accepted: list[str] = field(default_factory=list)
    beyond: int = 0
    known: int = 0
    sole: dict[str, int] = field(default_factory=dict)
    beyond_accepted: dict[str, int] = field(default_factory=dict)


def displaced(commands: Commands, rng: np.random.Generator, part: float) -> dict[Key, float]:
    """One steerer's setting that moves the orbit before a step, by `part` of the gate's limit."""
    key = commands.draw(str(rng.choice(["steerer x", "steerer y"])), 2, rng).key
    by = part * float(rng.choice((-1.0, 1.0))) * commands.unit[key]
    return {key: commands.inside(key, commands.baseline[key] + by)}


def unsafe_candidates(commands: Commands, rng: np.random.Generator) -> Iterator[Case]:
    """Yield commands that are likely to be unsafe, and are not in the calibrated distribution."""
    families = [f for f in commands.families() if f != "sextupole"]
    while True:
        family = str(rng.choice(families, p=_weights(families)))
        size = float(np.exp(rng.uniform(np.log(1.0), np.log(FAR[family]))))
        case = commands.draw_sized(family, size, rng)
        if rng.random() < 0.5:
            start = displaced(commands, rng, float(rng.uniform(0.2, 0.95)))
            if case.key not in start:
                case = Case(case.kind, case.size, {**case.prepare, **start}, case.key, case.value)
        yield case


def creeping_candidates(commands: Commands, rng: np.random.Generator) -> Iterator[Case]:
    """Yield commands of calibrated sizes from where only the end is wrong: the last one of a sequence that creeps.

    The steps before it went the same way: of one steerer to 0.8 to 2 times the gate's limit, of one supply of
    quadrupoles by 0.01 to 0.06 in tune, which ends beside a resonance. So the calibration knows the step: of
    a steerer, the bounds alone can refuse it; beside a resonance its optics may be distrusted too.
    """
    families = [f for f in commands.families() if f in ("steerer_x", "steerer_y", "quadrupole")]
    while True:
        family = str(rng.choice(families, p=_weights(families, quadrupole=12.0)))
        case = commands.draw_sized(family, float(rng.uniform(SIZES[1][0], 0.9 * SIZES[-1][1])), rng)
        step = case.value - {**commands.baseline, **case.prepare}[case.key]
        far = rng.uniform(1.0, 6.0) if family == "quadrupole" else rng.uniform(0.8, 2.0)
        before = commands.baseline[case.key] + float(np.sign(step) * far) * commands.unit[case.key]
        start = {case.key: commands.inside(case.key, before)}
        if rng.random() < 0.5 and family != "quadrupole":
            start |= {
                k: v for k, v in displaced(commands, rng, float(rng.uniform(0.2, 0.95))).items() if k not in start
            }
        yield Case(case.kind, case.size, {**case.prepare, **start}, case.key, commands.inside(case.key, before + step))


def resonance_candidates(scene: Scene, rng: np.random.Generator) -> Iterator[Case]:
    """Yield steps of calibrated sizes over a resonance, from a working point that the tune knob has brought beside it.

    The optics are still those that were calibrated, and the orbit stays: bounds of the tunes alone can refuse them. The
    lines are those within `REACH` of the working point, or else the nearest one; that of the coupling is not among
    them, since the tunes of a ring never meet.
    """
    commands, working_point = scene.commands, scene.machine.whole_tune + scene.reference.tune
    lines = [line for line in scene.true.lines if (line.m, line.n) not in ((1, -1), (-1, 1))]
    lines.sort(key=lambda line: line.distance(*working_point.tolist()))
    near = [line for line in lines if line.distance(*working_point.tolist()) < REACH] or lines[:1]
    names = commands.by_kind["quadrupole"]
    while near:
        line = near[int(rng.integers(len(near)))]
        normal = np.array([line.m, line.n], dtype=float)
        away = float(normal @ working_point - line.p)
        normal *= np.sign(away) / np.hypot(*normal)
        away = abs(away) / float(np.hypot(line.m, line.n))
        along = np.array([-normal[1], normal[0]]) * rng.uniform(-0.005, 0.005)
        prepared = commands.knob((rng.uniform(0.0005, 0.0065) - away) * normal + along)
        name = str(rng.choice(names))
        slope, key = float(commands.tune_response[name] @ normal), (name, "current")
        step = float(rng.uniform(SIZES[1][0], 0.9 * SIZES[-1][1])) * commands.unit[key]
        if abs(slope * step) < 1e-3:
            continue
        value = {**commands.baseline, **prepared}[key] - float(np.sign(slope)) * step
        yield Case("over a resonance", 0, prepared, key, commands.inside(key, value))


def near_candidates(commands: Commands, rng: np.random.Generator) -> Iterator[Case]:
    """Yield commands of calibrated sizes near the gate's limits: most end a little inside or outside of them."""
    while True:
        family = str(rng.choice([f for f in commands.families() if f != "sextupole"]))
        case = commands.draw_sized(family, float(rng.uniform(SIZES[1][0], SIZES[-1][1])), rng)
        start = displaced(commands, rng, float(rng.uniform(0.5, 0.95)))
        if case.key not in start:
            yield Case(case.kind, case.size, {**case.prepare, **start}, case.key, case.value)


def safe_candidates(commands: Commands, rng: np.random.Generator) -> Iterator[Case]:
    """Yield commands of half the trust region: those of the calibrated distribution up to half of the largest size."""
    while True:
        family = str(rng.choice(commands.families()))
        size = float(np.exp(rng.uniform(np.log(SIZES[0][0]), np.log(0.5))))
        case = commands.draw_sized(family, size, rng)
        if rng.random() < 0.5:
            start = displaced(commands, rng, float(rng.uniform(0.05, 0.6)))
            if case.key not in start:
                case = Case(case.kind, case.size, {**case.prepare, **start}, case.key, case.value)
        yield case


def decide_all(
    scene: Scene, candidates: Iterator[Case], wanted: Class, count: int, counts: DecisionCounts, most: int = 20
) -> None:
    """Decide about `count` commands of a class, of at most `most` times as many candidates."""
    found = 0
    for number, case in enumerate(candidates):
        if found >= count or number >= most * count:
            break
        found += _decide(scene, case, wanted, counts)


def _decide(scene: Scene, case: Case, wanted: Class, counts: DecisionCounts) -> bool:
    machine = scene.machine
    try:
        machine.restore(case.prepare)
        start = machine.moment()
        if not start.found or scene.true.excursion(start) > scene.true.envelope_mm:
            return False
        changes = {case.key: case.value}
        if case.value == machine.setting(case.key):
            return False
        moments: list[Moment] = []
        asked = machine.ramp(changes, RAMP[:GLANCE] if wanted is Class.UNSAFE else RAMP)
        kind = scene.true.classify(start, _kept(asked, moments))
        if kind is not wanted or (kind is Class.BETWEEN and not scene.true.leaves_limits(start, moments)):
            return False
        reading = machine.reading(start)
        verdict = scene.decide(scene.command(case.key, case.value), scene.state(reading))
        gaussian = _two_sigma(scene, case, reading)
    except LatticeError:
        return False
    finally:
        machine.restore()
    accepts = {"gate": verdict.accepted, "gaussian": gaussian, "limits": True, "none": True}
    codes = {str(reason.code) for reason in verdict.reasons}
    if kind is Class.BETWEEN:
        counts.beyond += 1
        for rule, accepted in accepts.items():
            counts.beyond_accepted[rule] = counts.beyond_accepted.get(rule, 0) + accepted
    elif kind is Class.UNSAFE:
        counts.unsafe += 1
        counts.kinds[case.kind] = counts.kinds.get(case.kind, 0) + 1
        for rule, accepted in accepts.items():
            counts.unsafe_accepted[rule] = counts.unsafe_accepted.get(rule, 0) + accepted
        for code in codes:
            counts.reasons[code] = counts.reasons.get(code, 0) + 1
        counts.known += "distrust" not in codes
        if len(codes) == 1:
            counts.sole[min(codes)] = counts.sole.get(min(codes), 0) + 1
        counts.margins[1].append(verdict.margin)
        if verdict.accepted:
            counts.accepted.append(f"seed {machine.seed}: {case}")
    else:
        counts.safe += 1
        for rule, accepted in accepts.items():
            counts.safe_rejected[rule] = counts.safe_rejected.get(rule, 0) + (not accepted)
        for code in codes:
            counts.safe_reasons[code] = counts.safe_reasons.get(code, 0) + 1
        counts.margins[0].append(verdict.margin)
    return True


def _kept(moments: Iterable[Moment], into: list[Moment]) -> Iterator[Moment]:
    for each in moments:
        into.append(each)
        yield each


def _two_sigma(scene: Scene, case: Case, reading: Reading) -> bool:
    """Decide by a common rule: expected value +- 2 standard deviations at the end of the step alone."""
    band = scene.predictor.band(
        scene.machine.settings, {case.key: case.value}, reading, coverage=0.95, now_ns=scene.machine.now_ns
    )
    n = rows_of(reading).size
    if not np.isfinite(band.expected[:n]).all():
        return False
    low, high = band.expected - 2.0 * band.scale, band.expected + 2.0 * band.scale
    orbit = band.indices(Kind.ORBIT_X, Kind.ORBIT_Y)
    reference = rows_of(scene.reference)[orbit]
    away = np.maximum(np.abs(low[orbit] - reference), np.abs(high[orbit] - reference))
    if away.max() > scene.true.gate_mm:
        return False
    tunes = scene.machine.whole_tune + band.expected[band.indices(Kind.TUNE)]
    return all(line.distance(*tunes.tolist()) >= scene.true.half_width for line in scene.true.lines)


def _weights(families: list[str], quadrupole: float = 3.0) -> list[float]:
    weight = {"steerer_x": 3.0, "steerer_y": 3.0, "quadrupole": quadrupole, "rf": 1.0}
    total = sum(weight[f] for f in families)
    return [weight[f] / total for f in families]
