"""Doubts about the state of a replay before anything is written by it: recording, limits and audit must agree. Pure.

A state file can be edited. What it would put back or go on from has to lie on the way of the recording's own steps,
inside the limits file, and be what the audit log has, whose lines are chained by hashes.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from gnomon.recorder.gate import GateLimits, tolerance_of
from gnomon.recorder.replay_steps import Plan
from gnomon.recorder.replaying.replay_state import Phase, ReplayState, WrittenPart

__all__ = ["audited_parts", "compact_parts", "doubts_of"]

#: Values that were computed alike are equal within this part of the PV's range.
ROUNDING = 1e-9

#: One write as the audit has it: step number, PV, start, target, value to put back, phase.
AuditedPart = dict[str, Any]

#: Finds the lowest and highest value that the limits file allows for a PV; None if it may not be written.
LimitsOf = Callable[[str], tuple[float, float] | None]


def compact_parts(written: Sequence[WrittenPart]) -> list[AuditedPart]:
    """Write the parts that were written as the audit has them."""
    return [
        {"number": w.number, "pv": w.step.pv, "from": w.step.start, "to": w.step.target, "put_back": w.before,
         "phase": w.phase.value}
        for w in written
    ]  # fmt: skip


def audited_parts(events: Iterable[Mapping[str, Any]], replay: str) -> list[AuditedPart] | None:
    """Follow the events of an audit log; return the writes of a replay, None if the log does not know it.

    A process that goes on notes the writes that it has found, from which the next events count.
    """
    parts: list[AuditedPart] | None = None
    for event in events:
        if event.get("replay") != replay:
            continue
        parts = [] if parts is None else parts
        match event["event"]:
            case "gate":
                parts = [dict(part) for part in event.get("written") or ()]
            case "write":
                kept = {name: event[name] for name in ("number", "pv", "from", "to", "put_back")}
                parts.append(kept | {"phase": Phase.INTENDED.value})
            case "not_sent":
                parts = parts[:-1]
            case "sent" | "verified" | "measured" if parts:
                parts[-1]["phase"] = event["event"]
            case "restore" | "restored" | "left":
                phase = {"restore": Phase.RESTORING, "restored": Phase.RESTORED, "left": Phase.LEFT}[event["event"]]
                over = (Phase.RESTORED.value, Phase.LEFT.value)
                mine = [
                    part for part in parts
                    if all(part[name] == event[name] for name in ("pv", "from", "to")) and part["phase"] not in over
                ]  # fmt: skip
                if mine:
                    mine[-1]["phase"] = phase.value
    return parts


def doubts_of(
    state: ReplayState, plan: Plan, limits_of: LimitsOf, limits: GateLimits, audited: Sequence[AuditedPart] | None
) -> tuple[str, ...]:
    """List what speaks against a state: each value that the recording, the limits or the audit do not know."""
    found = [doubt for part in state.written for doubt in _beside_the_plan(part, plan, limits_of, limits)]
    return (*found, *_beside_the_audit(compact_parts(state.written), audited))


def _beside_the_plan(part: WrittenPart, plan: Plan, limits_of: LimitsOf, limits: GateLimits) -> Iterator[str]:
    step = part.step
    if part.number >= len(plan.steps):
        yield f"{step.pv}: it is said to be of step {part.number + 1}, but the recording has {len(plan.steps)}"
        return
    planned = plan.steps[part.number]
    if replace(step, start=planned.start, target=planned.target, asked=planned.asked) != planned:
        yield f"{step.pv}: step {part.number + 1} of the recording is another one, of {planned.pv}"
        return
    rounding = ROUNDING * planned.range
    low, high = sorted((planned.start, planned.target))
    for value in (step.start, step.target):
        if not low - rounding <= value <= high + rounding:
            yield _text(part, value, f"step {part.number + 1} of the recording goes from {low:.9g} to {high:.9g}")
    if not abs(part.before - step.start) <= tolerance_of(planned.range, abs(step.target - step.start), limits):
        yield _text(part, part.before, f"its write began at {step.start:.9g}")
    allowed = limits_of(step.pv)
    if allowed is None:
        yield f"{step.pv}: no row of the limits file names it"
    elif not allowed[0] <= part.before <= allowed[1]:
        yield _text(part, part.before, f"the limits file allows {allowed[0]:.9g} to {allowed[1]:.9g}")


def _text(part: WrittenPart, value: float, against: str) -> str:
    return f"{part.step.pv}: {value:.9g} {part.step.unit}, but {against} {part.step.unit}"


def _beside_the_audit(parts: Sequence[AuditedPart], audited: Sequence[AuditedPart] | None) -> Iterator[str]:
    """Compare with the audit log, which may lack the last event: the state is saved before it is noted."""
    if audited is None:
        yield "the audit log does not know this replay"
        return
    first = next((n for n, (one, other) in enumerate(zip(parts, audited, strict=False)) if _other(one, other)), None)
    if first is not None:
        wanted = audited[first]
        yield (
            f"{parts[first]['pv']}: write {first + 1} is from {parts[first]['from']:.9g} to {parts[first]['to']:.9g}, "
            f"to be put back to {parts[first]['put_back']:.9g}; in the audit log it is {wanted['pv']} from "
            f"{wanted['from']:.9g} to {wanted['to']:.9g}, to {wanted['put_back']:.9g}"
        )
        return
    more, fewer = len(parts) - len(audited), len(audited) - len(parts)
    lately = more == 1 and parts[-1]["phase"] == Phase.INTENDED.value
    taken_out = fewer == 1 and audited[-1]["phase"] == Phase.INTENDED.value
    if more and not (lately or taken_out):
        yield f"it has {len(parts)} writes, the audit log {len(audited)}"
    beside = [
        (one, other["phase"]) for one, other in zip(parts, audited, strict=False) if one["phase"] != other["phase"]
    ]
    if len(beside) + bool(more) > 1 or not all(_follows(one["phase"], phase) for one, phase in beside):
        told = "; ".join(f"{one['pv']} is {one['phase']}, in the audit log {phase}" for one, phase in beside)
        yield f"writes were further or less far than the audit log has them: {told}"


def _follows(phase: str, before: str) -> bool:
    """True if a phase is what one event makes of another."""
    own = {Phase.SENT: Phase.INTENDED, Phase.VERIFIED: Phase.SENT, Phase.MEASURED: Phase.VERIFIED,
           Phase.RESTORED: Phase.RESTORING}  # fmt: skip
    return phase in (Phase.RESTORING, Phase.LEFT) or own.get(Phase(phase)) == before


def _other(one: AuditedPart, other: AuditedPart) -> bool:
    return any(one[name] != other[name] for name in ("number", "pv", "from", "to", "put_back"))
