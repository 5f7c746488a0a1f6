"""Search for a closed orbit from several starting points, and the orbit around the ring."""

from gnomon.propagator.compiled import Floats, compiled
from gnomon.propagator.live.affine_maps import AFFINE, CORRECTOR, DRIFT, LENGTH, NONLINEAR, carry
from gnomon.propagator.live.coupled_optics import find_traces
from gnomon.propagator.live.kernel_report import CHANGE, FOUND, ITERATIONS, LENGTHENING, STABLE, TRACE_1
from gnomon.propagator.live.live_tables import LiveTables
from gnomon.propagator.live.multiple_shooting import CAUTIOUS, FREE, close_orbit
from gnomon.propagator.live.nonlinear_bodies import STATE


@compiled
def find_closed_orbit(tables: LiveTables, slot: int, work: Floats, exact: bool, report: Floats) -> int:
    """Find one slot's closed orbit: from its points; if that fails, from zero; if that fails, from zero in short steps.

    If all fail, outcome and report are those of the second attempt.
    """
    points, bodies_valid = tables.points, tables.bodies_valid
    attempt = 1
    for k in range(points.shape[1]):
        for row in range(4):
            if not abs(points[slot, k, row]) < 1e3:
                points[slot, k, row] = 0.0
            if points[slot, k, row] != 0.0:
                attempt = 0
    why, iterations, change = FOUND, 0.0, 0.0
    # true from a found orbit until a nonlinear element of this slot is rebuilt (`map_building.rebuild`)
    found_before = bodies_valid[slot]
    bodies_valid[slot] = 0
    while attempt < 3:
        status = close_orbit(
            tables,
            slot,
            work[0:STATE],
            FREE if attempt < 2 else CAUTIOUS,
            attempt == 0 and found_before != 0,
            exact,
            report,
        )
        # a warm start may have led to an orbit without a stable beam
        if status == FOUND and (attempt > 0 or find_traces(tables.turns[slot], report[TRACE_1:LENGTHENING]) == STABLE):
            bodies_valid[slot] = 1
            return status
        points[slot] = 0.0
        if attempt == 1:
            why, iterations, change = status, report[ITERATIONS], report[CHANGE]
        attempt += 1
    report[ITERATIONS], report[CHANGE] = iterations, change
    return why


@compiled
def walk_orbit(tables: LiveTables, slot: int, orbit: Floats) -> None:
    """Write one slot's orbit at every entrance and at the end."""
    kinds, ordinals, geometry, has_frame = tables.kinds, tables.ordinals, tables.geometry, tables.has_frame
    maps, inlets, bodies, outlets = tables.maps, tables.inlets, tables.bodies, tables.outlets
    delta, start = tables.deltas[slot], tables.starts[slot]
    x, px, y, py = start[0], start[1], start[2], start[3]
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
            if has_frame[index]:
                x, px, y, py = carry(inlets[slot, index], x, px, y, py)
            x, px, y, py = carry(bodies[slot, k], x, px, y, py)
            if has_frame[index]:
                x, px, y, py = carry(outlets[slot, k], x, px, y, py)
    last = kinds.size
    orbit[last, 0] = x
    orbit[last, 1] = px
    orbit[last, 2] = y
    orbit[last, 3] = py
