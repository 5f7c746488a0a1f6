"""Files of studies: the same content and identifier from both formats, by NeXus, and files of others refused."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from nexusformat.nexus.validate import logger as checker
from nexusformat.nexus.validate import validate_file

from gnomon.lattice.identifiers import content_digest
from gnomon.propagator.studies import (
    Quantity,
    StudyError,
    StudyResult,
    read_study,
    read_study_head,
    result_document,
    result_files,
    write_result,
)
from unit.services.catalogue.kept_things import tune_study


def test_both_formats_hold_the_same_content_with_the_same_identifier(tmp_path: Path) -> None:
    result = tune_study()
    for name in ("a.json", "a.h5"):
        write_result(result, tmp_path / name)
        assert read_study(tmp_path / name) == result_document(result)
        head = read_study_head(tmp_path / name)
        assert head["identifier"] == result_document(result)["identifier"]
        assert (head["user"], head["names"]) == ("anna", {"plane": ["x", "y"]})
    assert "quantities" not in read_study_head(tmp_path / "a.h5")
    with pytest.raises(StudyError, match="exists"):
        write_result(result, tmp_path / "a.h5", new=True)


@pytest.mark.parametrize("shape", [(400,), (3, 200), (200, 3), (2, 2, 150), (7, 0), (0, 7), ()])
def test_large_arrays_have_the_identifier_of_their_lists(
    shape: tuple[int, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(result_files, "BLOCK", 100)
    values = np.asarray(np.random.default_rng(1).normal(size=shape))
    values[values > 1.5] = np.nan
    result = StudyResult("orm", {"machine": "mls"}, {}, {"x": Quantity(values, "m", ("a",)), "n": Quantity(values, "")})
    document = result_document(result)
    write_result(result, tmp_path / "a.h5")
    assert read_study(tmp_path / "a.h5") == document
    bare = {name: fact for name, fact in document.items() if name != "identifier"}
    assert document["identifier"] == f"gnomon:study/{content_digest(bare)}"


def test_an_old_file_is_read_as_a_whole_for_its_head_but_not_a_large_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with h5py.File(tmp_path / "old.h5", "w") as file:
        file.attrs.update({"study": "orm"})
        file.create_dataset("quantities/x", data=np.ones(100)).attrs.update({"unit": "m", "axes": ["turn"]})
    assert "quantities" not in read_study_head(tmp_path / "old.h5")
    monkeypatch.setattr(result_files, "MAX_HEAD_BYTES", 2**9)
    with pytest.raises(StudyError, match="its arrays are larger than"):
        read_study_head(tmp_path / "old.h5")
    assert len(read_study(tmp_path / "old.h5")["quantities"]["x"]["data"]) == 100


def test_long_facts_of_an_old_file_are_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "old.h5", "w", track_order=True) as file:
        file.attrs.update({"study": "orm", **{f"fact {n}": "a" * 60_000 for n in range(20)}})
        file.create_group("quantities")
    with pytest.raises(StudyError, match="its facts are longer than 1 MiB"):
        read_study_head(tmp_path / "old.h5")


def test_nexusformats_own_checker_finds_nothing(tmp_path: Path) -> None:
    write_result(tune_study(), tmp_path / "a.h5")
    validate_file(str(tmp_path / "a.h5"))
    assert checker.total == {"warning": 0, "error": 0}
    with h5py.File(tmp_path / "a.h5", "a") as file:
        assert file["entry/plot"].attrs["signal"] == "data"
        file["entry/plot"].attrs["NX_class"] = "NXnothing"
    validate_file(str(tmp_path / "a.h5"))
    assert checker.total["error"] > 0


def test_files_of_version_0_1_are_read_and_get_their_identifier(tmp_path: Path) -> None:
    """Their layout, as that version wrote it."""
    values = np.array([[1.5, np.nan], [2.0, 3.0]])
    with h5py.File(tmp_path / "old.h5", "w") as file:
        file.attrs.update({"study": "orm", "machine": "mls", "lattice": "ab"})
        file.create_dataset("names/monitors", data=["M", "N"], dtype=h5py.string_dtype())
        dataset = file.create_dataset("quantities/x, momentum held", data=values)
        dataset.attrs["unit"] = "m/rad"
        dataset.attrs["axes"] = ["monitors", "corrector"]
    quantity = {"unit": "m/rad", "axes": ["monitors", "corrector"], "data": [[1.5, None], [2.0, 3.0]]}
    document = {"study": "orm", "machine": "mls", "lattice": "ab", "names": {"monitors": ["M", "N"]},
                "quantities": {"x, momentum held": quantity}}  # fmt: skip
    (tmp_path / "old.json").write_text(json.dumps(document))
    found = read_study(tmp_path / "old.h5")
    assert found == read_study(tmp_path / "old.json") == {**document, "identifier": found["identifier"]}
    assert read_study_head(tmp_path / "old.h5")["identifier"] == found["identifier"]


def test_content_that_was_changed_is_refused_and_so_is_what_is_not_a_study(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_result(tune_study(), path)
    path.write_text(path.read_text().replace("3.178", "3.179"))
    for read in (read_study, read_study_head):
        with pytest.raises(StudyError, match="does not have its identifier"):
            read(path)
    for text in ("[]", "{}", "{", "\xff", '{"study": 1}'):
        path.write_text(text)
        with pytest.raises(StudyError, match="not a result of a study"):
            read_study(path)
    (tmp_path / "a.h5").write_bytes(b"junk")
    with pytest.raises(StudyError, match="damaged"):
        read_study_head(tmp_path / "a.h5")
