"""The journal in the hands of a test: commands of clients, selected and printed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gnomon.lattice import Client, Outcome
from gnomon.recorder import Journal as Written
from gnomon.testing.client_commands import Journal
from unit.recorder.records import applied, begin, current, record, settled, write

BOB = Client("bob", "office2", "pva")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """Two applied commands, one refused, one with less than was asked, one of the test itself, one without outcome."""
    path = tmp_path / "test.journal"
    written = Written(path)
    begin(written)
    write(
        written,
        applied(1, "Q1", 1.0, 2.0),
        applied(2, "HS1", 0.0, 0.1),
        (record(3, current("HS2", 0.0, 20.0), client=BOB), settled(3, Outcome.REJECTED, reason="outside the limits")),
        (
            record(4, current("HS1", 0.1, 0.3), client=BOB),
            settled(4, Outcome.MODIFIED, current("HS1", 0.1, 0.3, 0.15), reason="fault 1"),
        ),
        applied(5, "HS1", 0.15, 0.0, note="test: set"),
    )
    written.append([record(6, current("HS3", 0.0, 0.2))])
    yield Journal(lambda: path)
    written.close()


def test_commands_are_selected_by_device_and_pv_and_those_of_the_test_are_left_out(journal: Journal) -> None:
    assert journal.commands("HS*").devices == ["HS1", "HS2", "HS3"]
    assert journal.commands("HS*").values == [0.1, 20.0, 0.3, 0.2]
    assert journal.commands("TWIN:Q1:set").devices == ["Q1"]
    assert len(journal.commands()) == 5
    assert len(journal.commands(own=True)) == 6
    assert not journal.commands("VS*")


def test_a_command_says_what_was_asked_what_was_done_and_by_whom(journal: Journal) -> None:
    command = journal.commands("HS1")[-1]
    assert (command.device, command.old, command.value, command.done) == ("HS1", 0.1, 0.3, 0.15)
    assert (command.outcome, command.reason, command.client, command.protocol) == (
        "modified", "fault 1", "bob@office2", "pva",
    )  # fmt: skip
    refused = journal.commands("HS2")[0]
    assert (refused.outcome, refused.done) == ("rejected", None)
    assert journal.commands("HS3")[0].outcome == ""


def test_commands_of_one_client_are_selected_by_its_user_its_host_or_both(journal: Journal) -> None:
    for client in ("bob", "office2", "bob@*"):
        assert journal.commands().by(client).devices == ["HS2", "HS1"]
    assert not journal.commands().by("nobody")


def test_commands_so_far_can_be_forgotten(journal: Journal) -> None:
    journal.forget()
    assert not journal.commands()


def test_printed_commands_are_lines_with_old_and_new_value_outcome_and_reason(journal: Journal) -> None:
    text = repr(journal.commands("HS*"))
    assert text.startswith("<4 commands to 'HS*':")
    assert "TWIN:HS2:set: 0 -> 20 A rejected (outside the limits)" in text
    assert "TWIN:HS1:set: 0.1 -> 0.3 A modified as 0.15 A (fault 1)" in text
    assert "TWIN:HS3:set: 0 -> 0.2 A under way" in text
    assert repr(journal.commands("VS*")) == "<no command to 'VS*'; 5 others>"


def test_commands_are_a_sequence(journal: Journal) -> None:
    commands = journal.commands()
    assert commands[0] in commands
    assert commands[1:].devices == ["HS1", "HS2", "HS3"]
    assert commands == list(commands)
