"""A review as plain data for programs, and as the curves of its pictures."""

import math
from typing import Any

import numpy as np

from gnomon.propagator.studies import ReviewCurves
from gnomon.recorder.recordings.approvals import fingerprint, trouble_of
from gnomon.recorder.recordings.recording import RecordingFile
from gnomon.recorder.recordings.reviewing import Floats, Review, ReviewedState


def review_document(found: Review, file: RecordingFile) -> dict[str, Any]:
    """Make plain data of a review: facts, steps, totals, marks and approvals; NaN where there is no beam."""
    recording = found.recording
    steps = []
    for k, step in enumerate(found.plan.steps):
        recorded = recording.steps[step.sequence - 1]
        steps.append(
            {
                "step": step.sequence,
                "command": recorded.sequence,
                "wall_ns": recorded.wall_ns,
                "who": recorded.who,
                "note": recorded.note,
                "pv": step.pv,
                "unit": step.unit,
                "from": step.start,
                "to": step.target,
                "limits": [step.low, step.high],
                "physics": [
                    {"name": s.name, "unit": s.unit, "from": s.old, "to": s.new, "elements": s.count}
                    for s in found.strengths[k]
                ],
                "change": _change(found.states[k], found.states[k + 1]),
                "after": _state(found.states[k + 1]),
            }
        )
    return {
        "recording": recording.model_dump(by_alias=True, mode="json", exclude={"steps", "start", "usual"}),
        "start": _state(found.first),
        "steps": steps,
        "total": {"settings": totals(found), "change": _change(found.first, found.last), "after": _state(found.last)},
        "marks": [{"code": str(m.code), "steps": list(m.steps), "pv": m.pv, "text": m.text} for m in found.marks],
        "approvals": [
            {
                "reviewer": approval.reviewer,
                "time": approval.time,
                "key": fingerprint(approval.public_key),
                "trouble": trouble_of(approval, recording),
            }
            for approval in file.approvals
        ],
    }


def totals(found: Review) -> list[dict[str, Any]]:
    """List the setpoints that the recording leaves elsewhere: PV, unit, value at the start and at the end."""
    first: dict[str, float] = {}
    last: dict[str, tuple[float, str]] = {}
    for step in found.plan.steps:
        first.setdefault(step.pv, step.start)
        last[step.pv] = (step.target, step.unit)
    return [
        {"pv": pv, "unit": unit, "from": first[pv], "to": value, "writes": sum(s.pv == pv for s in found.plan.steps)}
        for pv, (value, unit) in last.items()
    ]


def orbit_change(before: ReviewedState, after: ReviewedState) -> tuple[Floats, Floats]:
    """Calculate the largest and the rms change of the orbit at the monitors (x, y) [mm]."""
    change = after.orbit - before.orbit
    if not change.size:
        return np.full(2, math.nan), np.full(2, math.nan)
    return np.abs(change).max(axis=0), np.sqrt((change**2).mean(axis=0))


def review_curves(found: Review) -> ReviewCurves:
    """Make the curves of the pictures of a review."""
    ring, steps = found.start.ring, found.plan.steps
    setpoints: dict[str, dict[str, Floats]] = {}
    for k, step in enumerate(steps):
        values = setpoints.setdefault(step.unit, {}).setdefault(
            step.pv.removeprefix(found.recording.prefix), np.full(len(steps) + 1, step.start)
        )
        values[k + 1 :] = step.target
    return ReviewCurves(
        monitors_s=np.asarray(ring.s)[list(ring.monitors)],
        orbits=np.stack([state.orbit for state in found.states]),
        tunes=np.stack([state.tune for state in found.states]),
        setpoints=setpoints,
        beating=found.beating,
        worst=found.worst,
        worst_step=found.worst_state,
    )


def _change(before: ReviewedState, after: ReviewedState) -> dict[str, Any]:
    largest, rms = orbit_change(before, after)
    tune = after.tune - before.tune
    return {"orbit_max_mm": largest.tolist(), "orbit_rms_mm": rms.tolist(), "tune": tune.tolist()}


def _state(state: ReviewedState) -> dict[str, Any]:
    return {
        "no_beam": state.reason,
        "tune": state.tune.tolist(),
        "beating_rms": state.beating_rms.tolist(),
        "beating_max": state.beating_max.tolist(),
    }
