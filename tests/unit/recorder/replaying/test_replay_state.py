"""The state of a replay on disk: durable at each phase, whole or not at all, damaged or edited ones refused."""

import math
import os
from dataclasses import asdict
from pathlib import Path

import pytest

from gnomon.recorder import ReplayError
from gnomon.recorder.replaying.replay_state import (
    Phase,
    ReplayState,
    StateFile,
    Status,
    StoredReading,
    after,
    load_state,
)
from gnomon.recorder.rollback import facts
from unit.recorder.fake_machine import step

START = ReplayState(id="20261127-1", recording="a" * 64, name="bump", machine="toy", prefix="M:")
ONE = step("A", 10.0, 15.0)
READING = StoredReading(
    orbit=((0.1, 0.2), (math.nan, 0.0)), tune=(0.2, 0.3), time_ns=5, current_ma=100.0, lifetime_h=math.nan
)


def written(state: ReplayState = START, number: int = 0) -> ReplayState:
    shown = {"number": number, "step": asdict(ONE), "shown": 10.0, "put_back": 10.0, "reading": READING.model_dump()}
    return after(state, "write", facts(ONE) | shown)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "replays" / "20261127-1.json"


def test_a_state_comes_back_as_it_was_saved(path: Path) -> None:
    file = StateFile(path)
    state = after(written(), "sent", {})
    file.save(state)
    assert file.load().model_dump_json() == state.model_dump_json()
    (part,) = load_state(path).written
    assert part.step == ONE
    assert (part.phase, part.before) == (Phase.SENT, 10.0)
    assert part.reading is not None
    assert math.isnan(part.reading.reading().orbit[1, 0])
    file.close()


def test_phases_follow_the_events() -> None:
    state = written()
    assert state.written[0].phase is Phase.INTENDED
    for event in ("sent", "verified", "measured"):
        state = after(state, event, {})
        assert state.written[-1].phase == event
    state = after(state, "step", {"done": 1})
    assert (state.done, state.status) == (1, Status.RUNNING)
    state = after(state, "failed", {"reason": "missed"})
    assert (state.status, state.reason) == (Status.ROLLING_BACK, "missed")
    assert state.status.open
    for event, pending in (("restore", 1), ("restored", 0)):
        state = after(state, event, facts(ONE))
        assert len(state.pending) == pending
    assert not after(state, "end", {"status": "rolled_back"}).status.open
    assert after(state, "frozen", {"reason": "elsewhere"}).status.open


def test_of_equal_writes_the_latest_is_put_back_first() -> None:
    state = written(written(), 1)
    state = after(state, "restored", facts(ONE))
    assert [each.phase for each in state.written] == [Phase.INTENDED, Phase.RESTORED]


def test_a_write_that_was_not_sent_is_forgotten() -> None:
    assert after(written(), "not_sent", {}).written == ()


@pytest.mark.parametrize("damage", ["edited", "cut", "other"])
def test_a_damaged_or_edited_state_is_refused(path: Path, damage: str) -> None:
    file = StateFile(path)
    file.save(written())
    text = path.read_text()
    path.write_text({"edited": text.replace("10.0", "90.0"), "cut": text[:-20], "other": "x"}[damage])
    with pytest.raises(ReplayError, match="damaged or edited"):
        load_state(path)
    file.close()


def test_one_process_works_on_a_replay(path: Path) -> None:
    file = StateFile(path)
    with pytest.raises(ReplayError, match="another process"):
        StateFile(path)
    file.close()
    StateFile(path).close()


def test_a_crash_while_it_is_saved_leaves_the_state_before(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = StateFile(path)
    file.save(START)

    def fail(number: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(ReplayError, match="disk full"):
        file.save(written())
    assert load_state(path) == START
    file.close()


def test_a_missing_state_is_told(tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match="cannot be read"):
        load_state(tmp_path / "none.json")
