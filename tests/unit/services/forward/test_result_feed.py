"""Results come once each, whatever clocks say, the oldest of those that wait first; half a file is waited for."""

import os
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.results import Results
from gnomon.services.forward import result_feed
from gnomon.services.forward.cursor_file import Cursor, ResultPlace
from gnomon.services.forward.result_feed import ResultFeed
from unit.services.dashboard.sample_runs import tune_response_run


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result_feed, "QUIET_NS", 0)


def save(folder: Path, name: str) -> None:
    Results(folder).save(tune_response_run().model_copy(update={"name": name}))
    time.sleep(0.01)  # the clock of files is coarse


def names(found: list[tuple[ResultPlace, Path]]) -> list[str]:
    return [path.stem for _, path in found]


def identities(found: list[tuple[ResultPlace, Path]]) -> frozenset[str]:
    return frozenset(place.identity for place, _ in found)


def test_results_that_wait_come_in_the_order_in_which_they_were_finished(tmp_path: Path) -> None:
    feed, nothing = ResultFeed(tmp_path / "results"), frozenset[str]()
    assert feed.read(nothing, 10) == []
    assert feed.all_known() == nothing
    save(tmp_path / "results", "b")
    save(tmp_path / "results", "a")
    found = feed.read(nothing, 10)
    assert names(found) == ["b", "a"]
    assert names(feed.read(identities(found[:1]), 10)) == ["a"]
    assert feed.all_known() == identities(found)
    assert feed.read(feed.all_known(), 10) == []
    save(tmp_path / "results", "c")
    assert names(feed.read(identities(found), 10)) == ["c"]


def test_a_backlog_is_given_out_without_a_look_at_the_folder_for_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed, looks = ResultFeed(tmp_path), 0
    for number in range(20):
        (tmp_path / f"run-{number:02d}.h5").write_bytes(b"x")

    def looking() -> list[ResultPlace] | None:
        nonlocal looks
        looks += 1
        return places()

    places = feed._places
    monkeypatch.setattr(feed, "_places", looking)
    monkeypatch.setattr(result_feed, "AGAIN_NS", 3600 * 10**9)
    known, came = frozenset[str](), []
    while found := feed.read(known, 1):
        came += names(found)
        assert feed.read(known, 1) == found  # it was not delivered: it comes again
        known |= identities(found)
    assert came == [f"run-{number:02d}" for number in range(20)]
    assert looks == 2  # the second one finds nothing more
    monkeypatch.setattr(result_feed, "AGAIN_NS", 0)
    (tmp_path / "run-20.h5").write_bytes(b"x")
    (tmp_path / "run-21.h5").write_bytes(b"x")
    assert names(feed.read(known, 1)) == ["run-20"]
    os.unlink(tmp_path / "run-20.h5")
    assert names(feed.read(known, 1)) == ["run-21"]


def test_a_result_that_is_older_by_its_clock_than_one_that_was_delivered_comes(tmp_path: Path) -> None:
    feed = ResultFeed(tmp_path)
    save(tmp_path, "late")
    os.utime(tmp_path / "late.h5", (4e9, 4e9))
    known = identities(feed.read(frozenset(), 10))
    save(tmp_path, "next")
    os.utime(tmp_path / "next.h5", (1e9, 1e9))
    (found,) = feed.read(known, 10)
    behind = replace(found[0], changed_ns=1)
    cursor = Cursor("j", results=ResultPlace(4 * 10**18, "late.h5"), known=known).knowing([behind])
    assert cursor.known is not None
    assert (cursor.results.name, feed.read(cursor.known, 10)) == ("late.h5", [])


def test_a_file_with_a_time_in_the_future_waits_until_it_was_seen_for_long_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path, "a")
    now = [10**12]
    monkeypatch.setattr(result_feed, "QUIET_NS", 10**9)
    monkeypatch.setattr(result_feed, "time", SimpleNamespace(monotonic_ns=lambda: now[0], time_ns=lambda: 5))
    feed = ResultFeed(tmp_path)
    assert feed.read(frozenset(), 10) == []
    now[0] += 10**9
    assert names(feed.read(frozenset(), 10)) == ["a"]


def test_a_result_that_was_written_anew_comes_again_and_one_that_was_moved_does_not(tmp_path: Path) -> None:
    feed = ResultFeed(tmp_path)
    save(tmp_path, "a")
    known = feed.all_known()
    os.rename(tmp_path / "a.h5", tmp_path / "kept")
    os.rename(tmp_path / "kept", tmp_path / "a.h5")  # changes its ctime
    assert feed.read(known, 10) == []
    os.unlink(tmp_path / "a.h5")
    save(tmp_path, "a")
    assert names(feed.read(known, 10)) == ["a"]


def test_a_place_of_an_earlier_version_counts_all_before_it_as_delivered(tmp_path: Path) -> None:
    assert ResultFeed(tmp_path / "none").known_up_to(ResultPlace(1, "a.h5")) is None
    for name in ("b", "a", "c"):
        save(tmp_path, name)
    feed = ResultFeed(tmp_path)
    known = feed.known_up_to(feed.read(frozenset(), 10)[1][0])
    assert known is not None
    assert names(feed.read(known, 10)) == ["c"]


def test_files_that_are_gone_are_forgotten_when_they_are_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result_feed, "MAX_GONE", 2)
    feed, gone = ResultFeed(tmp_path), frozenset({"1", "2", "3"})
    feed.read(gone, 10)
    assert feed.without_gone(gone) == gone  # nothing there: perhaps not mounted
    save(tmp_path, "a")
    feed.read(gone, 10)
    here = feed.all_known()
    assert feed.without_gone(gone | here) == gone | here
    assert feed.without_gone(gone | here | {"4"}) == here


def test_a_run_is_loaded_with_the_digest_of_its_file(tmp_path: Path) -> None:
    save(tmp_path, "b")
    feed = ResultFeed(tmp_path)
    ((place, _),) = feed.read(frozenset(), 10)
    loaded = feed.load(place)
    assert loaded is not None
    assert loaded[0].name == "b"
    assert len(loaded[1]) == 64


def test_a_file_that_is_no_run_is_waited_for_and_then_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "half.h5").write_bytes(b"half")
    feed = ResultFeed(tmp_path)
    ((place, _),) = feed.read(frozenset(), 10)
    with pytest.raises(ProcedureError, match="cannot be read yet"):
        feed.load(place)
    monkeypatch.setattr(result_feed, "PATIENCE_NS", 0)
    assert feed.load(place) is None
    os.unlink(tmp_path / "half.h5")
    assert feed.load(place) is None
