"""The drifts and kicks of a magnet's slice."""

from dataclasses import dataclass

from gnomon.propagator.generic.number_types import Number


@dataclass(frozen=True, slots=True)
class Integrator:
    """Fractions of a slice: drift, kick, drift, ... drift. The drifts add to 1, the kicks too."""

    drifts: tuple[Number, ...]
    kicks: tuple[Number, ...]


def yoshida(cube_root_of_2: Number) -> Integrator:
    """Fourth order (H. Yoshida, Phys. Lett. A 150 (1990) 262), for the type of number of 2^(1/3)."""
    outer = 1 / (2 - cube_root_of_2)
    inner = 1 - 2 * outer
    return Integrator((outer / 2, (outer + inner) / 2, (outer + inner) / 2, outer / 2), (outer, inner, outer))


#: What the kernels and pyAT use.
YOSHIDA = yoshida(2.0 ** (1.0 / 3.0))
