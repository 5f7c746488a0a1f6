"""Entry point of the compiled code that finds a beam: orbit, momentum, optics and chromatic functions.

It works on the arrays that `live_tables.LiveTables` describes and `live_program.Program` holds.
"""

import math

import numpy as np

from gnomon.propagator.compiled import Floats, compiled, kernel
from gnomon.propagator.live.affine_maps import CONSTANT, MAP, WIDTH, copy, multiply_row
from gnomon.propagator.live.chromatic import (
    advance_bodies,
    advance_segments,
    find_dispersion,
    walk_dispersion,
)
from gnomon.propagator.live.coupled_optics import evaluate_optics, find_mode, find_traces, walk_beam
from gnomon.propagator.live.kernel_report import (
    CHANGE,
    FOUND,
    LENGTHENING,
    MOMENTUM,
    MOVED,
    NO_FIXED_POINT,
    PATH_SLOPE,
    STABLE,
    STATUS,
    TRACE_1,
    UNSTABLE,
    UNSTABLE_BOTH,
    WORST,
)  # fmt: skip
from gnomon.propagator.live.live_tables import LiveTables, Packed, unpack
from gnomon.propagator.live.map_building import move_slot
from gnomon.propagator.live.map_pairs import by_delta
from gnomon.propagator.live.multiple_shooting import TOLERANCE as CLOSED
from gnomon.propagator.live.nonlinear_bodies import STATE
from gnomon.propagator.live.orbit_search import find_closed_orbit, walk_orbit
from gnomon.propagator.live.path_length import BEHIND_END, lengthening

#: Numbers of working space of the kernels.
WORK = STATE + 300

#: Flags of what `find` computes: the path of the turn, optics, chromatic functions (which need the path), and the
#: momentum deviation at which the path has the target length.
PATH, OPTICS, CHROMATIC, FOLLOW = 1, 2, 4, 8

#: Maximum steps of the momentum deviation; the largest one after which the next can be skipped (convergence is
#: quadratic); rounding of the path [m] and of the momentum deviation.
MAX_STEPS, CERTAIN, ROUNDING, TOLERANCE = 8, 1e-8, 1e-15, 1e-15

#: Maximum step of the momentum deviation; a solution farther away is searched by `momentum_from_rf`.
MAX_LENGTH = 5e-3


@kernel
def find(
    slot: int,
    wanted: int,
    target: float,
    reach: float,
    packed: Packed,
    orbit: Floats,
    dispersion: Floats,
    optics: Floats,
    pairs: Floats,
    report: Floats,
) -> None:
    """Find one slot's closed orbit (n+1, 4) and the other quantities `wanted`; the outcome is in `report`.

    With FOLLOW the momentum deviation is varied until the path of the turn is `target` [m] longer than the ring. If
    that is farther than `reach` from where the maps were built, the outcome is MOVED: rebuild them about the momentum
    deviation in the report and continue from there. Without PATH or OPTICS the traces are those of the search's last
    step but one. `optics` (3, 2, n+1) holds beta, alpha and phase, `dispersion` (n+1, 4) the dispersion, at every
    entrance and at the end; `pairs` (2, 2) holds the tunes with their integer parts, and the chromaticities.
    """
    tables = unpack(packed)
    deltas, bases, points, starts, turn = tables.deltas, tables.bases, tables.points, tables.starts, tables.turns[slot]
    bounds, bodies_valid, last = tables.bounds, tables.bodies_valid, tables.kinds.size
    beta, alpha, phase, tunes, chromaticity = optics[0], optics[1], optics[2], pairs[0], pairs[1]
    work, total, eta = np.empty(WORK), np.empty(2), np.empty(4)
    exact = wanted & (PATH | OPTICS | CHROMATIC) != 0
    following = wanted & FOLLOW != 0
    steps = 0
    while True:
        report[STATUS] = find_closed_orbit(tables, slot, work, exact and not following, report)
        if report[STATUS] != FOUND or not following:
            break
        walk_orbit(tables, slot, orbit)
        measured = measure(tables, slot, orbit, dispersion, eta, work, total)
        rest = target - total[0]
        report[LENGTHENING], report[PATH_SLOPE] = total[0], total[1]
        step = rest / total[1]
        steps += 1
        if not measured or not abs(step) < MAX_LENGTH or steps > MAX_STEPS:
            report[STATUS] = NO_FIXED_POINT
            return
        if abs(step) <= TOLERANCE or abs(rest) <= ROUNDING:
            following = False
            if not exact or report[CHANGE] < CLOSED:
                break
            bodies_valid[slot] = 0
            continue
        delta = deltas[slot] + step
        for k in range(bounds.size):
            index = bounds[k]
            for row in range(4):
                points[slot, k, row] += step * slope_at(tables, slot, index, row, orbit, dispersion)
        for row in range(4):
            starts[slot, row] += step * eta[row]
        bodies_valid[slot] = 0
        report[MOMENTUM] = delta
        if not abs(delta - bases[slot]) < reach:
            report[STATUS] = MOVED
            return
        deltas[slot] = delta
        move_slot(delta - bases[slot], tables, slot)
        if abs(step) < CERTAIN:
            following = False
    report[MOMENTUM] = deltas[slot]
    if report[STATUS] != FOUND:
        return
    verdict = find_traces(turn, report[TRACE_1:LENGTHENING])
    if wanted & OPTICS and verdict == STABLE:
        beam, spare = work[0:MAP], work[MAP : 2 * MAP]
        traces = report[TRACE_1:LENGTHENING]
        vectors = np.empty((8, last + 1))
        for mode in range(2):
            tunes[mode] = find_mode(turn, mode, traces, beam) / (2.0 * math.pi)
        for row in range(4):
            beam[WIDTH * row + CONSTANT] = starts[slot, row]
        copy(beam, work[STATE : STATE + MAP])
        walk_beam(tables, slot, beam, spare, orbit, vectors)
        evaluate_optics(vectors, beta, alpha, phase)
        if not (0.0 < beta[0, last] < 1e300 and 0.0 < beta[1, last] < 1e300):
            verdict = UNSTABLE_BOTH  # too close to an integer for the rounding
        else:
            for mode in range(2):
                tunes[mode] += math.floor(phase[mode, last] - tunes[mode] + 0.5)
    else:
        walk_orbit(tables, slot, orbit)
    worst = 0.0
    for index in range(last + 1):
        worst = max(worst, max(abs(orbit[index, 0]), abs(orbit[index, 2])))
    report[WORST] = worst
    if wanted & PATH or (wanted & CHROMATIC and verdict == STABLE):
        measured = measure(tables, slot, orbit, dispersion, eta, work, total)
        report[LENGTHENING], report[PATH_SLOPE] = total[0], total[1]
        if not measured:
            report[STATUS] = NO_FIXED_POINT
            return
    if wanted & CHROMATIC and verdict == STABLE:
        beam, spare = work[STATE : STATE + MAP], work[STATE + MAP : STATE + 2 * MAP]
        for row in range(4):
            beam[WIDTH * row + CONSTANT] = eta[row]
        chromaticity[:] = 0.0
        advance_segments(tables, slot, beam, spare, chromaticity)
        advance_bodies(tables, slot, work, chromaticity)
        for mode in range(2):
            chromaticity[mode] /= 2.0 * math.pi
    if verdict != STABLE:
        report[STATUS] = UNSTABLE + verdict


@compiled
def slope_at(tables: LiveTables, slot: int, index: int, row: int, orbit: Floats, dispersion: Floats) -> float:
    """Return a row of the dispersion at an element's body, inside its change of frame and entrance edge."""
    if not tables.has_frame[index]:
        return float(dispersion[index, row])
    pair, z, d = tables.inlets[slot, index], orbit[index], dispersion[index]
    return float(multiply_row(pair, WIDTH * row, d[0], d[1], d[2], d[3]) + by_delta(pair, row, z[0], z[1], z[2], z[3]))


@compiled
def measure(
    tables: LiveTables, slot: int, orbit: Floats, dispersion: Floats, eta: Floats, work: Floats, total: Floats
) -> bool:
    """Write the dispersion along an orbit and at the start (`eta`), the path [m] and its slope; False without one."""
    if not find_dispersion(tables, slot, eta):
        return False
    walk_dispersion(tables, slot, orbit, eta, dispersion)
    lengthening(tables, slot, orbit, dispersion, work, work[STATE + MAP : STATE + MAP + BEHIND_END], total)
    return bool(math.isfinite(total[0]) and math.isfinite(total[1]))
