"""The elements of a ring: what stands where along the beam, with which strength.

Conventions are pyAT's. A multipole's field is B_y + i B_x = Brho * sum_n (b[n] + i a[n]) (x + i y)^n, so that
`b[1]` is k1 [1/m^2], `b[2]` half of k2 [1/m^3] and `b[3]` a sixth of k3 [1/m^4]; `a[n]` are the skew terms. A positive
`kick_x` raises px and a positive `kick_y` raises py.
"""

from dataclasses import dataclass

__all__ = [
    "ORDERS",
    "PARAMETERS",
    "Bend",
    "Cavity",
    "Corrector",
    "Drift",
    "Element",
    "Marker",
    "Monitor",
    "Multipole",
    "Octupole",
    "Quadrupole",
    "Sextupole",
]

#: Slices of the symplectic integrator in an element; pyAT's default.
SLICES = 10

#: Highest order of a multipole's polynomial plus one: dipole, quadrupole, sextupole, octupole.
ORDERS = 4

Coefficients = tuple[float, float, float, float]
NO_FIELD: Coefficients = (0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """A place in the ring of a given length [m]."""

    name: str
    length: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift(Element):
    """Free space."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker(Element):
    """A named place without effect on the beam."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitor(Element):
    """A place where the position of the beam can be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cavity(Element):
    """A cavity [V, Hz]; a drift while the momentum deviation is fixed."""

    voltage: float = 0.0
    frequency: float = 0.0
    harmonic_number: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Multipole(Element):
    """A straight magnet with any multipole content, and coils [rad] that kick within it.

    `dx`, `dy` [m] displace its centre and `roll` [rad] turns it around the beam axis there. A `length` of 0 is a thin
    magnet: `a`, `b` are then integrated strengths.
    """

    a: Coefficients = NO_FIELD
    b: Coefficients = NO_FIELD
    kick_x: float = 0.0
    kick_y: float = 0.0
    dx: float = 0.0
    dy: float = 0.0
    roll: float = 0.0
    slices: int = SLICES


@dataclass(frozen=True, slots=True, kw_only=True)
class Quadrupole(Multipole):
    """A multipole named for its main term, `b[1]` = k1 [1/m^2]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sextupole(Multipole):
    """A multipole named for its main term, `b[2]` = k2 / 2 [1/m^3]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Octupole(Multipole):
    """A multipole named for its main term, `b[3]` = k3 / 6 [1/m^4]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrector(Multipole):
    """A steerer on its own: `kick_x` and `kick_y` [rad] only; its length may be 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bend(Multipole):
    """A sector bend [rad] with rotated edges [rad] and the soft-edge correction of `gap` [m, full] times `fint`."""

    angle: float
    entrance_angle: float = 0.0
    exit_angle: float = 0.0
    gap: float = 0.0
    fint_entrance: float = 0.0
    fint_exit: float = 0.0


#: The parameters of a multipole that may differ between versions of a lattice, in the order of a parameter row.
PARAMETERS = ("a1", "a2", "a3", "a4", "b1", "b2", "b3", "b4", "kick_x", "kick_y", "dx", "dy", "roll")
