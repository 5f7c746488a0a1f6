"""Named snapshots: every setpoint of a ring at one moment, to be looked at, compared, and brought back.

A snapshot that was saved is complete: it holds the stored setting behind every setpoint PV, and every other setting
that was not nominal. One that was imported holds what its file had, and restores no more than that.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from gnomon.db.pvs import PvSpec
from gnomon.lattice import Lattice, LatticeError
from gnomon.recorder.entries import Key
from gnomon.recorder.errors import ReviewError
from gnomon.recorder.review import Assignment
from gnomon.recorder.save_files import Saved

SCHEMA: Literal["gnomon.snapshot/1"] = "gnomon.snapshot/1"

#: At most so many complaints in one error.
MOST_REASONS = 20


class Part(BaseModel):
    """A part of a document; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Entry(Part):
    """One setpoint: the PV, without prefix, and its value in its unit; the setting behind it and that one's value."""

    pv: str = Field(description="without prefix; empty for a setting that no PV sets")
    value: float
    unit: str
    device: str
    setting: str = Field(description="stored setting, or property for a value that was imported")
    stored: float = Field(description="in the setting's own unit")

    @property
    def key(self) -> Key:
        """What a command names."""
        return (self.device, self.setting)

    @property
    def label(self) -> str:
        """What people call it."""
        return self.pv or f"{self.device} {self.setting}"


class Signature(Part):
    """Who did it, on which computer, and when."""

    time_ns: int
    user: str
    host: str


class Snapshot(Part):
    """All setpoints at one moment, or those of a file."""

    schema_: Literal["gnomon.snapshot/1"] = Field(default=SCHEMA, alias="schema")
    machine: str
    digest: str = Field(description="of the machine document")
    prefix: str = Field(description="of the server that was saved; for a file, the one that its names had")
    lattice_id: str = Field(description="empty for an imported one, which is not the whole ring")
    complete: bool
    source: str = Field(description="run and command of the journal, or the file")
    comment: str
    signed: Signature
    entries: tuple[Entry, ...]


class Deleted(Part):
    """What stands in a snapshot's place when it has been deleted; its earlier revisions stay in the store."""

    schema_: Literal["gnomon.snapshot/1"] = Field(default=SCHEMA, alias="schema")
    deleted: Literal[True] = True
    signed: Signature


def entries_of(lattice: Lattice, specs: Iterable[PvSpec], prefix: str) -> tuple[Entry, ...]:
    """Every setpoint PV of a lattice with what stands behind it, then every other setting that is not nominal."""
    ring = lattice.ring
    found: list[Entry] = []
    covered: set[Key] = set()
    for spec in specs:
        if spec.source != "set":
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


def entries_from(
    saved: Saved, specs: Iterable[PvSpec], prefix: str, file_prefix: str
) -> tuple[tuple[Entry, ...], Mapping[str, str]]:
    """The setpoints that a file holds, by PVs named with `prefix` in `specs` and `file_prefix` in the file.

    Besides, everything in the file that is not taken, with the reason: PVs that there are not, or cannot be set. A
    PV that sets many (an optics) brings them along, as far as the file does not have them. Raises ReviewError for
    values that a setpoint cannot have, with all the PVs.
    """
    by_name = {spec.name.removeprefix(prefix): spec for spec in specs}
    found: list[Entry] = []
    implied: dict[Key, float] = {}
    left_out = dict(saved.left_out)
    wrong: list[str] = []
    for name, text in saved.values.items():
        own = name.removeprefix(file_prefix).removesuffix(".VAL")
        spec = by_name.get(own)
        if spec is None:
            left_out[name] = "there is no such PV"
        elif spec.source != "set":
            left_out[name] = "cannot be set"
        else:
            try:
                value = _value(spec, text)
            except ReviewError as error:
                wrong.append(f"{name}: {error}")
                continue
            key = (spec.device, spec.property)
            found.append(_entry(own, value, spec.unit, key, value / spec.scale))
            if spec.presets:
                implied |= {(device, property): number for device, property, number in spec.presets[int(value)]}
    if wrong:
        raise ReviewError(_listed(wrong) + "; nothing was imported")
    given = {entry.key for entry in found}
    setters = {(spec.device, spec.property): (own, spec) for own, spec in by_name.items() if spec.source == "set"}
    for key, number in implied.items():
        if key not in given:
            own, setter = setters.get(key, ("", None))
            scale, unit = (1.0, "") if setter is None else (setter.scale, setter.unit)
            found.append(_entry(own, number * scale, unit, key, number))
    return tuple(found), left_out


def assignments(snapshot: Snapshot, present: Lattice) -> tuple[Assignment, ...]:
    """What has to be set for the present lattice to become the snapshot; empty when nothing differs.

    Raises ReviewError if the snapshot is of another machine, or holds what this one does not have or not allow.
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
    first: Sequence[Entry], second: Sequence[Entry], *, common: bool = False
) -> tuple[tuple[str, float | None, float | None, str], ...]:
    """What differs between two snapshots: PV, value in each, unit; None in one that does not have it.

    With `common`, for snapshots that are not complete, only what both have. A strength that differs because its current
    does is left out, where both snapshots know the trim behind it.
    """
    a, b = ({entry.label: entry for entry in entries} for entries in (first, second))
    found: list[tuple[str, float | None, float | None, str]] = []
    for label in sorted(a.keys() & b.keys() if common else a.keys() | b.keys()):
        one, other = a.get(label), b.get(label)
        if one is not None and other is not None:
            same = one.stored == other.stored if one.key == other.key else one.value == other.value
            if not same:
                found.append((label, one.value, other.value, one.unit))
        elif one is not None:
            found.append((label, one.value, None, one.unit))
        elif other is not None:
            found.append((label, None, other.value, other.unit))
    return tuple(found)


def _differing(wanted: Mapping[Key, float], lattice: Lattice) -> dict[Key, float]:
    """What of `wanted` would make another lattice: a strength that shows the last bit differently may be there."""
    unequal = {key: value for key, value in wanted.items() if lattice[key] != value}
    return {
        key: value
        for key, value in unequal.items()
        if lattice.ring.strength_of(*key) is None or lattice.updated({key: value}).id != lattice.id
    }


def _entry(pv: str, value: float, unit: str, key: Key, stored: float) -> Entry:
    return Entry(pv=pv, value=value, unit=unit, device=key[0], setting=key[1], stored=stored)


def _value(spec: PvSpec, text: str) -> float:
    if text in spec.states:
        return float(spec.states.index(text))
    try:
        value = float(text)
    except ValueError as error:
        states = f" and none of its states {', '.join(spec.states)}" if spec.states else ""
        raise ReviewError(f"{text!r} is not a number{states}") from error
    if spec.presets and not value.is_integer():
        raise ReviewError(f"{value:g} is no whole number")
    low, high = spec.drive if spec.drive is not None else (value, value)
    if not low <= value <= high:  # not-a-number is outside too
        raise ReviewError(f"{value:.10g} {spec.unit} is outside the drive limits {low:.10g} to {high:.10g} {spec.unit}")
    return value


def _listed(reasons: Sequence[str]) -> str:
    more = f"; and {len(reasons) - MOST_REASONS} more" if len(reasons) > MOST_REASONS else ""
    return "; ".join(reasons[:MOST_REASONS]) + more
