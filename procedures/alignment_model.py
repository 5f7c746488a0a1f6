"""Values of the model for beam based alignment: patterns of kicks, steerers to use, straight ways between bends."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from gnomon.lattice import Key, Lattice, Magnet
from gnomon.lattice.elements import PARAMETERS, Bend
from gnomon.procedures.beam_based_alignment import AlignmentModel
from gnomon.procedures.errors import ProcedureError
from gnomon.propagator import Propagator
from gnomon.propagator.derivatives import fed_by, supply_response
from gnomon.propagator.studies import steering_supplies

__all__ = ["AlignmentSteerers", "Movements", "alignment_model", "movements"]

Array = NDArray[np.float64]
#: Settings for a change of one quadrupole's gradient, by its name and the change.
Change = Callable[[str, float], Mapping[Key, float]]

#: Movement of the beam in a quadrupole by which the effect of its gradient is computed [mm].
MOVE_MM = 0.1
_KICK_X = PARAMETERS.index("kick_x")
#: Monitors on each side of a quadrupole by which the beam's movement in it is found.
AROUND = 2
#: Noise of a reading relative to a movement, and the smallest effect of a steerer that counts, relative to the largest.
NOISE, SMALL = 5e-3, 1e-2
#: Angle of a beam [mm/m] that counts as known where nothing tells it, in units of the quadrupoles' misalignment.
UNKNOWN_ANGLE = 3.0


@dataclass(frozen=True, slots=True)
class AlignmentSteerers:
    """The supplies that move the beam in one quadrupole best, x and y, and the movement there [mm] per unit."""

    names: tuple[str, str]
    mm_per_unit: tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Movements:
    """Movements in quadrupoles by steerers (2, quadrupoles, steerers) [mm per unit], averaged over the length.

    `elsewhere` (quadrupoles, steerers): those that kick nowhere between the monitors around the quadrupole; all of them
    where there is none.
    """

    steerers: tuple[str, ...]
    mm_per_unit: Array
    elsewhere: NDArray[np.bool_]

    def best(self, quadrupole: int) -> AlignmentSteerers:
        """Choose the steerers elsewhere that move the beam most in a quadrupole, by its number."""
        moved = self.mm_per_unit[:, quadrupole]
        x, y = np.where(self.elsewhere[quadrupole], np.abs(moved), 0.0).argmax(axis=1)
        return AlignmentSteerers((self.steerers[x], self.steerers[y]), (float(moved[0, x]), float(moved[1, y])))


def movements(lattice: Lattice, quadrupoles: tuple[str, ...]) -> Movements:
    """Compute the movements in quadrupoles by all steerers. Raises ProcedureError for a name of something else."""
    magnets = _magnets(lattice, quadrupoles)
    steerers, moved = _moved(lattice, magnets)
    return Movements(steerers, moved, _elsewhere(lattice, magnets, steerers))


def alignment_model(lattice: Lattice, quadrupoles: tuple[str, ...], change: Change, step: Array) -> AlignmentModel:
    """Compute the model's part of beam based alignment.

    `change` gives the settings for a change of one quadrupole's gradient, `step` (quadrupoles,) the change that is
    made both ways: patterns are those of this size, since large ones are not quite proportional. Raises ProcedureError
    for a name that is not a quadrupole's, or without a beam.
    """
    ring = lattice.ring
    magnets = _magnets(lattice, quadrupoles)
    moves = movements(lattice, quadrupoles)
    propagate = Propagator(ring, chromatic=False)
    pattern = np.array(
        [
            _pattern(propagate, lattice, magnet, moves.best(number), partial(change, magnet.name), float(each))
            for number, (magnet, each) in enumerate(zip(magnets, step, strict=True))
        ]
    )
    centres = np.array([_centre(lattice, m) for m in magnets])
    monitor_s = ring.s[list(ring.monitors)]
    away = np.abs(_signed(monitor_s[None, :] - centres[:, None], ring.circumference))
    nearest = away.argmin(axis=1) if monitor_s.size else np.full(len(magnets), -1)
    distance = away[np.arange(len(magnets)), nearest] if monitor_s.size else np.full(len(magnets), np.nan)
    straight, steered, error = _ways(lattice, magnets, nearest)
    between = _between(lattice, magnets, moves)
    return AlignmentModel(
        quadrupoles=quadrupoles,
        monitors=tuple(bpm.name for bpm in ring.bpms),
        pattern_x=pattern[:, 0],
        pattern_y=pattern[:, 1],
        monitor=nearest,
        distance_m=distance,
        between_x=between[0],
        between_y=between[1],
        straight_x=straight[0],
        straight_y=straight[1],
        straight_error=error,
        steered_x=steered[0],
        steered_y=steered[1],
        source=f"model of {ring.name}, lattice {lattice.id}",
    )


def _magnets(lattice: Lattice, names: tuple[str, ...]) -> list[Magnet]:
    known = {m.name: m for m in lattice.ring.magnets if m.main == "k1"}
    if unknown := [name for name in names if name not in known]:
        raise ProcedureError(f"{unknown[0]} is not a quadrupole of {lattice.ring.name}")
    return [known[name] for name in names]


def _centre(lattice: Lattice, magnet: Magnet) -> float:
    return float(lattice.ring.s[magnet.element] + 0.5 * lattice.ring.elements[magnet.element].length)


def _pattern(
    propagate: Propagator,
    lattice: Lattice,
    magnet: Magnet,
    steerers: AlignmentSteerers,
    change: Callable[[float], Mapping[Key, float]],
    step: float,
) -> Array:
    """Compute the change of the readings (2, monitors) per change of a gradient and per distance u, in x and in y."""
    at, found = list(lattice.ring.monitors), []

    def orbit(settings: Mapping[Key, float]) -> Array:
        beam = propagate(lattice.updated(settings))
        if not beam.found:
            raise ProcedureError(f"the model has no beam with {magnet.name} changed by {step:g}: {beam.reason}")
        return beam.orbit

    for plane, (steerer, by) in enumerate(zip(steerers.names, steerers.mm_per_unit, strict=True)):
        total, u = np.zeros(len(at)), 0.0
        for side in (1.0, -1.0):
            key = (steerer, "current")
            moved = {key: lattice[key] + side * MOVE_MM / by}
            u += side * _position(lattice, magnet, orbit(moved)[magnet.element : magnet.element + 2])[plane]
            for way in (1.0, -1.0):
                total += side * way * orbit({**moved, **change(way * step)})[at, 2 * plane]
        found.append(total / (2.0 * step * u))
    return np.array(found)


def _position(lattice: Lattice, magnet: Magnet, ends: Array) -> Array:
    """Average the position (2, ...) over a quadrupole, from coordinates (2, 4, ...) at its ends."""
    length = lattice.ring.elements[magnet.element].length
    mean: Array = 0.5 * (ends[0, ::2] + ends[1, ::2]) + length / 12.0 * (ends[0, 1::2] - ends[1, 1::2])
    return mean


def _moved(lattice: Lattice, magnets: list[Magnet]) -> tuple[tuple[str, ...], Array]:
    """Compute the movement [mm per unit] in each quadrupole (2, quadrupoles, steerers), averaged over its length."""
    steerers = steering_supplies(lattice)
    places = tuple(m.element + end for m in magnets for end in (0, 1))
    orbit = supply_response(Propagator(lattice.ring), lattice, steerers, places=places).orbit
    ends = 1e3 * orbit.reshape(len(magnets), 2, 4, len(steerers))
    moved = np.array([_position(lattice, m, each) for m, each in zip(magnets, ends, strict=True)])
    return steerers, moved.transpose(1, 0, 2)


def _around(lattice: Lattice, magnet: Magnet) -> NDArray[np.int64]:
    """Return the numbers of the monitors around a magnet: AROUND before it, from the farthest, and as many behind."""
    ahead = (np.array(lattice.ring.monitors, dtype=int) - magnet.element) % len(lattice.ring.elements)
    order = ahead.argsort()
    count = min(AROUND, order.size // 2)
    return np.concatenate((order[order.size - count :], order[:count]))


def _elsewhere(lattice: Lattice, magnets: list[Magnet], steerers: tuple[str, ...]) -> NDArray[np.bool_]:
    """Tell for each quadrupole which steerers kick nowhere between the monitors around it (quadrupoles, steerers).

    All of them where there is none.
    """
    total, at = len(lattice.ring.elements), np.array(lattice.ring.monitors, dtype=int)
    found = np.ones((len(magnets), len(steerers)), dtype=bool)
    fed = [np.array([m.element for m, _ in fed_by(lattice, name)]) for name in steerers]
    for q, magnet in enumerate(magnets):
        around = at[_around(lattice, magnet)]
        if around.size:
            span = (around[-1] - around[0]) % total
            found[q] = [bool(((places - around[0]) % total > span).all()) for places in fed]
    found[~found.any(axis=1)] = True
    return found


def _between(lattice: Lattice, magnets: list[Magnet], moves: Movements) -> Array:
    """Compute the weights (2, quadrupoles, monitors) by which movements at monitors make that in a quadrupole.

    Least squares over what all steerers elsewhere do, with as little of the monitors' noise as that allows.
    """
    orbit = 1e3 * supply_response(Propagator(lattice.ring), lattice, moves.steerers).orbit[:, ::2]
    weights = np.zeros((2, len(magnets), orbit.shape[0]))
    for q, magnet in enumerate(magnets):
        around = _around(lattice, magnet)
        for plane in range(2):
            elsewhere = moves.elsewhere[q]
            seen, there = orbit[around, plane][:, elsewhere], moves.mm_per_unit[plane, q, elsewhere]
            size = np.sqrt((seen**2).sum(axis=0) + there**2)
            kicks = size > SMALL * size.max(initial=0.0)
            if not kicks.any():
                continue
            still = NOISE * np.sqrt(kicks.sum()) * np.eye(around.size)
            design = np.vstack(((seen / np.where(kicks, size, 1.0))[:, kicks].T, still))
            target = np.concatenate(((there / np.where(kicks, size, 1.0))[kicks], np.zeros(around.size)))
            weights[plane, q, around] = np.linalg.lstsq(design, target, rcond=None)[0]
    return weights


def _ways(lattice: Lattice, magnets: list[Magnet], nearest: NDArray[np.int64]) -> tuple[Array, Array, Array]:
    """Find the ways from quadrupole to monitor by positions in quadrupoles and by steerers, and their errors.

    Between two bends the beam is straight but for kicks of quadrupoles, -k1 L u and + k1 L u, and of steerers. A line
    through the positions in all quadrupoles there, less these kicks, gives its angle.
    """
    ring = lattice.ring
    steerers = steering_supplies(lattice)
    count = len(magnets)
    straight, steered = np.zeros((2, count, count)), np.zeros((2, count, len(steerers)))
    error = np.zeros(count)
    bends = [i for i, e in enumerate(ring.elements) if isinstance(e, Bend)]
    monitor_s = ring.s[list(ring.monitors)]
    every = [m for m in ring.magnets if m.main == "k1"]
    index = {m.name: q for q, m in enumerate(magnets)}
    for start, end in _sections(bends, len(ring.elements)):
        inside = [m for m in every if (m.element - start) % len(ring.elements) < (end - start) % len(ring.elements)]
        origin = ring.s[start]

        def along(s: float, origin: float = float(origin)) -> float:
            return float((s - origin) % ring.circumference)

        known = [m for m in inside if m.name in index]
        if not known:
            continue
        complete = len(known) == len(inside) > 1
        at = np.array([along(_centre(lattice, m)) for m in known])
        lengths = np.array([ring.elements[m.element].length for m in known])
        strength = lengths * [lattice.strength(m) for m in known]
        kicks = [
            (column, along(_centre(lattice, m)), 0 if m.column == _KICK_X else 1, 1e3 * slope)
            for column, name in enumerate(steerers)
            for m, slope in fed_by(lattice, name)
            if (m.element - start) % len(ring.elements) < (end - start) % len(ring.elements)
        ]
        line = np.column_stack((np.ones(len(known)), at))
        angle = np.linalg.pinv(line)[1] if complete else np.zeros(len(known))
        for plane, sign in enumerate((-1.0, 1.0)):
            bent = np.maximum(0.0, at[:, None] - at[None, :]) * (sign * strength)
            # The lines before and after a magnet meet k1 L^2 u / 6 away from the mean position in it.
            beside = np.diag(1.0 - sign * strength * lengths / 6.0)
            pushed = np.zeros((len(known), len(steerers)))
            for column, place, kicked, slope in kicks:
                if kicked == plane:
                    pushed[:, column] += np.maximum(0.0, at - place) * slope
            for k, magnet in enumerate(known):
                q = index[magnet.name]
                there = at[k] + float(_signed(monitor_s[nearest[q]] - _centre(lattice, magnet), ring.circumference))
                way = there - at[k]
                if not complete:
                    error[q] = UNKNOWN_ANGLE * abs(way)
                    continue
                error[q] = abs(way) * float(np.linalg.norm(angle))
                by_u = way * (angle @ (beside - bent)) + (beside - np.eye(len(known)))[k]
                by_u += (np.maximum(0.0, there - at) - np.maximum(0.0, at[k] - at)) * (sign * strength)
                by_steerer = -way * (angle @ pushed)
                for column, place, kicked, slope in kicks:
                    if kicked == plane:
                        by_steerer[column] += (max(0.0, there - place) - max(0.0, at[k] - place)) * slope
                straight[plane, q, [index[m.name] for m in known]] = by_u
                steered[plane, q] = by_steerer
    return straight, steered, error


def _sections(bends: list[int], count: int) -> list[tuple[int, int]]:
    """List the elements after each bend up to the next one; the whole ring without bends."""
    if not bends:
        return [(0, count - 1)]
    pairs = zip(bends, [*bends[1:], bends[0] + count], strict=True)
    return [((first + 1) % count, second % count) for first, second in pairs if second - first > 1]


def _signed(distance: Array, circumference: float) -> Array:
    """Return distances along the ring on its shorter way, from -C / 2 to C / 2."""
    return (distance + 0.5 * circumference) % circumference - 0.5 * circumference
