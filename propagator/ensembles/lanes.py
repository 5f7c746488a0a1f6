"""A block of particles, acted on at once with vector instructions.

A block holds `LANES` particles as rows x, px, y, py, delta, ct, 1 / (1 + delta) of one flat array. Loops over the lanes
have constant length and constant offsets, so that they are vectorised; a whole slice is one loop, so that a particle
stays in registers for three kicks. The elements' passes are generated from their physics: `lane_passes`.
"""

from gnomon.propagator.compiled import Floats, compiled, inlined
from gnomon.propagator.live.affine_maps import OF_PX, OF_PY, OF_X, OF_Y
from gnomon.propagator.live.misalignment import (
    FRAME_CONSTANT,
    FRAME_PATH,
    FRAME_PX,
    FRAME_PY,
    FRAME_X,
    FRAME_Y,
    OF_DELTA,
)

#: Particles in a block, and the numbers of each.
LANES = 64
ROWS = 7

#: Start of each row.
PX, Y, PY, DELTA, CT, WEIGHT = (row * LANES for row in range(1, ROWS))


@inlined
def frame_row(frame: Floats, at: int, x: float, px: float, y: float, py: float, delta: float) -> float:
    """Apply the row of a change of frame that starts at `at` to a particle."""
    return float(
        frame[at + OF_X] * x + frame[at + OF_PX] * px + frame[at + OF_Y] * y + frame[at + OF_PY] * py
        + frame[at + OF_DELTA] * delta + frame[at + FRAME_CONSTANT]
    )  # fmt: skip


@compiled
def change_frame(frame: Floats, s: Floats) -> None:
    """Carry particles into or out of a displaced element's frame (`misalignment.write_frame`, 30 numbers)."""
    for i in range(LANES):
        x = s[i]
        px = s[PX + i]
        y = s[Y + i]
        py = s[PY + i]
        d = s[DELTA + i]
        s[i] = frame_row(frame, FRAME_X, x, px, y, py, d)
        s[PX + i] = frame_row(frame, FRAME_PX, x, px, y, py, d)
        s[Y + i] = frame_row(frame, FRAME_Y, x, px, y, py, d)
        s[PY + i] = frame_row(frame, FRAME_PY, x, px, y, py, d)
        s[CT + i] += frame_row(frame, FRAME_PATH, x, px, y, py, d)


@compiled
def count_outside(elliptic: bool, half_x: float, half_y: float, at_x: float, at_y: float, s: Floats) -> int:
    """Count the lanes outside an aperture [m]; NaN counts as outside."""
    outside = 0
    if elliptic:
        for i in range(LANES):
            u = (s[i] - at_x) / half_x
            v = (s[Y + i] - at_y) / half_y
            outside += 0 if u * u + v * v <= 1.0 else 1
    else:
        for i in range(LANES):
            inside = (abs(s[i] - at_x) <= half_x) & (abs(s[Y + i] - at_y) <= half_y)
            outside += 0 if inside else 1
    return outside
