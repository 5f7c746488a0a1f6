"""Where the search for an orbit starts, when it starts again, and the orbit's way around the ring."""

from gnomon.propagator.compiled import Floats, Integers, compiled
from gnomon.propagator.live.affine import AFFINE, CORRECTOR, DRIFT, LENGTH, NONLINEAR
from gnomon.propagator.live.closed_orbit import CAUTIOUS, FREE, close_orbit
from gnomon.propagator.live.nonlinear import STATE
from gnomon.propagator.live.optics import find_traces
from gnomon.propagator.live.report import CHANGE, FOUND, ITERATIONS, LENGTHENING, STABLE, TRACE_1


@compiled
def close(
    slot: int,
    deltas: Floats,
    coefficients: Floats,
    group_slices: Integers,
    lanes: Integers,
    segments: Floats,
    points: Floats,
    bodies: Floats,
    touching: Integers,
    reached: Floats,
    turns: Floats,
    starts: Floats,
    work: Floats,
    exact: bool,
    report: Floats,
) -> int:
    """Find one slot's closed orbit: from its points, if that fails from zero, and then from zero in short steps.

    When all fail, outcome and report are those of the second.
    """
    attempt = 1
    for k in range(points.shape[1]):
        for row in range(4):
            if not abs(points[slot, k, row]) < 1e3:
                points[slot, k, row] = 0.0
            if points[slot, k, row] != 0.0:
                attempt = 0
    why, iterations, change = FOUND, 0.0, 0.0
    # holds from a found orbit until a nonlinear element of this slot is rebuilt (`kernels.rebuild`)
    found_before = touching[slot]
    touching[slot] = 0
    while attempt < 3:
        status = close_orbit(
            coefficients,
            group_slices,
            lanes,
            segments[slot],
            deltas[slot],
            points[slot],
            bodies[slot],
            reached,
            turns[slot],
            starts[slot],
            work[0:STATE],
            FREE if attempt < 2 else CAUTIOUS,
            attempt == 0 and found_before != 0,
            exact,
            report[ITERATIONS:TRACE_1],
        )
        # a warm start may have followed the orbit of a state without a beam
        if status == FOUND and (attempt > 0 or find_traces(turns[slot], report[TRACE_1:LENGTHENING]) == STABLE):
            touching[slot] = 1
            return status
        points[slot] = 0.0
        if attempt == 1:
            why, iterations, change = status, report[ITERATIONS], report[CHANGE]
        attempt += 1
    report[ITERATIONS], report[CHANGE] = iterations, change
    return why


@compiled
def walk_orbit(
    slot: int,
    deltas: Floats,
    kinds: Integers,
    ordinals: Integers,
    geometry: Floats,
    framed: Integers,
    maps: Floats,
    inlets: Floats,
    outlets: Floats,
    bodies: Floats,
    starts: Floats,
    orbit: Floats,
) -> None:
    """Write one slot's orbit at every entrance and at the end."""
    delta = deltas[slot]
    x, px, y, py = starts[slot, 0], starts[slot, 1], starts[slot, 2], starts[slot, 3]
    for index in range(kinds.size):
        orbit[index, 0] = x
        orbit[index, 1] = px
        orbit[index, 2] = y
        orbit[index, 3] = py
        kind = kinds[index]
        if kind == DRIFT:
            length = geometry[index, LENGTH] / (1.0 + delta)
            x += length * px
            y += length * py
        elif kind in (AFFINE, CORRECTOR):
            x, px, y, py = carry(maps[slot, index], x, px, y, py)
        elif kind == NONLINEAR:
            k = ordinals[index]
            if framed[index]:
                x, px, y, py = carry(inlets[slot, index], x, px, y, py)
            x, px, y, py = carry(bodies[slot, k], x, px, y, py)
            if framed[index]:
                x, px, y, py = carry(outlets[slot, k], x, px, y, py)
    last = kinds.size
    orbit[last, 0] = x
    orbit[last, 1] = px
    orbit[last, 2] = y
    orbit[last, 3] = py


@compiled
def carry(m: Floats, x: float, px: float, y: float, py: float) -> tuple[float, float, float, float]:
    """Apply an affine map to a point."""
    return (
        m[0] * x + m[1] * px + m[2] * y + m[3] * py + m[4],
        m[5] * x + m[6] * px + m[7] * y + m[8] * py + m[9],
        m[10] * x + m[11] * px + m[12] * y + m[13] * py + m[14],
        m[15] * x + m[16] * px + m[17] * y + m[18] * py + m[19],
    )
