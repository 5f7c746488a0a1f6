"""Results in the order in which their files were finished; half a file is waited for."""

import os
import time
from pathlib import Path

import pytest

from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.results import Results
from gnomon.services.forward import result_feed
from gnomon.services.forward.cursor_file import ResultPlace
from gnomon.services.forward.result_feed import ResultFeed
from unit.services.dashboard.sample_runs import tune_response_run


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result_feed, "QUIET_NS", 0)


def save(folder: Path, name: str) -> None:
    Results(folder).save(tune_response_run().model_copy(update={"name": name}))
    time.sleep(0.01)  # the clock of files is coarse


def test_results_come_in_the_order_in_which_they_were_finished(tmp_path: Path) -> None:
    feed, place = ResultFeed(tmp_path / "results"), ResultPlace()
    assert feed.read(place, 10) == []
    save(tmp_path / "results", "b")
    save(tmp_path / "results", "a")
    found = feed.read(place, 10)
    assert [path.stem for _, path in found] == ["b", "a"]
    assert [path.stem for _, path in feed.read(found[0][0], 10)] == ["a"]
    assert feed.end() == found[-1][0]
    assert feed.read(feed.end(), 10) == []
    save(tmp_path / "results", "c")
    assert [path.stem for _, path in feed.read(found[-1][0], 10)] == ["c"]


def test_a_run_is_loaded_with_the_digest_of_its_file(tmp_path: Path) -> None:
    save(tmp_path, "b")
    feed = ResultFeed(tmp_path)
    ((place, _),) = feed.read(ResultPlace(), 10)
    loaded = feed.load(place)
    assert loaded is not None
    assert loaded[0].name == "b"
    assert len(loaded[1]) == 64


def test_a_file_that_is_no_run_is_waited_for_and_then_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "half.h5").write_bytes(b"half")
    feed = ResultFeed(tmp_path)
    ((place, _),) = feed.read(ResultPlace(), 10)
    with pytest.raises(ProcedureError, match="cannot be read yet"):
        feed.load(place)
    monkeypatch.setattr(result_feed, "PATIENCE_NS", 0)
    assert feed.load(place) is None
    os.unlink(tmp_path / "half.h5")
    assert feed.load(place) is None
