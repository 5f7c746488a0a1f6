"""Compiled code of derivatives: maps from the ring's start, and the effect of a parameter in its element."""

import numpy as np

from gnomon.propagator.compiled import Floats, Integers, compiled, kernel
from gnomon.propagator.derivatives.body_variations import PAIRS, vary_body
from gnomon.propagator.live.affine_maps import (
    AFFINE,
    ANGLE,
    CONSTANT,
    CORRECTOR,
    DRIFT,
    DX,
    DY,
    KICK_X,
    KICK_Y,
    LENGTH,
    MAP,
    NONLINEAR,
    ROLL,
    WIDTH,
    carry,
    edge_of,
    multiply_row,
    set_identity,
    steer,
)
from gnomon.propagator.live.coupled_optics import find_mode, find_traces, walker
from gnomon.propagator.live.live_tables import Packed, unpack
from gnomon.propagator.live.magnet_ends import write_ends
from gnomon.propagator.live.misalignment import COLUMNS, FRAME_PATH, ROWS, write_frames

#: Step of fourth-order differences of changes of frame, which are linear in the offsets [m], smooth in the roll [rad].
FRAME_STEP = 1e-3


@compiled
def add_edge(geometry: Floats, delta: float, change: Floats, out: Floats) -> None:
    """Carry a change (4) of the coordinates from a body's end through the exit edge, if there is one."""
    horizontal, vertical = edge_of(geometry, True, delta)
    out[0], out[1] = change[0], change[1] + horizontal * change[0]
    out[2], out[3] = change[2], change[3] - vertical * change[2]


@compiled
def along(frame: Floats, change: Floats) -> float:
    """Return the path [m] that a change (4) of the coordinates adds in a change of frame."""
    return multiply_row(frame, FRAME_PATH, change[0], change[1], change[2], change[3])


@kernel
def path_gradient(packed: Packed, delta: float, orbit: Floats, out: Floats) -> None:
    """Write the derivative (n, 4) of the path [m] in each element with respect to the coordinates at its entrance."""
    tables = unpack(packed)
    kinds, slices, geometry, parameters = tables.kinds, tables.slices, tables.geometry, tables.parameters
    misaligned, frames = tables.misaligned, tables.frames
    inlet, outlet, work = np.empty(MAP), np.empty(MAP), np.empty(2 * MAP)
    point, first, second, paths = np.empty(4), np.empty((5, 4)), np.empty((PAIRS, 4)), np.empty(5)
    out[:] = 0.0
    for index in range(kinds.size):
        kind, z = kinds[index], orbit[index]
        if kind == DRIFT:
            scale = geometry[index, LENGTH] / (1.0 + delta) ** 2
            out[index, 1], out[index, 3] = scale * z[1], scale * z[3]
        elif kind in (AFFINE, CORRECTOR, NONLINEAR):
            shape, row = geometry[index], parameters[index]
            write_ends(shape, misaligned[index] != 0, frames[index], delta, inlet, outlet, work)
            point[0], point[1], point[2], point[3] = carry(inlet, z[0], z[1], z[2], z[3])
            if kind == CORRECTOR:
                drift = shape[LENGTH] / (1.0 + delta)
                paths[0] = paths[2] = 0.0
                for v in (1, 3):
                    paths[v] = drift / (1.0 + delta) * (point[v] + 0.5 * row[KICK_X + v // 2])
                for v in range(4):
                    for i in range(4):
                        first[v, i] = 1.0 if i == v else 0.0
                first[1, 0] = first[3, 2] = drift
            else:
                vary_body(shape, row, slices[index], delta, -1, point, first, second, paths, 1)
            for v in range(4):
                if misaligned[index]:
                    add_edge(shape, delta, first[v], work)
                    paths[v] += along(frames[index, 1], work)
            for i in range(4):
                value = frames[index, 0, FRAME_PATH + i] if misaligned[index] else 0.0
                for v in range(4):
                    value += paths[v] * inlet[WIDTH * v + i]
                out[index, i] = value


@compiled
def record_matrix(turn: Floats, index: int, orbit: Floats, out: Floats) -> None:
    """Write the orbit (n+1, 4) and the matrix (n+1, 4, 4) at entry `index`."""
    for row in range(4):
        for column in range(4):
            out[index, row, column] = turn[WIDTH * row + column]
        orbit[index, row] = turn[WIDTH * row + CONSTANT]


#: Carry a matrix and the orbit around the ring, and record them.
walk_matrix = walker(record_matrix)


@kernel
def chain_maps(packed: Packed, slot: int, out: Floats, orbit: Floats) -> None:
    """Write the matrix (n+1, 4, 4) from the ring's start to every entrance, and the orbit (n+1, 4)."""
    tables = unpack(packed)
    start, turn, work = tables.starts[slot], np.empty(MAP), np.empty(MAP)
    set_identity(turn)
    for row in range(4):
        turn[WIDTH * row + CONSTANT] = start[row]
    walk_matrix(tables, slot, turn, work, orbit, out)


@kernel
def find_modes(matrix: Floats, vectors: Floats, phases: Floats) -> None:
    """Write eigenvectors (20, as `coupled_optics.find_mode`) and phase advances (2) [rad] of a stable turn (4, 4)."""
    turn, traces = np.zeros(MAP), np.empty(3)
    for row in range(4):
        for column in range(4):
            turn[WIDTH * row + column] = matrix[row, column]
    find_traces(turn, traces)
    for mode in range(2):
        phases[mode] = find_mode(turn, mode, traces, vectors)


@kernel
def vary(
    elements: Integers,
    columns: Integers,
    order: int,
    packed: Packed,
    delta: float,
    orbit: Floats,
    shift: Floats,
    matrix: Floats,
    bend: Floats,
    path: Floats,
) -> None:
    """Write derivatives of elements with respect to field parameters (`columns`), per unit, at given coordinates.

    `shift` (m, 4) is the derivative of the coordinates at the exit, `path` (m,) that of the path [m] in the element.
    With `order` 2, `matrix` (m, 4, 4) is the derivative of the element's matrix, and `bend` (m, 4, 4, 4) that of the
    matrix with respect to the coordinates at the entrance, along the second axis.
    """
    tables = unpack(packed)
    kinds, slices, geometry, parameters = tables.kinds, tables.slices, tables.geometry, tables.parameters
    misaligned, frames = tables.misaligned, tables.frames
    inlet, outlet, work = np.empty(MAP), np.empty(MAP), np.empty(2 * MAP)
    point, first, second, paths = np.empty(4), np.empty((5, 4)), np.empty((PAIRS, 4)), np.empty(5)
    inner = np.empty((5, 4, 4))
    for number in range(elements.size):
        index = elements[number]
        shape, row = geometry[index], parameters[index]
        write_ends(shape, misaligned[index] != 0, frames[index], delta, inlet, outlet, work)
        z = orbit[index]
        point[0], point[1], point[2], point[3] = carry(inlet, z[0], z[1], z[2], z[3])
        if kinds[index] == CORRECTOR:
            drift = shape[LENGTH] / (1.0 + delta)
            at = 0 if columns[number] == KICK_X else 2
            first[:] = 0.0
            second[:] = 0.0
            first[4, at] = 0.5 * drift
            first[4, at + 1] = 1.0
            paths[4] = 0.5 * drift / (1.0 + delta) * (point[at + 1] + 2.0 * row[columns[number]] / 3.0)
        else:
            vary_body(shape, row, slices[index], delta, columns[number], point, first, second, paths, order)
        path[number] = paths[4]
        if misaligned[index]:
            add_edge(shape, delta, first[4], work)
            path[number] += along(frames[index, 1], work)
        for i in range(4):
            value = 0.0
            for j in range(4):
                value += outlet[WIDTH * i + j] * first[4, j]
            shift[number, i] = value
        if order < 2:
            continue
        pair = 0
        for u in range(5):
            for v in range(u, 5):
                for i in range(4):
                    value = 0.0
                    for j in range(4):
                        value += outlet[WIDTH * i + j] * second[pair, j]
                    if v < 4:
                        inner[v, i, u] = value
                    elif u < 4:
                        inner[4, i, u] = value
                    if u < 4 and v < 4:
                        inner[u, i, v] = value
                pair += 1
        for i in range(4):
            for column in range(4):
                value = 0.0
                for j in range(4):
                    value += inner[4, i, j] * inlet[WIDTH * j + column]
                matrix[number, i, column] = value
                for c in range(4):
                    value = 0.0
                    for j in range(4):
                        for d in range(4):
                            value += inner[d, i, j] * inlet[WIDTH * j + column] * inlet[WIDTH * d + c]
                    bend[number, c, i, column] = value


@kernel
def displace(elements: Integers, columns: Integers, packed: Packed, delta: float, orbit: Floats, shift: Floats) -> None:
    """Write the derivative (m, 4) of the coordinates at an element's exit per unit of offset or roll (`columns`)."""
    tables = unpack(packed)
    kinds, slices, geometry, parameters = tables.kinds, tables.slices, tables.geometry, tables.parameters
    misaligned, frames = tables.misaligned, tables.frames
    inlet, outlet, work = np.empty(MAP), np.empty(MAP), np.empty(2 * MAP)
    inlet_change, outlet_change, spare = np.empty(MAP), np.empty(MAP), np.empty(2 * MAP)
    point, start, first, second = np.empty(4), np.empty(4), np.empty((5, 4)), np.empty((PAIRS, 4))
    paths = np.empty(5)
    changed = np.empty((2, ROWS * COLUMNS))
    for number in range(elements.size):
        index = elements[number]
        shape, row = geometry[index], parameters[index]
        inlet_change[:] = 0.0
        outlet_change[:] = 0.0
        for stencil in range(4):
            factor = (stencil - 2.0) if stencil < 2 else (stencil - 1.0)
            weight = (-8.0 if factor < 0.0 else 8.0) if abs(factor) < 1.5 else (1.0 if factor < 0.0 else -1.0)
            weight /= 12.0 * FRAME_STEP
            step = factor * FRAME_STEP
            write_frames(
                shape[ANGLE], row[DX] + (step if columns[number] == DX else 0.0),
                row[DY] + (step if columns[number] == DY else 0.0),
                row[ROLL] + (step if columns[number] == ROLL else 0.0), spare, changed[0], changed[1],
            )  # fmt: skip
            write_ends(shape, True, changed, delta, inlet, outlet, work)
            for i in range(MAP):
                inlet_change[i] += weight * inlet[i]
                outlet_change[i] += weight * outlet[i]
        write_ends(shape, misaligned[index] != 0, frames[index], delta, inlet, outlet, work)
        z = orbit[index]
        point[0], point[1], point[2], point[3] = carry(inlet, z[0], z[1], z[2], z[3])
        start[0], start[1], start[2], start[3] = carry(inlet_change, z[0], z[1], z[2], z[3])
        if kinds[index] == CORRECTOR:
            drift = shape[LENGTH] / (1.0 + delta)
            point[0], point[1], point[2], point[3] = steer(
                drift, row[KICK_X], row[KICK_Y], point[0], point[1], point[2], point[3]
            )
            start[0] += drift * start[1]
            start[2] += drift * start[3]
        else:
            vary_body(shape, row, slices[index], delta, -1, point, first, second, paths, 1)
            for i in range(4):
                work[i] = first[0, i] * start[0] + first[1, i] * start[1]
                work[i] += first[2, i] * start[2] + first[3, i] * start[3]
            for i in range(4):
                start[i] = work[i]
        out = carry(outlet_change, point[0], point[1], point[2], point[3])
        for i in range(4):
            shift[number, i] = out[i]
            for j in range(4):
                shift[number, i] += outlet[WIDTH * i + j] * start[j]
