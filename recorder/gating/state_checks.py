"""Checks of the machine's state: fresh readings, the recorded baseline, no foreign write, a beam. Pure."""

from collections.abc import Iterator

import numpy as np

from gnomon.recorder.gating.reasons import Code, Reason
from gnomon.recorder.gating.situation import Situation, is_number, needed, shown, tolerance_of
from gnomon.recorder.gating.verdict import PvReading

__all__ = [
    "check_baseline",
    "check_beam",
    "check_fresh",
    "check_monitors",
    "check_orbit",
    "check_readings",
    "check_start",
]

SEVERITIES = {"none": 0, "minor": 1, "major": 2}
INVALID = 3


def check_fresh(at: Situation) -> Iterator[Reason]:
    """Refuse a setpoint or readback that is disconnected, INVALID, not finite, or was read too long ago."""
    fresh, state = at.limits.document.fresh, at.state
    worst = SEVERITIES[fresh.max_severity]
    newest_ns = state.now_ns + 1e9 * fresh.max_skew_s
    for pv in needed(at.command, at.authority.approved, at.history):
        reading = state.pvs.get(pv)
        if reading is None or not reading.connected:
            yield Reason(Code.DISCONNECTED, f"{pv}: it does not answer")
            continue
        if not 0 <= reading.severity <= worst:
            yield Reason(Code.INVALID, f"{pv}: its alarm severity is {reading.severity}, the limit is {worst}")
        if not is_number(reading.value):
            yield Reason(Code.INVALID, f"{pv}: its value is {reading.value!r}")
        age_s = state.monotonic_s - reading.read_s
        if not 0.0 <= age_s <= fresh.max_age_s:
            yield Reason(Code.STALE, f"{pv}: it was read {age_s:.3f} s ago (limit {fresh.max_age_s:g} s)")
        if not reading.stamp_ns <= newest_ns:
            yield _skew(at, pv, reading)


def check_readings(at: Situation) -> Iterator[Reason]:
    """Refuse readings of the beam that are too old, or from the future, by their time stamps.

    All PVs of the state are readings that are neither of the start state nor of the step: setpoints keep the time
    stamp of their last change, readings are repeated. One that is INVALID counts as not shown, not as old.
    """
    fresh, state = at.limits.document.fresh, at.state
    oldest_ns, newest_ns = state.now_ns - 1e9 * fresh.max_age_s, state.now_ns + 1e9 * fresh.max_skew_s
    if not oldest_ns <= state.reading.time_ns <= newest_ns:
        age_s = (state.now_ns - state.reading.time_ns) / 1e9
        code = Code.CLOCK_SKEW if age_s < 0.0 else Code.STALE
        yield Reason(code, f"the reading of the orbit is {age_s:.3f} s old (limit {fresh.max_age_s:g} s)")
    settings = needed(at.command, at.authority.approved, at.history)
    for pv, reading in state.pvs.items():
        if pv in settings or reading.severity >= INVALID:
            continue
        if not reading.connected:
            yield Reason(Code.DISCONNECTED, f"{pv}: it does not answer")
        elif not oldest_ns <= reading.stamp_ns:
            age_s = (state.now_ns - reading.stamp_ns) / 1e9
            yield Reason(Code.STALE, f"{pv}: its time stamp is {age_s:.3f} s old (limit {fresh.max_age_s:g} s)")
        elif not reading.stamp_ns <= newest_ns:
            yield _skew(at, pv, reading)


def check_monitors(at: Situation) -> Iterator[Reason]:
    """Refuse a reading with too many dead monitors, without tunes, or of another number of monitors."""
    orbit, reference = at.state.reading.orbit, at.authority.approved.reference.orbit
    if orbit.shape != reference.shape or orbit.ndim != 2 or orbit.shape[1] != 2:
        yield Reason(
            Code.DEAD_MONITORS, f"the orbit has the shape {orbit.shape}, the reference orbit {reference.shape}"
        )
        return
    if not np.isfinite(reference).all():
        yield Reason(Code.DEAD_MONITORS, "the reference orbit is not known at all monitors")
    dead = int((~np.isfinite(orbit)).any(axis=1).sum())
    most = at.limits.document.orbit.max_dead_monitors
    if dead > most or dead == len(orbit):
        yield Reason(Code.DEAD_MONITORS, f"{dead} of {len(orbit)} beam position monitors show nothing (limit {most})")
    if at.state.reading.tune.shape != (2,) or not np.isfinite(at.state.reading.tune).all():
        yield Reason(Code.DEAD_MONITORS, f"the tunes are {at.state.reading.tune.tolist()}: they are not shown")


def check_start(at: Situation) -> Iterator[Reason]:
    """Refuse a step whose setpoint or readback is not at its start, or whose settings the model has elsewhere."""
    command, step = at.command, at.command.step
    for pv in dict.fromkeys((step.pv, step.readback)):
        reading = at.state.pvs.get(pv)
        if reading is not None and not abs(reading.value - step.start) <= at.tolerance:
            yield Reason(
                Code.START_DIFFERS,
                f"{pv} is {shown(reading.value, step.unit)}, but the step begins at {shown(step.start, step.unit)} "
                f"(tolerance {shown(at.tolerance, step.unit)})",
            )
    width = at.tolerance / abs(command.scale) if command.scale else 0.0
    for key, (old, _) in command.changes.items():
        now = at.state.settings.get(key, float("nan"))
        if not abs(now - old) <= width:
            yield Reason(
                Code.START_DIFFERS, f"{key[0]} {key[1]} is {now:.9g} in the state, but the step begins at {old:.9g}"
            )


def check_baseline(at: Situation) -> Iterator[Reason]:
    """Refuse a machine that is not where the recording began, apart from what our own steps have moved.

    A PV of our steps may miss its value by a tenth of a step at most, whatever share of its range is allowed: a
    setpoint by a tenth of the smallest one, a readback, which has noise, by a tenth of the largest that was made.
    """
    share, history = at.limits.document.baseline.share, at.history
    sizes = _own_steps(at)
    starts = {start.pv: start for start in at.authority.approved.starts}
    for pv in {**starts, **history.ranges}:
        reading, start = at.state.pvs.get(pv), starts.get(pv)
        if reading is None:
            continue  # refused as disconnected
        width = start.range if start is not None else history.ranges[pv]
        wanted = history.expected[pv] if start is None else history.expected.get(pv, start.value)
        if abs(reading.value - wanted) <= tolerance_of(share, width, sizes.get(pv, 0.0)):
            continue
        unit = start.unit if start is not None else at.command.step.unit
        values = f"{shown(reading.value, unit)} instead of {shown(wanted, unit)}"
        if history.written:
            yield Reason(Code.FOREIGN_WRITE, f"{pv} is {values}: someone else has changed it")
        else:
            yield Reason(Code.BASELINE, f"{pv} is {values}, with which the recording began")


def _own_steps(at: Situation) -> dict[str, float]:
    """Sizes of the steps that were made, and of those approved: the smallest of each setpoint."""
    sizes = dict(at.history.sizes)
    for step in at.authority.approved.steps or ():
        size = abs(step.target - step.start)
        if size > 0.0:
            sizes[step.pv] = min(size, sizes.get(step.pv, size))
    return sizes


def check_orbit(at: Situation) -> Iterator[Reason]:
    """Refuse a first step from an orbit or tunes that are not those of the recording."""
    rules, approved, reading = at.limits.document.baseline, at.authority.approved, at.state.reading
    if at.history.written:
        return
    if reading.orbit.shape == approved.reference.orbit.shape:
        orbit = at.limits.document.orbit
        limits = np.array([orbit.x_mm, orbit.y_mm])  # beyond these, no step is accepted
        if not isinstance(rules.orbit_mm, str):
            limits = np.minimum(limits, rules.orbit_mm)
        beside = np.abs(reading.orbit - approved.reference.orbit)
        worst = np.max(np.where(np.isfinite(beside), beside, 0.0), axis=0, initial=0.0)
        for name, beside_mm, limit_mm in zip(("horizontal", "vertical"), worst, limits, strict=True):
            if beside_mm <= limit_mm:
                continue
            yield Reason(
                Code.BASELINE_ORBIT,
                f"the {name} orbit is up to {beside_mm:.4g} mm beside the reference "
                f"orbit of the recording (limit {limit_mm:g} mm): correct it, or record again with gnomon record start "
                "--reference-from PREFIX, which notes the orbit that the machine shows",
            )
    if not isinstance(rules.tune, str):
        for plane, now, wanted in zip("xy", reading.tune, approved.reference.tune, strict=True):
            if not abs(now - wanted) <= rules.tune:
                yield Reason(
                    Code.BASELINE_TUNE,
                    f"the tune {plane} is {now:.5f}, at the recording's start {wanted:.5f} (limit {rules.tune:g})",
                )


def check_beam(at: Situation) -> Iterator[Reason]:
    """Refuse a beam with too little current or lifetime."""
    limits, reading = at.limits.document.beam, at.state.reading
    if not isinstance(limits.min_current_ma, str) and not reading.current_ma >= limits.min_current_ma:
        yield Reason(
            Code.CURRENT, f"the beam current is {reading.current_ma:.4g} mA (limit {limits.min_current_ma:g} mA)"
        )
    if not isinstance(limits.min_lifetime_h, str) and not reading.lifetime_h >= limits.min_lifetime_h:
        yield Reason(Code.LIFETIME, f"the lifetime is {reading.lifetime_h:.4g} h (limit {limits.min_lifetime_h:g} h)")


def _skew(at: Situation, pv: str, reading: PvReading) -> Reason:
    ahead_s = (reading.stamp_ns - at.state.now_ns) / 1e9
    return Reason(
        Code.CLOCK_SKEW,
        f"{pv}: its time stamp is {ahead_s:.3f} s in the future (limit {at.limits.document.fresh.max_skew_s:g} s)",
    )
