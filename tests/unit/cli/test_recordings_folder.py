"""The folder of recordings is beside the journals, or where the option says; words of a recording are checked."""

import getpass
from pathlib import Path

import pytest
import typer

from gnomon.cli.recordings_folder import folder_of, label, own_name


def test_the_option_comes_before_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert folder_of(tmp_path / "mine", None).path == tmp_path / "mine"
    assert folder_of(None, None).path.name == "recordings"
    assert folder_of(None, None).path.is_relative_to(tmp_path)


@pytest.mark.parametrize("name", ["", "two words", "../up", "-x", "a" * 61])
def test_a_name_that_no_file_should_have_is_refused(name: str) -> None:
    with pytest.raises(typer.BadParameter, match="use 1 to 60 letters, digits, dots, dashes and underscores"):
        label(name, "a bump")


@pytest.mark.parametrize("purpose", ["", "  ", "x" * 2001])
def test_a_recording_without_a_purpose_is_refused(purpose: str) -> None:
    with pytest.raises(typer.BadParameter, match="say what it is for"):
        label("bump", purpose)


def test_a_recording_is_signed_with_user_and_computer_unless_somebody_else_is_named() -> None:
    assert own_name().startswith(f"{getpass.getuser()}@")
    assert label("bump", " closed bump ").author == own_name()
    assert label("bump", " closed bump ").purpose == "closed bump"
    assert label("bump-2.b", "bump", author="ann@control").author == "ann@control"
