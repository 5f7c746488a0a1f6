"""Entry points of the six-dimensional kernels: the search for the closed orbit, and the walk around the ring."""

import math

import numpy as np

from gnomon.propagator.compiled import Floats, Integers, borrowed, compiled, kernel
from gnomon.propagator.live.affine_maps import DRIFT_INNER, DRIFT_OUTER, KICK_INNER, KICK_OUTER, solve
from gnomon.propagator.live.coupled_optics import angle_of, count_turns
from gnomon.propagator.live.kernel_report import FOUND, LOST, NO_FIXED_POINT, NOT_CONVERGED
from gnomon.propagator.six.six_elements import (
    CT,
    DELTA,
    MATRIX,
    PX,
    PY,
    WIDTH,
    Point,
    X,
    Y,
    accelerate,
    accelerate_matrix,
    add_diffusion,
    change_frame,
    drift,
    drift_matrix,
    edge,
    edge_matrix,
    face,
    face_matrix,
    field,
    frame_matrix,
    kick,
    kick_matrix,
    radiated,
    radiating_slices_matrix,
    slices_matrix,
    steer,
    steer_matrix,
)

#: Kinds of elements.
NOTHING, SPACE, STEERER, MAGNET, CAVITY = range(5)

#: Columns of an element's row: length, curvature, both edges (horizontal strength, angle, psi, and h^2 tan(angle) for
#: the radiation), fields b1 to b4 and a1 to a4, kicks, cavity (voltage over energy, wave number, lag).
LONG, BENDING, IN_EDGE, OUT_EDGE, FIELDS, KICK_X, KICK_Y, VOLTAGE, WAVE, LAG = 0, 1, 2, 6, 10, 18, 19, 20, 21, 22
COLUMNS = 23

#: Columns of an edge, relative to its first.
STRENGTH, ANGLE, PSI, GAIN = range(4)

#: Places in the report of a search: steps, and the last change.
STEPS, CHANGE = range(2)

#: Maximum steps of Newton's method; size of the last one [m, rad, 1], small enough for the optics; distance at which a
#: particle is lost [m].
ITERATIONS, TOLERANCE, FAR = 40, 3e-11, 10.0

#: Part of the first change that is expected to remain after a step with a neighbour's matrix.
EXPECTED = 1e-3


@compiled
def drifted(length: float, point: Point, linear: bool, matrix: Floats) -> Point:
    """Carry a particle through a drift, and `matrix` if `linear`."""
    if linear:
        drift_matrix(length, point, matrix)
    return drift(length, point)


@compiled
def pass_edge(
    row: Floats, at: int, radiation: float, quantum: float, point: Point, linear: bool, matrix: Floats,
    diffusion: Floats,
) -> Point:  # fmt: skip
    """Carry a particle through the edge of a bend whose columns start at `at`."""
    curvature, gain = row[BENDING], radiation * row[at + GAIN]
    if gain != 0.0:
        before = point
        if linear:
            face_matrix(gain, before, matrix)
        point = face(gain, before)
        if quantum > 0.0:
            p = 1.0 + before[4]
            amount = -quantum * abs(curvature) * row[at + GAIN] * before[0] * p * p * p * p
            add_diffusion(amount, before[1] / p, before[3] / p, matrix, diffusion)
    if linear:
        edge_matrix(row[at + STRENGTH], curvature, row[at + ANGLE], row[at + PSI], point, matrix)
    return edge(row[at + STRENGTH], curvature, row[at + ANGLE], row[at + PSI], point)


@compiled
def pass_magnet(
    row: Floats, slices: int, high: bool, radiation: float, quantum: float, point: Point, linear: bool,
    matrix: Floats, diffusion: Floats,
) -> Point:  # fmt: skip
    """Carry a particle through a magnet in its own frame."""
    length, curvature, fields = row[LONG], row[BENDING], row[FIELDS:KICK_X]
    if length == 0.0:
        after = kick(1.0, 0.0, high, fields, 0.0, point)
        if linear:
            kick_matrix(1.0, 0.0, high, fields, 0.0, point, 0.0, after, matrix)
        return after
    if curvature != 0.0:
        point = pass_edge(row, IN_EDGE, radiation, quantum, point, linear, matrix, diffusion)
    step = length / slices
    point = drifted(DRIFT_OUTER * step, point, linear, matrix)
    sliced = slices if quantum > 0.0 or not linear else 0
    if sliced == 0 and radiation == 0.0:
        point = slices_matrix(step, slices, curvature, high, fields, point, matrix)
    elif sliced == 0:
        point = radiating_slices_matrix(step, slices, curvature, high, fields, radiation, point, matrix)
    for number in range(sliced):
        for stage in range(3):
            part = (KICK_INNER if stage == 1 else KICK_OUTER) * step
            last = 2.0 * DRIFT_OUTER if number < slices - 1 else DRIFT_OUTER
            ahead = (DRIFT_INNER if stage < 2 else last) * step
            before = point
            point = kick(part, curvature, high, fields, radiation, point)
            if quantum > 0.0:
                kick_matrix(part, curvature, high, fields, radiation, before, 0.0, point, matrix)
                b, a, _, _ = field(fields, high, before[0], before[2])
                square, path = radiated(b, a, curvature, before)
                p = 1.0 + before[4]
                amount = quantum * part * path * p * p * square * math.sqrt(square)
                add_diffusion(amount, before[1] / p, before[3] / p, matrix, diffusion)
                drift_matrix(ahead, point, matrix)
            point = drift(ahead, point)
    if curvature != 0.0:
        point = pass_edge(row, OUT_EDGE, radiation, quantum, point, linear, matrix, diffusion)
    return point


@compiled
def pass_element(
    kind: int, row: Floats, slices: int, high: int, misaligned: int, frames: Floats, radiation: float, quantum: float,
    point: Point, linear: bool, matrix: Floats, diffusion: Floats, work: Floats,
) -> Point:  # fmt: skip
    """Carry a particle through any element, and `matrix` if `linear`."""
    if kind == NOTHING:
        return point
    if kind == SPACE:
        return drifted(row[LONG], point, linear, matrix)
    if kind == CAVITY:
        point = drifted(0.5 * row[LONG], point, linear, matrix)
        if linear:
            accelerate_matrix(row[VOLTAGE], row[WAVE], row[LAG], point, matrix)
        point = accelerate(row[VOLTAGE], row[WAVE], row[LAG], point)
        return drifted(0.5 * row[LONG], point, linear, matrix)
    if misaligned != 0:
        if linear:
            frame_matrix(frames[0], matrix, work)
        point = change_frame(frames[0], point)
    if kind == STEERER:
        if linear:
            steer_matrix(row[LONG], row[KICK_X], row[KICK_Y], point, matrix)
        point = steer(row[LONG], row[KICK_X], row[KICK_Y], point)
    else:
        point = pass_magnet(row, slices, high != 0, radiation, quantum, point, linear, matrix, diffusion)
    if misaligned != 0:
        if linear:
            frame_matrix(frames[1], matrix, work)
        point = change_frame(frames[1], point)
    return point


@compiled
def set_identity(matrix: Floats) -> None:
    """Set `matrix` to the identity."""
    matrix[:] = 0.0
    for row in range(6):
        matrix[(WIDTH + 1) * row] = 1.0


@compiled
def walk(
    kinds: Integers, rows: Floats, slices: Integers, high: Integers, misaligned: Integers, frames: Floats,
    radiation: float, start: Floats, linear: bool, orbit: Floats, matrices: Floats, end: Floats,
) -> bool:  # fmt: skip
    """Carry a particle around the ring to `end` (6); return False if it is lost.

    With `linear`, `orbit` and `matrices` are written on the way.
    """
    n = kinds.size
    rows, frames, matrices = borrowed(rows), borrowed(frames), borrowed(matrices)
    matrix, work, diffusion = np.empty(MATRIX), np.empty(MATRIX), np.empty((7, 6))
    set_identity(matrix)
    point = (start[0], start[1], start[2], start[3], start[4], start[5])
    for index in range(n):
        if linear:
            for k in range(6):
                orbit[index, k] = point[k]
            for k in range(MATRIX):
                matrices[index, k] = matrix[k]
        point = pass_element(
            kinds[index], rows[index], slices[index], high[index], misaligned[index], frames[index], radiation, 0.0,
            point,
            linear, matrix, diffusion, work,
        )  # fmt: skip
        if not abs(point[0]) + abs(point[2]) < FAR:
            return False
    for k in range(6):
        end[k] = point[k]
    if linear:
        orbit[n] = end
        matrices[n] = matrix
    return True


@kernel
def excite(
    kinds: Integers, rows: Floats, slices: Integers, high: Integers, misaligned: Integers, frames: Floats,
    radiation: float, quantum: float, orbit: Floats, excited: Floats,
) -> None:  # fmt: skip
    """Write the second moments (n+1, 6, 6) from the quantum excitation in a turn, accumulated up to each element."""
    matrix, work, diffusion, sums = np.empty(MATRIX), np.empty(MATRIX), np.empty((7, 6)), np.empty((6, 6))
    excited[0] = 0.0
    for index in range(kinds.size):
        set_identity(matrix)
        diffusion[:] = 0.0
        point = (orbit[index, 0], orbit[index, 1], orbit[index, 2], orbit[index, 3], orbit[index, 4], orbit[index, 5])
        pass_element(
            kinds[index], rows[index], slices[index], high[index], misaligned[index], frames[index], radiation, quantum,
            point, True, matrix, diffusion, work,
        )  # fmt: skip
        for row in range(6):
            for column in range(6):
                value = 0.0
                for k in range(6):
                    value += matrix[WIDTH * row + k] * (excited[index, k, column] + diffusion[k, column])
                sums[row, column] = value
        for row in range(6):
            for column in range(6):
                value = 0.0
                for k in range(6):
                    value += sums[row, k] * matrix[WIDTH * column + k]
                excited[index + 1, row, column] = value


@compiled
def solve_step(turn: Floats, rest: Floats, out: Floats) -> bool:
    """Solve (1 - turn) out = rest for a `turn` (`MATRIX`); False if it is singular."""
    system = np.empty((6, 7))
    for row in range(6):
        for column in range(6):
            system[row, column] = (1.0 if row == column else 0.0) - turn[WIDTH * row + column]
        system[row, 6] = rest[row]
    return solve(system, 6, out)


@kernel
def predict(
    which: Integers, kinds: Integers, rows: Floats, slices: Integers, high: Integers, misaligned: Integers,
    frames: Floats,
    radiation: float, orbit: Floats, matrices: Floats, start: Floats, turn: Floats,
) -> float:  # fmt: skip
    """Predict the orbit's `start` (6) and `turn` (48) after changes of the elements `which`, from the orbit before.

    Each element is passed alone, from `orbit` (n+1, 6); `matrices` (n+1, 48) carry the difference to the ring's end.
    Returns the size of the step, infinity if there is none; the error left for a search is of the order of its square.
    """
    n = kinds.size
    matrix, work, diffusion, inverse = np.empty(MATRIX), np.empty(MATRIX), np.empty((7, 6)), np.empty(MATRIX)
    difference, back, ahead = np.empty(6), np.empty((7, 6)), turn.copy()
    rest, step = np.zeros(6), np.empty(6)
    for index in which:
        point = (orbit[index, 0], orbit[index, 1], orbit[index, 2], orbit[index, 3], orbit[index, 4], orbit[index, 5])
        matrix[:] = matrices[index]
        end = pass_element(
            kinds[index], rows[index], slices[index], high[index], misaligned[index], frames[index], radiation, 0.0,
            point,
            True, matrix, diffusion, work,
        )  # fmt: skip
        set_identity(inverse)
        for k in range(MATRIX):
            inverse[k] -= matrices[index + 1, k]
        for column in range(7):
            for row in range(6):
                if column < 6:
                    difference[row] = matrix[WIDTH * row + column] - matrices[index + 1, WIDTH * row + column]
                else:
                    difference[row] = end[row] - orbit[index + 1, row]
            if not solve_step(inverse, difference, back[column]):
                return np.inf
        for row in range(6):
            for k in range(6):
                rest[row] += matrices[n, WIDTH * row + k] * back[6, k]
                for column in range(6):
                    ahead[WIDTH * row + column] += matrices[n, WIDTH * row + k] * back[column, k]
    size = 0.0
    if not solve_step(ahead, rest, step):
        return np.inf
    for row in range(6):
        size = max(size, abs(step[row]))
    if not size < np.inf:
        return np.inf
    turn[:] = ahead
    for row in range(6):
        start[row] += step[row]
    return size


@kernel
def search(
    kinds: Integers, rows: Floats, slices: Integers, high: Integers, misaligned: Integers, frames: Floats,
    radiation: float, path: float, max_steps: int, reach: float, start: Floats, turn: Floats, known: bool, near: bool,
    orbit: Floats, matrices: Floats, report: Floats,
) -> int:  # fmt: skip
    """Find the closed orbit whose path is longer than the ring by `path` [m]; return one of `kernel_report`'s outcomes.

    `start` (6) holds the guess and gets the orbit's start; `turn` (48) gets the one-turn matrix. If `turn` is `known`
    from a neighbour, it is used for cheap steps without matrices until a step is expected to be nearly the last one
    (the first one already if the guess is `near`); that step is made with all matrices, and moves the `orbit` (n+1, 6)
    along them. There are at most `max_steps` steps, none longer than `reach`. `report` gets the number of steps and the
    last change.
    """
    end, rest, step = np.empty(6), np.empty(6), np.empty(6)
    last, linear = 0.0, near or not known
    for iteration in range(1, max_steps + 1):
        report[STEPS] = iteration
        if not walk(kinds, rows, slices, high, misaligned, frames, radiation, start, linear, orbit, matrices, end):
            return LOST
        if linear:
            turn[:] = matrices[kinds.size]
        for row in range(6):
            rest[row] = end[row] - start[row]
        rest[5] -= path
        if not solve_step(turn, rest, step):
            return NO_FIXED_POINT
        change = 0.0
        for row in range(6):
            if not abs(step[row]) < 1e300:
                return LOST
            change = max(change, abs(step[row]))
        report[CHANGE] = change
        share = reach / change if change > reach else 1.0
        for row in range(6):
            start[row] += share * step[row]
        if linear and change < TOLERANCE:
            for index in range(kinds.size + 1):
                for row in range(6):
                    moved_by = 0.0
                    for k in range(6):
                        moved_by += matrices[index, WIDTH * row + k] * step[k]
                    orbit[index, row] += moved_by
            return FOUND
        ratio = change / last if last > 0.0 else EXPECTED
        smooth = change > 1e-3 or change < 1e-6  # a turn with matrices pays: far away, or for the last step
        linear = smooth if linear else ratio > 0.1 or change * ratio < TOLERANCE
        last = change
    return NOT_CONVERGED


@kernel
def record_modes(
    matrices: Floats, vectors: Floats, beta: Floats, alpha: Floats, phase: Floats, dispersion: Floats
) -> None:
    """Write the optics (n+1 entries) of eigenvectors (6, 3 real and 3 imaginary parts) carried by `matrices`.

    The eigenvectors are normalised again at each place, since damping shrinks them.
    """
    matrices = borrowed(matrices)
    flat, padded, real = np.zeros(MATRIX), np.zeros(MATRIX), np.empty(phase.size)
    v, imaginary = flat.reshape(6, WIDTH), phase.reshape(-1)
    padded.reshape(6, WIDTH)[:, :6] = vectors
    for index in range(matrices.shape[0]):
        for i in range(0, MATRIX, WIDTH):
            a, b, c = matrices[index, i], matrices[index, i + 1], matrices[index, i + 2]
            d, e, f = matrices[index, i + 3], matrices[index, i + 4], matrices[index, i + 5]
            for column in range(WIDTH):
                value = a * padded[X + column] + b * padded[PX + column] + c * padded[Y + column]
                value += d * padded[PY + column] + e * padded[DELTA + column] + f * padded[CT + column]
                flat[i + column] = value
        for mode in range(2):
            norm = 0.0
            for pair in range(3):
                i = 2 * pair
                norm += v[i, mode] * v[i + 1, mode + 3] - v[i + 1, mode] * v[i, mode + 3]
            x, x_imag = v[2 * mode, mode], v[2 * mode, mode + 3]
            p, p_imag = v[2 * mode + 1, mode], v[2 * mode + 1, mode + 3]
            scale = 1.0 / norm
            beta[index, mode] = (x * x + x_imag * x_imag) * scale
            alpha[index, mode] = -(x * p + x_imag * p_imag) * scale
            real[2 * index + mode], imaginary[2 * index + mode] = x, x_imag
        size = 1.0 / (v[4, 2] * v[4, 2] + v[4, 5] * v[4, 5])
        for row in range(4):
            dispersion[index, row] = (v[row, 2] * v[4, 2] + v[row, 5] * v[4, 5]) * size
    for place in range(real.size):
        imaginary[place] = angle_of(imaginary[place], real[place])
    for mode in range(2):
        count_turns(phase[:, mode])
