"""Apertures of the vacuum chamber."""

from collections.abc import Mapping
from dataclasses import dataclass

from gnomon.lattice import Ring
from gnomon.propagator.ensembles.tracking_errors import TrackingError


@dataclass(frozen=True, slots=True)
class _Aperture:
    half_x: float
    half_y: float
    x: float = 0.0
    y: float = 0.0

    def __post_init__(self) -> None:
        kind = type(self).__name__.lower()
        for name, low in (("half_x", 0.0), ("half_y", 0.0), ("x", -1e3), ("y", -1e3)):
            value = getattr(self, name)
            if not low <= value <= 1e3 or (low == 0.0 and value == 0.0):
                raise TrackingError(f"{kind} aperture: {name} {value!r} m must be a finite length of a real chamber")


class Rectangular(_Aperture):
    """A rectangle: `|X - x| <= half_x` and `|Y - y| <= half_y` [m], in the element's own frame."""

    __slots__ = ()


class Elliptic(_Aperture):
    """An ellipse with half axes half_x, half_y about (x, y) [m], in the element's own frame."""

    __slots__ = ()


Aperture = Rectangular | Elliptic

#: Chambers by the names of elements; other elements have the limit `NO_CHAMBER`.
Apertures = Mapping[str, Aperture]

#: Coordinate beyond which a particle is lost if there is no chamber [m]; pyAT's limit.
NO_CHAMBER = 1.0


def everywhere(ring: Ring, aperture: Aperture) -> dict[str, Aperture]:
    """Give every element of a ring the same chamber."""
    return {element.name: aperture for element in ring.elements}


def check_names(ring: Ring, names: Mapping[str, object], what: str) -> None:
    """Raise TrackingError for names that are not elements of the ring."""
    unknown = sorted(names.keys() - ring.index.keys())
    if unknown:
        more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        raise TrackingError(f"{ring.name}: {what} for {', '.join(unknown[:5])}{more}: there is no such element")
