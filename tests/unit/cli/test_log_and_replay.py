"""`gnomon log`, `gnomon restore`, `gnomon replay` as a user calls them."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from typer import Typer
from typer.testing import CliRunner, Result

from gnomon.cli import log, replay, sending, served_journal
from gnomon.ioc.base.running_servers import RunningServer, announced
from gnomon.lattice import Client, DocumentError, Outcome, Ring, Setting
from gnomon.recorder import Journal, JournalError, Reader, RemoteError, ReplayError, ReviewError
from gnomon.recorder.reader import Followed
from gnomon.recorder.remote import Reply
from gnomon.recorder.review import Assignment
from unit.cli.commands import tell_journal
from unit.recorder.conftest import bessy2
from unit.recorder.fake_machine import FakeMachine, FakePv
from unit.recorder.records import applied, begin, current, record, settled, small_journal, write
from unit.recorder.test_steps import Recording, specs
from unit.recorder.test_steps import current as put_current

APP = Typer(pretty_exceptions_enable=False)
APP.add_typer(log.app, name="log")
APP.command("restore")(log.restore)
APP.command("replay")(replay.replay)


@pytest.fixture
def ring() -> Ring:
    return bessy2()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return small_journal(tmp_path / "twin.journal")


def gnomon(*arguments: object) -> Result:
    """Run a command; what it raises on purpose comes through, as it does to `gnomon.cli.main`."""
    result = CliRunner().invoke(APP, [str(a) for a in arguments], env={"TERM": "dumb"})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@dataclass
class FakeRemote:
    sent: list[tuple[str, tuple[Assignment, ...], str]] = field(default_factory=list)
    answers: bool = True

    def send(self, prefix: str, assignments: Sequence[Assignment], note: str) -> Reply:
        if not self.answers:
            raise RemoteError("no server answered")
        self.sent.append((prefix, tuple(assignments), note))
        return Reply("feedc0de", "")


@pytest.fixture
def remote(path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeRemote:
    fake = FakeRemote()
    monkeypatch.setattr(served_journal, "ask_journal", tell_journal(path))
    monkeypatch.setattr(sending, "make_remote", lambda: fake)
    return fake


def test_log_lists_the_newest_commands_with_who_what_and_outcome(path: Path) -> None:
    result = gnomon("log", "--journal", path)
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["#", "1", "2", "3", "4"]
    for words in ("alice@console1", "TWIN:Q1:set", "2025-10-09", "applied"):
        assert words in lines[1]
    assert "bob@office" in lines[3]
    assert "rejected" in lines[3]
    assert "is not a finite number" in lines[3]
    assert result.exit_code == 0


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        (["--pv", "*Q1*"], ["1", "4"]),
        (["--client", "bob"], ["3"]),
        (["--outcome", "rejected"], ["3"]),
        (["-n", "2"], ["3", "4"]),
        (["--since", "10m"], []),
        (["--until", "10m"], ["1", "2", "3", "4"]),
        (["--until", "2025-10-01T00:00"], []),
    ],
)
@pytest.mark.parametrize("command", [["log"], ["log", "list"]])
def test_log_filters(path: Path, command: list[str], options: list[str], numbers: list[str]) -> None:
    result = gnomon(*command, "--journal", path, *options)
    lines = [line for line in result.stdout.splitlines() if not line.startswith("no matching command")]
    assert [line.split()[0] for line in lines[1:]] == numbers


def test_every_table_is_also_data(path: Path) -> None:
    def data(*arguments: object) -> Any:
        return json.loads(gnomon("log", *arguments, "--journal", path, "--json").stdout)

    for command in ((), ("list",)):
        assert [document["sequence"] for document in data(*command)] == [1, 2, 3, 4]
    assert data("show", 3)["changes"][0]["new"] == "nan"
    assert data("diff", 1, 2) == [{"device": "Q2", "setting": "current", "unit": "A", "first": 0.0, "second": 5.0}]


def test_commands_that_are_not_shown_are_counted_beside_the_listing(path: Path) -> None:
    result = gnomon("log", "--journal", path, "-n", 1, "--until", "10m")
    assert len(result.stdout.splitlines()) == 2
    assert result.stderr == "... 3 earlier commands not shown; --last 4\n"
    assert gnomon("log", "--journal", path).stderr == ""


def test_follow_goes_on_in_the_columns_of_the_listing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def later(reader: Reader, which: object, *, after: int) -> Iterator[Followed]:
        assert after == 4
        yield Followed(reader.entry(4), True)
        raise KeyboardInterrupt

    monkeypatch.setattr(Reader, "follow", later)
    lines = gnomon("log", "--journal", path, "-f").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["#", "1", "2", "3", "4", "4"]
    assert len({line.index("applied") for line in (lines[1], lines[2], *lines[4:])} | {lines[0].index("outcome")}) == 1
    assert lines[5].endswith("0.0 s later")


def test_a_switch_is_shown_by_the_name_of_its_state(tmp_path: Path, ring: Ring) -> None:
    made = Recording(tmp_path / "twin.journal", ring)
    made.put(Setting("TWIN:QSPAZR:cmd1", "QSPAZR", "on", 0.0))
    made.put(Setting("TWIN:dt:set", "PMUXZR", "selected", 2.0))
    made.journal.close()
    rows = [line.split() for line in gnomon("log", "--journal", made.path).stdout.splitlines()[1:]]
    assert rows[0][5:7] == ["on", "off"]
    assert "Q1M1T1R" in rows[1]
    assert ["QSPAZR", "on", "on", "off"] in [
        line.split() for line in gnomon("log", "--journal", made.path, "diff", 0, 1).stdout.splitlines()
    ]


def test_archive_moves_commands_to_a_part_and_every_command_still_reads_them(path: Path, remote: FakeRemote) -> None:
    listed = gnomon("log", "--journal", path).stdout
    assert gnomon("log", "archive", "--journal", path).stdout == f"commands 1 to 3 are in {path}.1-3\n"
    assert gnomon("log", "archive", "--journal", path).stdout.startswith("nothing to archive")
    assert gnomon("log", "--journal", path).stdout == listed
    assert "before1" in gnomon("log", "show", 1, "--journal", path).stdout
    assert len(gnomon("log", "export", "--journal", path, "-").stdout.splitlines()) == 4
    gnomon("log", "undo", 2, "--journal", path, "--yes")
    gnomon("restore", "--to", 1, "--journal", path, "--yes")
    assert [note for _, _, note in remote.sent] == ["undo 2", "restore --to 1"]


def test_archive_asks_the_server_that_writes_the_journal(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    called = []

    def call(name: str, arguments: dict[str, str], timeout_s: float, environment: object) -> str:
        called.append((name, environment))
        return json.dumps({"part": f"{path}.1-2", "first": 1.0, "last": 2.0})

    monkeypatch.setattr("gnomon.recorder.remote.call_procedure", call)
    server = RunningServer(
        pid=1, prefix="X:", machine="toy", role="twin", ca_address="", pva_address="", journal=str(path),
        environment={"EPICS_PVA_BROADCAST_PORT": "5"},
    )  # fmt: skip
    with announced(server):
        assert gnomon("log", "archive", "--journal", path).stdout == f"commands 1 to 2 are in {path}.1-2\n"
    assert called == [("X:dt:archive", {"EPICS_PVA_BROADCAST_PORT": "5"})]


@pytest.mark.parametrize("options", [["--since", "yesterday"], ["--outcome", "lost"], ["-n", "0"], ["--nonsense"]])
def test_wrong_use_exits_with_2(path: Path, options: list[str]) -> None:
    assert gnomon("log", "--journal", path, *options).exit_code == 2


def test_a_journal_that_is_not_there_is_a_plain_error(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="no journal here"):
        gnomon("log", "--journal", tmp_path / "none")


def test_show_tells_all_of_one_command(path: Path) -> None:
    out = gnomon("log", "--journal", path, "show", 1).stdout
    for words in ("command 1", "alice@console1 over ca", "before1", "after1", "Q1M.k1 0.01 -> 0.02", "boot"):
        assert words in out
    with pytest.raises(ReviewError, match="no command 9"):
        gnomon("log", "show", 9, "--journal", path)


def test_a_prefix_names_the_journal_of_a_fork(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    (tmp_path / "gnomon").mkdir()
    small_journal(tmp_path / "gnomon" / "bessy2.WHATIF.journal")
    for arguments in (["log", "--prefix", "WHATIF:"], ["log", "list", "--prefix", "WHATIF:"]):
        assert len(gnomon(*arguments).stdout.splitlines()) == 5
    assert "alice@console1" in gnomon("log", "show", 1, "--prefix", "WHATIF:").stdout
    assert "alice@console1" in gnomon("log", "--prefix", "WHATIF:", "show", 1).stdout
    with pytest.raises(JournalError, match=r"bessy2\.TWIN\.journal: there is no journal here"):
        gnomon("log")


def test_a_machine_names_the_journal_of_its_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    (tmp_path / "gnomon").mkdir()
    small_journal(tmp_path / "gnomon" / "mls.TWIN.journal")
    small_journal(tmp_path / "gnomon" / "mls.WHATIF.journal")
    assert "alice@console1" in gnomon("log", "--machine", "mls", "show", 1).stdout
    assert "alice@console1" in gnomon("log", "--machine", "mls", "show", 1, "--prefix", "WHATIF:").stdout
    assert len(gnomon("log", "list", "--machine", "mls").stdout.splitlines()) == 5


def test_a_claimed_name_cannot_act_on_the_terminal(path: Path) -> None:
    with Journal(path) as journal:
        begin(journal)
        rogue = Client("\x1b[2J[red]bob", "h\nost", "ca")
        journal.append([record(5, current("Q1", 0.0, 1.0), client=rogue, note="[/]\x07")])
    for arguments in (["log"], ["log", "show", "5"]):
        out = gnomon(*arguments, "--journal", path).stdout
        assert r"\x1b[2J[red]bob@h\nost" in out
        assert "\x1b[2J" not in out


def test_export_writes_json_lines_and_tables(path: Path, tmp_path: Path) -> None:
    lines = gnomon("log", "export", "--journal", path, "-").stdout.splitlines()
    assert [json.loads(line)["sequence"] for line in lines] == [1, 2, 3, 4]
    out = tmp_path / "shift.jsonl"
    assert "2 commands written" in gnomon("log", "export", "--journal", path, "--pv", "*Q1*", out).stderr
    assert [json.loads(line)["sequence"] for line in out.read_text().splitlines()] == [1, 4]
    table = tmp_path / "shift.csv"
    gnomon("log", "export", "--journal", path, table)
    assert table.read_text().startswith("sequence,run,time")
    assert gnomon("log", "export", "--journal", path, "--csv", "-").stdout == table.read_text()
    with pytest.raises(JournalError, match="cannot be written"):
        gnomon("log", "export", "--journal", path, tmp_path / "no" / "where.jsonl")
    assert sorted(p.name for p in tmp_path.glob("*.partial")) == []


def test_diff_shows_what_differs(path: Path) -> None:
    lines = gnomon("log", "diff", "--journal", path, 0, 4).stdout.splitlines()
    assert [line.split() for line in lines[1:]] == [["Q1", "current", "1", "3", "A"], ["Q2", "current", "0", "5", "A"]]
    head = gnomon("log", "diff", "--journal", path, 1).stdout.splitlines()[0]
    assert head.split() == ["device", "property", "after", "1", "now", "unit"]
    assert "are the same" in gnomon("log", "diff", "--journal", path, 2, 3).stdout


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
    result = CliRunner().invoke(APP, [str(a) for a in (*arguments, "--journal", path)], input=answer)
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


def test_nothing_is_sent_if_settings_changed_while_the_user_was_asked(
    path: Path, remote: FakeRemote, monkeypatch: pytest.MonkeyPatch
) -> None:
    def somebody_else_is_faster(question: str, *, abort: bool) -> bool:
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


def test_a_command_without_outcome_is_shown_as_unknown(path: Path) -> None:
    with Journal(path) as journal:
        begin(journal)
        journal.append([record(5, current("Q1", 1.0, 2.0))], [settled(4, Outcome.APPLIED, reason="again")])
    assert "unknown" in gnomon("log", "--journal", path, "-n", 1).stdout


@pytest.fixture
def recording(tmp_path: Path, ring: Ring) -> Path:
    made = Recording(tmp_path / "twin.journal", ring)
    made.put(put_current("HS4P1D1R", 0.1))
    made.put(put_current("HS4P1D1R", 0.2))
    made.put(put_current("VS3P2T5R", 0.1), outcome=Outcome.ABANDONED)
    made.journal.close()
    return made.path


@pytest.fixture
def machine(ring: Ring, monkeypatch: pytest.MonkeyPatch) -> FakeMachine:
    """BESSY II at its nominal settings."""
    pvs: dict[str, FakePv] = {}
    setpoints = {(s.device, s.property): s.name for s in specs("MACH:", bessy2()) if s.source == "set"}
    for spec in specs("MACH:", bessy2()):
        if spec.source == "set" and spec.drive is not None:
            pvs[spec.name] = FakePv(ring.nominal[spec.device, spec.property] * spec.scale, *spec.drive)
        elif spec.source == "readback" and (spec.device, spec.property) in setpoints:
            pvs[spec.name] = FakePv(0.0, follows=setpoints[spec.device, spec.property])
    fake = FakeMachine(pvs)
    monkeypatch.setattr(replay, "make_machine", lambda: fake)
    return fake


def test_replay_is_dry_and_shows_steps_and_predictions(recording: Path, machine: FakeMachine) -> None:
    result = gnomon("replay", "--journal", recording, "--from", 1, "--to", 3, "--prefix", "MACH:")
    rows = [line.split() for line in result.stdout.splitlines() if "MACH:HS4P1D1R:set" in line]
    assert [row[:6] for row in rows] == [
        ["1", "1", "MACH:HS4P1D1R:set", "0", "0.1", "A"],
        ["2", "2", "MACH:HS4P1D1R:set", "0.1", "0.2", "A"],
    ]
    assert 0.5 < float(rows[0][6]) < 2.0, "0.1 A of an HS4 moves the orbit by about 1.25 mm at the peak"
    assert "dry run: nothing was written" in result.stdout
    assert "no confidence bound is checked" in result.stdout
    assert not machine.puts
    assert not machine.known


RANGE = ("--from", 1, "--to", 2, "--prefix", "MACH:")


def test_a_dry_run_tells_what_the_gate_would_refuse(recording: Path) -> None:
    with pytest.raises(ReplayError, match="these steps would be refused"):
        gnomon("replay", "--journal", recording, *RANGE, "--max-step", "0.001")


def test_armed_replay_writes_verifies_and_keeps_a_record(recording: Path, machine: FakeMachine) -> None:
    result = gnomon("replay", "--journal", recording, *RANGE, "--arm")
    assert machine.puts == [("MACH:HS4P1D1R:set", 0.1), ("MACH:HS4P1D1R:set", 0.2)]
    assert "armed: no confidence bound is checked" in result.stdout
    assert "2 of 2 steps written and verified" in result.stdout
    events = [json.loads(line) for line in Path(f"{recording}.replays.jsonl").read_text().splitlines()]
    assert [e["event"] for e in events] == ["begin", "write", "verified", "write", "verified", "end"]
    assert (events[3]["put_back"], events[3]["to"]) == (0.1, 0.2)


def test_armed_replay_of_the_net_writes_only_where_the_range_ends(recording: Path, machine: FakeMachine) -> None:
    result = gnomon("replay", "--journal", recording, *RANGE, "--net", "--arm")
    assert machine.puts == [("MACH:HS4P1D1R:set", 0.2)]
    assert "1 of 1 steps written and verified" in result.stdout
    assert gnomon("replay", "--journal", recording, *RANGE, "--net", "--pace", "original").exit_code == 2


def test_armed_replay_that_fails_tells_what_was_put_back(recording: Path, machine: FakeMachine) -> None:
    machine.on_put = lambda pv, value: setattr(machine.pvs["MACH:HS4P1D1R:rdbk"], "error", 1.0 * (value == 0.2))
    with pytest.raises(ReplayError, match=r"(?s)stopped after 1 of 2 steps.*put back: MACH:HS4P1D1R:set, MACH:HS4"):
        gnomon("replay", "--journal", recording, *RANGE, "--arm", "--settle", "0.1")
    assert machine.pvs["MACH:HS4P1D1R:set"].value == 0.0


@pytest.mark.parametrize("options", [["--to", "1"], ["--pace", "fast"], ["--pace", "nan"], ["--max-step", "2"]])
def test_replay_used_wrongly_exits_with_2(recording: Path, options: list[str]) -> None:
    given = {"--from": "2", "--to": "2", "--prefix": "M:"} | dict(zip(options[::2], options[1::2], strict=True))
    words = [word for pair in given.items() for word in pair]
    assert gnomon("replay", "--journal", recording, *words).exit_code == 2


def test_a_recording_of_another_document_is_refused(path: Path) -> None:
    with Journal(path) as journal:
        journal.begin_run(machine="bessy2", digest="0" * 32, prefix="TWIN:", lattice_id="", baseline={})
        write(journal, applied(5, "Q1", 0.0, 1.0))
    arguments = ("replay", "--journal", path, "--from", 5, "--to", 5, "--prefix", "")
    with pytest.raises(DocumentError, match="has changed since it was recorded: the recorded document"):
        gnomon(*arguments)
    with pytest.raises(ReplayError, match="has changed since it was recorded"):
        gnomon(*arguments, "--machine", "bessy2")


def test_replay_never_loads_fault_injection(recording: Path) -> None:
    code = (
        "import sys; sys.argv = sys.argv[1:]\n"
        "from gnomon.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "assert 'gnomon.recorder.steps' in sys.modules\n"
        "assert not [m for m in sys.modules if m.startswith('gnomon.fault_injection')]\n"
    )
    words = ["gnomon", "replay", "--journal", str(recording), "--from", "1", "--to", "2", "--prefix", "MACH:"]
    child = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    assert child.returncode == 0, child.stderr


COMMANDS = ("log", "log list", "log show", "log export", "log diff", "log undo", "log archive", "replay", "restore")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches_with_an_example(command: str) -> None:
    result = gnomon(*command.split(), "--help")
    assert result.exit_code == 0
    assert f"example gnomon {command} " in " ".join(result.stdout.replace("│", " ").replace("`", "").split())
