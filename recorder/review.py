"""Settings from a journal: at a point, the differences between two points, and the way back.

Pure functions of entries. Point N is the state after the commands up to and including N; if a delayed command acted
after a later one, the order of acting counts.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from gnomon.recorder.entries import Effect, Entry, Key, Run, StoredChange, key_of
from gnomon.recorder.recorder_errors import ReviewError

__all__ = [
    "Assignment",
    "Clash",
    "Difference",
    "Settings",
    "Undoing",
    "differences",
    "inverse",
    "known_nominals",
    "restoration",
    "undoing",
]

#: Settings that are not nominal, or have been touched, by (device, setting).
Settings = dict[Key, float]

Value = TypeVar("Value")

#: The nominal value of a setting.
Nominal = Callable[[Key], float]


@dataclass(frozen=True, slots=True)
class Difference:
    """One setting at two points; None means nominal if the journal does not have the number."""

    device: str
    setting: str
    unit: str
    first: float | None
    second: float | None


@dataclass(frozen=True, slots=True)
class Assignment:
    """A setting to be made, with its present value."""

    device: str
    setting: str
    unit: str
    now: float | None
    value: float


@dataclass(frozen=True, slots=True)
class Clash:
    """A setting that no longer has the value that a command left: `left`, `now` in `unit`."""

    key: Key
    unit: str
    sequence: int
    left: float
    now: float


@dataclass(frozen=True, slots=True)
class Undoing:
    """The way back from some commands: `entries` in the order of undoing, and the settings after it."""

    entries: tuple[Entry, ...]
    settings: Settings
    units: Mapping[Key, str]
    clashes: tuple[Clash, ...]


def known_nominals(runs: Iterable[Run], effects: Iterable[Effect]) -> Settings:
    """Find nominal values in the journal: of settings first changed in a run that began with them nominal.

    `effects` of other runs than `runs` do not count.
    """
    baselines = {run.run: run.baseline for run in runs}
    touched: set[tuple[int, Key]] = set()
    nominal: Settings = {}
    for effect in effects:
        if effect.run not in baselines or (effect.run, effect.key) in touched:
            continue
        touched.add((effect.run, effect.key))
        if effect.key not in baselines[effect.run] and effect.old is not None:
            nominal.setdefault(effect.key, effect.old)
    return nominal


def differences(
    first: Mapping[Key, float],
    second: Mapping[Key, float],
    nominal: Callable[[Key], float | None],
    unit: Mapping[Key, str],
) -> tuple[Difference, ...]:
    """List the settings that differ between two points; `nominal` gives None for an unknown value."""
    return tuple(Difference(*key, unit.get(key, ""), a, b) for key, a, b in _changed(first, second, nominal))


def restoration(
    now: Mapping[Key, float], then: Mapping[Key, float], nominal: Nominal, unit: Mapping[Key, str]
) -> tuple[Assignment, ...]:
    """List the settings to be made to return from `now` to `then`; empty if nothing differs.

    `nominal` is called for settings that are nominal at one of the points; its errors are passed on.
    """
    return tuple(Assignment(*key, unit.get(key, ""), a, b) for key, a, b in _changed(now, then, nominal))


def _changed(
    first: Mapping[Key, float], second: Mapping[Key, float], nominal: Callable[[Key], Value]
) -> Iterator[tuple[Key, float | Value, float | Value]]:
    """Yield the settings that differ, in order, with both values; one that a point does not have is nominal there."""
    for key in sorted(first.keys() | second.keys()):
        a = first[key] if key in first else nominal(key)
        b = second[key] if key in second else nominal(key)
        if a != b:
            yield key, a, b


def inverse(entry: Entry) -> tuple[Assignment, ...]:
    """List the settings that undo a command. Raises ReviewError if it changed nothing."""
    done = entry.applied
    if done is None:
        if not entry.changes:
            raise ReviewError(f"command {entry.sequence} set nothing ({entry.note}): there is nothing to undo")
        became = "has no outcome" if entry.outcome is None else f"was {entry.outcome}"
        raise ReviewError(f"command {entry.sequence} {became}: there is nothing to undo")
    return tuple(
        Assignment(e.device, e.setting, e.unit, e.setting_done, e.setting_old)
        for e in _first_to_last(done.effects)
        if e.setting_old is not None and e.setting_old != e.setting_done
    )


def undoing(entries: Iterable[Entry], now: Mapping[Key, float], nominal: Nominal) -> Undoing:
    """Undo commands one after the other, the last one that acted first, from the present settings `now`.

    Raises ReviewError for a command that changed nothing.
    """
    ordered = sorted(entries, key=lambda entry: -(entry.applied.order if entry.applied else 0))
    settings, unit, clashes = dict(now), dict[Key, str](), []
    for entry in ordered:
        for a in inverse(entry):
            key = (a.device, a.setting)
            present = settings[key] if key in settings else nominal(key)
            if a.now is not None and present != a.now:
                clashes.append(Clash(key, a.unit, entry.sequence, a.now, present))
            settings[key], unit[key] = a.value, a.unit
    return Undoing(tuple(ordered), settings, unit, tuple(clashes))


def _first_to_last(effects: Iterable[StoredChange]) -> tuple[StoredChange, ...]:
    """Merge changes to one per setting: from the first old value to the last applied one."""
    merged: dict[Key, StoredChange] = {}
    for effect in effects:
        if effect.setting_done is None:
            continue
        before = merged.get(key_of(effect), effect)
        merged[key_of(effect)] = StoredChange(
            effect.pv,
            effect.device,
            effect.property,
            effect.unit,
            before.old,
            effect.new,
            effect.done,
            effect.setting,
            before.setting_old,
            effect.setting_done,
            before.physics_old,
            effect.physics_new,
        )
    return tuple(merged.values())
