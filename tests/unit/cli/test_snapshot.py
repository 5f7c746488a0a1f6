"""`gnomon snapshot` on a journal without a server: what is kept, compared, sent and exchanged, and each exit code."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest
from typer.testing import Result

from gnomon.cli import sending, served_journal
from gnomon.db import shipped_machine
from gnomon.ioc.base.snapshot_store import SnapshotError
from gnomon.lattice import Ring
from gnomon.recorder import Journal, ReviewError
from gnomon.recorder.remote import Reply
from gnomon.recorder.review import Assignment
from unit.cli import commands

KEY = ("Q1P1K1RP", "current")


@cache
def ring() -> Ring:
    return shipped_machine("mls")


class Desk:
    """A configuration, the journal of a server that was started with some currents, and commands about both."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journal = folder / "twin.journal"
        self.config = folder / "config.yaml"
        self.config.write_text(
            f"machine: mls\nrecorder: {{journal: {self.journal}}}\nstore: {{path: {folder / 'documents.sqlite'}}}\n"
        )
        self.nominal = ring().nominal[KEY]
        self.server()

    def server(self, current: float | None = None, prefix: str = "TWIN:") -> None:
        """A server has started, with this current in one supply."""
        lattice = ring().nominal if current is None else ring().nominal.updated({KEY: current})
        baseline = {} if current is None else {KEY: current}
        with Journal(self.journal) as journal:
            journal.begin_run(
                machine="mls", digest=ring().digest, prefix=prefix, lattice_id=lattice.id, baseline=baseline
            )

    def snapshot(self, *arguments: object) -> Result:
        command, *rest = arguments
        return commands.gnomon("snapshot", command, *rest, "--config", self.config)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    made = Desk(tmp_path)
    monkeypatch.setattr(served_journal, "ask_journal", commands.tell_journal(made.journal))
    return made


@dataclass
class FakeRemote:
    """Stands in for the server: keeps what it is sent."""

    sent: list[tuple[str, tuple[Assignment, ...], str]] = field(default_factory=list)
    lattice_id: str = "feedc0de"

    def send(self, prefix: str, assignments: Sequence[Assignment], note: str) -> Reply:
        self.sent.append((prefix, tuple(assignments), note))
        return Reply(self.lattice_id, "")


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch) -> FakeRemote:
    fake = FakeRemote()
    monkeypatch.setattr(sending, "make_remote", lambda: fake)
    return fake


def test_save_tells_what_was_kept_and_of_which_server(desk: Desk) -> None:
    desk.server(50.0)
    lattice = ring().nominal.updated({KEY: 50.0})
    output = desk.snapshot("save", "bump", "-m", "before the shift").output
    assert output.startswith("bump: ")
    assert f" settings of mls at run 2, lattice {lattice.id}, revision 1\n" in output


def test_a_name_is_taken_once_unless_it_is_replaced(desk: Desk) -> None:
    desk.snapshot("save", "a")
    with pytest.raises(SnapshotError, match="already exists; save a new revision of it with --replace"):
        desk.snapshot("save", "a")
    assert "revision 2" in desk.snapshot("save", "a", "--replace").output


@pytest.mark.parametrize("name", ["", " a", "a\x1b[31m", "x" * 101])
def test_a_name_that_cannot_be_shown_is_refused(desk: Desk, name: str) -> None:
    with pytest.raises(SnapshotError, match="invalid snapshot name"):
        desk.snapshot("save", name)


def test_without_a_server_under_the_prefix_nothing_is_saved(desk: Desk) -> None:
    with pytest.raises(ReviewError, match="no server under 'ELSE:' has written to this journal"):
        desk.snapshot("save", "a", "--prefix", "ELSE:")


def test_the_list_has_the_names_in_order_with_who_and_why(desk: Desk) -> None:
    assert desk.snapshot("list").output == "no snapshots; save one with `gnomon snapshot save NAME`\n"
    desk.snapshot("save", "b", "-m", "the [bold]first[/]")
    desk.snapshot("save", "a")
    lines = desk.snapshot("list").output.splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["a", "b"]
    assert "the [bold]first[/]" in lines[2]
    assert "'TWIN:'" in lines[1]
    assert "mls" in lines[1]


def test_lists_snapshots_and_differences_are_also_data(desk: Desk) -> None:
    desk.server(50.0)
    desk.snapshot("save", "a", "-m", "why")
    desk.server(50.5)
    (listed,) = json.loads(desk.snapshot("list", "--json").output)
    assert (listed["name"], listed["revision"], listed["comment"]) == ("a", 1, "why")
    shown = json.loads(desk.snapshot("show", "a", "--json").output)
    assert len(shown["entries"]) == listed["settings"] == shown["settings"]
    result = desk.snapshot("diff", "a", "--json")
    assert result.exit_code == 1
    assert json.loads(result.output) == [{"pv": "Q1P1K1RP:setCur", "first": 50.0, "second": 50.5, "unit": "A"}]


def test_show_has_the_settings_that_are_not_nominal(desk: Desk) -> None:
    desk.server(50.0)
    desk.snapshot("save", "bump", "-m", "before the shift")
    shown = desk.snapshot("show", "bump").output
    rows = [line.split() for line in shown.splitlines() if ":setCur" in line]
    assert rows == [["Q1P1K1RP:setCur", "50", "A"]]
    assert "before the shift" in shown
    assert "run 2, PVs under 'TWIN:'" in shown
    assert "nominal settings; show them with --all" in shown
    every = desk.snapshot("show", "bump", "--all").output
    assert sum(":setCur" in line for line in every.splitlines()) > 30
    assert "show them with --all" not in every


def test_an_unknown_snapshot_is_refused_with_the_names_of_those_that_exist(desk: Desk) -> None:
    desk.snapshot("save", "a")
    with pytest.raises(SnapshotError, match=r"there is no snapshot 'b'; existing snapshots: a$"):
        desk.snapshot("show", "b")


def test_diff_exits_with_1_and_lists_what_differs(desk: Desk) -> None:
    desk.server(50.0)
    desk.snapshot("save", "a")
    assert desk.snapshot("diff", "a").exit_code == 0
    desk.server(50.5)
    result = desk.snapshot("diff", "a")
    assert result.exit_code == 1
    assert [line.split() for line in result.output.splitlines()][1:] == [["Q1P1K1RP:setCur", "50", "50.5", "A"]]
    desk.snapshot("save", "b")
    assert desk.snapshot("diff", "a", "b").exit_code == 1


@pytest.mark.parametrize(
    ("tolerance", "code"), [("0.6", 0), ("0.4", 1), ("1%", 0), ("0.1%", 1), ("Q1*=0.6", 0), ("Q2*=0.6", 1)]
)
def test_diff_counts_values_within_a_tolerance_as_equal(desk: Desk, tolerance: str, code: int) -> None:
    desk.server(50.0)
    desk.snapshot("save", "a")
    desk.server(50.5)
    result = desk.snapshot("diff", "a", "--tolerance", tolerance)
    assert result.exit_code == code
    if not code:
        assert result.output == "no difference: a and now are the same within the tolerance\n"


def test_restore_sends_what_differs_as_one_command(desk: Desk, remote: FakeRemote) -> None:
    desk.server(50.0)
    desk.snapshot("save", "a")
    desk.server(50.5)
    output = desk.snapshot("restore", "a", "--yes").output
    ((prefix, (sent,), note),) = remote.sent
    assert (prefix, note) == ("TWIN:", "snapshot restore a")
    assert (sent.device, sent.setting, sent.value) == (*KEY, 50.0)
    assert "the lattice is feedc0de, not " in output  # a fault or another client interfered
    remote.lattice_id = ring().nominal.updated({KEY: 50.0}).id
    assert "as saved" not in desk.snapshot("restore", "a", "--yes").output


def test_a_restore_can_be_read_as_json(desk: Desk, remote: FakeRemote) -> None:
    desk.server(50.0)
    desk.snapshot("save", "a")
    desk.server(50.5)
    done = json.loads(desk.snapshot("restore", "a", "--yes", "--json").stdout)
    assert (done["note"], done["sent"], done["lattice_id"]) == ("snapshot restore a", True, "feedc0de")
    assert [(each["device"], each["now"], each["value"]) for each in done["settings"]] == [(KEY[0], 50.5, 50.0)]


def test_restore_of_what_is_there_sends_nothing(desk: Desk, remote: FakeRemote) -> None:
    desk.snapshot("save", "a")
    assert desk.snapshot("restore", "a").output == (
        "snapshot restore a: nothing to do: all settings already have these values\n"
    )
    assert remote.sent == []


def test_without_a_terminal_and_without_yes_nothing_is_restored(desk: Desk, remote: FakeRemote) -> None:
    desk.server(50.0)
    desk.snapshot("save", "a")
    desk.server(50.5)
    result = desk.snapshot("restore", "a")
    assert (result.exit_code, remote.sent) == (2, [])
    assert "give --yes" in result.output.replace("\n", " ")


def test_a_dry_run_shows_and_sends_nothing(desk: Desk, remote: FakeRemote) -> None:
    desk.server(50.0)
    desk.snapshot("save", "a")
    desk.server(50.5)
    output = desk.snapshot("restore", "a", "--dry-run").output
    assert remote.sent == []
    assert "dry run: nothing was set; these settings would be made on 'TWIN:'" in output
    assert "Q1P1K1RP" in output


def test_an_older_revision_can_be_restored(desk: Desk, remote: FakeRemote) -> None:
    for current in (50.0, 51.0):
        desk.server(current)
        desk.snapshot("save", "a", "--replace")
    desk.snapshot("restore", "a", "--yes", "--revision", 1)
    ((_, (sent,), _),) = remote.sent
    assert sent.value == 50.0


def test_a_deleted_snapshot_is_gone_but_for_its_revisions(desk: Desk) -> None:
    desk.snapshot("save", "a")
    assert desk.snapshot("delete", "a").output == (
        "snapshot a is deleted; `gnomon snapshot show a --revision 1` still shows it\n"
    )
    assert "no snapshots" in desk.snapshot("list").output
    with pytest.raises(SnapshotError, match=r"there is no snapshot 'a' \(deleted; --revision 1 still shows it\)"):
        desk.snapshot("show", "a")
    assert desk.snapshot("show", "a", "--revision", 1).exit_code == 0
    assert "revision 3" in desk.snapshot("save", "a").output


@pytest.mark.parametrize("suffix", [".sav", ".snp", ".csv", ".txt"])
def test_a_file_and_back_is_the_same_snapshot(desk: Desk, suffix: str) -> None:
    desk.server(50.0 + 1 / 3)
    desk.snapshot("save", "a")
    file = desk.folder / f"there{suffix}"
    written = desk.snapshot("export", "a", file, "--prefix", "REAL:").output
    assert f" setpoints written to {file}\n" in written
    assert "REAL:Q1P1K1RP:setCur" in file.read_text()
    result = desk.snapshot("import", file, "--prefix", "REAL:")
    assert result.exit_code == 0
    assert result.output.startswith(f"there: setpoints of mls from {file}: ")
    compared = desk.snapshot("diff", "a", "there")
    assert (compared.exit_code, compared.output) == (
        0, "no difference: a and there are the same in the settings that both have\n",
    )  # fmt: skip


def test_an_unknown_format_is_wrong_use(desk: Desk) -> None:
    desk.snapshot("save", "a")
    result = desk.snapshot("export", "a", desk.folder / "a.sav", "--format", "excel")
    assert result.exit_code == 2
    assert "'excel' is not a known format; use one of autosave, burt, phoebus, pairs" in " ".join(
        result.output.replace("│", " ").split()
    )


def test_pvs_of_a_file_that_are_not_setpoints_are_listed_with_the_reason(desk: Desk) -> None:
    file = desk.folder / "other.txt"
    file.write_text("Q1P1K1RP:setCur,50\nTUNEZRP:measX,1\nNOBODY:x,2\n")
    result = desk.snapshot("import", file, "mine")
    assert result.exit_code == 0
    assert result.output.startswith("mine: setpoints of mls")
    assert ": 1, revision 1\n" in result.output
    assert "1 not imported (there is no such PV): NOBODY:x" in result.output
    assert "1 not imported (cannot be set): TUNEZRP:measX" in result.output


def test_an_import_in_part_exits_with_3_and_lists_the_lines(desk: Desk) -> None:
    file = desk.folder / "part.txt"
    file.write_text("Q1P1K1RP:setCur,50\nQ2P1K1RP:setCur,much\n")
    result = desk.snapshot("import", file)
    assert result.exit_code == 3
    assert "lines that could not be imported: 1" in result.output
    assert "Q2P1K1RP:setCur" in result.output
    assert [line.split() for line in desk.snapshot("show", "part").output.splitlines() if ":setCur" in line] == [
        ["Q1P1K1RP:setCur", "50", "A"]
    ]


def test_a_file_without_any_setpoint_is_refused_with_what_to_do(desk: Desk) -> None:
    file = desk.folder / "other.txt"
    file.write_text("REAL:Q1P1K1RP:setCur,50\n")
    with pytest.raises(SnapshotError, match=r"none of its 1 PVs is a setpoint of 'mls' .*give the prefix .* --prefix"):
        desk.snapshot("import", file)
    assert "no snapshots" in desk.snapshot("list").output


def test_snapshots_of_two_machines_cannot_be_compared(desk: Desk) -> None:
    desk.snapshot("save", "a")
    file = desk.folder / "other.txt"
    file.write_text("HS4P1D1R:set,0.1\n")
    desk.snapshot("import", file, "b", "--machine", "bessy2")
    with pytest.raises(ReviewError, match="a is of machine 'mls', b of 'bessy2': they cannot be compared"):
        desk.snapshot("diff", "a", "b")
