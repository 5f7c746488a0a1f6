"""A ring of every kind of element, small enough to be looked at, and versions of it with any parameters at all."""

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from gnomon.lattice.elements import (
    PARAMETERS,
    Bend,
    Cavity,
    Corrector,
    Drift,
    Element,
    Marker,
    Monitor,
    Multipole,
    Octupole,
    Quadrupole,
    Sextupole,
)
from gnomon.lattice.units import SPEED_OF_LIGHT


def small_elements() -> tuple[Element, ...]:
    """Sixteen bends in eight cells; the first cells also hold what large rings seldom have."""
    elements: list[Element] = []
    for cell in range(8):
        elements += [
            Quadrupole(name=f"QF{cell}", length=0.3, b=(0.0, 1.9, 0.0, 0.0)),
            Drift(name=f"D1{cell}", length=0.7),
            bend(f"B1{cell}"),
            Monitor(name=f"M{cell}", length=0.1 if cell == 1 else 0.0),
            Sextupole(name=f"S{cell}", length=0.15, b=(0.0, 0.0, 2.0, 0.0), slices=10 if cell else 7),
            Drift(name=f"D2{cell}", length=0.4),
            Quadrupole(name=f"QD{cell}", length=0.3, b=(0.0, -1.8, 0.0, 0.0)),
            Drift(name=f"D3{cell}", length=0.6),
            bend(f"B2{cell}"),
            Marker(name=f"K{cell}"),
            Drift(name=f"D4{cell}", length=0.4),
        ]
    elements[5:5] = [
        Corrector(name="C", length=0.1, kick_x=2e-4, kick_y=-1e-4),
        Corrector(name="CT", kick_x=-1e-4, kick_y=2e-4),
        Octupole(name="O", length=0.1, b=(0.0, 0.0, 0.0, 50.0), kick_x=1e-4),
        Multipole(name="T", a=(1e-5, 0.01, 0.2, 3.0), b=(2e-5, -0.01, 0.5, 5.0), kick_x=3e-5, kick_y=-4e-5),
        Multipole(name="P", length=0.2, a=(1e-4, 0.02, 0.3, 1.0), b=(-1e-4, 0.05, 0.6, 2.0), kick_y=5e-5),
        Cavity(name="RF", length=0.3, voltage=1e6, frequency=5e8, harmonic_number=1),
    ]
    return tuple(elements)


def bend(name: str) -> Bend:
    """A bend with unequal edges, a gap and a weak gradient."""
    return Bend(
        name=name, length=1.0, angle=math.pi / 8.0, entrance_angle=0.1, exit_angle=0.25, gap=0.05, fint_entrance=0.5,
        fint_exit=0.4, b=(0.0, -0.02, 0.0, 0.0),
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class SmallRing:
    """A ring with the attributes that a propagator needs."""

    elements: tuple[Element, ...] = field(default_factory=small_elements)
    name: str = "small"
    harmonic_number: int = 100
    energy_ev: float = 1e9

    @property
    def circumference(self) -> float:
        return sum(e.length for e in self.elements)

    @property
    def rf_reference(self) -> float:
        return self.harmonic_number * SPEED_OF_LIGHT / self.circumference

    @property
    def index(self) -> dict[str, int]:
        return {e.name: i for i, e in enumerate(self.elements)}


@dataclass(frozen=True, eq=False)
class FreeLattice:
    """A version of a ring with any parameters, NaN and infinity among them, on top of the elements' own."""

    ring: Any
    values: dict[tuple[str, str], float] = field(default_factory=dict)
    detuning_hz: float = 0.0
    id: str = "free"

    @property
    def rf_frequency(self) -> float:
        return float(self.ring.rf_reference + self.detuning_hz)

    @property
    def energy_ev(self) -> float:
        return float(self.ring.energy_ev)

    def changed_elements(self, other: "FreeLattice") -> tuple[int, ...]:
        keys = {k for k in self.values.keys() | other.values.keys() if self.values.get(k) != other.values.get(k)}
        return tuple(sorted({self.ring.index[name] for name, _ in keys}))

    def parameters(self, indices: Any) -> np.ndarray:
        rows = np.zeros((len(indices), len(PARAMETERS)))
        for row, index in zip(rows, indices, strict=True):
            e = self.ring.elements[index]
            row[:] = [*e.a, *e.b, e.kick_x, e.kick_y, e.dx, e.dy, e.roll]
            for column, name in enumerate(PARAMETERS):
                row[column] = self.values.get((e.name, name), row[column])
        return rows

    def element(self, index: int) -> Element:
        element: Element = self.ring.elements[index]
        if not isinstance(element, Multipole):
            return element
        row = self.parameters([index])[0].tolist()
        rest = dict(zip(PARAMETERS[8:], row[8:], strict=True))
        present: Element = replace(element, a=tuple(row[:4]), b=tuple(row[4:8]), **rest)
        return present
