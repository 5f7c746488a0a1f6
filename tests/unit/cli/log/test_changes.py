"""`gnomon log undo` and `gnomon restore`: what is sent to the server, what is refused, and who is asked."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gnomon.cli import app, sending, served_journal
from gnomon.lattice import Outcome
from gnomon.recorder import Journal, RemoteError, ReviewError
from gnomon.recorder.review import Assignment
from unit.cli.commands import gnomon, tell_journal
from unit.cli.log.conftest import FakeRemote
from unit.recorder.records import applied, begin, current, record, settled, small_journal, write


def test_undo_sends_the_inverse_to_the_server_that_was_recorded(path: Path, remote: FakeRemote) -> None:
    result = gnomon("log", "undo", "--journal", path, 2, "--yes")
    assert remote.sent == [("TWIN:", (Assignment("Q2", "current", "A", 5.0, 0.0),), "undo 2")]
    assert "feedc0de" in result.stdout
    assert result.exit_code == 0


def test_undo_of_several_commands_is_one_command_newest_first(path: Path, remote: FakeRemote) -> None:
    gnomon("log", "undo", "--journal", path, 1, 2, 4, "--yes")
    both = (Assignment("Q1", "current", "A", 3.0, 1.0), Assignment("Q2", "current", "A", 5.0, 0.0))
    assert remote.sent == [("TWIN:", both, "undo 4 2 1")]


def test_undo_of_the_last_commands_passes_over_those_that_changed_nothing(path: Path, remote: FakeRemote) -> None:
    output = gnomon("log", "undo", "--journal", path, "--last", 2, "--yes").output  # command 3 was rejected
    assert remote.sent[0][2] == "undo 4 2"
    assert "alice@console1" in output
    with pytest.raises(ReviewError, match="only 3 commands in this journal changed a setting, not 4"):
        gnomon("log", "undo", "--journal", path, "--last", 4, "--yes")


@pytest.mark.parametrize("arguments", [[], [2, "--last", 1], ["--last", 0]])
def test_undo_needs_numbers_or_last(path: Path, remote: FakeRemote, arguments: list[object]) -> None:
    assert gnomon("log", "undo", "--journal", path, *arguments, "--yes").exit_code == 2
    assert not remote.sent


def test_undo_of_what_changed_nothing_is_refused(path: Path, remote: FakeRemote) -> None:
    with pytest.raises(ReviewError, match="command 3 was rejected: there is nothing to undo"):
        gnomon("log", "undo", "--journal", path, 3, "--yes")
    assert not remote.sent


def test_undo_of_a_value_that_somebody_changed_names_who_and_needs_force(path: Path, remote: FakeRemote) -> None:
    changed = r"Q1 current: command 1 left 2 A, now 3 A, changed by alice@console1, command 4, 2025"
    with pytest.raises(ReviewError, match=changed):
        gnomon("log", "undo", "--journal", path, 1, "--yes")
    assert not remote.sent
    gnomon("log", "undo", "--journal", path, 1, "--force", "--yes")
    assert remote.sent[0][1] == (Assignment("Q1", "current", "A", 3.0, 1.0),)


def test_a_value_that_is_again_what_the_command_left_can_be_undone(path: Path, remote: FakeRemote) -> None:
    with Journal(path) as journal:
        begin(journal, Q1=3.0)
        write(journal, applied(5, "Q1", 3.0, 2.0))
    gnomon("log", "undo", "--journal", path, 1, "--yes")
    assert remote.sent[0][1] == (Assignment("Q1", "current", "A", 2.0, 1.0),)


def test_undo_after_a_restart_needs_force(path: Path, remote: FakeRemote) -> None:
    with Journal(path) as journal:
        begin(journal, Q1=1.0)
    for number, what in (
        (4, "Q1 current: command 4 left 3 A, now 1 A"),
        (2, "Q2 current: command 2 left 5 A, now 0 A"),
    ):
        with pytest.raises(ReviewError, match=f"{what}, since the server was restarted"):
            gnomon("log", "undo", "--journal", path, number, "--yes")
    assert not remote.sent


CHANGES = (["log", "undo", 2], ["restore", "--to", 1])


@pytest.mark.parametrize("arguments", CHANGES)
def test_a_dry_run_shows_now_and_then_and_sends_nothing(
    path: Path, remote: FakeRemote, arguments: list[object]
) -> None:
    result = gnomon(*arguments, "--journal", path, "--dry-run")
    assert ["Q2", "current", "5", "0", "A"] in [line.split() for line in result.stdout.splitlines()]
    assert "dry run: nothing was set" in result.stdout
    assert (result.exit_code, remote.sent) == (0, [])


@pytest.mark.parametrize("arguments", CHANGES)
def test_in_a_script_nothing_is_sent_without_yes(path: Path, remote: FakeRemote, arguments: list[object]) -> None:
    result = gnomon(*arguments, "--journal", path)
    assert (result.exit_code, remote.sent) == (2, [])
    assert "give --yes" in " ".join(result.stderr.replace("│", " ").split())


@pytest.mark.parametrize("arguments", CHANGES)
@pytest.mark.parametrize(("answer", "sends"), [("y\n", 1), ("n\n", 0), ("\n", 0), ("", 0)])
def test_on_a_terminal_the_user_is_asked(
    path: Path, remote: FakeRemote, monkeypatch: pytest.MonkeyPatch, arguments: list[object], answer: str, sends: int
) -> None:
    monkeypatch.setattr(sending, "is_terminal", lambda: True)
    result = CliRunner().invoke(app, [str(a) for a in (*arguments, "--journal", path)], input=answer)
    assert len(remote.sent) == sends
    assert result.exit_code == 1 - sends
    assert "on 'TWIN:'? [y/N]" in result.output


@pytest.mark.parametrize("arguments", CHANGES)
def test_offline_only_shows_and_asks_no_server(
    path: Path, remote: FakeRemote, monkeypatch: pytest.MonkeyPatch, arguments: list[object]
) -> None:
    monkeypatch.setattr(served_journal, "ask_journal", None)
    assert gnomon(*arguments, "--journal", path, "--offline", "--yes").exit_code == 2
    assert "dry run" in gnomon(*arguments, "--journal", path, "--offline", "--dry-run").stdout
    assert not remote.sent


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"journal": "other"}, "writes .*other, not .*; --offline reads the file all the same"),
        ({"journal": "/nowhere/twin.journal"}, "which is not on this computer: call this where the server runs"),
        ({"run": 2.0}, "writes run 2, and .* has run 1"),
    ],
)
def test_a_server_that_writes_something_else_is_refused(
    path: Path, remote: FakeRemote, monkeypatch: pytest.MonkeyPatch, told: dict[str, object], reason: str
) -> None:
    other = small_journal(path.parent / "other")
    answer = tell_journal(path)(None) | told
    answer["journal"] = str(other.parent / str(answer["journal"]))
    monkeypatch.setattr(served_journal, "ask_journal", lambda target: answer)
    with pytest.raises(ReviewError, match=reason):
        gnomon("log", "undo", 2, "--journal", path, "--yes")
    assert not remote.sent


def test_a_server_that_does_not_answer_is_refused_with_the_way_out(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(*_: object) -> str:
        raise RemoteError("TWIN:dt:journal: no server answered within 5 s")

    monkeypatch.setattr("gnomon.recorder.remote.call_procedure", nobody)
    for arguments in CHANGES:
        with pytest.raises(RemoteError, match="no server answered within 5 s; with --offline"):
            gnomon(*arguments, "--journal", path, "--yes")


def test_settings_that_changed_while_the_user_was_asked_are_not_overwritten(
    path: Path, remote: FakeRemote, monkeypatch: pytest.MonkeyPatch
) -> None:
    def somebody_else_is_faster(question: str, *, abort: bool, err: bool) -> bool:
        with Journal(path) as journal:
            begin(journal, Q1=3.0, Q2=5.0)
            write(journal, applied(5, "Q1", 3.0, 4.0))
        return True

    monkeypatch.setattr(sending, "is_terminal", lambda: True)
    monkeypatch.setattr("typer.confirm", somebody_else_is_faster)
    with pytest.raises(ReviewError, match="settings were changed while you were asked; nothing was set"):
        gnomon("restore", "--journal", path, "--to", 1)
    assert not remote.sent


def test_restore_sends_the_difference_and_says_when_there_is_none(path: Path, remote: FakeRemote) -> None:
    gnomon("restore", "--journal", path, "--to", 1, "--yes")
    back = (Assignment("Q1", "current", "A", 3.0, 2.0), Assignment("Q2", "current", "A", 5.0, 0.0))
    assert remote.sent == [("TWIN:", back, "restore --to 1")]
    assert (
        "nothing to do: all settings already have these values"
        in gnomon("restore", "--journal", path, "--to", 4).stdout
    )
    assert len(remote.sent) == 1


def test_restore_of_an_older_run_is_possible(path: Path, remote: FakeRemote) -> None:
    with Journal(path) as journal:
        begin(journal, Q1=1.0)
        write(journal, applied(5, "Q3", 0.0, 9.0))
    gnomon("restore", "--journal", path, "--to", 4, "--yes")
    assert {(a.device, a.value) for a in remote.sent[0][1]} == {("Q1", 3.0), ("Q2", 5.0), ("Q3", 0.0)}


def test_no_server_is_an_error(path: Path, remote: FakeRemote) -> None:
    remote.answers = False
    with pytest.raises(RemoteError):
        gnomon("restore", "--journal", path, "--to", 1, "--yes")


def test_a_refusal_of_many_settings_names_five_and_counts_the_others(path: Path, remote: FakeRemote) -> None:
    with Journal(path) as journal:
        begin(journal)
        for n, (old, new) in enumerate(((0.0, 1.0), (1.0, 2.0))):
            changes = [current(f"Q{k}", old, new, new) for k in range(3, 10)]
            journal.append([record(5 + n, *changes)], [settled(5 + n, Outcome.APPLIED, *changes)])
    with pytest.raises(ReviewError) as refused:
        gnomon("log", "undo", "--journal", path, 5, "--yes")
    head, *lines = str(refused.value).splitlines()
    assert "the values that command 5 left; use --force" in head
    assert [line.split()[0] for line in lines[:5]] == ["Q3", "Q4", "Q5", "Q6", "Q7"]
    assert lines[5:] == ["  and 2 more settings"]
    assert all("command 5 left 1 A, now 2 A, changed by alice@console1, command 6" in line for line in lines[:5])
    assert not remote.sent


def test_a_number_given_twice_is_undone_once(path: Path, remote: FakeRemote) -> None:
    gnomon("log", "undo", "--journal", path, 2, 2, "--yes")
    assert remote.sent == [("TWIN:", (Assignment("Q2", "current", "A", 5.0, 0.0),), "undo 2")]


def test_a_command_of_another_document_is_not_undone_even_by_force(path: Path, remote: FakeRemote) -> None:
    with Journal(path) as journal:
        journal.begin_run(machine="toy", digest="d2", prefix="TWIN:", lattice_id="", baseline={("Q1", "current"): 3.0})
    with pytest.raises(ReviewError, match="their settings cannot be compared"):
        gnomon("log", "undo", "--journal", path, 4, "--force", "--yes")
    assert not remote.sent


def test_the_undo_of_an_undo_says_what_it_is(path: Path, remote: FakeRemote) -> None:
    with Journal(path) as journal:
        begin(journal, Q1=3.0)
        undone, outcome = applied(5, "Q1", 3.0, 2.0)
        write(journal, (replace(undone, command=replace(undone.command, note="undo 4")), outcome))
    output = gnomon("log", "undo", "--journal", path, "--last", 1, "--dry-run").output
    assert "5 is an undo itself (undo 4): its undo sets again what it had taken back" in " ".join(output.split())


def test_the_answer_to_an_undo_is_one_json_document(path: Path, remote: FakeRemote) -> None:
    back = [{"device": "Q2", "setting": "current", "unit": "A", "now": 5.0, "value": 0.0}]
    dry = json.loads(gnomon("log", "--journal", path, "undo", 2, "--dry-run", "--json").stdout)
    assert dry == {"note": "undo 2", "prefix": "TWIN:", "settings": back, "sent": False, "lattice_id": ""}
    assert not remote.sent
    done = gnomon("log", "--journal", path, "undo", "--last", 1, "--yes", "--json")
    assert json.loads(done.stdout)["sent"] is True
    done = gnomon("restore", "--journal", path, "--to", 1, "--yes", "--json")
    assert (json.loads(done.stdout)["lattice_id"], len(remote.sent)) == ("feedc0de", 2)
    nothing = json.loads(gnomon("restore", "--journal", path, "--to", 4, "--yes", "--json").stdout)
    assert (nothing["settings"], nothing["sent"]) == ([], False)


def test_with_json_the_question_goes_to_standard_error(
    path: Path, remote: FakeRemote, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "is_terminal", lambda: True)
    result = CliRunner().invoke(app, ["restore", "--journal", str(path), "--to", "1", "--json"], input="y\n")
    assert json.loads(result.stdout.splitlines()[-1])["sent"] is True  # after the answer, which the runner shows
    assert "Make th" in result.stderr
