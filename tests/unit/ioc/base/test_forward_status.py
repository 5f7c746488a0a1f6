"""The status of forwarding, as the server reads it from beside its journal."""

import json
from pathlib import Path

import pytest

from gnomon.ioc.base import forward_status
from gnomon.ioc.base.forward_status import (
    BEHIND,
    DELIVERING,
    NOT_RUNNING,
    OFF,
    STOPPED,
    ForwardStatus,
    forward_folder,
    read_forward_status,
    summarise_forward,
    write_forward_status,
)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    path = tmp_path / "journal"
    forward_folder(path).mkdir()
    return path


def test_the_worst_state_counts_with_the_largest_figures_and_all_reasons(journal: Path) -> None:
    told = [
        ForwardStatus("mqtt", "delivering", 3, 0.5, 100),
        ForwardStatus("mongodb", "stopped", 7, 2.0, reason="refused"),
        ForwardStatus("logbook", "behind", 1, 90.0, reason="away"),
    ]
    write_forward_status(journal, told)
    found = read_forward_status(journal)
    assert found is not None
    assert found.downstreams == tuple(told)
    together = summarise_forward(journal, False)
    assert (together.state, together.backlog, together.age_s) == (STOPPED, 7, 90.0)
    assert together.reason == "mongodb: refused; logbook: away"
    write_forward_status(journal, told[:1])
    assert summarise_forward(journal, True).state == DELIVERING
    write_forward_status(journal, told[2:])
    assert summarise_forward(journal, True).state == BEHIND


def test_a_process_that_ended_is_missed_where_the_configuration_wants_one(
    journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert summarise_forward(journal, True).state == NOT_RUNNING
    assert summarise_forward(journal, False).state == OFF
    write_forward_status(journal, [ForwardStatus("mqtt", "delivering", 3)])
    monkeypatch.setattr(forward_status, "OLD_S", -1.0)
    gone = summarise_forward(journal, True)
    assert (gone.state, gone.backlog) == (NOT_RUNNING, 3)
    assert "does not run" in gone.reason


def test_a_process_that_was_stopped_is_missed_at_once(journal: Path) -> None:
    write_forward_status(journal, [ForwardStatus("mqtt", "delivering", 3)], has_ended=True)
    stopped = summarise_forward(journal, True)
    assert (stopped.state, stopped.backlog, stopped.reason) == (NOT_RUNNING, 3, "gnomon forward was stopped")
    assert summarise_forward(journal, False).state == OFF
    write_forward_status(journal, [ForwardStatus("mqtt", "delivering", 3)])
    assert summarise_forward(journal, True).state == DELIVERING


def test_a_status_of_an_earlier_version_is_read(journal: Path) -> None:
    write_forward_status(journal, [ForwardStatus("mqtt", "delivering", 3)])
    file = forward_folder(journal) / "status.json"
    told = json.loads(file.read_text())
    del told["ended"]
    file.write_text(json.dumps(told))
    assert summarise_forward(journal, True).state == DELIVERING


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"time_ns": 1, "downstreams": [{}]}', "\xff"])
def test_a_damaged_status_is_none(journal: Path, text: str) -> None:
    (forward_folder(journal) / "status.json").write_bytes(text.encode("latin-1"))
    assert read_forward_status(journal) is None
