"""The entry points of the compiled tracking code: blocks of particles through rows of the course, turn by turn."""

import numpy as np

from gnomon.propagator.compiled import Floats, Integers, compiled, kernel
from gnomon.propagator.ensembles.lanes import (
    CT,
    DELTA,
    LANES,
    PX,
    PY,
    WEIGHT,
    Y,
    cavity,
    change_frame,
    corrector,
    count_outside,
    coupled,
    drift,
    edge,
    general,
    kick,
    linear,
    quadrupole,
    sextupole,
)
from gnomon.propagator.live.misalignment import write_frames

#: What a row of the course does.
PLACE, DRIFT, QUADRUPOLE, COUPLED, LINEAR, SEXTUPOLE, GENERAL, THIN, CORRECTOR, CAVITY = range(10)

#: Numbers of a row: length, curvature, b1 to b4, a1 to a4 (a steerer's kicks stand in a3, a4), entrance and exit angle,
#: gap, fint of both edges, voltage, frequency, slip.
VALUES = 18


@kernel
def frame_rows(framed: Integers, angles: Floats, errors: Floats) -> Floats:
    """The changes of frame (rows, 2, 30) of displaced elements, from dx, dy, roll (rows, 3)."""
    frames = np.zeros((framed.size, 2, 30))
    work = np.empty(9)
    for row in range(framed.size):
        if framed[row]:
            write_frames(angles[row], errors[row, 0], errors[row, 1], errors[row, 2], work, frames[row, 0],
                         frames[row, 1])  # fmt: skip
    return frames


@compiled
def drop_outside(
    shape: int,
    opening: Floats,
    s: Floats,
    turn: int,
    place: int,
    lost_turn: Integers,
    lost_place: Integers,
    lost_at: Floats,
) -> None:
    """Note the particles that are outside an aperture, and take them out."""
    if count_outside(shape == 2, opening[0], opening[1], opening[2], opening[3], s) == 0:
        return
    for lane in range(LANES):
        x, y = s[lane] - opening[2], s[Y + lane] - opening[3]
        if shape == 2:
            inside = (x / opening[0]) ** 2 + (y / opening[1]) ** 2 <= 1.0
        else:
            inside = abs(x) <= opening[0] and abs(y) <= opening[1]
        if inside:
            continue
        if lost_turn[lane] < 0:
            lost_turn[lane] = turn
            lost_place[lane] = place
            for row in range(6):
                lost_at[row, lane] = s[row * LANES + lane]
        s[lane] = 0.0
        s[PX + lane] = 0.0
        s[Y + lane] = 0.0
        s[PY + lane] = 0.0
        s[DELTA + lane] = 0.0
        s[CT + lane] = 0.0
        s[WEIGHT + lane] = 1.0


@kernel
def run_blocks(
    state: Floats,
    lost_turn: Integers,
    lost_place: Integers,
    lost_at: Floats,
    starts: Integers,
    first_block: int,
    last_block: int,
    first_row: int,
    last_row: int,
    first_turn: int,
    turns: int,
    kinds: Integers,
    slices: Integers,
    values: Floats,
    places: Integers,
    shapes: Integers,
    openings: Floats,
    framed: Integers,
    frames: Floats,
) -> None:
    """Carry blocks through rows `first_row` to `last_row`, counted from each block's start, `turns` times.

    `state` (blocks, 7 * LANES) holds the particles; `lost_turn` (blocks, LANES) is -1 while one is alive, else
    `lost_place` is the element and `lost_at` (blocks, 6, LANES) its coordinates; a lost particle goes on from 0.
    """
    for block in range(first_block, last_block):
        s = state[block]
        for turn in range(first_turn, first_turn + turns):
            alive = False
            for lane in range(LANES):
                alive = alive or lost_turn[block, lane] < 0
            if not alive:
                break
            for number in range(first_row, last_row):
                row, lap = number + starts[block], turn
                if row >= kinds.size:
                    row, lap = row - kinds.size, turn + 1
                kind = kinds[row]
                v = values[row]
                if framed[row]:
                    change_frame(frames[row, 0], s)
                if shapes[row] > 0:
                    drop_outside(shapes[row], openings[row], s, turn, places[row], lost_turn[block], lost_place[block],
                                 lost_at[block])  # fmt: skip
                if v[1] != 0.0:
                    edge(v[1], v[10], v[12], v[13], s)
                if kind == DRIFT:
                    drift(v[0], s)
                elif kind == QUADRUPOLE:
                    quadrupole(v[0], slices[row], v[3], s)
                elif kind == COUPLED:
                    coupled(v[0], slices[row], v[3], v[7], s)
                elif kind == SEXTUPOLE:
                    sextupole(v[0], slices[row], v[2], v[6], v[4], s)
                elif kind == LINEAR:
                    linear(v[0], slices[row], v[2], v[6], v[3], v[7], v[1], s)
                elif kind == GENERAL:
                    general(v[0], slices[row], v[1], v[2:10], s)
                elif kind == THIN:
                    kick(1.0, 0.0, v[2:10], s)
                elif kind == CORRECTOR:
                    corrector(v[0], v[8], v[9], s)
                elif kind == CAVITY:
                    cavity(v[0], v[15], v[16], v[17], lap, s)
                if v[1] != 0.0:
                    edge(v[1], v[11], v[12], v[14], s)
                if kind != PLACE:
                    drop_outside(shapes[row], openings[row], s, turn, places[row], lost_turn[block], lost_place[block],
                                 lost_at[block])  # fmt: skip
                if framed[row]:
                    change_frame(frames[row, 1], s)
