"""A history replayed: which values, in which order and at which times they reach the twin, and what is left out."""

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from gnomon.ioc.app.archived_history import (
    MAX_TOGETHER,
    Change,
    History,
    HistoryError,
    HistoryFile,
    play,
    read_history,
    select_changes,
)
from gnomon.ioc.base.protocols import PutFuture, PutReply
from gnomon.lattice import Client
from gnomon.recorder.archives import Sample
from unit.ioc.rig import CLIENT, RING, specs

SPECS = specs()
NAMES = {spec.name: index for index, spec in enumerate(SPECS)}
CP, Q = NAMES["T:CP:set"], NAMES["T:QFP:set"]
S = 1_000_000_000


class Time:
    """A clock that sleeping moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class Sink:
    """Takes puts at the times of a clock; each takes `takes_s`."""

    def __init__(self, clock: Time, takes_s: float = 0.0) -> None:
        self._clock, self._takes_s = clock, takes_s
        self.puts: list[tuple[float, int, Any]] = []

    def put(self, index: int, value: Any, client: Client) -> PutFuture:
        self.puts.append((round(self._clock.now - 100.0, 6), index, value))
        self._clock.now += self._takes_s
        done = PutFuture()
        done.set_result(PutReply(value != 99.0, "too large" if value == 99.0 else ""))
        return done


def samples(*rows: tuple[float, str, float]) -> list[Sample]:
    return [Sample(round(second * S), pv, value) for second, pv, value in rows]


def test_a_history_begins_when_each_setpoint_has_a_value_with_the_last_of_each() -> None:
    rows = samples((10, "CP:set", 1.0), (20, "CP:set", 2.0), (30, "T:QFP:set", 3.0), (40, "CP:set", 4.0))
    found = select_changes(rows, SPECS, RING, "T:")
    assert found.begin_ns == 30 * S
    assert {change.pv_index: change.value for change in found.first} == {CP: 2.0, Q: 3.0}
    assert list(found.later) == [Change(40 * S, CP, 4.0)]


def test_a_history_can_begin_at_another_time() -> None:
    rows = samples((10, "CP:set", 1.0), (20, "CP:set", 2.0), (30, "QFP:set", 3.0))
    found = select_changes(rows, SPECS, RING, "T:", begin_ns=15 * S)
    assert [change.value for change in found.first] == [1.0]
    assert [change.value for change in found.later] == [2.0, 3.0]


def test_readings_strengths_and_values_that_were_invalid_are_not_followed() -> None:
    strength = next(
        spec.name for spec in SPECS if spec.source == "set" and RING.strength_of(spec.device, spec.property) is not None
    )
    rows = [
        *samples((10, "CP:set", 1.0), (20, "CP:rdbk", 1.0), (20, "other", 1.0), (20, strength, 1.0)),
        Sample(30 * S, "CP:set", 7.0, 3),
    ]
    found = select_changes(rows, SPECS, RING, "T:")
    assert [change.value for change in (*found.first, *found.later)] == [1.0]
    assert found.left_out == 3


def test_a_history_of_another_machine_is_refused_with_an_example(tmp_path: Path) -> None:
    file = tmp_path / "h.json"
    data = [{"secs": 1, "nanos": 0, "val": 1.0, "severity": 0}]
    file.write_text(json.dumps([{"meta": {"name": "REAL:CP:set"}, "data": data}]))
    with pytest.raises(HistoryError, match=r"h\.json: no setpoint of .* for example REAL:CP:set; check"):
        read_history(HistoryFile(file), SPECS, RING, "T:")
    file.write_text(file.read_text().replace("REAL:", ""))
    assert [change.value for change in read_history(HistoryFile(file), SPECS, RING, "T:").first] == [1.0]


async def test_changes_come_in_their_order_at_their_times_divided_by_the_speed() -> None:
    clock = Time()
    sink = Sink(clock)
    later = [Change(60 * S, CP, 1.0), Change(60 * S, Q, 2.0), Change(600 * S, CP, 3.0)]
    await play(History(0, [Change(0, CP, 0.0)], later), sink, CLIENT, 60.0, clock, clock.sleep)
    assert sink.puts == [(0.0, CP, 0.0), (1.0, CP, 1.0), (1.0, Q, 2.0), (10.0, CP, 3.0)]


async def test_a_twin_that_is_slow_makes_the_history_late_and_loses_nothing() -> None:
    clock = Time()
    sink = Sink(clock, takes_s=3.0)
    later = [Change(i * S, CP, float(i)) for i in range(1, 6)]
    await play(History(0, [], later), sink, CLIENT, 1.0, clock, clock.sleep)
    assert [value for _, _, value in sink.puts] == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert sum(clock.slept) < 3.0


async def test_changes_that_are_due_together_wait_in_bounded_numbers() -> None:
    waiting: list[PutFuture] = []
    most = [0]

    class Busy:
        def put(self, index: int, value: Any, client: Client) -> PutFuture:
            waiting.append(PutFuture())
            most[0] = max(most[0], len(waiting))
            return waiting[-1]

    later = [Change(S, CP, float(number)) for number in range(3 * MAX_TOGETHER)]
    playing = asyncio.ensure_future(play(History(0, [], later), Busy(), CLIENT, 1e9))
    completed = 0
    while not playing.done():
        await asyncio.sleep(0)
        for future in waiting:
            future.set_result(PutReply(True))
        completed += len(waiting)
        waiting.clear()
    assert (most[0], completed) == (MAX_TOGETHER, len(later))


async def test_the_end_is_told_with_the_number_of_refusals(caplog: pytest.LogCaptureFixture) -> None:
    clock = Time()
    with caplog.at_level(logging.INFO, "gnomon.history"):
        await play(
            History(0, [Change(0, CP, 99.0)], [Change(S, CP, 1.0)]), Sink(clock), CLIENT, 1.0, clock, clock.sleep
        )
    assert "the history is over: 2 puts, 1 of them refused" in caplog.text
    assert "a setpoint of the history is refused: too large" in caplog.text
