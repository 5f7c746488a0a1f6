"""BEAM in all its forms: energies in GeV, as MAD-X computes them one from another."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from gnomon.lattice.exchange.madx.madx_error import MadxError
from gnomon.lattice.exchange.madx.variables import CONSTANTS

#: Rest energy [GeV] and charge of the particles that MAD-X 5.09 knows by name; any other name has an electron's mass.
PARTICLES: Mapping[str, tuple[float, float]] = {
    "positron": (CONSTANTS["emass"], 1.0),
    "electron": (CONSTANTS["emass"], -1.0),
    "proton": (CONSTANTS["pmass"], 1.0),
    "antiproton": (CONSTANTS["pmass"], -1.0),
    "posmuon": (CONSTANTS["mumass"], 1.0),
    "negmuon": (CONSTANTS["mumass"], -1.0),
    "ion": (CONSTANTS["pmass"], 1.0),
}

#: What gives the energy; the first of these that is given in a command counts.
ENERGIES = ("energy", "pc", "gamma", "beta", "brho")


@dataclass(frozen=True, slots=True)
class Beam:
    """A beam: rest and total energy [GeV], charge [e], `bv` as given; `stated` when the file gives an energy."""

    mass: float = PARTICLES["positron"][0]
    charge: float = 1.0
    energy: float = 1.0
    bv: float = 1.0
    stated: bool = False

    def attribute(self, name: str) -> float | None:
        """A number of the beam by MAD-X's name; None for others."""
        momentum = math.sqrt(max(self.energy**2 - self.mass**2, 0.0))
        return {
            "mass": self.mass,
            "charge": self.charge,
            "energy": self.energy,
            "bv": self.bv,
            "pc": momentum,
            "gamma": self.energy / self.mass,
            "beta": momentum / self.energy,
            "brho": momentum / (abs(self.charge) * CONSTANTS["clight"] * 1e-9) if self.charge else 0.0,
        }.get(name)


def updated(beam: Beam, particle: str | None, numbers: Mapping[str, float], place: str) -> Beam:
    """A beam after a BEAM command with these attributes. Raises MadxError where the energy is not above the mass."""
    mass, charge = beam.mass, beam.charge
    if particle is not None and particle != "ion" and particle in PARTICLES:
        mass, charge = PARTICLES[particle]
    else:
        if particle is not None:
            mass, charge = PARTICLES.get(particle, PARTICLES["positron"])
        mass, charge = numbers.get("mass", mass), numbers.get("charge", charge)
    given = next((name for name in ENERGIES if name in numbers), "")
    value = numbers.get(given, 0.0)
    if not mass > 0.0:
        raise MadxError(place, f"a beam of mass {mass:g} GeV: it must be above 0")
    match given:
        case "":
            energy = beam.energy
        case "energy":
            energy = value
        case "pc":
            energy = math.hypot(value, mass)
        case "gamma":
            energy = value * mass
        case "beta":
            if not 0.0 < value < 1.0:
                raise MadxError(place, f"a beam of beta {value:g}: it must be between 0 and 1")
            energy = mass / math.sqrt(1.0 - value**2)
        case _:
            energy = math.hypot(value * abs(charge) * CONSTANTS["clight"] * 1e-9, mass)
    if given and not (math.isfinite(energy) and energy > mass):
        raise MadxError(place, f"a beam of {energy:g} GeV: it must be above the mass, {mass:g} GeV")
    return Beam(mass, charge, energy, numbers.get("bv", beam.bv), beam.stated or bool(given))
