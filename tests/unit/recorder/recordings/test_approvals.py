"""Approvals: signed, and refused when anything of them or of the recording was changed."""

import stat
from pathlib import Path

import pytest

from gnomon.recorder import RecordingError
from gnomon.recorder.recordings import (
    Approval,
    RecordingFile,
    RecordingFolder,
    approval_texts,
    fingerprint,
    is_author,
    own_key,
    trouble_of,
    verify,
)
from unit.recorder.conftest import bessy2
from unit.recorder.recordings.samples import make_recording
from unit.recorder.records import MORNING

BUMP = make_recording(bessy2(), ("HS4P1D1R", "current", 0.5))
OTHER = make_recording(bessy2(), ("HS4P1D1R", "current", 0.6))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "review.key"


def approve(path: Path, reviewer: str = "bob@console2") -> Approval:
    return own_key(path)[0].approve(BUMP, reviewer, MORNING)


def test_a_key_is_made_once_for_its_owner_alone(path: Path) -> None:
    first, made = own_key(path)
    again, made_again = own_key(path)
    assert (made, made_again, first.public_key) == (True, False, again.public_key)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert first.fingerprint == fingerprint(first.public_key)


def test_a_key_that_others_can_read_is_refused(path: Path) -> None:
    own_key(path)
    path.chmod(0o640)
    with pytest.raises(RecordingError, match=r"other users can read this key: chmod 600"):
        own_key(path)


def test_a_file_that_is_no_key_is_refused(path: Path) -> None:
    path.parent.mkdir()
    path.touch(0o600)
    with pytest.raises(RecordingError, match=r"not a key.*a new one is made"):
        own_key(path)


def test_an_approval_verifies_and_comes_back_from_its_document(path: Path) -> None:
    approval = approve(path)
    again = Approval.model_validate_json(approval.model_dump_json(by_alias=True))
    verify(again, BUMP)
    assert trouble_of(again, BUMP) == ""


@pytest.mark.parametrize(
    "change", [{"reviewer": "eve@console2"}, {"time": "2026-11-27T09:00:01Z"}, {"signature": "A" * 86 + "=="}]
)
def test_a_changed_approval_is_refused(path: Path, change: dict[str, str]) -> None:
    with pytest.raises(RecordingError, match="the signature is wrong"):
        verify(approve(path).model_copy(update=change), BUMP)


def test_an_approval_is_for_one_recording_and_one_machine(path: Path) -> None:
    with pytest.raises(RecordingError, match="approve this one"):
        verify(approve(path), OTHER)
    moved = approve(path).model_copy(update={"recording": OTHER.id})
    with pytest.raises(RecordingError, match="the signature is wrong"):
        verify(moved, OTHER)
    elsewhere = approve(path).model_copy(update={"machine": "mls"})
    with pytest.raises(RecordingError, match="for machine 'mls'"):
        verify(elsewhere, BUMP)


def test_another_key_does_not_fit_the_signature(path: Path) -> None:
    other = own_key(path.with_name("other.key"))[0]
    with pytest.raises(RecordingError, match="the signature is wrong"):
        verify(approve(path).model_copy(update={"public_key": other.public_key}), BUMP)


def test_the_author_does_not_count_as_reviewer_from_any_computer(path: Path) -> None:
    assert is_author("alice@elsewhere", BUMP)
    assert trouble_of(approve(path, "alice@elsewhere"), BUMP) == "the reviewer is the author"
    assert not is_author("bob@console1", BUMP)


def test_approvals_are_kept_beside_the_recording_which_stays(path: Path, tmp_path: Path) -> None:
    folder = RecordingFolder(tmp_path / "recordings")
    file = folder.add(RecordingFile(recording=BUMP))
    before = file.read_bytes()
    folder.approve(approve(path))
    folder.approve(approve(path))
    (approval,) = folder.find("bump").approvals
    verify(approval, BUMP)
    assert file.read_bytes() == before
    assert approval_texts(folder.find("bump"))[0].endswith("signature verified")


def test_an_approval_of_an_unknown_recording_is_not_kept(path: Path, tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="there is no recording"):
        RecordingFolder(tmp_path / "recordings").approve(approve(path))
