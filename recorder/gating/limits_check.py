"""Check of a limits file against the setpoints of its machine: what may be written, and rows that cannot work. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from gnomon.db.pvs import PvSpec
from gnomon.db.sources import SET
from gnomon.recorder.gating.limits import Limits

__all__ = ["CheckedSetpoints", "checked_setpoints"]


@dataclass(frozen=True, slots=True)
class CheckedSetpoints:
    """Setpoints that may be written, all others, and what looks like a mistake."""

    writable: tuple[str, ...]
    others: tuple[str, ...]
    troubles: tuple[str, ...]


def checked_setpoints(limits: Limits, specs: Iterable[PvSpec], machine: str) -> CheckedSetpoints:
    """Sort the setpoints of a machine, given without prefix, by the rows of its limits file."""
    troubles: list[str] = []
    if machine != limits.document.machine:
        troubles.append(f"these are limits of {limits.document.machine!r}, the machine is {machine!r}")
    writable, others = [], []
    used = set()
    for spec in specs:
        if spec.source != SET.name:
            continue
        row = limits.row(limits.prefix + spec.name)
        if row is None:
            others.append(spec.name)
            continue
        used.add(id(row))
        writable.append(spec.name)
        if row.unit != spec.unit:
            troubles.append(f"{spec.name}: its unit is {spec.unit!r}, the row's {row.unit!r}: it is refused")
        if spec.drive is None:
            troubles.append(f"{spec.name}: it has no drive limits: it is refused")
        elif not (row.low <= spec.drive[1] and spec.drive[0] <= row.high):
            troubles.append(f"{spec.name}: the row's range and its drive limits have nothing in common: it is refused")
        if spec.presets:
            troubles.append(f"{spec.name}: it sets several settings at once: it is refused")
    troubles += [
        f"row {number} of settings is about no setpoint: {', '.join(row.pvs)[:80]}"
        for number, row in enumerate(limits.document.settings, 1)
        if id(row) not in used
    ]
    return CheckedSetpoints(tuple(writable), tuple(others), tuple(troubles))
