"""The lattice as pyAT sees it: an independent code to compare with."""

from typing import Any

import at
import numpy as np

from gnomon.lattice.elements import Bend, Corrector, Element, Multipole

#: Closed orbits of pyAT to the last digits.
TIGHT = {"convergence": 1e-15, "max_iterations": 12, "XYStep": 1e-7}


def pyat_element(element: Element) -> Any:
    """One element in pyAT, with KickAngle and misalignment."""
    made: Any
    if isinstance(element, Corrector):
        return at.Corrector(element.name, element.length, [element.kick_x, element.kick_y])
    if not isinstance(element, Multipole):
        return at.Drift(element.name, element.length) if element.length > 0.0 else at.Marker(element.name)
    common = {"NumIntSteps": element.slices, "MaxOrder": 3}
    if isinstance(element, Bend):
        made = at.Dipole(
            element.name, element.length, element.angle, PolynomA=list(element.a), PolynomB=list(element.b),
            EntranceAngle=element.entrance_angle, ExitAngle=element.exit_angle, FullGap=element.gap,
            FringeInt1=element.fint_entrance, FringeInt2=element.fint_exit,
            PassMethod="BndMPoleSymplectic4Pass", **common,
        )  # fmt: skip
    elif element.length == 0.0:
        made = at.ThinMultipole(element.name, list(element.a), list(element.b), MaxOrder=3)
        made.PolynomB[0] -= element.kick_x
        made.PolynomA[0] += element.kick_y
    else:
        made = at.Multipole(element.name, element.length, list(element.a), list(element.b), **common)
        made.PassMethod = "StrMPoleSymplectic4Pass"
    if element.length > 0.0:
        made.KickAngle = [element.kick_x, element.kick_y]
    if element.dx or element.dy or element.roll:
        at.transform_elem(made, dx=element.dx, dy=element.dy, tilt=element.roll)
    return made


def pyat_lattice(lattice: Any) -> Any:
    """The whole ring in pyAT, without cavities and radiation."""
    elements = [pyat_element(lattice.element(i)) for i in range(len(lattice.ring.elements))]
    return at.Lattice(elements, energy=lattice.ring.energy_ev, periodicity=1)


def pyat_turn(ring: Any, start: np.ndarray) -> np.ndarray:
    """Particles (6, m) after one turn."""
    return pyat_turns(ring, start, 1)


def pyat_turns(ring: Any, start: np.ndarray, turns: int) -> np.ndarray:
    """Particles (6, m) after some turns, NaN for the lost."""
    particles = np.asfortranarray(start.copy())
    ring.track(particles, nturns=turns, in_place=True, refpts=None)
    return particles


def turn_matrix(ring: Any, orbit: np.ndarray, step: float = 4e-6) -> np.ndarray:
    """Matrix (4, 4) of the turn about a closed orbit (6,), by fourth-order central differences of tracking."""
    shifts = np.array([-2.0, -1.0, 1.0, 2.0])
    weights = np.array([1.0, -8.0, 8.0, -1.0]) / 12.0
    particles = np.repeat(orbit[:, None], 16, axis=1)
    for column in range(4):
        for number, shift in enumerate(shifts):
            particles[column, 4 * column + number] += shift * step
    out = pyat_turn(ring, particles)[:4]
    return np.column_stack([out[:, 4 * c : 4 * c + 4] @ weights / step for c in range(4)])
