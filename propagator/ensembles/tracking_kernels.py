"""Entry points of the compiled tracking code: carry blocks of particles through the tracking table, turn by turn."""

import math

import numpy as np

from gnomon.lattice.units import SPEED_OF_LIGHT
from gnomon.propagator.compiled import Floats, Integers, compiled, kernel
from gnomon.propagator.ensembles import lane_passes as passes
from gnomon.propagator.ensembles.lanes import (
    CT,
    DELTA,
    LANES,
    PX,
    PY,
    WEIGHT,
    Y,
    change_frame,
    count_outside,
)
from gnomon.propagator.live.affine_maps import edge_psi
from gnomon.propagator.live.misalignment import write_frames

#: Kinds of rows of the tracking table.
PLACE, DRIFT, QUADRUPOLE, COUPLED, LINEAR, SEXTUPOLE, GENERAL, THIN, CORRECTOR, CAVITY = range(10)

#: Columns of a row: length [m], curvature [1/m], the fields b1 to b4 and a1 to a4, a bend's edges, and a cavity's
#: voltage, frequency and slip (`lanes.cavity`). A steerer has its kicks [rad] in the columns of a3 and a4.
LENGTH, CURVATURE, B1, B2, B3, B4, A1, A2, A3, A4 = range(10)
ENTRANCE, EXIT, GAP, FINT_ENTRANCE, FINT_EXIT, VOLTAGE, FREQUENCY, SLIP = range(10, 18)
KICK_X, KICK_Y = A3, A4
VALUES = 18

#: Ends of the columns of the fields, of the edges and of the cavity.
FIELDS_END, EDGES_END, WAVE_END = ENTRANCE, VOLTAGE, VALUES

#: An aperture's shape, and the columns of its opening: half widths and centre [m].
NO_APERTURE, RECTANGLE, ELLIPSE = range(3)
HALF_X, HALF_Y, AT_X, AT_Y = range(4)


#: Half angle of the soft-edge correction [rad] up to which a series gives its tangent to the last digit.
SMALL = 0.04


@compiled
def edge(curvature: float, angle: float, gap: float, fint: float, s: Floats) -> None:
    """Pass a bend's edge, in the fastest way that is exact for it."""
    psi = edge_psi(curvature, angle, gap, fint)
    if psi == 0.0:
        passes.hard_edge(curvature, angle, s)
    elif abs(psi) > SMALL:
        passes.soft_edge(curvature, angle, gap, fint, s)
    else:
        passes.near_edge(curvature, angle, gap, fint, s)


@compiled
def cavity(length: float, voltage: float, frequency: float, slip: float, turn: int, s: Floats) -> None:
    """Pass a cavity: `voltage` over the beam's energy, `frequency` [Hz], `slip` [m] of its wave per turn.

    A particle that loses all momentum becomes NaN in the drift after it, and so is lost.
    """
    passes.drift(0.5 * length, s)
    passes.accelerate(voltage, 2.0 * math.pi * frequency / SPEED_OF_LIGHT, slip * turn, s)
    passes.drift(0.5 * length, s)


@kernel
def frame_rows(has_frame: Integers, angles: Floats, errors: Floats) -> Floats:
    """Compute the changes of frame (rows, 2, 30) of displaced elements, from dx, dy, roll (rows, 3)."""
    frames = np.zeros((has_frame.size, 2, 30))
    work = np.empty(9)
    for row in range(has_frame.size):
        if has_frame[row]:
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
    """Record the particles that are outside an aperture, and remove them."""
    if count_outside(shape == ELLIPSE, opening[HALF_X], opening[HALF_Y], opening[AT_X], opening[AT_Y], s) == 0:
        return
    for lane in range(LANES):
        x, y = s[lane] - opening[AT_X], s[Y + lane] - opening[AT_Y]
        if shape == ELLIPSE:
            inside = (x / opening[HALF_X]) ** 2 + (y / opening[HALF_Y]) ** 2 <= 1.0
        else:
            inside = abs(x) <= opening[HALF_X] and abs(y) <= opening[HALF_Y]
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
    has_frame: Integers,
    frames: Floats,
) -> None:
    """Carry blocks through rows `first_row` to `last_row`, counted from each block's start, `turns` times.

    `state` (blocks, 7 * LANES) holds the particles. `lost_turn` (blocks, LANES) is -1 for a surviving particle; for a
    lost one, `lost_place` is the element and `lost_at` (blocks, 6, LANES) its coordinates there. Lost particles
    continue with coordinates 0.
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
                if has_frame[row]:
                    change_frame(frames[row, 0], s)
                if shapes[row] != NO_APERTURE:
                    drop_outside(shapes[row], openings[row], s, turn, places[row], lost_turn[block], lost_place[block],
                                 lost_at[block])  # fmt: skip
                if v[CURVATURE] != 0.0:
                    edge(v[CURVATURE], v[ENTRANCE], v[GAP], v[FINT_ENTRANCE], s)
                if kind == DRIFT:
                    passes.drift(v[LENGTH], s)
                elif kind == QUADRUPOLE:
                    passes.quadrupole(v[LENGTH], slices[row], v[B2], s)
                elif kind == COUPLED:
                    passes.coupled(v[LENGTH], slices[row], v[B2], v[A2], s)
                elif kind == SEXTUPOLE:
                    passes.sextupole(v[LENGTH], slices[row], v[B1], v[A1], v[B3], s)
                elif kind == LINEAR:
                    passes.linear(v[LENGTH], slices[row], v[B1], v[A1], v[B2], v[A2], v[CURVATURE], s)
                elif kind == GENERAL:
                    passes.general(v[LENGTH], slices[row], v[CURVATURE], v[B1:FIELDS_END], s)
                elif kind == THIN:
                    passes.thin(v[B1:FIELDS_END], s)
                elif kind == CORRECTOR:
                    passes.corrector(v[LENGTH], v[KICK_X], v[KICK_Y], s)
                elif kind == CAVITY:
                    cavity(v[LENGTH], v[VOLTAGE], v[FREQUENCY], v[SLIP], lap, s)
                if v[CURVATURE] != 0.0:
                    edge(v[CURVATURE], v[EXIT], v[GAP], v[FINT_EXIT], s)
                if kind != PLACE:
                    drop_outside(shapes[row], openings[row], s, turn, places[row], lost_turn[block], lost_place[block],
                                 lost_at[block])  # fmt: skip
                if has_frame[row]:
                    change_frame(frames[row, 1], s)
