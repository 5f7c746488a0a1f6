"""`gnomon log archive`: older commands go to a part that every command of the journal still reads."""

import json
from pathlib import Path

import pytest

from gnomon.ioc.base.running_servers import RunningServer, announced
from gnomon.recorder import JournalError
from unit.cli.commands import FakeCall, gnomon
from unit.cli.log.conftest import FakeRemote
from unit.recorder.records import small_journal


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


def announcing(journal: Path, prefix: str) -> RunningServer:
    return RunningServer(
        pid=1, prefix=prefix, machine="toy", role="twin", ca_address="", pva_address="", journal=str(journal)
    )


def test_a_server_is_recognised_by_its_file_whatever_the_path_to_it(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: FakeCall
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "link.journal").symlink_to(path)
    call.answer = {"part": "", "first": 0.0, "last": 0.0}
    with announced(announcing(tmp_path / "gone", "A:")), announced(announcing(path, "B:")):
        output = gnomon("log", "archive", "--journal", tmp_path / "link.journal", "--timeout", 7).stdout
    assert call.calls == [("B:dt:archive", {}, 7.0)]
    assert output == "nothing to archive: the newest commands stay in the journal\n"


def test_a_server_of_another_journal_is_not_asked(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: FakeCall
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with announced(announcing(small_journal(tmp_path / "other"), "A:")):
        assert "commands 1 to 3 are in" in gnomon("log", "archive", "--journal", path).stdout
    assert call.calls == []


def test_a_journal_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="there is no journal here"):
        gnomon("log", "archive", "--journal", tmp_path / "none")
    assert list(tmp_path.iterdir()) == []
