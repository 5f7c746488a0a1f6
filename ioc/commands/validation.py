"""Turn a client's values into the settings of a command, or the reason to refuse it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gnomon.db.canonical_name import canonical_name
from gnomon.db.pvs import PvSpec
from gnomon.db.sources import is_control
from gnomon.ioc.commands.drive_limits import outside_drive_limits
from gnomon.ioc.outputs.bank import Bank
from gnomon.lattice import Setting
from gnomon.lattice.text import parse_number, printable

#: Largest number of settings in one command: more than the largest rings have.
MAX_SETTINGS = 10_000
#: Length to which names of devices and properties are cut for the journal [characters].
MAX_NAME = 200
#: Number of reasons in one refusal; the rest is counted.
MAX_REASONS = 5
#: End of a refusal.
UNCHANGED = "; nothing was changed"


#: PV, device and property of a setting that a put leaves as it is, such as a button that is let go.
Kept = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class SetpointRequest:
    """The settings that a client requests; `refusal` is the reason why they are refused, or empty.

    `kept` are the settings that it addresses and leaves alone; the journal shows their old values as the new ones.
    """

    settings: tuple[Setting, ...]
    refusal: str = ""
    kept: tuple[Kept, ...] = ()


def parse_put(spec: PvSpec, value: Any) -> SetpointRequest:
    """Read one value put to one PV; a state may be given by its name or number.

    A value that is not a number becomes NaN in the setting; the refusal quotes it.
    """
    number = state_of(spec, value) if spec.states else number_of(value)
    setting = Setting(spec.name, spec.device, spec.property, float("nan") if number is None else number / spec.scale)
    if not spec.writable:
        return SetpointRequest((setting,), f"{spec.name} is read-only; nothing was changed")
    if is_control(spec.source):
        return SetpointRequest(
            (setting,), f"{spec.name} is not a setting of the lattice: set it by a put to this PV; nothing was changed"
        )
    if number is None:
        return SetpointRequest((setting,), no_state(spec, value) if spec.states else no_number(spec, value))
    if spec.presets:
        settings = tuple(Setting(spec.name, *preset) for preset in spec.presets[int(number)])
        if settings:
            return SetpointRequest(settings)
        acting = next((presets for presets in spec.presets if presets), ())
        return SetpointRequest((), kept=tuple((spec.name, device, name) for device, name, _ in acting))
    return SetpointRequest((setting,), outside_drive_limits(spec, number))


def state_of(spec: PvSpec, value: Any) -> float | None:
    """Find the number of a state, given by its name or its number; None for anything else."""
    named = isinstance(value, str) and value in spec.states
    number = float(spec.states.index(value)) if named else number_of(value)
    return number if number is not None and number in range(len(spec.states)) else None


def no_state(spec: PvSpec, value: Any) -> str:
    """Give the reason to refuse a value that is not a state of a PV."""
    states = ", ".join(f"{i} {state!r}" for i, state in enumerate(spec.states))
    return f"{spec.name}: {short(value)} is not one of its states: {states}; nothing was changed"


def no_number(spec: PvSpec, value: Any) -> str:
    """Give the reason to refuse a value that is not a number."""
    return f"{spec.name}: {short(value)} is not a single number [{spec.unit}]; nothing was changed"


def parse_set(bank: Bank, prefix: str, arguments: dict[str, Any]) -> SetpointRequest:
    """Read several setpoints as one command: `names` (of PVs, with or without prefix) or `devices` and `properties`.

    `values` has as many numbers, in the unit of each PV or property.
    """
    call = f"{prefix}dt:set"
    names, devices = _list(arguments.get("names")), _list(arguments.get("devices"))
    properties, values = _list(arguments.get("properties")), _list(arguments.get("values"))
    unknown = sorted(set(arguments) - {"names", "devices", "properties", "values", "note"})
    if unknown:
        known = "names, devices, properties, values, note"
        return SetpointRequest((), f"{call}: unknown argument {', '.join(unknown)}; known arguments: {known}")
    if bool(names) == bool(devices):
        return SetpointRequest((), f"{call}: give either names, or devices and properties")
    if devices and len(devices) != len(properties):
        return SetpointRequest(
            (), f"{call}: {len(devices)} devices but {len(properties)} properties; give one for each"
        )
    if len(values) != len(names or devices):
        return SetpointRequest(
            (), f"{call}: {len(names or devices)} setpoints but {len(values)} values; give one for each"
        )
    if len(values) > MAX_SETTINGS:
        return SetpointRequest(
            (), f"{call}: {len(values)} settings, more than {MAX_SETTINGS} in one command; nothing was changed"
        )
    if names:
        return _of_pvs(bank, prefix, [str(n) for n in names], values)
    settings: list[Setting] = []
    for device, prop, value in zip(devices, properties, values, strict=True):
        number = number_of(value)
        name, key = str(device)[:MAX_NAME], str(prop)[:MAX_NAME]
        if number is None:
            return SetpointRequest(
                tuple(settings),
                f"{printable(name)} {printable(key)}: {short(value)} is not a number; nothing was changed",
            )
        settings.append(Setting(call, name, key, number))
    return SetpointRequest(tuple(settings), _twice(settings))


def _of_pvs(bank: Bank, prefix: str, names: Sequence[str], values: Sequence[Any]) -> SetpointRequest:
    settings: list[Setting] = []
    preset: list[Setting] = []
    refusals: list[str] = []
    for name, value in zip(names, values, strict=True):
        index = bank.index.get(prefix + canonical_name(name, prefix))
        if index is None:
            refusals.append(f"{prefix}dt:set: there is no PV {short(name)}; nothing was changed")
            continue
        one = parse_put(bank.specs[index], value)
        (preset if bank.specs[index].presets else settings).extend(one.settings)
        if one.refusal:
            refusals.append(one.refusal)
    if twice := _twice(settings):
        refusals.append(twice)
    # A setting requested by its own name takes precedence over the value that an optics would give it.
    asked = {(setting.device, setting.property) for setting in settings}
    settings += [setting for setting in preset if (setting.device, setting.property) not in asked]
    if not refusals:
        return SetpointRequest(tuple(settings))
    reasons = [refusal.removesuffix(UNCHANGED) for refusal in refusals]
    if len(reasons) > MAX_REASONS:
        reasons[MAX_REASONS:] = [f"and {len(reasons) - MAX_REASONS} more reasons"]
    return SetpointRequest(tuple(settings), "; ".join(reasons) + UNCHANGED)


def _twice(settings: Sequence[Setting]) -> str:
    """Give the reason to refuse settings of which one occurs more than once; empty if all are different."""
    seen: set[tuple[str, str]] = set()
    for setting in settings:
        key = (setting.device, setting.property)
        if key in seen:
            return f"{printable(f'{key[0]} {key[1]}')} is set more than once in one command; nothing was changed"
        seen.add(key)
    return ""


def number_of(value: Any) -> float | None:
    """Convert to a single number, also from a text, as Channel Access allows; None for anything else."""
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
    """Convert an argument to a list; a text, all that command line clients can send, is split at commas or spaces."""
    if value is None:
        return []
    if isinstance(value, str):
        return value.replace(",", " ").split()
    if isinstance(value, int | float):
        return [value]
    return list(value)


def short(value: Any) -> str:
    """Quote a client's value in at most 60 characters."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
