"""The packed waveform: rows of 128 slots, clipped at full scale."""

import numpy as np

from gnomon.ioc.outputs.packed_waveform import pack, pack_buffer
from gnomon.lattice.devices import BeamPositionMonitor

BPMS = [BeamPositionMonitor(f"BPM{i}", i, slot, 0.0, 0.0) for i, slot in enumerate((1, None, 5, 128))]


def packed(x: list[float], y: list[float]) -> tuple[np.ndarray, bool]:
    result = pack(BPMS, np.array(x), np.array(y))
    return result.data, result.clipped


def test_a_buffer_has_rows_of_32_with_the_monitors_in_their_slots() -> None:
    slots = (1, 7, 9, 31)
    bpms = [BeamPositionMonitor(f"B{n}", 0, n, 0.0, 0.0) for n in slots]
    x, y = np.arange(1.0, 5.0), np.arange(11.0, 15.0)
    rows = pack_buffer(bpms, x, y).reshape(8, 32)
    assert [rows[0, n - 1] for n in slots] == list(x)
    assert [rows[1, n - 1] for n in slots] == list(y)
    assert np.count_nonzero(rows) == 8


def test_positions_stand_at_128_times_row_plus_slot_minus_1() -> None:
    data, clipped = packed([1e-3, 2e-3, 3e-3, 4e-3], [-1e-3, -2e-3, -3e-3, -4e-3])
    counts = 2**15 / 10e-3
    assert [data[0], data[4], data[127]] == [1e-3 * counts, 3e-3 * counts, 4e-3 * counts]
    assert [data[128], data[132], data[255]] == [-1e-3 * counts, -3e-3 * counts, -4e-3 * counts]
    assert not clipped


def test_everything_else_is_zero_and_there_are_2048_entries() -> None:
    data, _ = packed([1e-3] * 4, [1e-3] * 4)
    assert data.shape == (2048,)
    assert np.flatnonzero(data).tolist() == [0, 4, 127, 128, 132, 255]


def test_counts_are_not_rounded() -> None:
    data, _ = packed([1.23456e-6, 0.0, 0.0, 0.0], [0.0] * 4)
    assert data[0] == 1.23456e-6 * 2**15 / 10e-3


def test_a_position_at_full_scale_is_not_clipped() -> None:
    data, clipped = packed([0.01, 0.0, -0.01, 0.0], [0.0] * 4)
    assert (data[0], data[4], clipped) == (2**15, -(2**15), False)


def test_a_position_beyond_full_scale_is_clipped_and_its_status_set() -> None:
    data, clipped = packed([0.02, 0.0, -0.02, 0.0], [0.0] * 4)
    assert (data[0], data[4]) == (2**15, -(2**15))
    assert [data[4 * 128 + slot - 1] for slot in (1, 5, 128)] == [1.0, 1.0, 0.0]
    assert clipped


def test_a_monitor_without_a_slot_clips_nothing() -> None:
    assert not packed([0.0, 0.02, 0.0, 0.0], [0.0] * 4)[1]
