"""Marks at what is unusual in a recording, for its reviewer. Pure; the gate refuses by limits of its own."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

from gnomon.db.pvs import PvSpec
from gnomon.lattice import ResonanceLine, resonance_lines
from gnomon.recorder.entries import Key
from gnomon.recorder.recordings.recording import Recording
from gnomon.recorder.replay_steps import Plan, Step

#: Distance to a limit that is near, as a fraction of the range between the limits.
NEAR_LIMIT = 0.05
#: Distance of the tunes from a resonance that is near.
NEAR_LINE = 0.005
#: Size of a step that is large, as a fraction of the range between the limits.
LARGE_STEP = 0.1
#: Values further apart than this many times the range of the last month are unusual.
USUAL = 10.0
#: Number of steps that a mark lists.
MAX_LISTED = 8


class MarkCode(StrEnum):
    """Kinds of marks."""

    NO_BEAM = "no_beam"
    OUTSIDE_LIMITS = "outside_limits"
    NEAR_LIMIT = "near_limit"
    LARGE_STEP = "large_step"
    POLARITY = "polarity"
    RESONANCE = "resonance"
    NEAR_RESONANCE = "near_resonance"
    NON_MONOTONE = "non_monotone"
    UNUSUAL_VALUE = "unusual_value"


@dataclass(frozen=True, slots=True)
class Mark:
    """Something unusual: the steps of the recording (from 1 on; 0 is its start), the PV if it is of one, and a text."""

    code: MarkCode
    steps: tuple[int, ...]
    pv: str
    text: str


class TunePoint(NamedTuple):
    """The tunes in a state, with the integer part; NaN without a beam."""

    x: float
    y: float


def find_marks(
    recording: Recording, plan: Plan, tunes: Sequence[TunePoint], reasons: Sequence[str], specs: Sequence[PvSpec]
) -> tuple[Mark, ...]:
    """Find what is unusual; `tunes` and `reasons` (of no beam) are of the start and after each step of the plan."""
    numbers = [0, *(step.sequence for step in plan.steps)]
    whole = {spec.name for spec in specs if spec.states or spec.presets}
    by_pv: dict[str, list[Step]] = {}
    for step in plan.steps:
        by_pv.setdefault(step.pv, []).append(step)
    found = list(_without_beam(numbers, reasons))
    for pv, steps in by_pv.items():
        if pv not in whole:
            found += [*_at_limits(pv, steps), *_polarity(pv, steps), *_reversals(pv, steps)]
    found += _resonances(numbers, tunes)
    found += _unusual_values(recording)
    order = list(MarkCode)
    return tuple(sorted(found, key=lambda mark: (order.index(mark.code), mark.steps)))


def listed(steps: Sequence[int]) -> str:
    """Format numbers of steps: `step 3`, `steps 3, 4, 7`; 0 is the start."""
    if steps[0] == 0 and len(steps) == 1:
        return "the start"
    shown = ", ".join(map(str, steps[:MAX_LISTED])) + (" ..." if len(steps) > MAX_LISTED else "")
    return f"step{'s' if len(steps) > 1 else ''} {shown}"


def _without_beam(numbers: Sequence[int], reasons: Sequence[str]) -> Iterator[Mark]:
    by_reason: dict[str, list[int]] = {}
    for number, reason in zip(numbers, reasons, strict=True):
        if reason:
            by_reason.setdefault(reason, []).append(number)
    for reason, steps in by_reason.items():
        yield Mark(MarkCode.NO_BEAM, tuple(steps), "", f"the model has no beam after {listed(steps)}: {reason}")


def _at_limits(pv: str, steps: Sequence[Step]) -> Iterator[Mark]:
    outside = [s for s in steps if not s.low <= s.target <= s.high]
    near = [
        s
        for s in steps
        if s not in outside and _room(s, s.target) < NEAR_LIMIT and _room(s, s.start) > _room(s, s.target)
    ]
    large = [s for s in steps if abs(s.target - s.start) > LARGE_STEP * s.range * (1 + 1e-9)]
    for code, which, text in (
        (MarkCode.OUTSIDE_LIMITS, outside, "outside its limits"),
        (MarkCode.NEAR_LIMIT, near, f"within {NEAR_LIMIT:.0%} of its range from a limit"),
    ):
        if which:
            far = min(which, key=lambda s: _room(s, s.target))
            text = f"{pv} = {far.target:.6g} {far.unit} is {text}, {far.low:g} to {far.high:g} {far.unit}"
            yield Mark(code, tuple(s.sequence for s in which), pv, text)
    if large:
        largest = max(large, key=lambda s: abs(s.target - s.start))
        size = f"{largest.target - largest.start:+.6g} {largest.unit}"
        text = f"{pv} changes by {size} at once, more than {LARGE_STEP:.0%} of its range"
        yield Mark(MarkCode.LARGE_STEP, tuple(s.sequence for s in large), pv, text)


def _room(step: Step, value: float) -> float:
    """Return the distance to the next limit as a fraction of the range; negative outside."""
    return min(value - step.low, step.high - value) / step.range if step.range > 0.0 else -math.inf


def _polarity(pv: str, steps: Sequence[Step]) -> Iterator[Mark]:
    changed, last = [], steps[0].start
    for step in steps:
        if step.target * last < 0.0:
            changed.append(step)
        last = step.target or last
    if changed:
        first = changed[0]
        text = f"{pv} changes its polarity, at first from {first.start:.6g} to {first.target:.6g} {first.unit}"
        yield Mark(MarkCode.POLARITY, tuple(s.sequence for s in changed), pv, text)


def _reversals(pv: str, steps: Sequence[Step]) -> Iterator[Mark]:
    moves = [step for step in steps if step.target != step.start]
    turned = [b for a, b in pairwise(moves) if (a.target - a.start) * (b.target - b.start) < 0.0]
    if turned:
        text = f"{pv} does not go one way: it turns back {len(turned)} time{'s' if len(turned) > 1 else ''}"
        yield Mark(MarkCode.NON_MONOTONE, tuple(s.sequence for s in turned), pv, text)


def _resonances(numbers: Sequence[int], tunes: Sequence[TunePoint]) -> Iterator[Mark]:
    crossed: dict[ResonanceLine, list[int]] = {}
    near: dict[ResonanceLine, list[tuple[float, int]]] = {}
    for (before, after), number in zip(pairwise(tunes), numbers[1:], strict=True):
        if not all(map(math.isfinite, (*before, *after))) or before == after:
            continue
        x, y = ((min(a, b) - NEAR_LINE, max(a, b) + NEAR_LINE) for a, b in zip(before, after, strict=True))
        for line in resonance_lines(x, y):
            sides = [line.m * point.x + line.n * point.y - line.p for point in (before, after)]
            if sides[0] * sides[1] <= 0.0:
                crossed.setdefault(line, []).append(number)
            elif (distance := line.distance(*after)) < NEAR_LINE:
                near.setdefault(line, []).append((distance, number))
    for line, steps in crossed.items():
        text = f"the tunes cross the resonance {line} of order {line.order} in {listed(steps)}"
        yield Mark(MarkCode.RESONANCE, tuple(steps), "", text)
    for line, found in near.items():
        if line not in crossed:
            steps = [number for _, number in found]
            text = f"the tunes come to {min(found)[0]:.4f} from the resonance {line} of order {line.order}"
            yield Mark(MarkCode.NEAR_RESONANCE, tuple(steps), "", text)


def _unusual_values(recording: Recording) -> Iterator[Mark]:
    usual = {(part.device, part.setting): part for part in recording.usual if part.high > part.low}
    found: dict[Key, list[tuple[float, int, str]]] = {}
    for number, step in enumerate(recording.steps, 1):
        for change in step.changes:
            key = (change.device, change.setting)
            if (part := usual.get(key)) is None:
                continue
            middle, reach = 0.5 * (part.low + part.high), 0.5 * USUAL * (part.high - part.low)
            if abs(change.setting_new - middle) > reach:
                found.setdefault(key, []).append((change.setting_new, number, change.pv or f"{key[0]} {key[1]}"))
    for key, values in found.items():
        part = usual[key]
        text = (
            f"{key[0]} {key[1]} goes to {values[0][0]:.6g}; in the month before it was between {part.low:.6g} and "
            f"{part.high:.6g}"
        )
        yield Mark(MarkCode.UNUSUAL_VALUE, tuple(number for _, number, _ in values), values[0][2], text)
