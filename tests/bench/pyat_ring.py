"""A gnomon ring as a pyAT lattice, so that both compute the same machine in one process."""

import at

from gnomon.lattice import Ring
from gnomon.lattice.elements import Bend, Cavity, Element, Monitor, Multipole


def pyat_ring(ring: Ring) -> at.Lattice:
    """The design lattice at fixed momentum (4-d): misalignments, which the design has none of, are left out."""
    elements = [_element(element, ring.harmonic_number) for element in ring.elements]
    lattice = at.Lattice(elements, name=ring.name, energy=ring.energy_ev, periodicity=1)
    lattice.disable_6d()
    return lattice


def _element(element: Element, harmonic_number: int) -> at.Element:
    match element:
        case Bend():
            return at.Dipole(
                element.name,
                element.length,
                element.angle,
                PassMethod="BndMPoleSymplectic4Pass",
                EntranceAngle=element.entrance_angle,
                ExitAngle=element.exit_angle,
                FullGap=element.gap,
                FringeInt1=element.fint_entrance,
                FringeInt2=element.fint_exit,
                **_field(element),
            )
        case Multipole(length=0.0):
            return at.ThinMultipole(element.name, list(element.a), list(element.b))
        case Multipole():
            field = _field(element)
            poly_a, poly_b = field.pop("PolynomA"), field.pop("PolynomB")
            return at.Multipole(element.name, element.length, poly_a, poly_b, **field)
        case Cavity():
            return at.RFCavity(element.name, element.length, element.voltage, element.frequency, harmonic_number, 0.0)
        case Monitor():
            return at.Monitor(element.name)
        case _ if element.length:
            return at.Drift(element.name, element.length)
        case _:
            return at.Marker(element.name)


def _field(element: Multipole) -> dict[str, object]:
    return {
        "PolynomA": list(element.a),
        "PolynomB": list(element.b),
        "NumIntSteps": element.slices,
        "MaxOrder": 3,
        "KickAngle": [element.kick_x, element.kick_y],
    }
