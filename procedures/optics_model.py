"""Model of a measured orbit response, for a fit: its knobs, and its derivatives by them.

A steerer's field of 1 + gain, rolled by t, kicks by (1 + gain) R + t R', R' being the response to the same kick turned
by a quarter from x to y. A monitor shows changes of the orbit as `MonitorErrors` has them. The derivatives by magnets
are differences of exact first derivatives; those by gains and rolls follow from the product.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gnomon.lattice import Key, Lattice
from gnomon.lattice.elements import PARAMETERS
from gnomon.propagator import Propagator
from gnomon.propagator.derivatives import fed_by, kick_response, supplies_of

__all__ = ["MagnetKnobs", "Optics", "OpticsModel", "feed_down_knobs", "gradient_knobs", "skew_knobs"]

Array = NDArray[np.float64]

#: A gradient counts as this part of the median one at least: an error of a magnet that is off is no part of nothing.
SMALL = 0.1
#: Difference from which derivatives by a magnet are taken, in standard deviations of the prior.
DIFFERENCE = 0.1


@dataclass(frozen=True, slots=True)
class MagnetKnobs:
    """Knobs of one kind: names, the settings that a unit of each changes and by how much, and the prior's width."""

    names: tuple[str, ...]
    settings: tuple[tuple[tuple[Key, float], ...], ...]
    width: float


def gradient_knobs(lattice: Lattice, width: float, by_supply: bool) -> MagnetKnobs:
    """Make a knob for each quadrupole's gradient, or for all of a supply: relative change."""
    magnets = [m for m in lattice.ring.magnets if m.main == "k1"]
    strengths = np.array([lattice.strength(m) for m in magnets])
    least = SMALL * float(np.median(np.abs(strengths)))
    sizes = {m.name: k if abs(k) > least else least for m, k in zip(magnets, strengths, strict=True)}
    groups = {m.name: [m.name] for m in magnets}
    if by_supply:
        fed = {name: [m.name for m, _ in fed_by(lattice, name) if m.main == "k1"] for name in supplies_of(lattice)}
        groups = {name: members for name, members in fed.items() if members}
    settings = (tuple(((name, "k1_trim"), float(sizes[name])) for name in members) for members in groups.values())
    return MagnetKnobs(tuple(groups), tuple(settings), width)


def skew_knobs(lattice: Lattice, width: float) -> MagnetKnobs:
    """Make a knob for the skew gradient of each quadrupole [1/m^2]."""
    names = tuple(m.name for m in lattice.ring.magnets if m.main == "k1")
    return MagnetKnobs(names, tuple((((name, "k1s"), 1.0),) for name in names), width)


def feed_down_knobs(lattice: Lattice, plane: str, width: float) -> MagnetKnobs:
    """Make a knob for the beam's distance from the centre of each sextupole [mm], as the sextupole's displacement.

    It is a gradient if horizontal, a skew one if vertical.
    """
    names = tuple(m.name for m in lattice.ring.magnets if m.main == "b3")
    return MagnetKnobs(names, tuple((((name, f"d{plane}"), 1e-3),) for name in names), width)


@dataclass(frozen=True, slots=True, eq=False)
class Optics:
    """Responses of the orbit at the monitors to steerers, as they are and rolled (2, monitors, steerers) [mm/unit].

    `dispersion` (2, monitors) [mm/kHz] is the response to the RF frequency, `beta` (2, monitors) [m], `tune` (2,).
    """

    response: Array
    rolled: Array
    dispersion: Array
    beta: Array
    tune: Array


@dataclass
class OpticsModel:
    """Optics of a lattice with knobs of magnets; `steerers` are supplies."""

    lattice: Lattice
    steerers: Sequence[str]
    knobs: Sequence[MagnetKnobs]
    propagate: Propagator = field(init=False)

    def __post_init__(self) -> None:
        """Make the propagator, one for all evaluations."""
        self.propagate = Propagator(self.lattice.ring)

    @cached_property
    def each(self) -> list[tuple[tuple[tuple[Key, float], ...], float]]:
        """All knobs: what a unit changes, and the prior's width."""
        return [(settings, kind.width) for kind in self.knobs for settings in kind.settings]

    def changed(self, values: Array) -> Lattice:
        """Return the lattice with knobs at `values`. Raises LatticeError if a setting leaves its range."""
        changes = self.settings(values)
        return self.lattice.updated(changes) if changes else self.lattice

    def settings(self, values: Array) -> dict[Key, float]:
        """Return the settings of knobs at `values` that are not those of the lattice."""
        changes: dict[Key, float] = {}
        for (settings, _), value in zip(self.each, values, strict=True):
            for key, size in settings:
                if value:
                    changes[key] = changes.get(key, self.lattice[key]) + float(size * value)
        return changes

    def optics(self, lattice: Lattice) -> Optics:
        """Compute the optics of a lattice, the RF frequency held. Raises NoDerivative without a beam."""
        elements, slopes, turned = self._kicks
        beam, orbit = kick_response(self.propagate, lattice, elements)
        places = list(lattice.ring.monitors)
        orbit = 1e3 * orbit.reshape(2, len(places), -1)
        eta = beam.dispersion[places, ::2].T
        return Optics(
            response=orbit @ slopes,
            rolled=orbit @ turned,
            dispersion=-1e6 * eta / (lattice.rf_frequency * beam.momentum_compaction),
            beta=beam.beta[places].T,
            tune=np.array(beam.tune),
        )

    def derivatives(self, values: Array) -> Iterator[tuple[int, Optics, float]]:
        """Yield each knob's number, the optics with this knob moved from `values`, and by how much."""
        for number, (_, width) in enumerate(self.each):
            step = DIFFERENCE * width
            moved = values.copy()
            moved[number] += step
            yield number, self.optics(self.changed(moved)), step

    @cached_property
    def _kicks(self) -> tuple[NDArray[np.int64], Array, Array]:
        """Elements that kick, and the kicks in x, then in y, that a unit of each supply makes: as it is, rolled."""
        fed = [(number, m, slope) for number, s in enumerate(self.steerers) for m, slope in fed_by(self.lattice, s)]
        slopes, turned = np.zeros((2, 2, len(fed), len(self.steerers)))
        for row, (number, magnet, slope) in enumerate(fed):
            plane = ("kick_x", "kick_y").index(PARAMETERS[magnet.column])
            slopes[plane, row, number] = slope
            turned[1 - plane, row, number] = -slope if plane else slope
        shape = (2 * len(fed), len(self.steerers))
        elements = np.array([m.element for _, m, _ in fed], dtype=np.int64)
        return elements, slopes.reshape(shape), turned.reshape(shape)
