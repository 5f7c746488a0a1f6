"""Choosing where a downstream goes on: only while nobody feeds it."""

from pathlib import Path

import pytest

from gnomon.services.forward.cursor_file import Cursor, cursor_path, read_cursor, write_cursor
from gnomon.services.forward.forwarder import ForwardError, only_forwarder
from gnomon.services.forward.moving import move_cursor
from unit.services.forward.feeding import make_source


@pytest.mark.parametrize(("to", "sequence", "outcome"), [("oldest", 0, 0), ("newest", 5, 5), (3, 3, 3), (0, 0, 0)])
def test_a_downstream_goes_on_where_it_is_told(tmp_path: Path, to: str | int, sequence: int, outcome: int) -> None:
    source = make_source(tmp_path, 5)
    path = cursor_path(source.journal, "mqtt")
    write_cursor(path, Cursor("old", skipped=7))
    made = move_cursor(source, "mqtt", to)
    assert (made.position.sequence, made.position.outcome, made.skipped) == (sequence, outcome, 0)
    assert read_cursor(path) == made
    assert made.journal not in ("", "old")


def test_a_damaged_cursor_is_replaced(tmp_path: Path) -> None:
    source = make_source(tmp_path, 2)
    cursor_path(source.journal, "mqtt").write_text("{")
    assert move_cursor(source, "mqtt", "newest").position.sequence == 2


def test_nothing_is_moved_while_the_process_runs(tmp_path: Path) -> None:
    source = make_source(tmp_path, 2)
    with only_forwarder(source.journal), pytest.raises(ForwardError, match="stop it first"):
        move_cursor(source, "mqtt", "oldest")
