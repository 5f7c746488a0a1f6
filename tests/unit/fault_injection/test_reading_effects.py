"""Each fault of readings changes values in the stated way; pure functions of values, places, count and memory."""

from typing import Any

import numpy as np
import pytest

from gnomon.fault_injection import KINDS, OF_VALUES, Active, Draws, Fault, Memory, ReadingFault, Swapped, disturbed
from gnomon.fault_injection.kinds import readings
from gnomon.fault_injection.reading_effects import Floats

VALUES = np.array([1.0, -2.0, 0.5])
SLOTS = np.array([4, 0, 2], dtype=np.intp)


def read(
    kind: str, values: Floats = VALUES, *, number: int = 1, since_s: float = 0.0, now_s: float = 0.0,
    memory: Memory | None = None, slots: Any = SLOTS, **keys: Any,
) -> Floats:  # fmt: skip
    fault = Fault(Fault.from_request({"kind": kind, "device": "B*"} | keys).request, id=3)
    return disturbed(Active(fault, since_s, 0), values, slots, number, now_s, Draws(1), memory or Memory())


def test_all_kinds_of_readings_are_in_the_registry() -> None:
    assert set(readings.KINDS) == {model for model in KINDS.values() if issubclass(model, ReadingFault)}
    assert set(OF_VALUES) < set(readings.KINDS)


def test_simple_kinds_change_values_as_they_say() -> None:
    assert read("reading_offset", offset=0.5).tolist() == [1.5, -1.5, 1.0]
    assert read("reading_polarity").tolist() == [-1.0, 2.0, -0.5]
    assert np.isnan(read("reading_nan")).all()


@pytest.mark.parametrize(("since_s", "grown"), [(0.0, 0.0), (2.0, 0.2), (100.0, 0.3)])
def test_a_drift_grows_up_to_its_limit(since_s: float, grown: float) -> None:
    assert read("reading_drift", rate_per_s=0.1, limit=0.3, since_s=since_s) == pytest.approx(VALUES + grown)
    assert read("reading_drift", rate_per_s=-0.1, limit=0.3, since_s=since_s) == pytest.approx(VALUES - grown)


@pytest.mark.parametrize("kind", ["reading_stuck", "reading_dead"])
def test_a_held_value_stays_by_its_place(kind: str) -> None:
    memory = Memory()
    assert read(kind, memory=memory).tolist() == VALUES.tolist()
    later = read(kind, np.array([9.0, 8.0]), slots=np.array([0, 7], dtype=np.intp), memory=memory)
    assert later.tolist() == [-2.0, 8.0]


def test_noise_depends_on_place_and_count_and_not_on_what_else_is_read() -> None:
    alone = read("reading_noise", VALUES[:1], slots=SLOTS[:1], rms=0.1)
    assert read("reading_noise", rms=0.1)[0] == alone[0]
    assert read("reading_noise", rms=0.1, number=2)[0] != alone[0]


def test_noise_has_the_stated_size() -> None:
    many = np.arange(20_000, dtype=np.intp)
    shown = read("reading_noise", np.zeros(20_000), slots=many, rms=0.25)
    assert np.std(shown) == pytest.approx(0.25, rel=0.02)
    assert abs(np.mean(shown)) < 0.006  # 3.4 standard deviations


def test_spikes_have_their_size_either_sign_and_their_share() -> None:
    many = np.arange(20_000, dtype=np.intp)
    shown = read("reading_spikes", np.zeros(20_000), slots=many, size=3.0, share=0.1)
    assert set(np.unique(shown)) == {-3.0, 0.0, 3.0}
    assert np.mean(shown != 0.0) == pytest.approx(0.1, abs=0.01)
    assert np.mean(shown > 0.0) == pytest.approx(0.05, abs=0.01)


def test_late_values_are_those_of_a_time_ago() -> None:
    memory = Memory()
    shown = [
        read("reading_late", VALUES + t, now_s=t, delay_s=1.0, memory=memory)[0] - VALUES[0]
        for t in (0.0, 0.5, 1.0, 1.6, 4.0)
    ]
    assert shown == pytest.approx([0.0, 0.0, 0.0, 0.5, 1.6])
    assert len(memory.past) <= 2


def test_swapped_monitors_are_two_names() -> None:
    request = Fault.from_request({"kind": "reading_swapped", "device": "A", "other": "B"}).request
    assert isinstance(request, Swapped)
    assert request.describe() == "reading_swapped A and B"
