"""Packed arrays of all monitors: those of the facilities, whose slots stand in the machine document."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnomon.db.sources import BUFFER_ROWS, BUFFER_SLOTS, PACKED_LENGTH
from gnomon.lattice import BeamPositionMonitor

Floats = NDArray[np.float64]

SLOTS = 128
#: Rows of the waveform.
ROW_X, ROW_Y, ROW_STATUS = 0, 1, 4
#: 10 mm is 2^15 counts; positions beyond are clipped.
COUNTS_PER_M = 2**15 / 10e-3
FULL_SCALE = 2.0**15


@dataclass(frozen=True, slots=True)
class Packed:
    """The waveform (2048,) in counts, and whether a position was clipped."""

    data: Floats
    clipped: bool


def pack(bpms: Sequence[BeamPositionMonitor], x: Floats, y: Floats) -> Packed:
    """Pack positions [m] of the monitors `bpms` as BESSY II does, 8 rows of 128; those without a slot are left out.

    Positions are not rounded to whole counts. The status of a monitor is 0, or 1 where a position was clipped; empty
    slots and all entries from 1024 on are 0.
    """
    data = np.zeros(PACKED_LENGTH)
    rows = data[: 8 * SLOTS].reshape(8, SLOTS)
    which = [i for i, bpm in enumerate(bpms) if bpm.slot is not None]
    slots = [bpm.slot - 1 for bpm in bpms if bpm.slot is not None]
    counts = np.array([x[which], y[which]]) * COUNTS_PER_M
    clipped = np.any(np.abs(counts) > FULL_SCALE, axis=0)
    rows[ROW_X, slots], rows[ROW_Y, slots] = np.clip(counts, -FULL_SCALE, FULL_SCALE)
    rows[ROW_STATUS, slots] = clipped
    return Packed(data, bool(clipped.any()))


def pack_buffer(bpms: Sequence[BeamPositionMonitor], x: Floats, y: Floats) -> Floats:
    """Pack positions [m] of the monitors `bpms` as the MLS does, 8 rows of 32 (256,) [m]: x, y; all else is 0.

    All monitors have slots.
    """
    rows = np.zeros((BUFFER_ROWS, BUFFER_SLOTS))
    slots = [bpm.slot - 1 for bpm in bpms if bpm.slot is not None]
    rows[ROW_X, slots], rows[ROW_Y, slots] = x, y
    return rows.reshape(-1)
