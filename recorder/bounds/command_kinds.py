"""Kinds of commands, by what they drive: held-out commands count for those of their own kind."""

import hashlib
import math
from collections.abc import Iterable, Mapping
from functools import lru_cache

from gnomon.lattice import KICKS, NAMED_SETTINGS, Key, Lattice, Ring, properties_by_supply
from gnomon.lattice.elements import PARAMETERS

#: Key of the RF frequency.
RF = NAMED_SETTINGS["rf_frequency"]
#: Decimal digits of a property's range that tell settings of optics apart.
RESOLUTION = 9


@lru_cache(maxsize=8)
def _drives(ring: Ring) -> Mapping[str, str]:
    """Properties of magnets that each supply drives, by its name."""
    return {supply: ",".join(sorted(names)) for supply, names in properties_by_supply(ring.document).items()}


def kind_of(ring: Ring, keys: Iterable[Key]) -> str:
    """Name the kind of a command: kick_x, k1, b3, frequency; several, sorted, with + between them."""
    kinds = set()
    for device, name in keys:
        index = ring.strength_of(device, name)
        if index is not None:
            magnet = ring.magnets[index]
            kinds.add(PARAMETERS[magnet.column] if magnet.main == "kick" else magnet.main)
        else:
            kinds.add(_drives(ring).get(device, name) if name == "current" else name)
    return "+".join(sorted(kinds))


def optics_settings(lattice: Lattice) -> dict[Key, str]:
    """Write the settings that the optics depend on: all but those of steerers, the RF frequency and monitors.

    They are rounded to less than a billionth of their range, for what has gone through other units and back is the
    same setting.
    """
    ring = lattice.ring
    drives, monitors = _drives(ring), {bpm.name for bpm in ring.bpms}
    steering = {supply for supply, names in drives.items() if set(names.split(",")) <= KICKS}
    steering |= {magnet.name for magnet in ring.magnets if magnet.main == "kick"}
    return {
        key: _rounded(lattice[key], spec.high - spec.low)
        for key, spec in ring.properties.items()
        if spec.slot is not None and spec.setting == key[1]
        if key[0] not in steering and key[0] not in monitors and key != RF
    }


def _rounded(value: float, width: float) -> str:
    digits = max(0, RESOLUTION - math.floor(math.log10(width))) if width > 0.0 else RESOLUTION
    return f"{round(value, digits) + 0.0:.{digits}f}"  # + 0.0: no minus before zero


def optics_digest(lattice: Lattice) -> str:
    """Hash what the optics depend on (`optics_settings`)."""
    told = [f"{device} {name} {value}" for (device, name), value in optics_settings(lattice).items()]
    return hashlib.blake2b("\n".join([lattice.ring.digest, *told]).encode(), digest_size=10).hexdigest()
