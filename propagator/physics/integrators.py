"""Integrators: the drifts and kicks that make up a slice of a magnet."""

from dataclasses import dataclass

from gnomon.propagator.physics.number_types import Number


@dataclass(frozen=True, slots=True)
class Integrator:
    """Fractions of a slice: drift, kick, drift, ... drift. The drifts add up to 1, and so do the kicks."""

    drifts: tuple[Number, ...]
    kicks: tuple[Number, ...]


def yoshida(cube_root_of_2: Number) -> Integrator:
    """Fourth-order integrator (H. Yoshida, Phys. Lett. A 150 (1990) 262), in the type of number of 2^(1/3)."""
    outer = 1 / (2 - cube_root_of_2)
    inner = 1 - 2 * outer
    return Integrator((outer / 2, (outer + inner) / 2, (outer + inner) / 2, outer / 2), (outer, inner, outer))


#: The integrator of the kernels and of pyAT.
YOSHIDA = yoshida(2.0 ** (1.0 / 3.0))
