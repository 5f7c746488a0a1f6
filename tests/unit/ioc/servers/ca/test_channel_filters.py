"""Filters behind a name, and what they do."""

import math
import time

import numpy as np
import pytest

from gnomon.ioc.servers.ca.channel_filters import Filters, parse
from gnomon.ioc.servers.ca.dbr import State

WAVE = np.arange(10.0)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("[2:4]", WAVE[2:5]),
        ("[3]", WAVE[3:4]),
        ("[-3:-1]", WAVE[-3:]),
        ("[0:2:9]", WAVE[::2]),
        ("[5:]", WAVE[5:]),
        ("[8:20]", WAVE[8:]),
        ("[7:3]", WAVE[:0]),
        ('{"arr":{"s":1,"i":3,"e":-2}}', WAVE[1:9:3]),
        ('{"arr":{}}', WAVE),
    ],
)
def test_a_part_of_an_array(text: str, wanted: np.ndarray) -> None:
    assert np.array_equal(parse(text).apply(State(WAVE, 0, 0, 0)).value, wanted)


@pytest.mark.parametrize(
    ("text", "old", "new", "passes"),
    [
        ('{"dbnd":{"abs":0.5}}', 1.0, 1.5, False),
        ('{"dbnd":{"abs":0.5}}', 1.0, 1.6, True),
        ('{"dbnd":{"rel":10}}', 100.0, 109.0, False),
        ('{"dbnd":{"m":"rel","d":10}}', 100.0, 111.0, True),
        ('{"dbnd":{"abs":0.5}}', 1.0, math.nan, True),
        ('{"dbnd":{"abs":0.5}}', None, 1.0, True),
        ('{"ts":{}}', 1.0, 1.0, True),
    ],
)
def test_a_deadband_holds_back_small_changes(text: str, old: float | None, new: float, passes: bool) -> None:
    assert parse(text).passes(old, new) is passes


def test_the_server_s_time_can_be_had() -> None:
    begin = time.time_ns()
    assert begin <= parse('{"ts":{}}').apply(State(1.0, 0, 0, 5)).time_ns <= time.time_ns()
    assert Filters().apply(State(1.0, 0, 0, 5)).time_ns == 5


@pytest.mark.parametrize(
    "text",
    [
        "[]", "[a]", "[1:2:3:4]", "{}x", "[1", "{", '{"arr":3}', '{"arr":{"s":"x"}}',
        '{"arr":{"i":0}}', '{"arr":{"z":1}}',
        '{"dbnd":{"abs":"x"}}', '{"dbnd":{"m":"x"}}', '{"sync":{"m":"while","s":"red"}}', '{"ts":{"x":1}}', "[[1]]",
        '{"dbnd":{"abs":' + "1" * 400 + "}}",
    ],
)  # fmt: skip
def test_an_invalid_filter_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        parse(text)
