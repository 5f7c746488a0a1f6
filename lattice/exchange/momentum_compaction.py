"""The momentum compaction of a ring to first order, and what an RF frequency means by it."""

import math
from collections.abc import Sequence

import numpy as np

from gnomon.lattice.elements import Bend, Cavity, Element, Multipole
from gnomon.lattice.exchange.findings import Finding
from gnomon.lattice.units import SPEED_OF_LIGHT

#: Relative differences of frequencies below this are rounding.
ROUNDING = 1e-9


def momentum_compaction(elements: Sequence[Element]) -> float:
    """The change of the path per circumference and momentum deviation, from the horizontal dispersion.

    Without coupling, displacements and sextupoles off axis. NaN where there is no dispersion to be found.
    """
    try:
        maps = [_map(element) for element in elements]
    except (OverflowError, ValueError):
        return math.nan
    turn = np.eye(3)
    for matrix, _ in maps:
        turn = matrix @ turn
    length = sum(e.length for e in elements)
    try:
        start = np.linalg.solve(np.eye(2) - turn[:2, :2], turn[:2, 2])
    except np.linalg.LinAlgError:
        return math.nan
    state, path = np.array([*start, 1.0]), 0.0
    for matrix, lengthening in maps:
        path += float(lengthening @ state)
        state = matrix @ state
    return path / length if length > 0.0 else math.nan


def _map(element: Element) -> tuple[np.ndarray, np.ndarray]:
    """The matrix (3, 3) of x, x' and delta, and the path as a row (3,) of them at the entrance."""
    length = element.length
    h = element.angle / length if isinstance(element, Bend) else 0.0
    gradient = element.b[1] if isinstance(element, Multipole) else 0.0
    if length == 0.0:
        return np.array([[1.0, 0.0, 0.0], [-gradient, 1.0, 0.0], [0.0, 0.0, 1.0]]), np.zeros(3)
    k = gradient + h * h
    root = math.sqrt(abs(k)) * length
    if k > 0.0:
        c, s = math.cos(root), length * math.sin(root) / root
    elif k < 0.0:
        c, s = math.cosh(root), length * math.sinh(root) / root
    else:
        c, s = 1.0, length
    small = abs(k) * length * length < 1e-8
    bent = 0.5 * length * length if small else (1.0 - c) / k
    third = length**3 / 6.0 if small else (length - s) / k
    body = np.array([[c, s, h * bent], [-k * s, c, h * s], [0.0, 0.0, 1.0]])
    path = h * np.array([s, bent, h * third])
    if not isinstance(element, Bend):
        return body, path
    entrance = np.array([[1.0, 0.0, 0.0], [h * math.tan(element.entrance_angle), 1.0, 0.0], [0.0, 0.0, 1.0]])
    leaving = np.array([[1.0, 0.0, 0.0], [h * math.tan(element.exit_angle), 1.0, 0.0], [0.0, 0.0, 1.0]])
    return leaving @ body @ entrance, path @ entrance


def velocity(energy_ev: float, rest_energy_ev: float) -> float:
    """The particle's speed in units of that of light."""
    return math.sqrt(1.0 - (rest_energy_ev / energy_ev) ** 2)


def frequency_findings(
    elements: Sequence[Element], energy_ev: float, rest_energy_ev: float, harmonic_number: int
) -> list[Finding]:
    """Say what is lost where a cavity's frequency is not the one of the ring's length, with its momentum deviation.

    Programs differ in whether the particle is as fast as light: between both frequencies nothing is said.
    """
    length = sum(e.length for e in elements)
    found: list[Finding] = []
    seen = set()
    if not length > 0.0:
        return found
    for element in elements:
        if not isinstance(element, Cavity) or element.frequency <= 0.0 or element.frequency in seen:
            continue
        seen.add(element.frequency)
        light = SPEED_OF_LIGHT / length
        number = element.harmonic_number or max(round(element.frequency / light), 1)
        low, high = number * light * velocity(energy_ev, rest_energy_ev), number * light
        nearest = min(max(element.frequency, low), high)
        difference = element.frequency - nearest
        if number % harmonic_number or abs(difference) <= ROUNDING * nearest:
            continue
        slip = momentum_compaction(elements) - (rest_energy_ev / energy_ev) ** 2
        delta = -difference / nearest / slip if slip else math.nan
        means = f"a momentum deviation of about {delta:.3g}" if abs(delta) < 1.0 else "more than the ring can take"
        why = (
            f"{element.frequency:.12g} Hz is not kept: here the RF has {number} periods a turn, {nearest:.12g} Hz; the "
            f"difference of {difference:+.6g} Hz means {means}"
        )
        found.append(Finding(element.name, "cavity", "frequency", why, "", changes_beam=False))
    return found
