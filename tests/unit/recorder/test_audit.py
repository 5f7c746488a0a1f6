"""The record of a replay: whole lines, added one by one, and an error when one cannot be written."""

import json
import os
import time
from pathlib import Path

import pytest

from gnomon.recorder import ReplayError
from gnomon.recorder.audit import AuditFile


def test_events_are_lines_with_their_facts_and_time(tmp_path: Path) -> None:
    before = time.time_ns()
    audit = AuditFile(tmp_path / "replay.jsonl")
    audit.note("begin", {"steps": 2})
    audit.note("write", {"pv": "Q1:set", "value": 0.1 + 0.2})
    audit.close()
    begin, write = map(json.loads, (tmp_path / "replay.jsonl").read_text().splitlines())
    assert (begin["event"], begin["steps"]) == ("begin", 2)
    assert (write["event"], write["pv"], write["value"]) == ("write", "Q1:set", 0.1 + 0.2)
    assert before <= begin["wall_ns"] <= write["wall_ns"] <= time.time_ns()


def test_a_line_is_on_disk_when_it_was_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def watched(descriptor: int) -> None:
        synced.append((tmp_path / "replay.jsonl").read_text())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    audit = AuditFile(tmp_path / "replay.jsonl")
    audit.note("begin", {})
    assert len(synced) == 1
    assert json.loads(synced[0])["event"] == "begin"
    audit.close()


def test_a_second_replay_adds_to_what_is_there(tmp_path: Path) -> None:
    for event in ("first", "second"):
        audit = AuditFile(tmp_path / "replay.jsonl")
        audit.note(event, {})
        audit.close()
    lines = (tmp_path / "replay.jsonl").read_text().splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["first", "second"]


def test_a_file_that_cannot_be_had_stops_the_replay_before_it_begins(tmp_path: Path) -> None:
    with pytest.raises(
        ReplayError, match=r"nowhere/replay\.jsonl: the record of the replay cannot be written: .*No such"
    ):
        AuditFile(tmp_path / "nowhere" / "replay.jsonl")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device that is always full is a thing of Linux")
def test_a_full_disk_stops_the_replay() -> None:
    audit = AuditFile(Path("/dev/full"))
    with pytest.raises(ReplayError, match="No space left on device; no further step is sent"):
        audit.note("write", {"pv": "Q1:set"})
    audit.close()


def test_half_a_line_stops_the_replay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    audit = AuditFile(tmp_path / "replay.jsonl")
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:5]))
    with pytest.raises(ReplayError, match="only a part of a line was written"):
        audit.note("write", {})
    audit.close()
