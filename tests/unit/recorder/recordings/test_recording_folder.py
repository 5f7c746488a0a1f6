"""The folder of recordings: nothing in it is changed, and files of others are read with care."""

import json
from pathlib import Path

import pytest

from gnomon.recorder import RecordingError
from gnomon.recorder.recordings import Begun, Recording, RecordingFile, RecordingFolder, read_recording_file
from gnomon.recorder.recordings import recording_folder as module
from unit.recorder.conftest import bessy2
from unit.recorder.recordings.samples import make_recording

BUMP = make_recording(bessy2(), ("HS4P1D1R", "current", 0.5))
OTHER = make_recording(bessy2(), ("HS4P1D1R", "current", 0.6), name="bump.b", made="2026-11-27T10:00:00Z")


@pytest.fixture
def folder(tmp_path: Path) -> RecordingFolder:
    return RecordingFolder(tmp_path / "recordings")


def keep(folder: RecordingFolder, *recordings: Recording) -> list[Path]:
    return [folder.add(RecordingFile(recording=recording)) for recording in recordings]


def test_a_recording_is_found_by_name_and_by_the_beginning_of_its_id(folder: RecordingFolder) -> None:
    keep(folder, OTHER, BUMP)
    assert folder.find("bump").recording == BUMP
    assert folder.find("bump.b").recording == OTHER
    assert folder.find(OTHER.id).recording == folder.find(OTHER.id[:7]).recording == OTHER
    assert [file.recording.name for file in folder.all()] == ["bump", "bump.b"]


def test_an_empty_folder_has_none(folder: RecordingFolder) -> None:
    assert (folder.all(), folder.begun()) == ((), ())
    with pytest.raises(RecordingError, match=r"no recording 'bump' in .*; it has none"):
        folder.find("bump")


def test_a_name_is_given_once(folder: RecordingFolder) -> None:
    keep(folder, BUMP, BUMP)
    same = make_recording(bessy2(), ("HS4P1D1R", "current", 0.7))
    with pytest.raises(RecordingError, match="another recording 'bump'"):
        keep(folder, same)
    assert (folder.is_free("bump"), folder.free_name("bump"), folder.free_name("bump-7")) == (False, "bump-2", "bump-2")


def test_a_changed_file_is_refused_with_its_name(folder: RecordingFolder) -> None:
    (path,) = keep(folder, BUMP)
    path.write_text(path.read_text().replace('"new": 0.5', '"new": 0.55'))
    with pytest.raises(RecordingError, match=rf"{path}: recording: .*it has been changed.*import it again"):
        folder.find("bump")


def test_a_file_of_another_name_is_refused(folder: RecordingFolder) -> None:
    (path,) = keep(folder, BUMP)
    path.rename(path.with_name(f"bumb.{BUMP.id[:12]}.json"))
    with pytest.raises(RecordingError, match="give the file that name back"):
        folder.find("bumb")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[" * 100_000, "too many brackets within each other"),
        ('{"recording": {', ":1:16: not JSON"),
        ('{"recording": 1, "recording": 2}', "appears twice"),
        ("{}", "field required"),
        ("\ufeff{}", "not JSON"),
    ],
)
def test_files_that_are_not_recordings_are_refused(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "foreign.json"
    file.write_text(text)
    with pytest.raises(RecordingError, match=f"{file}.*{reason}.*get the file again"):
        read_recording_file(file)


def test_a_large_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 500)
    file = tmp_path / "large.json"
    file.write_text(RecordingFile(recording=BUMP).model_dump_json(by_alias=True))
    with pytest.raises(RecordingError, match="cannot be read: larger than"):
        read_recording_file(file)


def test_an_unknown_key_is_named_with_its_place(tmp_path: Path) -> None:
    document = json.loads(RecordingFile(recording=BUMP).model_dump_json(by_alias=True))
    document["recording"]["steps"][0]["speed"] = 1
    file = tmp_path / "foreign.json"
    file.write_text(json.dumps(document))
    with pytest.raises(RecordingError, match=r"recording steps\[0\] speed: extra inputs are not permitted"):
        read_recording_file(file)


def test_a_begun_recording_is_kept_until_it_ends(folder: RecordingFolder) -> None:
    begun = Begun(
        name="bump", purpose="p", author="alice@a", time="2026-11-27T09:00:00Z", journal="/j", prefix="TWIN:", run=1,
        after=3, calibration_id="", reference=(),
    )  # fmt: skip
    folder.begin(begun)
    assert folder.begun() == (begun,)
    with pytest.raises(RecordingError, match="or one has begun"):
        folder.begin(begun)
    folder.forget("bump")
    assert folder.begun() == ()
