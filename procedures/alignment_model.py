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

__all__ = ["AlignmentSteerers", "alignment_model", "alignment_steerers"]

Array = NDArray[np.float64]
#: Settings for a change of one quadrupole's gradient, by its name and the change.
Change = Callable[[str, float], Mapping[Key, float]]

#: Movement of the beam in a quadrupole by which the effect of its gradient is computed [mm].
MOVE_MM = 0.1
_KICK_X = PARAMETERS.index("kick_x")
#: Angle of a beam [mm/m] that counts as known where nothing tells it, in units of the quadrupoles' misalignment.
UNKNOWN_ANGLE = 3.0


@dataclass(frozen=True, slots=True)
class AlignmentSteerers:
    """The supplies that move the beam in one quadrupole best, x and y, and the movement there [mm] per unit."""

    names: tuple[str, str]
    mm_per_unit: tuple[float, float]


def alignment_steerers(lattice: Lattice, quadrupoles: tuple[str, ...]) -> tuple[AlignmentSteerers, ...]:
    """Choose the steerers for each quadrupole: those with the largest effect on the beam in it."""
    return _best(*_moved(lattice, _magnets(lattice, quadrupoles)))


def alignment_model(lattice: Lattice, quadrupoles: tuple[str, ...], change: Change, step: Array) -> AlignmentModel:
    """Compute the model's part of beam based alignment.

    `change` gives the settings for a change of one quadrupole's gradient, `step` (quadrupoles,) the change that is
    made both ways: patterns are those of this size, since large ones are not quite proportional. Raises ProcedureError
    for a name that is not a quadrupole's, or without a beam.
    """
    ring = lattice.ring
    magnets = _magnets(lattice, quadrupoles)
    steerers, moved = _moved(lattice, magnets)
    propagate = Propagator(ring, chromatic=False)
    pattern = np.array(
        [
            _pattern(propagate, lattice, magnet, steerer, partial(change, magnet.name), float(each))
            for magnet, steerer, each in zip(magnets, _best(steerers, moved), step, strict=True)
        ]
    )
    centres = np.array([_centre(lattice, m) for m in magnets])
    monitor_s = ring.s[list(ring.monitors)]
    away = np.abs(_signed(monitor_s[None, :] - centres[:, None], ring.circumference))
    nearest = away.argmin(axis=1) if monitor_s.size else np.full(len(magnets), -1)
    distance = away[np.arange(len(magnets)), nearest] if monitor_s.size else np.full(len(magnets), np.nan)
    straight, steered, error = _ways(lattice, magnets, nearest)
    ratio = _ratios(lattice, steerers, moved, nearest)
    return AlignmentModel(
        quadrupoles=quadrupoles,
        monitors=tuple(bpm.name for bpm in ring.bpms),
        pattern_x=pattern[:, 0],
        pattern_y=pattern[:, 1],
        monitor=nearest,
        distance_m=distance,
        ratio_x=ratio[0],
        ratio_y=ratio[1],
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


def _best(steerers: tuple[str, ...], moved: Array) -> tuple[AlignmentSteerers, ...]:
    """Choose the steerers with the largest movement (2, quadrupoles, steerers), as `_moved` has it."""
    best = np.abs(moved).argmax(axis=2)
    return tuple(
        AlignmentSteerers(
            (steerers[best[0, q]], steerers[best[1, q]]),
            (float(moved[0, q, best[0, q]]), float(moved[1, q, best[1, q]])),
        )
        for q in range(moved.shape[1])
    )


def _ratios(lattice: Lattice, steerers: tuple[str, ...], moved: Array, nearest: NDArray[np.int64]) -> Array:
    """Compute the movement in the quadrupole per movement at its monitor (2, quadrupoles), for the steerers chosen."""
    orbit = 1e3 * supply_response(Propagator(lattice.ring), lattice, steerers).orbit
    ratios = np.ones((2, len(nearest)))
    for plane in range(2):
        for q, monitor in enumerate(nearest):
            best = int(np.abs(moved[plane, q]).argmax())
            there = orbit[monitor, 2 * plane, best]
            ratios[plane, q] = moved[plane, q, best] / there if there else np.nan
    return ratios


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
