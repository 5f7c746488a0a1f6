"""From what a client sent to the settings of a command, or the reason to refuse it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gnomon.db.names import canonical_name
from gnomon.db.pvs import PvSpec, is_control
from gnomon.ioc.outputs.bank import Bank
from gnomon.lattice import Setting
from gnomon.lattice.text import parse_number, printable

#: Settings in one command, at most: more than the largest rings have.
MAX_SETTINGS = 10_000
#: Longest name of a device or property that is kept of a command [characters].
MAX_NAME = 200
#: Reasons in one refusal; the rest is counted.
MAX_REASONS = 5


#: PV, device and property of what a put leaves as it is, such as that of a button that is let go.
Kept = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Request:
    """The settings that a client asked for; `refusal` says why they cannot be had, and is empty otherwise.

    `kept` is what it addressed and left alone, which the journal shows with its old value as the new one.
    """

    settings: tuple[Setting, ...]
    refusal: str = ""
    kept: tuple[Kept, ...] = ()


def parse_put(spec: PvSpec, value: Any) -> Request:
    """One value put to one PV; a state may be its name or number.

    What is no number stands as not-a-number in the setting, and in words in the refusal.
    """
    number = state_of(spec, value) if spec.states else number_of(value)
    setting = Setting(spec.name, spec.device, spec.property, float("nan") if number is None else number / spec.scale)
    if not spec.writable:
        return Request((setting,), f"{spec.name} is read-only; nothing was changed")
    if is_control(spec.source):
        return Request((setting,), f"{spec.name} is no setting of the lattice: put to it alone; nothing was changed")
    if number is None:
        return Request((setting,), no_state(spec, value) if spec.states else _no_number(spec, value))
    if spec.presets:
        settings = tuple(Setting(spec.name, *preset) for preset in spec.presets[int(number)])
        if settings:
            return Request(settings)
        acting = next((presets for presets in spec.presets if presets), ())
        return Request((), kept=tuple((spec.name, device, name) for device, name, _ in acting))
    return Request((setting,), outside(spec, number))


def state_of(spec: PvSpec, value: Any) -> float | None:
    """The number of a state, given by its name or its number; None for anything else."""
    named = isinstance(value, str) and value in spec.states
    number = float(spec.states.index(value)) if named else number_of(value)
    return number if number is not None and number in range(len(spec.states)) else None


def no_state(spec: PvSpec, value: Any) -> str:
    """Why something is refused that is no state of a PV."""
    states = ", ".join(f"{i} {state!r}" for i, state in enumerate(spec.states))
    return f"{spec.name}: {short(value)} is none of its states {states}; nothing was changed"


def _no_number(spec: PvSpec, value: Any) -> str:
    return f"{spec.name}: {short(value)} is not one number [{spec.unit}]; nothing was changed"


def outside(spec: PvSpec, number: float) -> str:
    """Why a number cannot be put to a PV, in the PV's own unit; empty when it can.

    The number has as many digits as it takes to tell it from the limit.
    """
    if not np.isfinite(number):
        return f"{spec.name}: {number} {spec.unit} is not a finite number; nothing was changed"
    if spec.drive is not None and not spec.drive[0] <= number <= spec.drive[1]:
        low, high = spec.drive
        digits = next((n for n in range(10, 17) if f"{number:.{n}g}" not in (f"{low:.{n}g}", f"{high:.{n}g}")), 17)
        return (
            f"{spec.name}: {number:.{digits}g} {spec.unit} is outside the drive limits "
            f"{low:.{digits}g} to {high:.{digits}g} {spec.unit}; nothing was changed"
        )
    return ""


def parse_set(bank: Bank, prefix: str, arguments: dict[str, Any]) -> Request:
    """Several setpoints as one command: `names` (of PVs, with or without prefix) or `devices` and `properties`.

    `values` has as many numbers, in the unit of each PV or property.
    """
    names, devices = _list(arguments.get("names")), _list(arguments.get("devices"))
    properties, values = _list(arguments.get("properties")), _list(arguments.get("values"))
    unknown = sorted(set(arguments) - {"names", "devices", "properties", "values", "note"})
    if unknown:
        return Request((), f"unknown argument {', '.join(unknown)}; there are names, devices, properties, values, note")
    if bool(names) == bool(devices):
        return Request((), "give either names, or devices and properties")
    if devices and len(devices) != len(properties):
        return Request((), f"{len(devices)} devices but {len(properties)} properties")
    if len(values) != len(names or devices):
        return Request((), f"{len(names or devices)} setpoints but {len(values)} values")
    if len(values) > MAX_SETTINGS:
        return Request((), f"{len(values)} settings in one command, of at most {MAX_SETTINGS}; nothing was changed")
    if names:
        return _of_pvs(bank, prefix, [str(n) for n in names], values)
    settings: list[Setting] = []
    for device, prop, value in zip(devices, properties, values, strict=True):
        number = number_of(value)
        name, key = str(device)[:MAX_NAME], str(prop)[:MAX_NAME]
        if number is None:
            return Request(
                tuple(settings),
                f"{printable(name)} {printable(key)}: {short(value)} is not a number; nothing was changed",
            )
        settings.append(Setting(f"{prefix}dt:set", name, key, number))
    return Request(tuple(settings), _twice(settings))


def _of_pvs(bank: Bank, prefix: str, names: Sequence[str], values: Sequence[Any]) -> Request:
    settings: list[Setting] = []
    preset: list[Setting] = []
    refusals: list[str] = []
    for name, value in zip(names, values, strict=True):
        index = bank.index.get(prefix + canonical_name(name, prefix))
        if index is None:
            refusals.append(f"there is no PV {short(name)}; nothing was changed")
            continue
        one = parse_put(bank.specs[index], value)
        (preset if bank.specs[index].presets else settings).extend(one.settings)
        if one.refusal:
            refusals.append(one.refusal)
    if twice := _twice(settings):
        refusals.append(twice)
    # What is asked for by its own name wins over what an optics would set with the rest.
    asked = {(setting.device, setting.property) for setting in settings}
    settings += [setting for setting in preset if (setting.device, setting.property) not in asked]
    if len(refusals) > MAX_REASONS:
        refusals[MAX_REASONS:] = [f"and {len(refusals) - MAX_REASONS} more reasons"]
    return Request(tuple(settings), "; ".join(refusals))


def _twice(settings: Sequence[Setting]) -> str:
    """Why settings cannot be one command: one of them stands there more than once. Empty when all are different."""
    seen: set[tuple[str, str]] = set()
    for setting in settings:
        key = (setting.device, setting.property)
        if key in seen:
            return f"{printable(f'{key[0]} {key[1]}')} is set more than once in one command; nothing was changed"
        seen.add(key)
    return ""


def number_of(value: Any) -> float | None:
    """A single number, also from a text that is one, as Channel Access allows; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, np.ndarray | list | tuple):
        if len(value) != 1:
            return None
        value = value[0]
    try:
        return parse_number(value) if isinstance(value, str) else float(value)
    except (TypeError, ValueError):
        return None


def _list(value: Any) -> list[Any]:
    """An argument as a list. A text is a list too, by commas or spaces: command line clients can send nothing else."""
    if value is None:
        return []
    if isinstance(value, str):
        return value.replace(",", " ").split()
    if isinstance(value, int | float):
        return [value]
    return list(value)


def short(value: Any) -> str:
    """What a client sent, as far as a message can quote it."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
