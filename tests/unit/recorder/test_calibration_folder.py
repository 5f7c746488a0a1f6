"""Calibrations on disk: whole files by their ids, the newest of a machine, and what is refused."""

from pathlib import Path

import pytest

from gnomon.recorder import CalibrationError
from gnomon.recorder.bounds import CalibrationDocument
from gnomon.recorder.calibration_folder import CalibrationFolder, read_calibration


def calibration(made: str, digest: str = "d") -> CalibrationDocument:
    return CalibrationDocument(
        machine="m", document_digest=digest, optics="nominal", optics_digest="o", made=made, author="a",
        monitors=("A",), noise_mm=((1e-3, 1e-3),), noise_tune=(1e-5, 1e-5),
    ).identified()  # fmt: skip


def test_a_calibration_is_kept_under_its_id_and_found_by_its_first_digits(tmp_path: Path) -> None:
    folder, document = CalibrationFolder(tmp_path / "new"), calibration("2026-01-01T00:00:00+00:00")
    path = folder.save(document)
    assert path.stem == document.id
    assert folder.load(document.id[:6]) == document
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_the_newest_of_a_machine_document_is_by_time_not_by_name(tmp_path: Path) -> None:
    folder = CalibrationFolder(tmp_path)
    made = [calibration(f"2026-01-0{day}T00:00:00+00:00", digest) for day, digest in ((3, "d"), (1, "d"), (5, "e"))]
    for each in made:
        folder.save(each)
    assert folder.load("newest") == made[2]
    assert folder.load("newest", "d") == made[0]
    assert [each.made[:10] for each in folder.all()] == ["2026-01-01", "2026-01-03", "2026-01-05"]
    with pytest.raises(CalibrationError, match="no calibration of this machine"):
        folder.load("newest", "f")


def test_a_damaged_file_is_refused_by_its_id_and_left_out_of_lists(tmp_path: Path) -> None:
    folder, document = CalibrationFolder(tmp_path), calibration("2026-01-01T00:00:00+00:00")
    path = folder.save(document)
    path.write_text(path.read_text().replace('"author": "a"', '"author": "b"'))
    with pytest.raises(CalibrationError, match="edited or damaged"):
        read_calibration(path)
    assert list(folder.all()) == []


def test_an_unknown_or_too_short_id_is_refused(tmp_path: Path) -> None:
    folder = CalibrationFolder(tmp_path)
    folder.save(calibration("2026-01-01T00:00:00+00:00"))
    for name in ("zzzzzz", folder.ids()[0][:3]):
        with pytest.raises(CalibrationError, match="gnomon calibrate list"):
            folder.load(name)
