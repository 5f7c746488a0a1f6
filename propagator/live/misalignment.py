"""The change of frame into and out of a displaced and rolled element.

Formulas after doi 10.1016/j.nima.2022.167487 (equation numbers are this paper's) for a reference point at the
element's centre, worked out here for offsets across the beam and a roll about the chord. The frame's path is a
straight line, as in pyAT: lengths along it are not divided by 1 + delta, and momenta turn with the frame as directions
do, so that a rolled bend has a small spurious dispersion.
"""

import math

from gnomon.propagator.compiled import Floats, compiled

#: Rows x, px, y, py, ct and columns x, px, y, py, delta, constant of a change of frame.
ROWS, COLUMNS = 5, 6


@compiled
def write_frame(rotation: Floats, ahead: float, x: float, y: float, out: Floats) -> None:
    """Write the change to a frame turned by `rotation`, reached `ahead` [m] along its axis and at (`x`, `y`) [m].

    `rotation` has 9 numbers by rows; `out` has 30, by rows. Equations (8) to (11).
    """
    r00, r01, r02 = rotation[0], rotation[1], rotation[2]
    r10, r11, r12 = rotation[3], rotation[4], rotation[5]
    r20, r21, r22 = rotation[6], rotation[7], rotation[8]
    along = ahead / r22
    out[:] = 0.0
    out[0] = r11 / r22
    out[1] = along * r11 / r22
    out[2] = -r01 / r22
    out[3] = -along * r01 / r22
    out[5] = along * r20 + x
    out[7] = r00
    out[9] = r10
    out[10] = r20
    out[11] = r20
    out[12] = -r10 / r22
    out[13] = -along * r10 / r22
    out[14] = r00 / r22
    out[15] = along * r00 / r22
    out[17] = along * r21 + y
    out[19] = r01
    out[21] = r11
    out[22] = r21
    out[23] = r21
    out[24] = -r02 / r22
    out[25] = -along * r02 / r22
    out[26] = -r12 / r22
    out[27] = -along * r12 / r22
    out[29] = along


@compiled
def write_frames(angle: float, dx: float, dy: float, roll: float, work: Floats, into: Floats, out_of: Floats) -> None:
    """Write the changes of frame at an element's entrance and exit; `work` has 9 numbers.

    The element bends by `angle` [rad], stands off by `dx`, `dy` [m] and is turned by `roll` [rad] about its chord: this
    rotation leaves both ends of the chord where they are, so that only the offsets displace the entrance.
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
            out[5 * row + column] = frame[COLUMNS * row + column]
        out[5 * row + 4] = frame[COLUMNS * row + 4] * delta + frame[COLUMNS * row + 5]
