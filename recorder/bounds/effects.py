"""Effect of a command on the readings, and its derivatives with respect to the parameters, in closed form.

A gradient that the model does not know kicks in proportion to the change of the orbit there: with R the response of a
reading to kicks, d(change of reading) / d(b2) = -R_x L (change of x) + R_y L (change of y); a skew gradient mixes the
planes. (The derivative of an orbit response by gradients in this form: J. Safranek, NIM A 388 (1997) 27; exactly, R
is linear in the kick and the closed orbit's equation is linear in b2 times x.) A magnet at distance d from the beam
kicks by L (change of b2) d, and a sextupole there has the gradient 2 b3 d. The tunes change by -/+ beta L (change of
b2) / 4 pi (E. Courant, H. Snyder, Ann. Phys. 3 (1958) 1), so their derivatives by a gradient are those changes times
the relative change of beta. Monitors show gain times position in their rolled axes.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from gnomon.lattice import Lattice, MonitorErrors
from gnomon.lattice.elements import PARAMETERS
from gnomon.propagator import BeamState, Propagator
from gnomon.propagator.derivatives import LocalResponse, local_response
from gnomon.recorder.bounds.parameters import ParameterKind, ParameterSpace

Floats = NDArray[np.float64]

B2, B3, A2 = (PARAMETERS.index(name) for name in ("b2", "b3", "a2"))
KICK = tuple(PARAMETERS.index(f"kick_{plane}") for plane in "xy")


@dataclass(frozen=True, slots=True, eq=False)
class BeamAt:
    """A lattice's beam, and what changes are counted from: of the magnets, and of the orbit in their middle.

    `parameters` (elements, 13); `middle` (elements, 2) and `monitors` (2, monitors) are the orbit [m].
    """

    beam: BeamState
    parameters: Floats
    middle: Floats
    monitors: Floats

    @classmethod
    def of(cls, space: ParameterSpace, lattice: Lattice, beam: BeamState) -> Self:
        """Gather it from a lattice and its beam."""
        elements, orbit = space.elements, beam.orbit[:, ::2]
        middle = 0.5 * (orbit[elements] + orbit[elements + 1])
        return cls(beam, lattice.parameters(space.element_indices), middle, orbit[space.monitor_elements].T)


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """A command in the model: changes of the magnets' parameters (elements, 13), and of the orbit.

    `moved` (elements, 2) [m] is the change of the orbit in the middle of the elements with magnets, `orbit` (2,
    monitors) [m] at the monitors, `place` (elements, 2) the orbit in the elements before. `tune` (2,) is the tunes',
    `delta` that of the momentum deviation.
    """

    parameters: Floats
    moved: Floats
    place: Floats
    orbit: Floats
    tune: Floats
    delta: float

    @classmethod
    def between(cls, before: BeamAt, after: BeamAt) -> Self:
        """Compare two beams."""
        return cls(
            parameters=after.parameters - before.parameters,
            moved=after.middle - before.middle,
            place=before.middle,
            orbit=after.monitors - before.monitors,
            tune=np.asarray(after.beam.tune) - np.asarray(before.beam.tune),
            delta=after.beam.delta - before.beam.delta,
        )


@dataclass(frozen=True, eq=False)
class Effects:
    """Derivatives of what monitors and the tune meter show, about one lattice of the model with parameters `values`.

    Rows are x at all monitors [mm], y at all monitors [mm], and both tunes. `response` has the monitors, then all
    elements, as places; `kicks` (rows, 2, elements) is the readings' response to kicks, `lengths` (elements,) [m] those
    of the elements, `rows` (elements, 13) their parameters.
    """

    space: ParameterSpace
    values: Floats
    response: LocalResponse
    kicks: Floats
    lengths: Floats
    rows: Floats

    @classmethod
    def about(cls, propagate: Propagator, space: ParameterSpace, lattice: Lattice, values: Floats) -> Self:
        """Compute the responses that all derivatives are made of. Raises NoDerivative without a beam."""
        ring, elements = space.ring, space.elements
        count = len(ring.monitors)
        places = np.concatenate((np.array(ring.monitors, dtype=np.int64), np.arange(len(ring.elements))))
        found = local_response(propagate, lattice, elements, places)
        shown = space.monitor_errors(values).changes(1e3 * found.orbit[0, :count], 1e3 * found.orbit[2, :count])
        kicks = np.concatenate((*shown, found.tune_by_kick)).reshape(-1, 2, elements.size)
        lengths = np.array([ring.elements[i].length or 1.0 for i in elements])
        return cls(space, values, found, kicks, lengths, lattice.parameters(tuple(elements.tolist())))

    def with_values(self, values: Floats) -> Self:
        """Return the same derivatives for a machine with other parameters, whose own would differ in second order."""
        return replace(self, values=values)

    @cached_property
    def errors(self) -> MonitorErrors:
        """Gains and rolls of the monitors."""
        return self.space.monitor_errors(self.values)

    @property
    def everywhere(self) -> Floats:
        """Response (4, all elements, 2, elements) [m/rad, rad/rad] of the orbit to kicks."""
        return self.response.orbit[:, len(self.space.ring.monitors) :]

    def effect(self, change: Change) -> Floats:
        """Compute what a command changes in the readings (rows,) with the parameters at `values`.

        To the model's own change come those of kicks that its lattice does not have: of quadrupoles at a distance from
        the beam, and of steerers that are rolled.
        """
        space, values = self.space, self.values
        x, y = self.errors.changes(1e3 * change.orbit[0], 1e3 * change.orbit[1])
        effect: Floats = np.concatenate((x, y, change.tune))
        for kind in (ParameterKind.OFFSET_X, ParameterKind.OFFSET_Y, ParameterKind.STEERER_ROLL):
            kicks = self._beside(change, kind) * space.part(values, kind)
            acting = np.flatnonzero(kicks)
            if acting.size:
                planes, columns = self._beside_at(kind)
                effect += self.kicks[:, planes[acting], columns[acting]] @ kicks[acting]
        return effect

    def jacobian(self, change: Change) -> Floats:
        """Compute the derivatives (rows, parameters) of the effect of a command."""
        space, kinds = self.space, ParameterKind
        jacobian = np.zeros((len(self.kicks), space.size))
        normal, skew = self._gradients(change), self._skews(change)
        quadrupoles, displaced = space.quadrupole_columns, space.displaced_columns
        own = self._own(change)
        jacobian[:, space.slices[kinds.GRADIENT]] = normal[:, quadrupoles] * space.gradient_sizes + own
        jacobian[:, space.slices[kinds.SKEW]] = skew[:, quadrupoles]
        down = -2e-3 * self.rows[displaced, B3]
        for kind, of in ((kinds.OFFSET_X, normal), (kinds.OFFSET_Y, skew)):
            jacobian[:, space.slices[kind]] = of[:, displaced] * down + self._by_beside(change, kind)
        jacobian[-2:, space.slices[kinds.OFFSET_X]] -= (
            2e-3 * self.response.tune[:, 0, displaced] * change.parameters[displaced, B3]
        )
        gains = np.zeros((len(self.kicks), len(space.supplies)))
        np.add.at(gains.T, space.supply_of_quadrupole, own.T)
        jacobian[:, space.slices[kinds.SUPPLY_GAIN]] = gains
        planes, columns = space.steerer_planes, space.steerer_columns
        kick = change.parameters[columns, np.array(KICK)[planes]]
        jacobian[:, space.slices[kinds.STEERER_GAIN]] = self.kicks[:, planes, columns] * kick
        jacobian[:, space.slices[kinds.STEERER_ROLL]] = self._by_beside(change, kinds.STEERER_ROLL)
        self._monitors(change, jacobian)
        return jacobian

    def _gradients(self, change: Change) -> Floats:
        """Derivatives (rows, elements) by a gradient b2 of each element."""
        by_kick: Floats = np.einsum("rpe,ep->re", self.kicks, change.moved * [-1.0, 1.0] * self.lengths[:, None])
        found = self.response
        b2 = change.parameters[:, B2] + 2.0 * self.rows[:, B3] * change.moved[:, 0]
        b2 = b2 + 2.0 * change.parameters[:, B3] * change.place[:, 0] - self.rows[:, B2] * change.delta
        relative = found.beta / found.beam.beta[self.space.elements][:, :, None]
        by_kick[-2:] += np.einsum("ue,eur->ur", found.tune[:, 0] * b2, relative) - change.delta * found.tune[:, 0]
        return by_kick

    def _skews(self, change: Change) -> Floats:
        """Derivatives (rows, elements) by a skew gradient a2 of each element."""
        skew: Floats = np.einsum("rpe,ep->re", self.kicks, change.moved[:, ::-1] * self.lengths[:, None])
        return skew

    def _own(self, change: Change) -> Floats:
        """Effect (rows, quadrupoles) of the change of each quadrupole's own gradient."""
        columns = self.space.quadrupole_columns
        b2 = change.parameters[columns, B2]
        kick = b2[:, None] * self.lengths[columns, None] * change.place[columns] * [-1.0, 1.0]
        own: Floats = np.einsum("rpe,ep->re", self.kicks[:, :, columns], kick)
        own[-2:] += self.response.tune[:, 0, columns] * b2
        return own

    def _beside_at(self, kind: ParameterKind) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Plane and element of the kicks that offsets, or rolls of steerers, make of a change."""
        space = self.space
        if kind == ParameterKind.STEERER_ROLL:
            return 1 - space.steerer_planes, space.steerer_columns
        columns = space.displaced_columns
        return np.full(columns.size, int(kind == ParameterKind.OFFSET_Y)), columns

    def _beside(self, change: Change, kind: ParameterKind) -> Floats:
        """Kicks [rad] in the planes of `_beside_at` per mm of an offset, or per rad of a steerer's roll."""
        space = self.space
        kicks: Floats
        if kind == ParameterKind.STEERER_ROLL:
            planes = space.steerer_planes
            kicks = change.parameters[space.steerer_columns, np.array(KICK)[planes]] * np.where(planes == 0, 1.0, -1.0)
        else:
            columns, sign = space.displaced_columns, 1e-3 if kind == ParameterKind.OFFSET_X else -1e-3
            kicks = sign * self.lengths[columns] * change.parameters[columns, B2]
        return kicks

    def _by_beside(self, change: Change, kind: ParameterKind) -> Floats:
        """Derivatives (rows, k) with respect to offsets [mm] of magnets whose gradient changes, or to rolls."""
        planes, columns = self._beside_at(kind)
        found: Floats = self.kicks[:, planes, columns] * self._beside(change, kind)
        return found

    def _monitors(self, change: Change, jacobian: Floats) -> None:
        """Set the derivatives by gains (relative) and rolls of monitors."""
        space, kinds = self.space, ParameterKind
        errors = self.errors
        x, y = errors.changes(1e3 * change.orbit[0], 1e3 * change.orbit[1])
        count = len(space.ring.monitors)
        each = np.arange(count)
        (gain_x, gain_y), roll = errors.gains.T, space.slices[kinds.MONITOR_ROLL].start
        factor = (
            1.0 + space.part(self.values, kinds.MONITOR_GAIN_X),
            1.0 + space.part(self.values, kinds.MONITOR_GAIN_Y),
        )
        jacobian[each, space.slices[kinds.MONITOR_GAIN_X].start + each] = x / factor[0]
        jacobian[count + each, space.slices[kinds.MONITOR_GAIN_Y].start + each] = y / factor[1]
        jacobian[each, roll + each] = gain_x * y / gain_y
        jacobian[count + each, roll + each] = -gain_y * x / gain_x
