"""Readings as a browser gets them."""

import json
from base64 import b64decode

import numpy as np
import pytest

from gnomon.clients.reading import Reading
from gnomon.services.dashboard.live_fragments import reading_json


def test_a_number_comes_with_all_that_the_server_says() -> None:
    reading = Reading("T:q", 17.8487654321, "kHz", 2, "HIHI", 1_700_000_000_123_456_789, limits=(-1.0, 2.0))
    assert json.loads(reading_json(reading)) == {
        "v": 17.8487654321, "u": "kHz", "s": 2, "a": "HIHI", "t": 1_700_000_000_123, "lo": -1.0, "hi": 2.0,
    }  # fmt: skip


@pytest.mark.parametrize("value", [[1.5, -2.25e-7, np.nan], []])
def test_arrays_keep_seven_digits_and_their_gaps(value: list[float]) -> None:
    told = json.loads(reading_json(Reading("T:o", np.array(value))))
    np.testing.assert_allclose(np.frombuffer(b64decode(told["v"]["f4"]), "<f4"), value, rtol=1e-7)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(float("nan"), None), ("a \"b\" </script>", "a \"b\" </script>"), (["a", "b"], ["a", "b"]),
     (np.array([1, 2], "i4"), [1, 2]), ({"BPM": ["a"], "X": [1.0]}, {"BPM": ["a"], "X": [1.0]})],
)  # fmt: skip
def test_other_values_are_plain_json(value: object, shown: object) -> None:
    assert json.loads(reading_json(Reading("T:o", value)))["v"] == shown


def test_a_value_that_is_disconnected_has_no_number() -> None:
    assert json.loads(reading_json(None)) == {"gone": 1}


def test_a_state_comes_with_its_number() -> None:
    assert json.loads(reading_json(Reading("T:s", "on", states=("off", "on"), index=1))) == {"v": "on", "i": 1}
