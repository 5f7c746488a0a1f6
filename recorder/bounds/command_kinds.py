"""Kinds of commands, by what they drive: held-out commands count for those of their own kind."""

import hashlib
from collections.abc import Iterable, Mapping
from functools import lru_cache

from gnomon.lattice import KICKS, NAMED_SETTINGS, Key, Lattice, Ring, properties_by_supply
from gnomon.lattice.elements import PARAMETERS

#: Key of the RF frequency.
RF = NAMED_SETTINGS["rf_frequency"]


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


def optics_digest(lattice: Lattice) -> str:
    """Hash all settings but those of steerers, the RF frequency and monitors: what the optics depend on."""
    ring = lattice.ring
    drives, monitors = _drives(ring), {bpm.name for bpm in ring.bpms}
    steering = {supply for supply, names in drives.items() if set(names.split(",")) <= KICKS}
    steering |= {magnet.name for magnet in ring.magnets if magnet.main == "kick"}
    told = [
        f"{device} {name} {lattice[device, name]!r}"
        for (device, name), spec in ring.properties.items()
        if spec.slot is not None and spec.setting == name
        if device not in steering and device not in monitors and (device, name) != RF
    ]
    return hashlib.blake2b("\n".join([ring.digest, *told]).encode(), digest_size=10).hexdigest()
