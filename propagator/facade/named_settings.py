"""Names of settings in scripts, such as `Q1PDR`, `Q1M1D1R.dx` and `rf_frequency`, and their values. Pure."""

from collections.abc import Mapping
from typing import Any

from gnomon.lattice import (
    ENERGY,
    NAMED_SETTINGS,
    OPTICS,
    VOLTAGE,
    Key,
    Lattice,
    LatticeError,
    PropertySpec,
    RefusedValue,
    Ring,
)
from gnomon.lattice.tables import unknown_name
from gnomon.lattice.text import NotANumberError, parse_number, shorten

#: The keyword for a whole optics, and the name of the nominal one.
OPTICS_NAME, NOMINAL = "optics", "nominal"

#: A setting: a name, or device and property.
SettingName = str | Key


def key_of(ring: Ring, name: SettingName) -> Key:
    """Find the device and property of a name: a supply's current, a device's only property, or device and property.

    Raises UnknownNameError with similar names, and LatticeError for a device with several properties and none named.
    """
    if isinstance(name, tuple):
        device, wanted = name
    elif name in NAMED_SETTINGS and NAMED_SETTINGS[name] in ring.properties:
        return NAMED_SETTINGS[name]
    elif name == OPTICS_NAME and OPTICS in ring.properties:
        return OPTICS
    else:
        device, _, wanted = (name, "", "") if (name, "current") in ring.properties else str(name).partition(".")
    if wanted:
        if not any(device == each for each, _ in ring.properties):
            raise _unknown(ring, device)
        ring.property_spec(device, wanted)
        return device, wanted
    specs = [spec for (each, _), spec in ring.properties.items() if each == device]
    settable = [spec.property for spec in specs if spec.slot is not None]
    if "current" in settable:
        return device, "current"
    if len(settable) == 1:
        return device, settable[0]
    if settable:
        example = next((name for name in settable if ring.strength_of(device, name) is not None), settable[0])
        raise LatticeError(
            f"{ring.name}: {device} has several settings: {', '.join(settable)}; name one, as in "
            f"{f'{device}.{example}'!r} (in a dict)"
        )
    raise _unknown(ring, device)


def name_of(ring: Ring, key: Key) -> str:
    """Return the shortest name of a setting that `key_of` takes."""
    if key == OPTICS:
        return OPTICS_NAME
    for name, known in NAMED_SETTINGS.items():
        if known == key:
            return name
    try:
        short = key_of(ring, key[0]) == key
    except LatticeError:
        short = False
    return key[0] if short else ".".join(key)


def value_of(ring: Ring, spec: PropertySpec, value: Any) -> float:
    """Read a value: a number, its text, or the name of a state. Raises RefusedValue, with unit and states."""
    what = f"{ring.name}: {spec.device} {spec.property}"
    if isinstance(value, str):
        if value in spec.states:
            return float(spec.states.index(value))
        try:
            return parse_number(value)
        except NotANumberError:
            pass
    elif not isinstance(value, bytes):
        try:
            return float(value)
        except (TypeError, ValueError):
            pass
    if spec.states:
        raise RefusedValue(f"{what}: {shorten(str(value))} is not one of its states: {', '.join(spec.states)}")
    raise RefusedValue(f"{what}: {shorten(str(value))} is not a single number [{spec.unit or '1'}]")


def updated(lattice: Lattice, settings: Mapping[SettingName, Any]) -> Lattice:
    """Make the lattice with all of these settings, or none: an optics first, then single settings.

    Raises what `key_of`, `value_of` and `Lattice.updated` raise, and LatticeError for a setting that is named twice.
    """
    ring = lattice.ring
    values: dict[Key, float] = {}
    own: dict[Key, SettingName] = {}
    for name, value in settings.items():
        if name == OPTICS_NAME and isinstance(value, str):
            values |= optics_settings(ring, value)
            continue
        key = key_of(ring, name)
        if key in own:
            raise LatticeError(f"{ring.name}: {own[key]!r} and {name!r} are one setting; give it once")
        own[key] = name
    for key, name in own.items():
        values[key] = value_of(ring, ring.property_spec(*key), settings[name])
    return lattice.updated(values)


def optics_settings(ring: Ring, name: str) -> dict[Key, float]:
    """Return all settings of a named optics. Raises LatticeError with the known names."""
    if name != NOMINAL and name not in ring.optics:
        raise LatticeError(
            f"{ring.name}: there is no optics {shorten(name)}; there are {', '.join([NOMINAL, *ring.optics])}"
        )
    lattice = ring.nominal if name == NOMINAL else ring.optics[name]
    keys = (ENERGY, VOLTAGE, *((supply.name, "current") for supply in ring.document.supplies), OPTICS)
    return {key: lattice[key] for key in keys if key in ring.properties}


def _unknown(ring: Ring, device: str) -> LatticeError:
    names = [*dict.fromkeys(each for each, _ in ring.properties), *NAMED_SETTINGS]
    return unknown_name(ring.name, "device", device, names)
