"""The entry points of the compiled code: rebuild maps, find an orbit with its path, find the beam.

All tables are arrays that `program.Program` holds. A slot is one momentum deviation; the first axis of `maps`,
`segments`, `inlets`, `outlets`, `points`, `bodies`, `turns` and `starts` counts the slots.
"""

import math

import numpy as np

from gnomon.propagator.affine import (
    AFFINE,
    ANGLE,
    CORRECTOR,
    DRIFT,
    IDENTITY,
    KICK_X,
    KICK_Y,
    LENGTH,
    NONLINEAR,
    apply_drift,
    body_map,
    compose,
    copy,
    corrector_map,
    edge_map,
    has_edges,
    set_identity,
)  # fmt: skip
from gnomon.propagator.compiled import Floats, Integers, kernel
from gnomon.propagator.ends import write_ends
from gnomon.propagator.misalignment import write_frames
from gnomon.propagator.nonlinear import COEFFICIENTS, LANES, STATE, write_coefficients
from gnomon.propagator.optics import evaluate_optics, find_mode, find_traces, walk_beam
from gnomon.propagator.orbit_search import close, walk_orbit
from gnomon.propagator.path_form import add_after, add_frame, write_corrector_form
from gnomon.propagator.path_length import lengthening
from gnomon.propagator.report import FOUND, LENGTHENING, STABLE, STATUS, TRACE_1, UNSTABLE, UNSTABLE_BOTH, WORST

#: Room that kernels work in.
WORK = STATE + 100


@kernel
def rebuild(
    which: Integers,
    slots: Integers,
    deltas: Floats,
    kinds: Integers,
    ordinals: Integers,
    slices: Integers,
    lane_of: Integers,
    bounds: Integers,
    geometry: Floats,
    parameters: Floats,
    moved: Integers,
    framed: Integers,
    frames: Floats,
    coefficients: Floats,
    maps: Floats,
    forms: Floats,
    inlets: Floats,
    outlets: Floats,
    segments: Floats,
    touching: Integers,
) -> None:
    """Bring the maps of the elements `which` up to date in all `slots`, and the segments that contain them."""
    count = bounds.size
    touched = np.zeros(count + 1, dtype=np.int64)
    work = np.empty(WORK)
    first, second = np.empty(20), np.empty(20)
    inlet, outlet, spare = np.empty(20), np.empty(20), np.empty(20)
    flat = coefficients.reshape(coefficients.size)
    for number in range(which.size):
        index = which[number]
        kind = kinds[index]
        if kind == IDENTITY:
            continue
        k = ordinals[index]
        touched[k] = 1
        row = parameters[index]
        shape = geometry[index]
        moved[index] = 0
        if kind != DRIFT and (row[10] != 0.0 or row[11] != 0.0 or row[12] != 0.0):
            moved[index] = 1
            write_frames(shape[ANGLE], row[10], row[11], row[12], work, frames[index, 0], frames[index, 1])
        edges = has_edges(shape)
        if kind == NONLINEAR:
            touched[k + 1] = 1
            framed[k] = 1 if edges or moved[index] else 0
            lane = lane_of[k]
            write_coefficients(shape, row, slices[index], lane % LANES, flat, (lane // LANES) * COEFFICIENTS * LANES)
        for slot in slots:
            delta = deltas[slot]
            if kind == NONLINEAR:
                touching[slot] = 0
            if kind == DRIFT:
                set_identity(maps[slot, index])
                apply_drift(shape[LENGTH] / (1.0 + delta), maps[slot, index])
                continue
            out, form = maps[slot, index], forms[slot, index]
            if kind == CORRECTOR:
                corrector_map(shape[LENGTH], row[KICK_X], row[KICK_Y], delta, out)
                write_corrector_form(shape[LENGTH], row[KICK_X], row[KICK_Y], delta, form)
                if not moved[index]:
                    continue
            elif kind == AFFINE:
                body_map(shape, row, slices[index], delta, out, form, work)
                if not (edges or moved[index]):
                    continue
            elif not framed[k]:
                continue
            write_ends(shape, moved[index] != 0, frames[index], delta, inlet, outlet, work)
            if kind == NONLINEAR:
                copy(inlet, inlets[slot, k])
                copy(outlet, outlets[slot, k])
                continue
            for i in range(25):
                work[i] = form[i]
            form[:] = 0.0
            add_after(work, inlet, form)
            compose(out, inlet, spare)
            if moved[index]:
                set_identity(work)
                add_frame(frames[index, 0], delta, work, form)
                copy(spare, out)
                if edges:
                    edge_map(shape, True, delta, work)
                    compose(work, spare, out)
                add_frame(frames[index, 1], delta, out, form)
            compose(outlet, spare, out)
    for k in range(count + 1):
        if not touched[k]:
            continue
        begin = 0 if k == 0 else bounds[k - 1] + 1
        end = kinds.size if k == count else bounds[k]
        for slot in slots:
            if k > 0 and framed[k - 1]:
                copy(outlets[slot, k - 1], first)
            else:
                set_identity(first)
            for index in range(begin, end):
                kind = kinds[index]
                if kind == DRIFT:
                    apply_drift(geometry[index, LENGTH] / (1.0 + deltas[slot]), first)
                elif kind != IDENTITY:
                    compose(maps[slot, index], first, second)
                    copy(second, first)
            if k < count and framed[k]:
                compose(inlets[slot, k], first, second)
                copy(second, first)
            copy(first, segments[slot, k])


@kernel
def locate(
    slot: int,
    orbit_alone: bool,
    deltas: Floats,
    kinds: Integers,
    ordinals: Integers,
    geometry: Floats,
    moved: Integers,
    framed: Integers,
    frames: Floats,
    coefficients: Floats,
    group_slices: Integers,
    lanes: Integers,
    maps: Floats,
    forms: Floats,
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
    report: Floats,
) -> None:
    """Find one slot's closed orbit, its way around the ring, its path and the tunes' traces.

    With `orbit_alone` the path is left out, and the traces are those of the search's last step but one.
    """
    work = np.empty(WORK)
    report[STATUS] = close(
        slot,
        deltas,
        coefficients,
        group_slices,
        lanes,
        segments,
        points,
        bodies,
        touching,
        reached,
        turns,
        starts,
        work,
        not orbit_alone,
        report,
    )
    if report[STATUS] != FOUND:
        return
    walk_orbit(slot, deltas, kinds, ordinals, geometry, framed, maps, inlets, outlets, bodies, starts, orbit)
    worst = 0.0
    for index in range(kinds.size + 1):
        worst = max(worst, max(abs(orbit[index, 0]), abs(orbit[index, 2])))
    report[WORST] = worst
    if not orbit_alone:
        report[LENGTHENING] = lengthening(
            kinds, ordinals, geometry, moved, frames, forms[slot], coefficients, group_slices, lanes, points[slot],
            bodies[slot], deltas[slot], orbit, work,
        )  # fmt: skip
    verdict = find_traces(turns[slot], report[TRACE_1:LENGTHENING])
    if verdict != STABLE:
        report[STATUS] = UNSTABLE + verdict


@kernel
def find_beam(
    slot: int,
    deltas: Floats,
    kinds: Integers,
    ordinals: Integers,
    geometry: Floats,
    framed: Integers,
    coefficients: Floats,
    group_slices: Integers,
    lanes: Integers,
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
    beta: Floats,
    alpha: Floats,
    phase: Floats,
    tunes: Floats,
    report: Floats,
) -> None:
    """Find one slot's closed orbit and optics at every entrance and at the end, and the tunes with their integers."""
    work = np.empty(WORK)
    report[STATUS] = close(
        slot,
        deltas,
        coefficients,
        group_slices,
        lanes,
        segments,
        points,
        bodies,
        touching,
        reached,
        turns,
        starts,
        work,
        True,
        report,
    )
    if report[STATUS] != FOUND:
        return
    verdict = find_traces(turns[slot], report[TRACE_1:LENGTHENING])
    if verdict != STABLE:
        report[STATUS] = UNSTABLE + verdict
        return
    delta = deltas[slot]
    beam, spare = work[0:20], work[20:40]
    traces = report[TRACE_1:LENGTHENING]
    for mode in range(2):
        tunes[mode] = find_mode(turns[slot], mode, traces, beam) / (2.0 * math.pi)
    for row in range(4):
        beam[5 * row + 4] = starts[slot, row]
    last = kinds.size
    vectors = np.empty((8, last + 1))
    walk_beam(
        kinds, ordinals, geometry, maps[slot], inlets[slot], bodies[slot], outlets[slot], framed, delta, beam, spare,
        orbit, vectors,
    )  # fmt: skip
    worst = 0.0
    for index in range(last + 1):
        worst = max(worst, max(abs(orbit[index, 0]), abs(orbit[index, 2])))
    report[WORST] = worst
    evaluate_optics(vectors, beta, alpha, phase)
    if not (0.0 < beta[0, last] < 1e300 and 0.0 < beta[1, last] < 1e300):
        report[STATUS] = UNSTABLE + UNSTABLE_BOTH  # so near an integer that rounding decides
        return
    for mode in range(2):
        tunes[mode] += math.floor(phase[mode, last] - tunes[mode] + 0.5)
