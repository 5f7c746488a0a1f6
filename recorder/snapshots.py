"""Named snapshots: all setpoints of a ring at one moment, to be shown, compared and restored.

A saved snapshot is complete: it has the stored setting behind every setpoint PV, and every other setting that was not
nominal. An imported one has only the setpoints of its file, and restores no others.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from gnomon.db.canonical_name import canonical_name
from gnomon.db.pvs import PvSpec
from gnomon.db.sources import SET
from gnomon.lattice import OPTICS, Lattice, LatticeError
from gnomon.lattice.document import Property
from gnomon.lattice.text import NotANumberError, parse_number, printable
from gnomon.recorder.entries import Key
from gnomon.recorder.recorder_errors import ReviewError
from gnomon.recorder.review import Assignment
from gnomon.recorder.save_files import Saved, ValueText

__all__ = [
    "Deleted",
    "Entry",
    "Imported",
    "Part",
    "Signature",
    "Snapshot",
    "assignments",
    "differences",
    "entries_from",
    "entries_of",
    "exported",
]

SCHEMA: Literal["gnomon.snapshot/1"] = "gnomon.snapshot/1"

#: Suffix of settings that are added to the strength which a current gives.
TRIM = "_trim"

#: Relative difference up to which two PVs of one setting, each in its unit, have the same value.
SAME = 1e-12

#: Largest number of reasons in one error.
MAX_REASONS = 20


class Part(BaseModel):
    """A part of a document; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Entry(Part):
    """One setpoint: the PV, without prefix, and its value in its unit; the setting behind it and its value."""

    pv: str = Field(description="name of the PV without prefix; empty for a setting that no PV sets")
    value: float
    unit: str
    device: str
    setting: str = Field(description="stored setting; for an imported value, the property")
    stored: float = Field(description="value in the unit of the setting")

    @property
    def key(self) -> Key:
        """Device and setting, as a command names them."""
        return (self.device, self.setting)

    @property
    def label(self) -> str:
        """Name to show to people."""
        return self.pv or f"{self.device} {self.setting}"


class Signature(Part):
    """The user, computer and time of an action."""

    time_ns: int
    user: str
    host: str


class Snapshot(Part):
    """All setpoints at one moment, or those in a file."""

    schema_: Literal["gnomon.snapshot/1"] = Field(default=SCHEMA, alias="schema")
    machine: str
    digest: str = Field(description="digest of the machine document")
    prefix: str = Field(description="prefix of the saved server; for an imported file, prefix of the names in it")
    lattice_id: str = Field(
        description="id of the lattice; empty for an imported snapshot, which is not the whole ring"
    )
    complete: bool
    source: str = Field(description="run and command of the journal, or name of the file")
    comment: str
    signed: Signature
    entries: tuple[Entry, ...]


class Deleted(Part):
    """The last revision of a deleted snapshot; its earlier revisions stay in the store."""

    schema_: Literal["gnomon.snapshot/1"] = Field(default=SCHEMA, alias="schema")
    deleted: Literal[True] = True
    signed: Signature


def entries_of(lattice: Lattice, specs: Iterable[PvSpec], prefix: str) -> tuple[Entry, ...]:
    """List every setpoint PV of a lattice with the setting behind it, then every other setting that is not nominal."""
    ring = lattice.ring
    found: list[Entry] = []
    covered: set[Key] = set()
    for spec in specs:
        if spec.source != SET.name:
            continue
        key = (spec.device, ring.property_spec(spec.device, spec.property).setting)
        covered.add(key)
        value = lattice[spec.device, spec.property] * spec.scale
        found.append(_entry(spec.name.removeprefix(prefix), value, spec.unit, key, lattice[key]))
    for key, known in ring.properties.items():
        if known.slot is not None and known.setting == known.property and key not in covered:
            value = lattice[key]
            if value != known.nominal:
                found.append(_entry("", value, known.unit, key, value))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Imported:
    """The setpoints of a file for this machine. `left_out` has the reasons for PVs not taken, by name in the file.

    `unread` has the lines that should have been taken and could not be: unreadable ones, and setpoints of this machine
    without a value.
    """

    entries: tuple[Entry, ...]
    left_out: Mapping[str, str]
    unread: tuple[str, ...]


def entries_from(saved: Saved, specs: Iterable[PvSpec], prefix: str, file_prefix: str) -> Imported:
    """Take the setpoints in a file, by PVs named with `prefix` in `specs` and `file_prefix` in the file.

    A PV that sets many (an optics) adds them, unless the file has them itself. Raises ReviewError, with all the PVs,
    for values that a setpoint cannot have and for setpoints with two values in the file.
    """
    by_name = {canonical_name(spec.name, prefix): spec for spec in specs}
    setters = {(spec.device, spec.property): (own, spec) for own, spec in by_name.items() if spec.source == SET.name}
    left_out = dict(saved.left_out)
    unread = [(line.line, line.reason) for line in saved.unread]
    found: dict[str, Entry] = {}
    first: dict[Key, tuple[ValueText, float]] = {}
    implied: dict[Key, float] = {}
    wrong: list[str] = []
    for left in saved.left:
        known = by_name.get(canonical_name(left.pv, file_prefix))
        if left.missing and known is not None and known.source == SET.name:
            unread.append((left.line, f"{left.pv}: {left.reason}"))
    for given in saved.given:
        own = canonical_name(given.pv, file_prefix)
        spec = by_name.get(own)
        if spec is None or spec.source != SET.name:
            left_out[given.pv] = "there is no such PV" if spec is None else "cannot be set"
            continue
        try:
            value = _value(spec, given.text)
        except NotANumberError as error:
            states = f"; states: {', '.join(spec.states)}" if spec.states else ""
            unread.append((given.line, f"{given.pv}: {error}{states}"))
            continue
        except ReviewError as error:
            wrong.append(f"{given.pv}: {error}")
            continue
        key, stored = (spec.device, spec.property), value / spec.scale
        other, before = first.setdefault(key, (given, stored))
        if before != stored and not math.isclose(before, stored, rel_tol=SAME if other.pv != given.pv else 0.0):
            wrong.append(
                f"{other.pv} is {other.text} in line {other.line}, {given.pv} is {given.text} in line {given.line}"
            )
        found.setdefault(own, _entry(own, value, spec.unit, key, stored))
        if spec.presets:
            implied |= {(device, property): number for device, property, number in spec.presets[int(value)]}
    if wrong:
        raise ReviewError(_listed(wrong) + "; nothing was imported")
    for key, number in implied.items():
        if key not in first:
            own, setter = setters.get(key, ("", None))
            scale, unit = (1.0, "") if setter is None else (setter.scale, setter.unit)
            found.setdefault(own or " ".join(key), _entry(own, number * scale, unit, key, number))
    lines = tuple(printable(f"line {line}: {reason}") for line, reason in sorted(unread))
    return Imported(tuple(found.values()), left_out, lines)


def exported(entries: Iterable[Entry]) -> tuple[tuple[Entry, ...], tuple[Entry, ...]]:
    """Split a snapshot for a file of another program: entries in the order to write them back, and entries left out.

    A put to a strength (`Cm:set`) sets a trim on top of the strength that the current gives at that time. A magnet
    without a trim follows its current by itself, so its strength is left out; all others come after the currents. The
    optics, which sets many at once, comes first.
    """
    taken = [entry for entry in entries if entry.pv and not (_is_trim(entry) and entry.stored == 0.0)]
    taken.sort(key=lambda entry: (entry.key != OPTICS, _is_trim(entry) or entry.setting in get_args(Property)))
    names = {entry.label for entry in taken}
    return tuple(taken), tuple(entry for entry in entries if entry.label not in names)


def assignments(snapshot: Snapshot, present: Lattice) -> tuple[Assignment, ...]:
    """List the settings to make for the present lattice to become the snapshot; empty if nothing differs.

    Raises ReviewError if the snapshot is of another machine, or has settings or values that this one does not allow.
    """
    ring = present.ring
    if snapshot.machine != ring.name:
        raise ReviewError(
            f"the snapshot is of machine {snapshot.machine!r}, this is {ring.name!r}: it cannot be restored here"
        )
    wanted = {entry.key: entry.stored for entry in snapshot.entries}
    labels = {entry.key: entry.label for entry in snapshot.entries}
    if snapshot.complete:
        for key, spec in ring.properties.items():
            if spec.slot is not None and spec.setting == spec.property and key not in wanted:
                wanted[key] = spec.nominal
    wrong: list[str] = []
    for key, value in wanted.items():
        try:
            ring.nominal.updated({key: value})
        except LatticeError as error:
            wrong.append(f"{labels.get(key, ' '.join(key))}: {str(error).removesuffix('; nothing was changed')}")
    if wrong:
        raise ReviewError(_listed(wrong) + "; nothing was restored")
    differing = _differing(wanted, present)
    # A strength that was imported moves with its current, so it may have to be set although it is right at present.
    differing |= _differing(wanted, present.updated(differing))
    return tuple(
        Assignment(*key, ring.property_spec(*key).unit, present[key], value) for key, value in sorted(differing.items())
    )


def differences(
    first: Sequence[Entry],
    second: Sequence[Entry],
    *,
    common: bool = False,
    tolerance: Callable[[Entry], float] = lambda entry: 0.0,
) -> tuple[tuple[str, float | None, float | None, str], ...]:
    """Compare two snapshots: PV, value in each, unit; None in one that does not have it.

    With `common`, for incomplete snapshots, only entries of both. `tolerance` is the difference of two values of an
    entry that counts as equal, in its unit. A strength that differs because its current does is left out if both
    snapshots have the trim behind it.
    """
    a, b = ({entry.label: entry for entry in entries} for entries in (first, second))
    found: list[tuple[str, float | None, float | None, str]] = []
    for label in sorted(a.keys() & b.keys() if common else a.keys() | b.keys()):
        one, other = a.get(label), b.get(label)
        if one is not None and other is not None:
            if not _distance(one, other) <= tolerance(one):
                found.append((label, one.value, other.value, one.unit))
        elif one is not None:
            found.append((label, one.value, None, one.unit))
        elif other is not None:
            found.append((label, None, other.value, other.unit))
    return tuple(found)


def _distance(one: Entry, other: Entry) -> float:
    """Calculate the difference of two values of a setpoint, in its unit; of the trims if both are known."""
    if one.key == other.key:
        if one.stored == other.stored:
            return 0.0
        if _is_trim(one):
            return abs(one.stored - other.stored)
    return abs(one.value - other.value)


def _differing(wanted: Mapping[Key, float], lattice: Lattice) -> dict[Key, float]:
    """Select the values that would make another lattice: a strength may differ in the last bit and be the same."""
    unequal = {key: value for key, value in wanted.items() if lattice[key] != value}
    return {
        key: value
        for key, value in unequal.items()
        if lattice.ring.strength_of(*key) is None or lattice.updated({key: value}).id != lattice.id
    }


def _entry(pv: str, value: float, unit: str, key: Key, stored: float) -> Entry:
    return Entry(pv=pv, value=value, unit=unit, device=key[0], setting=key[1], stored=stored)


def _is_trim(entry: Entry) -> bool:
    """True if the setting behind an entry of a saved snapshot is a trim, added to the strength of a current."""
    return entry.setting.endswith(TRIM)


def _value(spec: PvSpec, text: str) -> float:
    if text in spec.states:
        return float(spec.states.index(text))
    value = parse_number(text)
    if spec.presets and not value.is_integer():
        raise ReviewError(f"{value:g} is not a whole number")
    low, high = spec.drive if spec.drive is not None else (value, value)
    if not low <= value <= high:
        raise ReviewError(f"{value:.10g} {spec.unit} is outside the drive limits {low:.10g} to {high:.10g} {spec.unit}")
    return value


def _listed(reasons: Sequence[str]) -> str:
    more = f"; and {len(reasons) - MAX_REASONS} more" if len(reasons) > MAX_REASONS else ""
    return printable("; ".join(reasons[:MAX_REASONS]) + more)
