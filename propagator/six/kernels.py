"""Entry points of the six-dimensional kernels: the search for the closed orbit, and its way around the ring."""

import math

import numpy as np

from gnomon.propagator.affine import DRIFT_INNER, DRIFT_OUTER, KICK_INNER, KICK_OUTER
from gnomon.propagator.compiled import Floats, Integers, compiled, kernel
from gnomon.propagator.report import FOUND, LOST, NO_FIXED_POINT, NOT_CONVERGED
from gnomon.propagator.six.steps import MATRIX, accelerate, add_diffusion, change_frame, drift, edge, kick, steer

#: What an element is here.
NOTHING, SPACE, STEERER, MAGNET, CAVITY = range(5)

#: Columns of an element's row: length, curvature, edges (horizontal strength, angle, psi of both), fields b1 to b4 and
#: a1 to a4, kicks, cavity (voltage over energy, wave number, lag).
LONG, BENDING, IN_EDGE, OUT_EDGE, FIELDS, KICKS, VOLTAGE = 0, 1, 2, 5, 8, 16, 18
COLUMNS = 21

#: Steps of Newton's method, its last change [m, rad, 1], below which a change that no longer shrinks does, farthest.
ITERATIONS, TOLERANCE, FLOOR, FAR = 40, 1e-13, 1e-10, 10.0


@compiled
def pass_magnet(
    row: Floats, slices: int, high: bool, radiation: float, quantum: float, point: Floats, linear: bool,
    matrix: Floats, diffusion: Floats,
) -> None:  # fmt: skip
    """Carry a particle through a magnet in its own frame."""
    length, curvature, fields = row[LONG], row[BENDING], row[FIELDS : FIELDS + 8]
    if length == 0.0:
        kick(1.0, 0.0, high, fields, 0.0, point, linear, matrix)
        return
    if curvature != 0.0:
        edge(row[IN_EDGE], curvature, row[IN_EDGE + 1], row[IN_EDGE + 2], point, linear, matrix)
    step = length / slices
    drift(DRIFT_OUTER * step, point, linear, matrix)
    for number in range(slices):
        for stage in range(3):
            p = 1.0 / (1.0 + point[4])
            slope_x, slope_y = point[1] * p, point[3] * p
            fraction = KICK_INNER if stage == 1 else KICK_OUTER
            strength = kick(fraction * step, curvature, high, fields, radiation, point, linear, matrix)
            if quantum > 0.0:
                add_diffusion(quantum * strength, slope_x, slope_y, matrix, diffusion)
            if stage < 2:
                drift(DRIFT_INNER * step, point, linear, matrix)
            else:
                drift((2.0 if number < slices - 1 else 1.0) * DRIFT_OUTER * step, point, linear, matrix)
    if curvature != 0.0:
        edge(row[OUT_EDGE], curvature, row[OUT_EDGE + 1], row[OUT_EDGE + 2], point, linear, matrix)


@compiled
def pass_element(
    kind: int, row: Floats, slices: int, high: int, moved: int, frames: Floats, radiation: float, quantum: float,
    point: Floats, linear: bool, matrix: Floats, diffusion: Floats, work: Floats,
) -> None:  # fmt: skip
    """Carry a particle through any element."""
    if kind == SPACE:
        drift(row[LONG], point, linear, matrix)
    elif kind == CAVITY:
        drift(0.5 * row[LONG], point, linear, matrix)
        accelerate(row[VOLTAGE], row[VOLTAGE + 1], row[VOLTAGE + 2], point, linear, matrix)
        drift(0.5 * row[LONG], point, linear, matrix)
    elif kind != NOTHING:
        if moved != 0:
            change_frame(frames[0], point, linear, matrix, work)
        if kind == STEERER:
            steer(row[LONG], row[KICKS], row[KICKS + 1], point, linear, matrix)
        else:
            pass_magnet(row, slices, high != 0, radiation, quantum, point, linear, matrix, diffusion)
        if moved != 0:
            change_frame(frames[1], point, linear, matrix, work)


@compiled
def solve_step(turn: Floats, rest: Floats, out: Floats) -> bool:
    """Solve (1 - turn) out = rest for a `turn` of 6 rows of 8; False when it is singular."""
    system = np.empty((6, 7))
    for row in range(6):
        for column in range(6):
            system[row, column] = (1.0 if row == column else 0.0) - turn[8 * row + column]
        system[row, 6] = rest[row]
    for step in range(6):
        pivot = step
        for row in range(step + 1, 6):
            if abs(system[row, step]) > abs(system[pivot, step]):
                pivot = row
        if not abs(system[pivot, step]) > 1e-14:
            return False
        for column in range(step, 7):
            system[step, column], system[pivot, column] = system[pivot, column], system[step, column]
        for row in range(step + 1, 6):
            ratio = system[row, step] / system[step, step]
            for column in range(step, 7):
                system[row, column] -= ratio * system[step, column]
    for row in range(5, -1, -1):
        value = system[row, 6]
        for column in range(row + 1, 6):
            value -= system[row, column] * out[column]
        out[row] = value / system[row, row]
    return True


@kernel
def observe(
    kinds: Integers, rows: Floats, slices: Integers, high: Integers, moved: Integers, frames: Floats,
    radiation: float, quantum: float, start: Floats, orbit: Floats, matrices: Floats, diffusions: Floats,
) -> None:  # fmt: skip
    """Write the way of a particle that starts at `start`: orbit (n+1, 6) and matrices from the start (n+1, 48).

    With a `quantum` constant above 0, `diffusions` (n+1, 6, 6) get the excitation up to each element, at the start.
    """
    n = kinds.size
    point, matrix, work, diffusion = start.copy(), np.zeros(MATRIX), np.empty(MATRIX), np.zeros((7, 6))
    for row in range(6):
        matrix[9 * row] = 1.0
    for index in range(n + 1):
        orbit[index] = point
        matrices[index] = matrix
        if quantum > 0.0:
            diffusions[index] = diffusion[:6]
        if index < n:
            pass_element(
                kinds[index], rows[index], slices[index], high[index], moved[index], frames[index], radiation,
                quantum, point, True, matrix, diffusion, work,
            )  # fmt: skip


@kernel
def search(
    kinds: Integers, rows: Floats, slices: Integers, high: Integers, moved: Integers, frames: Floats,
    radiation: float, path: float, reach: float, start: Floats, turn: Floats, known: bool, report: Floats,
) -> int:  # fmt: skip
    """Find the closed orbit whose path is longer than the ring by `path` [m]; returns one of `report`'s outcomes.

    `start` (6) holds the guess and gets the orbit, `turn` (48) the matrix of a turn: that of a neighbour if it is
    `known`, which serves as long as steps shrink well. No step moves a coordinate by more than `reach`. `report` gets
    the number of steps and the last change.
    """
    point, matrix, work, diffusion = np.empty(6), np.empty(MATRIX), np.empty(MATRIX), np.zeros((7, 6))
    rest, step = np.empty(6), np.empty(6)
    last = 1e300
    for iteration in range(1, ITERATIONS + 1):
        report[0] = iteration
        point[:] = start
        if not known:
            matrix[:] = 0.0
            for row in range(6):
                matrix[9 * row] = 1.0
        for index in range(kinds.size):
            pass_element(
                kinds[index], rows[index], slices[index], high[index], moved[index], frames[index], radiation, 0.0,
                point, not known, matrix, diffusion, work,
            )  # fmt: skip
            if not abs(point[0]) + abs(point[2]) < FAR:
                return LOST
        if not known:
            turn[:] = matrix
        for row in range(6):
            rest[row] = point[row] - start[row]
        rest[5] -= path
        if not solve_step(turn, rest, step):
            return NO_FIXED_POINT
        change = np.max(np.abs(step))
        if not math.isfinite(change):
            return LOST
        report[1] = change
        share = min(1.0, reach / change) if change > 0.0 else 1.0
        for row in range(6):
            start[row] += share * step[row]
        if change < TOLERANCE or (change < FLOOR and change > 0.5 * last):
            return FOUND
        known = change < 0.1 * last and (known or change < 1e-4)
        last = change
    return NOT_CONVERGED
