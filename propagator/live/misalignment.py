"""The change of frame into and out of a displaced and rolled element.

Formulas after doi 10.1016/j.nima.2022.167487 (equation numbers are those of the paper) for a reference point at the
element's centre, applied to transverse offsets and a roll about the chord. The frame's path is a straight line, as in
pyAT: lengths along it are not divided by 1 + delta, and momenta rotate with the frame as directions do, so that a
rolled bend has a small spurious dispersion.
"""

import math

from gnomon.propagator.compiled import Floats, compiled
from gnomon.propagator.live.affine_maps import CONSTANT, OF_PX, OF_PY, OF_X, OF_Y, WIDTH

#: Rows x, px, y, py, ct and columns x, px, y, py, delta, constant of a change of frame.
ROWS, COLUMNS = 5, 6

#: Start of each row of a change of frame, and the columns after those of the coordinates.
FRAME_X, FRAME_PX, FRAME_Y, FRAME_PY, FRAME_PATH = range(0, ROWS * COLUMNS, COLUMNS)
OF_DELTA, FRAME_CONSTANT = 4, 5


@compiled
def write_frame(rotation: Floats, ahead: float, x: float, y: float, out: Floats) -> None:
    """Write the change to a frame turned by `rotation`, its origin `ahead` [m] along the axis and at (`x`, `y`) [m].

    `rotation` has 9 numbers, row by row; `out` has 30, row by row. Equations (8) to (11).
    """
    r00, r01, r02 = rotation[0], rotation[1], rotation[2]
    r10, r11, r12 = rotation[3], rotation[4], rotation[5]
    r20, r21, r22 = rotation[6], rotation[7], rotation[8]
    along = ahead / r22
    out[:] = 0.0
    out[FRAME_X + OF_X] = r11 / r22
    out[FRAME_X + OF_PX] = along * r11 / r22
    out[FRAME_X + OF_Y] = -r01 / r22
    out[FRAME_X + OF_PY] = -along * r01 / r22
    out[FRAME_X + FRAME_CONSTANT] = along * r20 + x
    out[FRAME_PX + OF_PX] = r00
    out[FRAME_PX + OF_PY] = r10
    out[FRAME_PX + OF_DELTA] = r20
    out[FRAME_PX + FRAME_CONSTANT] = r20
    out[FRAME_Y + OF_X] = -r10 / r22
    out[FRAME_Y + OF_PX] = -along * r10 / r22
    out[FRAME_Y + OF_Y] = r00 / r22
    out[FRAME_Y + OF_PY] = along * r00 / r22
    out[FRAME_Y + FRAME_CONSTANT] = along * r21 + y
    out[FRAME_PY + OF_PX] = r01
    out[FRAME_PY + OF_PY] = r11
    out[FRAME_PY + OF_DELTA] = r21
    out[FRAME_PY + FRAME_CONSTANT] = r21
    out[FRAME_PATH + OF_X] = -r02 / r22
    out[FRAME_PATH + OF_PX] = -along * r02 / r22
    out[FRAME_PATH + OF_Y] = -r12 / r22
    out[FRAME_PATH + OF_PY] = -along * r12 / r22
    out[FRAME_PATH + FRAME_CONSTANT] = along


@compiled
def write_frames(angle: float, dx: float, dy: float, roll: float, work: Floats, into: Floats, out_of: Floats) -> None:
    """Write the changes of frame at an element's entrance and exit; `work` has 9 numbers.

    The element bends by `angle` [rad], is displaced by `dx`, `dy` [m] and rolled by `roll` [rad] about its chord. The
    roll leaves both ends of the chord where they are, so only the offsets displace the entrance.
    """
    c, s = math.cos(0.5 * angle), math.sin(0.5 * angle)
    turn, flip = math.cos(roll), math.sin(roll)
    less = turn - 1.0
    work[0], work[1], work[2] = 1.0 + less * c * c, -c * flip, c * s * less
    work[3], work[4], work[5] = c * flip, turn, s * flip
    work[6], work[7], work[8] = c * s * less, -s * flip, 1.0 + less * s * s
    px, py, pz = c * dx, dy, s * dx
    ahead = work[2] * px + work[5] * py + work[8] * pz
    x = work[0] * px + work[3] * py + work[6] * pz
    y = work[1] * px + work[4] * py + work[7] * pz
    write_frame(work, ahead, -x, -y, into)
    work[1], work[2], work[3], work[6] = -work[1], -work[2], -work[3], -work[6]
    write_frame(work, s * dx, c * dx, dy, out_of)


@compiled
def frame_map(frame: Floats, delta: float, out: Floats) -> None:
    """Write the affine map of a change of frame at a momentum deviation."""
    for row in range(4):
        for column in range(4):
            out[WIDTH * row + column] = frame[COLUMNS * row + column]
        at = COLUMNS * row
        out[WIDTH * row + CONSTANT] = frame[at + OF_DELTA] * delta + frame[at + FRAME_CONSTANT]
