"""lat2db's JSON: what its server hands out of a machine, elements as the accelerator toolbox would have them.

A machine is an object (or a list of one, as its database exports it) whose `sequences` holds the elements in beam
order; each has `type`, `name`, `index` and `length`, and magnets carry their polynomials in `element_configuration`.
No library reads this without its database, so it is read here after its public structure.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gnomon.lattice.exchange.findings import ExchangeError
from gnomon.lattice.exchange.foreign import ForeignElement, ForeignRing, fundamental, with_harmonic_numbers
from gnomon.lattice.exchange.powering import ELECTRON_EV
from gnomon.lattice.exchange.source_files import read_json
from gnomon.lattice.text import shorten

#: How each type is tracked when the file does not say so.
METHODS = {
    "Marker": "IdentityPass",
    "Monitor": "IdentityPass",
    "Drift": "DriftPass",
    "Quadrupole": "StrMPoleSymplectic4Pass",
    "Sextupole": "StrMPoleSymplectic4Pass",
    "Octupole": "StrMPoleSymplectic4Pass",
    "Multipole": "StrMPoleSymplectic4Pass",
    "Dipole": "BndMPoleSymplectic4Pass",
    "Bending": "BndMPoleSymplectic4Pass",
    "RFCavity": "RFCavityPass",
    "Cavity": "RFCavityPass",
    "Steerer": "CorrectorPass",
    "HorizontalSteerer": "CorrectorPass",
    "VerticalSteerer": "CorrectorPass",
}

CLASSES: dict[str, str] = {"Bending": "Dipole", "Cavity": "RFCavity"}

#: Its names of what the toolbox calls otherwise; names are compared in lower case.
ATTRIBUTES: dict[str, str] = {
    "bending_angle": "BendingAngle",
    "entranceangle": "EntranceAngle",
    "exitangle": "ExitAngle",
    "fullgap": "FullGap",
    "fringeint1": "FringeInt1",
    "fringeint2": "FringeInt2",
    "fringebendentrance": "FringeBendEntrance",
    "fringebendexit": "FringeBendExit",
    "fringequadentrance": "FringeQuadEntrance",
    "fringequadexit": "FringeQuadExit",
    "maxorder": "MaxOrder",
    "number_of_integration_steps": "NumIntSteps",
    "frequency": "Frequency",
    "voltage": "Voltage",
    "harmonic_number": "HarmNumber",
    "harmnumber": "HarmNumber",
    "timelag": "TimeLag",
    "t1": "T1",
    "t2": "T2",
    "r1": "R1",
    "r2": "R2",
    "energy": "Energy",
}

#: What says nothing about the beam, or was read already.
PASSED_OVER = frozenset(
    {"type", "name", "length", "index", "passmethod", "element_configuration", "cavity_configuration", "_id", "id"}
)


def read_lat2db(file: Path, energy_ev: float | None = None) -> ForeignRing:
    """Read a machine; `energy_ev` replaces the energy that its elements give.

    Raises ExchangeError with the element at fault.
    """
    data = read_json(file, "lat2db")
    machine = data[0] if isinstance(data, list) and data else data
    if not isinstance(machine, dict) or not isinstance(machine.get("sequences"), list):
        raise ExchangeError(f"{file}: not a machine of lat2db: it has no list 'sequences'")
    elements = [_element(file, number, item) for number, item in enumerate(_in_order(machine["sequences"]), 1)]
    energy = energy_ev if energy_ev is not None else _energy(file, elements)
    elements = with_harmonic_numbers(elements, energy, ELECTRON_EV)
    return ForeignRing(
        name=str(machine.get("name") or ""),
        elements=elements,
        energy_ev=energy,
        rest_energy_ev=None,
        harmonic_number=fundamental(elements),
    )


def _energy(file: Path, elements: list[ForeignElement]) -> float | None:
    energies = set()
    for element in elements:
        try:
            energies.add(element.number("Energy"))
        except (TypeError, ValueError) as error:
            raise ExchangeError(f"{file}: {element.place} {element.name!r}: energy: {error}") from error
    energies.discard(0.0)
    if len(energies) > 1:
        values = ", ".join(f"{energy:g}" for energy in sorted(energies))
        raise ExchangeError(f"{file}: its elements disagree about the energy: {values} eV: give --energy-ev")
    return energies.pop() if energies else None


def _in_order(items: list[Any]) -> list[Any]:
    if all(isinstance(item, dict) and isinstance(item.get("index"), int) for item in items):
        return sorted(items, key=lambda item: int(item["index"]))
    return items


def _element(file: Path, number: int, item: Any) -> ForeignElement:
    where = f"{file}: element {number}"
    if not isinstance(item, dict) or not isinstance(item.get("type"), str) or not isinstance(item.get("name"), str):
        raise ExchangeError(f"{where}: it has no type or no name")
    kind, name = str(item["type"]), str(item["name"])
    attributes = {_attribute(key): value for key, value in item.items() if key not in PASSED_OVER}
    try:
        attributes |= _configuration(item)
        length = float(item.get("length") or 0.0)
        method = str(item.get("passmethod") or METHODS.get(kind, kind))
        if length == 0.0 and not item.get("passmethod") and method.startswith("StrMPole"):
            method = "ThinMPolePass"  # strengths are integrated there
        return ForeignElement(
            name=name,
            kind=CLASSES.get(kind, kind),
            method=method,
            length=length,
            attributes={key: value for key, value in attributes.items() if value is not None},
            place=f"element {number}",
        )
    except (AttributeError, TypeError, ValueError, OverflowError) as error:
        raise ExchangeError(f"{where} {shorten(name)}: it cannot be read: {error}") from error


def _attribute(key: str) -> str:
    return ATTRIBUTES.get(key.lower(), key)


def _configuration(item: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    cavity = item.get("cavity_configuration")
    if isinstance(cavity, dict):
        found |= {_attribute(key): value for key, value in cavity.items()}
    magnet = item.get("element_configuration")
    if not isinstance(magnet, dict):
        return found
    kicks = magnet.get("kickangle")
    if isinstance(kicks, dict) and any(kicks.values()):
        found["KickAngle"] = [kicks.get("x") or 0.0, kicks.get("y") or 0.0]
    coefficients = (magnet.get("magnetic_element") or {}).get("coeffs") or {}
    found["PolynomB"] = coefficients.get("normal_coefficients") or []
    found["PolynomA"] = coefficients.get("skew_coefficients") or []
    return found
