"""Named optics of a machine document: settings that give other strengths, and maybe another energy or voltage."""

from collections.abc import Mapping, Sequence

from gnomon.lattice._errors import LatticeError
from gnomon.lattice.devices import Key, Magnet
from gnomon.lattice.document import MachineDocument
from gnomon.lattice.operation import ENERGY, OPTICS, VOLTAGE
from gnomon.lattice.units import VOLTAGE_UNITS


def optics_stiffness(document: MachineDocument, optics: str) -> float:
    """Rigidity of a named optics by the nominal one; exactly 1 at the nominal energy."""
    part = document.operating.get(optics)
    return document.momentum_ev(part.energy_ev if part else None) / document.momentum_ev()


def named_optics_settings(
    document: MachineDocument, magnets: Sequence[Magnet], nominal: Mapping[str, float], optics: str
) -> dict[Key, float]:
    """Return what a named optics sets: its number, its supplies' currents, and energy and voltage where it has its own.

    `nominal` has the nominal strength of each magnet by name. Raises LatticeError when magnets of one supply need
    different currents.
    """
    strengths = dict(document.optics[optics])
    stiffness = optics_stiffness(document, optics)
    if stiffness != 1.0:  # what the optics does not name keeps its strength
        strengths = dict(nominal) | strengths
    settings: dict[Key, float] = {}
    by_name = {m.name: m for m in magnets}
    for name, strength in strengths.items():
        magnet = by_name[name]
        current = magnet.conversion.current(strength * magnet.rigidity * stiffness)
        known = settings.setdefault((magnet.supply, "current"), current)
        if abs(known - current) > 1e-9 * max(abs(known), 1.0):
            raise LatticeError(
                f"{document.name}: optics {optics!r} asks supply {magnet.supply!r} for {known:g} A and, "
                f"at {name!r}, for {current:g} A"
            )
    settings[OPTICS] = float(list(document.optics).index(optics) + 1)
    part = document.operating.get(optics)
    if part is not None and part.energy_ev is not None:
        settings[ENERGY] = part.energy_ev
    if part is not None and part.voltage_v is not None:
        settings[VOLTAGE] = part.voltage_v / VOLTAGE_UNITS[document.rf.voltage_unit]
    return settings
