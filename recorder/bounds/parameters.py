"""Parameters of the calibration: what a machine may have that its model does not know, with the width of the prior.

Relative errors of the gradient of each quadrupole and of each of their supplies; a skew gradient of each quadrupole;
the offset of each quadrupole and sextupole from the beam, which makes a kick of a changed gradient, and a gradient of a
sextupole; gains and rolls of steerers and monitors. Priors are normal, independent, about a machine as its document has
it; their widths are tolerances, not measurements.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from gnomon.lattice import Key, Lattice, Magnet, MonitorErrors, Ring
from gnomon.lattice.elements import PARAMETERS

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

#: A gradient counts as this part of the median one at least: an error of a magnet that is off is no part of nothing.
SMALL = 0.1


class ParameterKind(StrEnum):
    """Kinds of parameters, in the order in which they stand."""

    GRADIENT = "gradient"
    SKEW = "skew"
    OFFSET_X = "offset_x"
    OFFSET_Y = "offset_y"
    SUPPLY_GAIN = "supply_gain"
    STEERER_GAIN = "steerer_gain"
    STEERER_ROLL = "steerer_roll"
    MONITOR_GAIN_X = "monitor_gain_x"
    MONITOR_GAIN_Y = "monitor_gain_y"
    MONITOR_ROLL = "monitor_roll"


class Priors(BaseModel):
    """Widths of the priors, standard deviations: gradients and gains relative, skew gradients 1/m^2, rolls rad."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gradient: float = Field(default=3e-3, gt=0.0)
    skew: float = Field(default=3e-3, gt=0.0)
    offset_mm: float = Field(default=0.2, gt=0.0, description="of the beam from the centre of a magnet")
    supply_gain: float = Field(default=3e-3, gt=0.0, description="of a quadrupole supply's change")
    steerer_gain: float = Field(default=3e-2, gt=0.0)
    steerer_roll: float = Field(default=1e-2, gt=0.0)
    monitor_gain: float = Field(default=3e-2, gt=0.0)
    monitor_roll: float = Field(default=1e-2, gt=0.0)


@dataclass(frozen=True)
class ParameterSpace:
    """All parameters of a lattice. `slices` has where each kind stands in a vector (n,), `names` of what each is.

    `elements` are all elements with magnets, on which gradients, offsets and kicks are counted.
    """

    lattice: Lattice
    priors: Priors

    @property
    def ring(self) -> Ring:
        """The ring."""
        return self.lattice.ring

    @cached_property
    def elements(self) -> Integers:
        """Elements with magnets, in beam order."""
        return np.array(sorted({m.element for m in self.ring.magnets}), dtype=np.int64)

    @cached_property
    def element_indices(self) -> tuple[int, ...]:
        """The same, as a lattice takes them."""
        return tuple(self.elements.tolist())

    @cached_property
    def monitor_elements(self) -> Integers:
        """Elements of the monitors."""
        return np.array(self.ring.monitors, dtype=np.int64)

    @cached_property
    def quadrupoles(self) -> tuple[Magnet, ...]:
        """Magnets that are quadrupoles, the first of each element."""
        return tuple({m.element: m for m in reversed(self.ring.magnets) if m.main == "k1"}.values())[::-1]

    @cached_property
    def steerers(self) -> tuple[Magnet, ...]:
        """Magnets that steer."""
        return tuple(m for m in self.ring.magnets if m.main == "kick")

    @cached_property
    def supplies(self) -> tuple[str, ...]:
        """Supplies of quadrupoles."""
        return tuple(dict.fromkeys(m.supply for m in self.ring.magnets if m.main == "k1"))

    @cached_property
    def displaced(self) -> tuple[str, ...]:
        """Elements, by name, whose distance from the beam counts: those with a gradient or a sextupole field."""
        of = {m.element for m in self.ring.magnets if m.main in ("k1", "b3")}
        return tuple(self.ring.elements[i].name for i in sorted(of))

    @cached_property
    def names(self) -> Mapping[ParameterKind, tuple[str, ...]]:
        """Names of what has a parameter of each kind."""
        quadrupoles = tuple(m.name for m in self.quadrupoles)
        steerers = tuple(m.name for m in self.steerers)
        monitors = tuple(bpm.name for bpm in self.ring.bpms)
        kinds = ParameterKind
        return {
            kinds.GRADIENT: quadrupoles,
            kinds.SKEW: quadrupoles,
            kinds.OFFSET_X: self.displaced,
            kinds.OFFSET_Y: self.displaced,
            kinds.SUPPLY_GAIN: self.supplies,
            kinds.STEERER_GAIN: steerers,
            kinds.STEERER_ROLL: steerers,
            kinds.MONITOR_GAIN_X: monitors,
            kinds.MONITOR_GAIN_Y: monitors,
            kinds.MONITOR_ROLL: monitors,
        }

    @cached_property
    def slices(self) -> Mapping[ParameterKind, slice]:
        """Place of each kind in a vector of all parameters."""
        ends = np.cumsum([len(names) for names in self.names.values()]).tolist()
        starts = [0, *ends[:-1]]
        return {kind: slice(a, b) for kind, a, b in zip(self.names, starts, ends, strict=True)}

    @property
    def size(self) -> int:
        """Number of parameters."""
        return sum(len(names) for names in self.names.values())

    @cached_property
    def widths(self) -> Floats:
        """Standard deviations of the prior (n,)."""
        p, kinds = self.priors, ParameterKind
        width = {
            kinds.GRADIENT: p.gradient,
            kinds.SKEW: p.skew,
            kinds.OFFSET_X: p.offset_mm,
            kinds.OFFSET_Y: p.offset_mm,
            kinds.SUPPLY_GAIN: p.supply_gain,
            kinds.STEERER_GAIN: p.steerer_gain,
            kinds.STEERER_ROLL: p.steerer_roll,
            kinds.MONITOR_GAIN_X: p.monitor_gain,
            kinds.MONITOR_GAIN_Y: p.monitor_gain,
            kinds.MONITOR_ROLL: p.monitor_roll,
        }
        return np.concatenate([np.full(len(names), width[kind]) for kind, names in self.names.items()])

    @cached_property
    def gradient_sizes(self) -> Floats:
        """Gradients [1/m^2] that the relative errors are parts of; those of magnets that are off are not 0."""
        strengths = np.array([self.lattice.strength(m) for m in self.quadrupoles])
        least = SMALL * float(np.median(np.abs(strengths))) if strengths.size else 0.0
        return np.where(np.abs(strengths) > least, strengths, least)

    @cached_property
    def quadrupole_columns(self) -> Integers:
        """Place of each quadrupole among `elements`."""
        return np.searchsorted(self.elements, [m.element for m in self.quadrupoles])

    @cached_property
    def displaced_columns(self) -> Integers:
        """Place of each displaced element among `elements`."""
        return np.searchsorted(self.elements, [self.ring.index[name] for name in self.displaced])

    @cached_property
    def steerer_columns(self) -> Integers:
        """Place of each steerer's element among `elements`."""
        return np.searchsorted(self.elements, [m.element for m in self.steerers])

    @cached_property
    def steerer_planes(self) -> Integers:
        """Plane of each steerer: 0 for x, 1 for y."""
        return np.array([PARAMETERS[m.column] == "kick_y" for m in self.steerers], dtype=np.int64)

    @cached_property
    def supply_of_quadrupole(self) -> Integers:
        """Number of each quadrupole's supply among `supplies`."""
        number = {name: i for i, name in enumerate(self.supplies)}
        return np.array([number[m.supply] for m in self.quadrupoles], dtype=np.int64)

    @cached_property
    def sextupoles(self) -> frozenset[str]:
        """Displaced elements that sextupoles, not quadrupoles, are."""
        quadrupoles = {m.element for m in self.quadrupoles}
        return frozenset(name for name in self.displaced if self.ring.index[name] not in quadrupoles)

    def part(self, values: Floats, kind: ParameterKind) -> Floats:
        """Return the values (k,) of one kind."""
        return values[self.slices[kind]]

    def magnet_settings(self, lattice: Lattice, values: Floats) -> dict[Key, float]:
        """Return the settings that give a lattice the gradients, skew gradients, and offsets of sextupoles.

        Offsets of quadrupoles are left out: a machine's orbit has been corrected for them, and only their product with
        a change of the gradient is seen, which `Effects` adds. Settings stay within their limits.
        """
        changes: dict[Key, float] = {}
        gradient = self.part(values, ParameterKind.GRADIENT) * self.gradient_sizes
        for magnet, b2, a2 in zip(self.quadrupoles, gradient, self.part(values, ParameterKind.SKEW), strict=True):
            changes |= {(magnet.name, "k1_trim"): float(b2), (magnet.name, "k1s"): float(a2)}
        for kind, name in ((ParameterKind.OFFSET_X, "dx"), (ParameterKind.OFFSET_Y, "dy")):
            for element, offset in zip(self.displaced, self.part(values, kind), strict=True):
                if element in self.sextupoles:
                    changes[element, name] = 1e-3 * float(offset)
        known = self.ring.properties
        return {
            key: min(max(lattice[key] + value, known[key].low), known[key].high)
            for key, value in changes.items()
            if value and key in known
        }

    def monitor_errors(self, values: Floats) -> MonitorErrors:
        """Return gains and rolls of the monitors, on top of those that the lattice has."""
        known = self.lattice.monitor_errors()
        kinds = (ParameterKind.MONITOR_GAIN_X, ParameterKind.MONITOR_GAIN_Y)
        gains = known.gains * (1.0 + np.stack([self.part(values, kind) for kind in kinds], axis=1))
        rolls = known.rolls + self.part(values, ParameterKind.MONITOR_ROLL)
        return MonitorErrors(known.offsets, gains, rolls, ideal=False)
