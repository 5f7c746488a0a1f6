"""The entry point of the compiled code that finds a beam: orbit, momentum, optics and chromatic functions.

All tables are arrays that `program.Program` holds. A slot is one momentum deviation; the first axis of `maps`,
`segments`, `inlets`, `outlets`, `points`, `bodies`, `turns` and `starts` counts the slots.
"""

import math

import numpy as np

from gnomon.propagator.compiled import Floats, Integers, compiled, kernel
from gnomon.propagator.live.chromatic import (
    advance_bodies,
    advance_segments,
    find_dispersion,
    walk_dispersion,
)
from gnomon.propagator.live.closed_orbit import TOLERANCE as CLOSED
from gnomon.propagator.live.nonlinear import STATE
from gnomon.propagator.live.optics import evaluate_optics, find_mode, find_traces, walk_beam
from gnomon.propagator.live.orbit_search import close, walk_orbit
from gnomon.propagator.live.path_length import lengthening
from gnomon.propagator.live.rebuild import move_slot
from gnomon.propagator.live.report import (
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

#: Room that kernels work in.
WORK = STATE + 300

#: What is asked of `find`, added up: the path of the turn, optics, chromatic functions (with the path), and the
#: momentum deviation at which the path is the one that is wanted.
PATH, OPTICS, CHROMATIC, FOLLOW = 1, 2, 4, 8

#: Steps of the momentum deviation before it is given up, the longest one after which the next need not be seen (it
#: shrinks with the square), and what the path's rounding leaves of it [m] and of the momentum deviation.
STEPS, CERTAIN, ROUNDING, TOLERANCE = 8, 1e-8, 1e-15, 1e-15

#: Longest step of the momentum deviation; farther away the search is not here (`rf`).
MAX_LENGTH = 5e-3


@kernel
def find(
    slot: int,
    wanted: int,
    target: float,
    reach: float,
    bases: Floats,
    deltas: Floats,
    kinds: Integers,
    ordinals: Integers,
    bounds: Integers,
    geometry: Floats,
    parameters: Floats,
    moved: Integers,
    framed: Integers,
    frames: Floats,
    coefficients: Floats,
    group_slices: Integers,
    lanes: Integers,
    members: Integers,
    body_coefficients: Floats,
    body_slices: Integers,
    body_members: Integers,
    maps: Floats,
    inlets: Floats,
    outlets: Floats,
    segments: Floats,
    points: Floats,
    bodies: Floats,
    touching: Integers,
    reached: Floats,
    turns: Floats,
    starts: Floats,
    orbit: Floats,
    dispersion: Floats,
    beta: Floats,
    alpha: Floats,
    phase: Floats,
    tunes: Floats,
    chromaticity: Floats,
    report: Floats,
) -> None:
    """Find one slot's closed orbit (n+1, 4) and what else is `wanted`; the outcome is in `report`.

    With FOLLOW the momentum deviation moves until the path of the turn is `target` [m] longer than the ring. When that
    is further than `reach` from where the maps were built, the outcome is MOVED: they are to be rebuilt about the
    momentum deviation in the report, and the search goes on from there. Without PATH or OPTICS the traces are those of
    the search's last step but one. Optics (2, n+1) and dispersion (n+1, 4) are those at every entrance and at the end;
    the tunes have their integers.
    """
    work, total, eta = np.empty(WORK), np.empty(2), np.empty(4)
    pairs = work[STATE + 20 : STATE + 90]
    exact = wanted & (PATH | OPTICS | CHROMATIC) != 0
    following = wanted & FOLLOW != 0
    steps = 0
    while True:
        report[STATUS] = close(
            slot, deltas, coefficients, group_slices, lanes, segments, points, bodies, touching, reached, turns,
            starts, work, exact and not following, report,
        )  # fmt: skip
        if report[STATUS] != FOUND or not following:
            break
        walk_orbit(slot, deltas, kinds, ordinals, geometry, framed, maps, inlets, outlets, bodies, starts, orbit)
        measured = measure(
            slot, deltas, kinds, ordinals, geometry, parameters, moved, framed, frames, coefficients, group_slices,
            members, body_coefficients, body_slices, body_members, maps, inlets, outlets, segments, points, bodies,
            turns, starts, orbit, dispersion, eta, work, pairs, total,
        )  # fmt: skip
        rest = target - total[0]
        report[LENGTHENING], report[PATH_SLOPE] = total[0], total[1]
        step = rest / total[1]
        steps += 1
        if not measured or not abs(step) < MAX_LENGTH or steps > STEPS:
            report[STATUS] = NO_FIXED_POINT
            return
        if abs(step) <= TOLERANCE or abs(rest) <= ROUNDING:
            following = False
            if not exact or report[CHANGE] < CLOSED:
                break
            touching[slot] = 0
            continue
        delta = deltas[slot] + step
        for k in range(bounds.size):
            index = bounds[k]
            for row in range(4):
                points[slot, k, row] += step * slope_at(framed, inlets[slot], index, row, orbit, dispersion)
        for row in range(4):
            starts[slot, row] += step * eta[row]
        touching[slot] = 0
        report[MOMENTUM] = delta
        if not abs(delta - bases[slot]) < reach:
            report[STATUS] = MOVED
            return
        deltas[slot] = delta
        move_slot(delta - bases[slot], kinds, bounds, framed, maps[slot], inlets[slot], outlets[slot], segments[slot])
        if abs(step) < CERTAIN:
            following = False
    report[MOMENTUM] = deltas[slot]
    if report[STATUS] != FOUND:
        return
    verdict = find_traces(turns[slot], report[TRACE_1:LENGTHENING])
    last = kinds.size
    if wanted & OPTICS and verdict == STABLE:
        beam, spare = work[0:20], work[20:40]
        traces = report[TRACE_1:LENGTHENING]
        vectors = np.empty((8, last + 1))
        for mode in range(2):
            tunes[mode] = find_mode(turns[slot], mode, traces, beam) / (2.0 * math.pi)
        for row in range(4):
            beam[5 * row + 4] = starts[slot, row]
        for i in range(20):
            work[STATE + i] = beam[i]
        walk_beam(
            kinds, ordinals, geometry, maps[slot], inlets[slot], bodies[slot], outlets[slot], framed, deltas[slot],
            beam, spare, orbit, vectors,
        )  # fmt: skip
        evaluate_optics(vectors, beta, alpha, phase)
        if not (0.0 < beta[0, last] < 1e300 and 0.0 < beta[1, last] < 1e300):
            verdict = UNSTABLE_BOTH  # so near an integer that rounding decides
        else:
            for mode in range(2):
                tunes[mode] += math.floor(phase[mode, last] - tunes[mode] + 0.5)
    else:
        walk_orbit(slot, deltas, kinds, ordinals, geometry, framed, maps, inlets, outlets, bodies, starts, orbit)
    worst = 0.0
    for index in range(last + 1):
        worst = max(worst, max(abs(orbit[index, 0]), abs(orbit[index, 2])))
    report[WORST] = worst
    if wanted & PATH or (wanted & CHROMATIC and verdict == STABLE):
        measured = measure(
            slot, deltas, kinds, ordinals, geometry, parameters, moved, framed, frames, coefficients, group_slices,
            members, body_coefficients, body_slices, body_members, maps, inlets, outlets, segments, points, bodies,
            turns, starts, orbit, dispersion, eta, work, pairs, total,
        )  # fmt: skip
        report[LENGTHENING], report[PATH_SLOPE] = total[0], total[1]
        if not measured:
            report[STATUS] = NO_FIXED_POINT
            return
    if wanted & CHROMATIC and verdict == STABLE:
        beam, spare = work[STATE : STATE + 20], work[STATE + 20 : STATE + 40]
        for row in range(4):
            beam[5 * row + 4] = eta[row]
        chromaticity[:] = 0.0
        advance_segments(
            segments[slot], bodies[slot], points[slot], starts[slot], beam, reached, spare, chromaticity
        )  # fmt: skip
        advance_bodies(coefficients, group_slices, lanes, deltas[slot], points[slot], reached, work, chromaticity)
        for mode in range(2):
            chromaticity[mode] /= 2.0 * math.pi
    if verdict != STABLE:
        report[STATUS] = UNSTABLE + verdict


@compiled
def slope_at(framed: Integers, inlets: Floats, index: int, row: int, orbit: Floats, dispersion: Floats) -> float:
    """A row of the dispersion at a body, behind the entrance of its element."""
    if not framed[index]:
        return float(dispersion[index, row])
    pair = inlets[index]
    i = 5 * row
    value = pair[44 + i]
    for column in range(4):
        value += pair[i + column] * dispersion[index, column] + pair[40 + i + column] * orbit[index, column]
    return float(value)


@compiled
def measure(
    slot: int,
    deltas: Floats,
    kinds: Integers,
    ordinals: Integers,
    geometry: Floats,
    parameters: Floats,
    moved: Integers,
    framed: Integers,
    frames: Floats,
    coefficients: Floats,
    group_slices: Integers,
    members: Integers,
    body_coefficients: Floats,
    body_slices: Integers,
    body_members: Integers,
    maps: Floats,
    inlets: Floats,
    outlets: Floats,
    segments: Floats,
    points: Floats,
    bodies: Floats,
    turns: Floats,
    starts: Floats,
    orbit: Floats,
    dispersion: Floats,
    eta: Floats,
    work: Floats,
    pairs: Floats,
    total: Floats,
) -> bool:
    """Write the dispersion along an orbit, that at the start (`eta`), the path [m] and its slope; False without one."""
    if not find_dispersion(segments[slot], bodies[slot], points[slot], turns[slot], starts[slot], eta):
        return False
    walk_dispersion(
        kinds, ordinals, geometry, framed, maps[slot], inlets[slot], bodies[slot], outlets[slot], deltas[slot], orbit,
        eta, dispersion,
    )  # fmt: skip
    lengthening(
        kinds, geometry, parameters, moved, frames, framed, inlets[slot], coefficients, group_slices, members,
        body_coefficients, body_slices, body_members, deltas[slot], orbit, dispersion, work, pairs, total,
    )  # fmt: skip
    return bool(math.isfinite(total[0]) and math.isfinite(total[1]))
