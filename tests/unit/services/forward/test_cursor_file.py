"""Cursors: whole or not there, and never guessed."""

from dataclasses import replace
from pathlib import Path

import pytest

from gnomon.recorder.journal_feed import Position
from gnomon.services.forward.cursor_file import Cursor, CursorError, ResultPlace, read_cursor, write_cursor

CURSOR = Cursor("abc", Position(5, 6, (7, 8)), ResultPlace(9, "orm.h5"), 10, 11)


def test_a_cursor_comes_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    assert read_cursor(path) is None
    for cursor in (CURSOR, Cursor("abc"), replace(CURSOR, known=frozenset()), replace(CURSOR, known=frozenset("ab"))):
        write_cursor(path, cursor)
        assert read_cursor(path) == cursor
    assert [each.name for each in tmp_path.iterdir()] == ["a.json"]


def test_a_cursor_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(
        '{"journal": "abc", "position": {"sequence": 5, "outcome": 6, "times": [7, 8]}, '
        '"results": {"changed_ns": 9, "name": "orm.h5"}, "delivered": 10, "skipped": 11}'
    )
    assert read_cursor(path) == CURSOR


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"journal": "a", "position": 3}', "\0"])
def test_a_damaged_cursor_is_told_and_not_taken_for_a_new_one(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(CursorError, match="gnomon forward move"):
        read_cursor(path)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(CursorError, match="cannot be written"):
        write_cursor(tmp_path / "none" / "a.json", CURSOR)
