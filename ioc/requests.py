"""From what a client sent to the settings of a command, or the reason to refuse it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gnomon.db.pvs import PvSpec, is_control
from gnomon.ioc.bank import Bank
from gnomon.lattice import Setting


@dataclass(frozen=True, slots=True)
class Request:
    """The settings that a client asked for; `refusal` says why they cannot be had, and is empty otherwise."""

    settings: tuple[Setting, ...]
    refusal: str = ""


def parse_put(spec: PvSpec, value: Any) -> Request:
    """One value put to one PV. What is no number stands as not-a-number in the setting, and in words in the refusal."""
    number = float(spec.states.index(value)) if isinstance(value, str) and value in spec.states else number_of(value)
    setting = Setting(spec.name, spec.device, spec.property, float("nan") if number is None else number / spec.scale)
    if not spec.writable:
        return Request((setting,), f"{spec.name} is read-only; nothing was changed")
    if is_control(spec.source):
        return Request((setting,), f"{spec.name} is no setting of the lattice: put to it alone; nothing was changed")
    if number is None:
        what = f"{spec.name}: {short(value)} is not one number [{spec.unit}]; nothing was changed"
        return Request((setting,), what)
    refusal = outside(spec, number)
    if spec.presets and not refusal:
        if not number.is_integer():
            return Request((setting,), f"{spec.name}: {number:g} is no whole number; nothing was changed")
        return Request(tuple(Setting(spec.name, *preset) for preset in spec.presets[int(number)]))
    return Request((setting,), refusal)


def outside(spec: PvSpec, number: float) -> str:
    """Why a number cannot be put to a PV, in the PV's own unit; empty when it can."""
    if not np.isfinite(number):
        return f"{spec.name}: {number} {spec.unit} is not a finite number; nothing was changed"
    if spec.drive is not None and not spec.drive[0] <= number <= spec.drive[1]:
        low, high = spec.drive
        return (
            f"{spec.name}: {number:.10g} {spec.unit} is outside the drive limits "
            f"{low:.10g} to {high:.10g} {spec.unit}; nothing was changed"
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
    if names:
        return _of_pvs(bank, prefix, [str(n) for n in names], values)
    settings: list[Setting] = []
    for device, prop, value in zip(devices, properties, values, strict=True):
        number = number_of(value)
        if number is None:
            return Request(tuple(settings), f"{device} {prop}: {short(value)} is not a number; nothing was changed")
        settings.append(Setting(f"{prefix}dt:set", str(device), str(prop), number))
    return Request(tuple(settings))


def _of_pvs(bank: Bank, prefix: str, names: Sequence[str], values: Sequence[Any]) -> Request:
    settings: list[Setting] = []
    refusals: list[str] = []
    for name, value in zip(names, values, strict=True):
        index = bank.index.get(name, bank.index.get(prefix + name))
        if index is None:
            refusals.append(f"there is no PV {name!r}; nothing was changed")
            continue
        one = parse_put(bank.specs[index], value)
        settings.extend(one.settings)
        if one.refusal:
            refusals.append(one.refusal)
    return Request(tuple(settings), "; ".join(refusals))


def number_of(value: Any) -> float | None:
    """A single number, also from a text that is one, as Channel Access allows; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, np.ndarray | list | tuple):
        if len(value) != 1:
            return None
        value = value[0]
    try:
        return float(value)
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
