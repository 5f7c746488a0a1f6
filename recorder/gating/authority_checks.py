"""Checks of the right to write: armed, in time, of this machine, and the next command of what was approved. Pure."""

from collections.abc import Iterator

from gnomon.recorder.gating.reasons import Code, Reason
from gnomon.recorder.gating.situation import Situation, shown

__all__ = ["check_approved", "check_armed", "check_clock", "check_machine"]

#: Longest validity of a token [ns].
MAX_VALID_NS = 1_800_000_000_000

#: Values of a command and of the approved step count as equal within this part of the PV's range.
ROUNDING = 1e-9


def check_armed(at: Situation) -> Iterator[Reason]:
    """Refuse everything without a token, with one whose reviewer is the author, and with other limits than its own."""
    authority = at.authority
    if not authority.armed:
        yield Reason(Code.NOT_ARMED, "dry run: nothing may be written without a one-time token")
        return
    reviewer, author = (name.partition("@")[0] for name in (authority.reviewer, authority.author))
    if not reviewer or not author or reviewer == author:
        yield Reason(
            Code.NOT_ARMED,
            f"the reviewer is {authority.reviewer!r} and the author {authority.author!r}: two people are needed",
        )
    if authority.limits_digest != at.limits.digest:
        yield Reason(
            Code.LIMITS_DIFFER,
            f"the token is for the limits file {authority.limits_digest[:12] or 'of no digest'}, this one is "
            f"{at.limits.digest[:12] or 'of no digest'}",
        )


def check_clock(at: Situation) -> Iterator[Reason]:
    """Refuse everything after the token's time, and when the clock has jumped since it was taken."""
    authority, state = at.authority, at.state
    if not authority.armed:
        return
    if not (state.now_ns < authority.expires_ns and authority.expires_ns - authority.granted_ns <= MAX_VALID_NS):
        yield Reason(Code.AUTHORITY_EXPIRED, "the time of the token is over; look at the machine and arm again")
    wall_s = (state.now_ns - authority.granted_ns) / 1e9
    running_s = state.monotonic_s - authority.granted_s
    skew_s = at.limits.document.fresh.max_skew_s
    if not (running_s >= 0.0 and abs(wall_s - running_s) <= skew_s):
        yield Reason(
            Code.CLOCK_JUMP,
            f"since the token was taken, {wall_s:.3f} s have passed by the clock, but {running_s:.3f} s by the "
            f"running time (limit {skew_s:g} s): the clock has been set",
        )


def check_machine(at: Situation) -> Iterator[Reason]:
    """Refuse limits, approvals and calibrations of different machines."""
    approved, limits = at.authority.approved, at.limits.document
    if limits.machine != approved.machine:
        yield Reason(
            Code.MACHINE_DIFFERS,
            f"the limits are of {limits.machine!r}, the recording is of {approved.machine!r}",
        )
    if at.predictor is not None and at.predictor.document_digest != approved.document_digest:
        yield Reason(
            Code.MACHINE_DIFFERS,
            f"the calibration is of the machine document {at.predictor.document_digest[:12]}, the recording of "
            f"{approved.document_digest[:12]}",
        )


def check_approved(at: Situation) -> Iterator[Reason]:
    """Refuse a command that is not the next one of what was approved, or not on its way."""
    approved, command, history = at.authority.approved, at.command, at.history
    step = command.step
    if approved.steps is None:
        if step.pv not in approved.pvs:
            yield Reason(Code.NOT_APPROVED, f"{step.pv}: the approval does not name it")
        return
    if command.number != history.number:
        yield Reason(
            Code.OUT_OF_ORDER,
            f"{step.pv}: this is step {command.number + 1} of the recording, the next one is {history.number + 1}",
        )
    if not 0 <= command.number < len(approved.steps):
        yield Reason(Code.NOT_APPROVED, f"{step.pv}: {len(approved.steps)} steps are approved, no more")
        return
    wanted = approved.steps[command.number]
    if (step.pv, step.unit) != (wanted.pv, wanted.unit):
        yield Reason(
            Code.NOT_APPROVED,
            f"step {command.number + 1} is approved for {wanted.pv} in {wanted.unit!r}, not {step.pv} in {step.unit!r}",
        )
        return
    rounding = ROUNDING * step.range
    begin = wanted.start if history.reached != history.reached else history.reached
    if command.number == history.number and not abs(step.start - begin) <= rounding:
        yield Reason(
            Code.NOT_APPROVED,
            f"{step.pv}: step {command.number + 1} goes on from {shown(begin, step.unit)}, not from "
            f"{shown(step.start, step.unit)}",
        )
    low, high = sorted((begin, wanted.target))
    forward = abs(wanted.target - step.target) <= abs(wanted.target - begin) + rounding
    if not (low - rounding <= step.target <= high + rounding and forward):
        yield Reason(
            Code.NOT_APPROVED,
            f"{step.pv}: {shown(step.target, step.unit)} is not between {shown(begin, step.unit)} and the approved "
            f"{shown(wanted.target, step.unit)}",
        )
