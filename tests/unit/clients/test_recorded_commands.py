"""Recorded commands in pages, and the settings that take a server back."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gnomon.clients import recorded_commands
from gnomon.clients.recorded_commands import (
    commands_to_undo,
    compare_settings,
    page_document,
    plan_restore,
    plan_undo,
    read_page,
)
from gnomon.lattice import Outcome
from gnomon.recorder import Filter, Reader, ReviewError
from unit.recorder.records import small_journal


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return small_journal(tmp_path / "twin.journal")


@pytest.fixture
def reader(path: Path) -> Iterator[Reader]:
    with Reader(path) as opened:
        yield opened


def numbers(
    reader: Reader, count: int, *, oldest: bool = False, first: int | None = None, last: int | None = None
) -> tuple[list[int], int | None]:
    page = read_page(reader, Filter(first=first, last=last), count, oldest=oldest)
    return [entry.sequence for entry in page.entries], page.following


def test_pages_go_on_where_the_one_before_ended_from_either_end(reader: Reader) -> None:
    assert numbers(reader, 3) == ([2, 3, 4], 1)
    assert numbers(reader, 3, last=1) == ([1], None)
    assert numbers(reader, 4) == ([1, 2, 3, 4], None)
    assert numbers(reader, 3, oldest=True) == ([1, 2, 3], 4)
    assert numbers(reader, 3, oldest=True, first=4) == ([4], None)
    assert numbers(reader, 3, first=5) == ([], None)


def test_a_page_has_at_most_so_many_changes_and_one_command_at_least(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorded_commands, "MAX_CHANGES", 3)  # an applied command has two: requested and done
    assert numbers(reader, 4) == ([3, 4], 2)
    assert numbers(reader, 4, oldest=True) == ([1], 2)
    monkeypatch.setattr(recorded_commands, "MAX_CHANGES", 0)
    assert numbers(reader, 4) == ([4], 3)


def test_a_page_as_a_document_says_where_it_goes_on(reader: Reader) -> None:
    told = page_document(reader, read_page(reader, Filter(outcome=Outcome.REJECTED), 10))
    assert ([each["sequence"] for each in told["commands"]], told["following"], told["last"]) == ([3], None, 4)


def test_settings_of_two_points_are_compared(reader: Reader) -> None:
    run, found = compare_settings(reader, 1, None, lambda run: None)
    assert (run.run, [(d.device, d.first, d.second) for d in found]) == (1, [("Q1", 2.0, 3.0), ("Q2", 0.0, 5.0)])


def test_the_way_back_of_commands_and_to_a_command(path: Path, reader: Reader) -> None:
    undo = plan_undo(path, commands_to_undo(reader, (), 2), lambda run: None)
    assert (undo.note, undo.run.prefix) == ("undo 4 2", "TWIN:")
    assert [(a.device, a.now, a.value) for a in undo.assignments] == [("Q1", 3.0, 2.0), ("Q2", 5.0, 0.0)]
    restore = plan_restore(path, 0, lambda run: None)
    assert [(a.device, a.value) for a in restore.assignments] == [("Q1", 1.0), ("Q2", 0.0)]
    assert restore.to_json()["settings"][0] == {
        "device": "Q1", "setting": "current", "unit": "A", "now": 3.0, "value": 1.0,
    }  # fmt: skip


def test_an_undo_over_later_changes_needs_force(path: Path, reader: Reader) -> None:
    first = commands_to_undo(reader, (1, 1), None)
    with pytest.raises(ReviewError, match=r"use HOW to undo it nevertheless\n.*changed by alice@console1, command 4"):
        plan_undo(path, first, lambda run: None, how_to_force="HOW")
    forced = plan_undo(path, first, lambda run: None, force=True)
    assert [(a.device, a.value) for a in forced.assignments] == [("Q1", 1.0)]
