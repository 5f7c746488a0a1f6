"""Checks of the command itself: the PV is allowed, values are numbers in the right unit, within static limits. Pure."""

from collections.abc import Iterator

from gnomon.recorder.gating.reasons import Code, Reason
from gnomon.recorder.gating.situation import Situation, is_number, shown
from gnomon.recorder.gating.trust_region import TrustRegion

__all__ = [
    "check_allowed",
    "check_conversion",
    "check_cumulated",
    "check_finite",
    "check_rate",
    "check_static",
    "check_step",
    "check_trust_region",
    "check_unit",
    "region_of",
]

#: A step of exactly the largest size is allowed, whatever its last bit.
LAST_BIT = 1e-9

#: Smallest part of the range by which the value of a PV and its setting may differ.
ROUNDING = 1e-9


def check_allowed(at: Situation) -> Iterator[Reason]:
    """Refuse a PV that no row of the limits file names, and one that sets several settings at once."""
    if at.command.presets:
        yield Reason(
            Code.PV_NOT_ALLOWED,
            f"{at.command.step.pv}: it sets {len(at.command.changes)} settings at once, without a bound on the way; "
            "record the settings themselves",
        )
    if at.row is None:
        yield Reason(
            Code.PV_NOT_ALLOWED,
            f"{at.command.step.pv}: no row of `settings` in the limits file names it",
        )


def check_finite(at: Situation) -> Iterator[Reason]:
    """Refuse values that are not finite numbers."""
    step = at.command.step
    values: list[tuple[str, object]] = [
        ("start", step.start), ("target", step.target), ("low limit", step.low), ("high limit", step.high),
        ("scale", at.command.scale),
    ]  # fmt: skip
    for (device, name), (old, new) in at.command.changes.items():
        values += [(f"old {device} {name}", old), (f"new {device} {name}", new)]
    for name, value in values:
        if not is_number(value):
            yield Reason(Code.NOT_FINITE, f"{step.pv}: its {name} is {value!r}")
    if not at.command.changes:
        yield Reason(Code.NOT_FINITE, f"{step.pv}: it changes no setting of the model")


def check_unit(at: Situation) -> Iterator[Reason]:
    """Refuse a unit that the machine or the limits file does not have."""
    step = at.command.step
    if at.row is not None and step.unit != at.row.unit:
        yield Reason(Code.UNIT, f"{step.pv}: the command is in {step.unit!r}, the limits are in {at.row.unit!r}")
    reading = at.state.pvs.get(step.pv)
    if reading is not None and reading.unit != step.unit:
        yield Reason(Code.UNIT, f"{step.pv}: the command is in {step.unit!r}, the machine's unit is {reading.unit!r}")


def check_conversion(at: Situation) -> Iterator[Reason]:
    """Refuse a command whose value is not the setting about which the model is asked."""
    command, step = at.command, at.command.step
    if not command.changes:
        return
    for value, setting, name in zip(
        (step.start, step.target), command.changes[command.key], ("start", "target"), strict=True
    ):
        if not abs(value - command.scale * setting) <= ROUNDING * step.range:
            yield Reason(
                Code.CONVERSION,
                f"{step.pv}: its {name} is {shown(value, step.unit)}, but the setting of {command.key[0]} is "
                f"{setting:.9g}, which makes {shown(command.scale * setting, step.unit)}",
            )


def check_static(at: Situation) -> Iterator[Reason]:
    """Refuse a start or target outside of the limits of machine, machine document, or limits file."""
    step, reading = at.command.step, at.state.pvs.get(at.command.step.pv)
    limits = [((step.low, step.high), "machine document")]
    if reading is not None:
        limits.append(((reading.low, reading.high), "machine"))
    if at.row is not None:
        limits.append(((at.row.low, at.row.high), "limits file"))
    for (low, high), whose in limits:
        if not low < high:
            yield Reason(Code.MISSING_LIMIT, f"{step.pv}: the {whose} has no limits for it")
            continue
        for value, name in ((step.start, "start"), (step.target, "target")):
            if not low <= value <= high:
                yield Reason(
                    Code.STATIC_LIMIT,
                    f"{step.pv}: its {name} {shown(value, step.unit)} is outside of the {whose}'s limits "
                    f"{low:.9g} to {shown(high, step.unit)}",
                )


def check_step(at: Situation) -> Iterator[Reason]:
    """Refuse a step that is larger than the limits file allows."""
    if at.row is not None and not at.size <= at.row.max_step * (1.0 + LAST_BIT):
        step, largest = at.command.step, shown(at.row.max_step, at.command.step.unit)
        yield Reason(
            Code.MAX_STEP, f"{step.pv}: a step of {shown(at.size, step.unit)} is larger than max_step, {largest}"
        )


def check_trust_region(at: Situation) -> Iterator[Reason]:
    """Refuse a step that is larger than the trust region of its device family."""
    if at.row is None:
        return
    region = region_of(at)
    largest = region.size * at.row.max_step
    if not at.size <= largest * (1.0 + LAST_BIT):
        unit = at.command.step.unit
        yield Reason(
            Code.TRUST_REGION,
            f"{at.command.step.pv}: a step of {shown(at.size, unit)} is larger than the trust region of "
            f"{at.command.family!r} now, {shown(largest, unit)}",
        )


def check_rate(at: Situation) -> Iterator[Reason]:
    """Refuse a step that follows the last one of its PV too fast."""
    sent_s = at.history.sent_s.get(at.command.step.pv)
    if at.row is None or sent_s is None:
        return
    passed_s = at.state.monotonic_s - sent_s
    if not at.size <= at.row.max_rate * passed_s * (1.0 + LAST_BIT):
        step = at.command.step
        yield Reason(
            Code.MAX_RATE,
            f"{step.pv}: {shown(at.size, step.unit)} in {passed_s:.3f} s since its last step is faster than max_rate, "
            f"{shown(at.row.max_rate, step.unit)}/s",
        )


def check_cumulated(at: Situation) -> Iterator[Reason]:
    """Refuse a target that is too far from the value before the first step, and from that of the recording's start."""
    step = at.command.step
    if at.row is None:
        return
    first = [at.history.first.get(step.pv, step.start)]
    first += [start.value for start in at.authority.approved.starts if start.pv == step.pv]
    moved = max((abs(step.target - value) for value in first), key=lambda value: (value != value, value))
    if not moved <= at.row.max_total * (1.0 + LAST_BIT):
        yield Reason(
            Code.CUMULATED,
            f"{step.pv}: all steps together would move it by {shown(moved, step.unit)}, more than max_total, "
            f"{shown(at.row.max_total, step.unit)}",
        )


def region_of(at: Situation) -> TrustRegion:
    """Find the trust region of the command's family."""
    rules = at.limits.document.trust_region
    fresh = TrustRegion(rules.start, rules.smallest, rules.grow_after)
    return at.history.regions.get(at.command.family, fresh)
