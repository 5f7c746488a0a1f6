"""The options of `gnomon log`: which journal is read, and which commands of it."""

from pathlib import Path

import pytest

from gnomon.recorder import JournalError
from unit.cli.commands import gnomon
from unit.recorder.records import small_journal


@pytest.mark.parametrize("options", [["--since", "yesterday"], ["--outcome", "lost"], ["-n", "0"], ["--nonsense"]])
def test_wrong_use_exits_with_2(path: Path, options: list[str]) -> None:
    assert gnomon("log", "--journal", path, *options).exit_code == 2


def test_a_journal_that_is_not_there_is_a_plain_error(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="no journal here"):
        gnomon("log", "--journal", tmp_path / "none")


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
