"""`gnomon review` as a user calls it: shown, edited, approved."""

import json
import stat
from pathlib import Path

import pytest
import typer

from gnomon.cli import recording_review
from gnomon.recorder import RecordingError
from gnomon.recorder.recordings import RecordingFile, RecordingFolder, review_pages, trouble_of, verify
from unit.cli.commands import gnomon
from unit.recorder.conftest import bessy2
from unit.recorder.recordings.fake_optics import FakePropagator
from unit.recorder.recordings.samples import make_recording


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RecordingFolder:
    monkeypatch.setenv("GNOMON_RECORDINGS", str(tmp_path / "recordings"))
    monkeypatch.setenv("GNOMON_REVIEW_KEY", str(tmp_path / "review.key"))
    monkeypatch.setattr("gnomon.propagator.Propagator", FakePropagator)
    made = RecordingFolder(tmp_path / "recordings")
    steps = [("HS4P1D1R", "current", value) for value in (0.5, 0.7, 0.4)]
    made.add(RecordingFile(recording=make_recording(bessy2(), *steps)))
    return made


def test_a_name_alone_shows_the_review(folder: RecordingFolder) -> None:
    text = gnomon("review", "bump").stdout
    assert text == gnomon("review", "show", "bump").stdout
    assert "HS4P1D1R:set" in text
    assert "HS4M1D1R.kick" in text
    assert "turns back 1 time" in text
    assert "not machine protection" in text


def test_options_may_come_before_the_name(folder: RecordingFolder) -> None:
    document = json.loads(gnomon("review", "--json", "bump").stdout)
    assert [step["to"] for step in document["steps"]] == [0.5, 0.7, 0.4]


def test_a_page_is_written(folder: RecordingFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(review_pages, "picture", lambda found, name: b"<svg/>")
    said = gnomon("review", "bump", "--html", tmp_path / "bump.html").stdout
    assert said == f"bump: 1 marks; the page is {tmp_path / 'bump.html'}\n"
    assert (tmp_path / "bump.html").read_text().startswith("<!doctype html>")


def test_an_edited_recording_is_another_one(folder: RecordingFolder) -> None:
    said = gnomon("review", "edit", "bump", "--drop", "3", "--edit", "2=0.6").stdout
    assert "2 of 3 steps of bump" in said
    child, parent = folder.find("bump-2").recording, folder.find("bump").recording
    assert (child.parent, [step.changes[0].new for step in child.steps]) == (parent.id, [0.5, 0.6])
    assert "edited from" in gnomon("review", "bump-2").stdout


@pytest.mark.parametrize("text", ["2", "two=0.6", "2=fast", "=0.6", "2=nan"])
def test_an_edit_that_cannot_be_read_is_refused(folder: RecordingFolder, text: str) -> None:
    assert gnomon("review", "edit", "bump", "--edit", text).exit_code in (1, 2)
    assert folder.is_free("bump-2")


def test_an_edit_of_nothing_is_refused(folder: RecordingFolder) -> None:
    assert gnomon("review", "edit", "bump").exit_code == 2


def test_an_approval_is_signed_with_a_key_made_on_first_use(folder: RecordingFolder, tmp_path: Path) -> None:
    said = gnomon("review", "approve", "bump", "--reviewer", "bob@console2", "--yes").stdout
    assert f"a new key was made, {tmp_path / 'review.key'}" in said
    assert "does not prove who they are" in said
    assert stat.S_IMODE((tmp_path / "review.key").stat().st_mode) == 0o600
    file = folder.find("bump")
    verify(file.approvals[0], file.recording)
    assert trouble_of(file.approvals[0], file.recording) == ""
    assert "bob@console2" in gnomon("review", "bump").stdout
    assert "a new key" not in gnomon("review", "approve", "bump", "--reviewer", "bob@console2", "--yes").stdout


def test_the_author_is_told_that_their_approval_does_not_count(folder: RecordingFolder) -> None:
    said = gnomon("review", "approve", "bump", "--reviewer", "alice@elsewhere", "--yes")
    assert "alice@elsewhere is the author" in said.stderr
    assert "does not count: the reviewer is the author" in gnomon("review", "bump").stdout


def test_nothing_is_signed_without_a_terminal_or_yes(folder: RecordingFolder) -> None:
    with pytest.raises(RecordingError, match="nothing was signed"):
        gnomon("review", "approve", "bump")
    assert folder.find("bump").approvals == ()


def test_nothing_is_signed_after_a_no(folder: RecordingFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording_review, "is_terminal", lambda: True)
    monkeypatch.setattr(typer, "confirm", lambda text: False)
    assert gnomon("review", "approve", "bump").exit_code == 1
    assert folder.find("bump").approvals == ()
