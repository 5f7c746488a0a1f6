"""Results are delivered once each, also where clocks went back, and after a cursor of an earlier version."""

from dataclasses import replace
from pathlib import Path

import pytest

from gnomon.procedures.results import Results
from gnomon.services.forward import result_feed
from gnomon.services.forward.cursor_file import Cursor, ResultPlace, cursor_path, read_cursor, write_cursor
from gnomon.services.forward.feeder import Source
from gnomon.services.forward.moving import move_cursor
from unit.services.dashboard.sample_runs import tune_response_run
from unit.services.forward.fake_downstream import FakeDownstream
from unit.services.forward.feeding import feeding, make_source, until


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    monkeypatch.setattr(result_feed, "QUIET_NS", 0)
    made = make_source(tmp_path, 0)
    save(made, "a")
    return made


def save(source: Source, name: str) -> None:
    Results(source.results).save(tune_response_run().model_copy(update={"name": name}))


def cursor_of(source: Source) -> Cursor:
    cursor = read_cursor(cursor_path(source.journal, "fake"))
    assert cursor is not None
    return cursor


async def delivered(source: Source, count: int) -> list[str]:
    """Feed until so many results have come; return the names of their runs."""
    downstream = FakeDownstream(kinds=frozenset({"results"}))
    async with feeding(downstream, source):
        await until(lambda: len(downstream.parcels) >= count)
    return [parcel.run.name for parcel in downstream.parcels if parcel.run is not None]


async def test_a_result_comes_whose_clock_is_behind_that_of_the_last_one(source: Source) -> None:
    assert await delivered(source, 1) == ["a"]
    late = replace(cursor_of(source), results=ResultPlace(4 * 10**18, "a.h5"))  # of a clock that was set back since
    write_cursor(cursor_path(source.journal, "fake"), late)
    save(source, "b")
    assert await delivered(source, 1) == ["b"]
    assert cursor_of(source).delivered == 2


async def test_results_that_a_cursor_of_an_earlier_version_counts_do_not_come_again(source: Source) -> None:
    await delivered(source, 1)
    write_cursor(cursor_path(source.journal, "fake"), replace(cursor_of(source), known=None))
    save(source, "b")
    assert await delivered(source, 1) == ["b"]
    assert len(cursor_of(source).known or ()) == 2


async def test_results_that_were_acknowledged_before_a_failure_do_not_come_again(source: Source) -> None:
    for name in ("b", "c"):
        save(source, name)
    refusing = FakeDownstream(kinds=frozenset({"results"}))
    refusing.refuses = lambda parcel: parcel.run is not None and parcel.run.name == "b"
    async with feeding(refusing, source) as feeder:
        await until(lambda: feeder._refused)
    assert [parcel.run.name for parcel in refusing.parcels if parcel.run is not None] == ["a"]
    assert await delivered(source, 2) == ["b", "c"]


@pytest.mark.parametrize(("to", "names"), [("newest", ["b"]), ("oldest", ["a", "b"]), (0, ["b"])])
async def test_results_go_on_where_a_downstream_was_moved(source: Source, to: str | int, names: list[str]) -> None:
    await delivered(source, 1)
    move_cursor(source, "fake", to)
    save(source, "b")
    assert await delivered(source, len(names)) == names
