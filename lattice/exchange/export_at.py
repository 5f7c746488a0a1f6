"""A lattice as the accelerator toolbox's JSON, tracked there as it is here."""

from pathlib import Path
from typing import Any

from gnomon.lattice.elements import (
    Bend,
    Cavity,
    Corrector,
    Element,
    Monitor,
    Multipole,
    Octupole,
    Quadrupole,
    Sextupole,
)
from gnomon.lattice.exchange.export_pieces import exported_elements
from gnomon.lattice.exchange.toolbox import load_toolbox, without_warnings
from gnomon.lattice.lattice import Lattice
from gnomon.lattice.units import SPEED_OF_LIGHT


def export_at_json(lattice: Lattice, file: Path) -> None:
    """Write a lattice with its present settings. Raises ExchangeError without pyAT, OSError as the file system does."""
    with without_warnings():
        load_toolbox().save_json(toolbox_ring(lattice), file)


def toolbox_ring(lattice: Lattice) -> Any:
    """The lattice in pyAT, with strengths, kicks, displacements and slices as they are; cavities are switched off."""
    at = load_toolbox()
    ring = lattice.ring
    exported = exported_elements(lattice)
    elements = [toolbox_element(element, lattice.energy_ev) for element in exported.elements]
    for element in elements:
        if isinstance(element, at.RFCavity) and not exported.above_transition and element.Frequency > 0.0:
            element.TimeLag = 0.5 * SPEED_OF_LIGHT / element.Frequency  # stable where more momentum arrives earlier
    return at.Lattice(
        elements,
        name=ring.name,
        energy=lattice.energy_ev,
        periodicity=1,
        particle=_particle(ring.document.rest_energy_ev),
        harmonic_number=ring.harmonic_number,
    )


def _particle(rest_energy_ev: float) -> Any:
    at = load_toolbox()
    electron = at.Particle("electron")
    if abs(rest_energy_ev - electron.rest_energy) < 1e-6 * rest_energy_ev:
        return electron
    return at.Particle("ion", rest_energy=rest_energy_ev, charge=1)


def toolbox_element(element: Element, energy_ev: float) -> Any:
    """One element in pyAT."""
    at = load_toolbox()
    made: Any
    match element:
        case Corrector():
            return at.Corrector(element.name, element.length, [element.kick_x, element.kick_y])
        case Multipole():
            made = _magnet(element)
        case Cavity():
            return at.RFCavity(
                element.name, element.length, element.voltage, element.frequency, element.harmonic_number, energy_ev
            )
        case Monitor() if element.length == 0.0:
            return at.Monitor(element.name)
        case _:
            return at.Drift(element.name, element.length) if element.length > 0.0 else at.Marker(element.name)
    if element.dx or element.dy or element.roll:
        at.transform_elem(made, dx=element.dx, dy=element.dy, tilt=element.roll)
    return made


def _magnet(element: Multipole) -> Any:
    at = load_toolbox()
    a, b = list(element.a), list(element.b)
    if element.length == 0.0:
        b[0] -= element.kick_x
        a[0] += element.kick_y
        return at.ThinMultipole(element.name, a, b, MaxOrder=3)
    common: dict[str, Any] = {"PolynomA": a, "PolynomB": b, "MaxOrder": 3, "NumIntSteps": element.slices}
    if element.kick_x or element.kick_y:
        common["KickAngle"] = [element.kick_x, element.kick_y]
    match element:
        case Bend():
            return at.Dipole(
                element.name,
                element.length,
                element.angle,
                EntranceAngle=element.entrance_angle,
                ExitAngle=element.exit_angle,
                FullGap=element.gap,
                FringeInt1=element.fint_entrance,
                FringeInt2=element.fint_exit,
                PassMethod="BndMPoleSymplectic4Pass",
                **common,
            )
        case Quadrupole():
            return at.Quadrupole(element.name, element.length, b[1], PassMethod="StrMPoleSymplectic4Pass", **common)
        case Sextupole():
            return at.Sextupole(element.name, element.length, b[2], PassMethod="StrMPoleSymplectic4Pass", **common)
    polynomials = common.pop("PolynomA"), common.pop("PolynomB")
    kind = at.Octupole if isinstance(element, Octupole) else at.Multipole
    return kind(element.name, element.length, *polynomials, PassMethod="StrMPoleSymplectic4Pass", **common)
