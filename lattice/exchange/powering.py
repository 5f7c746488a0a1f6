"""Devices for a ring that comes without any: a supply for every magnet that operators would turn, all assumed.

A supply with a nominal strength gives it at 100 A, so that currents come out positive; the others have round slopes.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from gnomon.lattice.units import SPEED_OF_LIGHT

#: Rest energy of the electron [eV].
ELECTRON_EV = 510998.95069

#: Current [A] at the nominal strength.
NOMINAL = 100.0

#: Slope where the nominal strength is 0 [1/m^2, 1/m^3, 1/m^4, rad per A]; times the rigidity it is the conversion's.
SLOPES = {"k1": 0.01, "b3": 0.1, "b4": 1.0, "kick_x": 1e-4, "kick_y": 1e-4}

#: Range [A] of a supply whose nominal current is 0.
RANGE = 10.0

#: What is put behind an element's name for its magnet, where it is not its main field, and for the magnet's supply.
COIL = {"k1": "", "b3": "", "b4": "", "kick_x": "_H", "kick_y": "_V"}
SUPPLY = "_PS"

LIMITS: dict[str, Any] = {
    "assumed": True,
    "supply": {
        **{name: {"relative": [0.0, 1.5], "absolute": [-RANGE, RANGE]} for name in ("k1", "b3", "b4")},
        **{name: {"absolute": [-RANGE, RANGE]} for name in ("kick_x", "kick_y")},
    },
    "strength": [0.5, 1.5],
    "offset_m": 1e-3,
    "roll_rad": 5e-3,
    "skew": 0.5,
    "rf_hz": 5e3,
}


def rigidity(energy_ev: float, rest_energy_ev: float) -> float:
    """p/c [T m]."""
    return math.sqrt(energy_ev**2 - rest_energy_ev**2) / SPEED_OF_LIGHT


def power(
    parts: Sequence[dict[str, Any]], properties: Sequence[Iterable[str]], stiffness: float
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Supplies and magnets for `properties` of each of `parts`; `stiffness` is the rigidity [T m]."""
    taken = {part["name"] for part in parts}
    supplies, magnets = [], []
    for part, driven in zip(parts, properties, strict=True):
        for name in driven:
            magnet = part["name"] + COIL[name]
            while magnet in taken and magnet != part["name"]:
                magnet += "_"
            supply = magnet + SUPPLY
            while supply in taken:
                supply += "_"
            taken |= {magnet, supply}
            strength = part.get(name, 0.0)
            kicks = name in ("kick_x", "kick_y")
            slope = strength / NOMINAL if strength != 0.0 and not kicks else SLOPES[name]
            supplies.append({"name": supply})
            if kicks and strength != 0.0:
                reach = max(RANGE, 1.5 * abs(strength / slope))
                supplies[-1]["limits"] = {"low": -reach, "high": reach, "assumed": True}
            conversion = {"kind": "linear", "slope": slope * stiffness}
            magnets.append(
                {
                    "name": magnet,
                    "element": part["name"],
                    "property": name,
                    "supply": supply,
                    "conversion": conversion,
                    "assumed": True,
                }
            )
    return supplies, magnets
