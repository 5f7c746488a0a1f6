"""Crates: a stranger's library reads them, a change of anything is found, and files of others are bounded."""

import dataclasses
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import pytest
from rocrate.rocrate import ROCrate

from gnomon.db import shipped_machine
from gnomon.lattice import GnomonError
from gnomon.lattice.identifiers import Identifier
from gnomon.procedures.results import Results
from gnomon.propagator.studies import write_result
from gnomon.recorder.calibration_folder import CalibrationFolder
from gnomon.services.catalogue import Annotation, Catalogue, CatalogueError, CataloguePlaces, write_annotation
from gnomon.services.catalogue.crate_check import check_crate
from gnomon.services.catalogue.crate_contents import CratePart, crate_parts, with_sources
from gnomon.services.catalogue.crate_metadata import METADATA, CrateFacts, WrittenFile
from gnomon.services.catalogue.crate_writer import MANIFEST, write_crate
from gnomon.services.catalogue.scicat import ScicatFacts, scicat_document
from unit.procedures.test_results import orm_run
from unit.recorder.test_calibration_folder import calibration
from unit.services.catalogue.kept_things import FIRST, SECOND, STUDY, keep_all, made_places, tune_study

FACTS = CrateFacts("All of a day", "Test Ring", "https://creativecommons.org/licenses/by/4.0/", "2026-11-27")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Places with one of each kind, and a crate of all; not to be changed."""
    folder = tmp_path_factory.mktemp("crates")
    with pytest.MonkeyPatch.context() as monkeypatch:
        places = made_places(folder, monkeypatch)
        keep_all(places)
        identifier = str(orm_run(1, FIRST).identifier)
        write_annotation(places.results, Annotation(identifier=identifier, doi="10.5281/zenodo.12", tags=("golden",)))
        export(places, folder / "crate")
        yield places, folder / "crate"


def export(places: CataloguePlaces, to: Path, *names: str) -> list[WrittenFile]:
    with Catalogue(places) as catalogue:
        wanted = [catalogue.resolve(name) for name in names or (SECOND, STUDY, "bump", "flat")]
        entries, missing = with_sources(catalogue, wanted)
        parts, remarks = crate_parts(places, entries)
    return write_crate(to, FACTS, parts, remarks, missing)


@pytest.fixture
def crate(made: Any, tmp_path: Path) -> Path:
    """A copy of the crate."""
    return Path(shutil.copytree(made[1], tmp_path / "crate"))


def test_a_library_that_knows_nothing_of_gnomon_reads_what_who_when_and_from_what(crate: Path) -> None:
    found = ROCrate(crate)
    assert (found.name, str(found.datePublished)[:10]) == ("All of a day", "2026-11-27")
    assert found.license["name"] == FACTS.license
    assert found.publisher["name"] == "Test Ring"
    files = {each.id: each for each in found.data_entities}
    assert all((crate / name).is_file() for name in files)
    second = files[f"results/{SECOND}.h5"]
    assert second["author"]["name"] == "carla"
    assert second["identifier"] == str(_second().identifier)
    units = {each["name"]: each["unitText"] for each in second["variableMeasured"]}
    assert units["/entry/outcome/x"] == "mm/A"
    action = next(e for e in found.contextual_entities if e.type == "CreateAction" and e["result"] == second)
    assert action["object"].id == f"results/{FIRST}.h5"
    assert action["isPartOf"]["name"] == "P7"
    assert files[f"results/{FIRST}.h5"]["sameAs"] == "https://doi.org/10.5281/zenodo.12"
    machine = [each for name, each in files.items() if name.startswith("machines/mls.")]
    assert machine[0]["identifier"] == f"gnomon:machine/{shipped_machine('mls').digest}"


def _second() -> Any:
    run = orm_run(2, SECOND)
    sources = (str(orm_run(1, FIRST).identifier),)
    told = run.provenance.model_copy(update={"sources": sources, "user": "carla", "proposal": "P7"})
    return run.model_copy(update={"provenance": told})


def test_everything_is_checked_again_and_the_page_names_all_with_units(crate: Path) -> None:
    found = check_crate(crate)
    assert found.faults == []
    assert (found.title, found.identifiers) == ("All of a day", 7)
    assert found.files == found.checksums + 1
    page = (crate / "README.md").read_text()
    for text in (FIRST, SECOND, STUDY, "bump", "flat", "carla", "P7", "10.5281/zenodo.12", "sha256sum --check"):
        assert text in page
    rows = (crate / "arrays.csv").read_text().splitlines()
    assert f"results/{FIRST}.h5,/entry/outcome/x,3 x 2,mm/A,monitors steerers," in "\n".join(rows)


def test_a_zip_file_holds_the_same(made: Any, tmp_path: Path) -> None:
    export(made[0], tmp_path / "crate.zip", FIRST)
    found = check_crate(tmp_path / "crate.zip")
    assert (found.faults, found.identifiers) == ([], 2)
    with pytest.raises(CatalogueError, match="exists; choose another name"):
        export(made[0], tmp_path / "crate.zip", FIRST)
    assert list(tmp_path.iterdir()) == [tmp_path / "crate.zip"]


def forge(crate: Path) -> None:
    """Change a measured value and make all checksums anew, as somebody would who wants to deceive."""
    import hashlib

    name = f"results/{FIRST}.h5"
    with h5py.File(crate / name, "a") as file:
        file["entry/raw_data/x_mm"][0, 0] = 42.0
    digest = hashlib.sha256((crate / name).read_bytes()).hexdigest()
    document = json.loads((crate / METADATA).read_text())
    for node in document["@graph"]:
        if node["@id"] == name:
            node |= {"sha256": digest, "contentSize": str((crate / name).stat().st_size)}
    (crate / METADATA).write_text(json.dumps(document))
    about = hashlib.sha256((crate / METADATA).read_bytes()).hexdigest()
    lines = (crate / MANIFEST).read_text().splitlines()
    new = {name: digest, METADATA: about}
    (crate / MANIFEST).write_text("".join(f"{new.get(n, d)}  {n}\n" for d, _, n in (x.partition("  ") for x in lines)))


def touch(crate: Path) -> None:
    path = next((crate / "machines").iterdir())
    path.write_text(path.read_text() + " ")


def link(crate: Path) -> None:
    (crate / "results" / f"{FIRST}.h5").unlink()
    (crate / "results" / f"{FIRST}.h5").symlink_to("/etc/passwd")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (forge, "its content has the identifier gnomon:result/"),
        (touch, "its checksum is another one: it was changed or damaged; get it again"),
        (lambda crate: (crate / "results" / f"{FIRST}.h5").unlink(), f"{FIRST}.h5: the file is missing"),
        (lambda crate: (crate / "more.txt").write_text("x"), "more.txt: no metadata describe this file"),
        (lambda crate: (crate / MANIFEST).unlink(), "is missing: only checksums in the metadata"),
        (lambda crate: (crate / MANIFEST).write_text("x"), "is not a checksum and a name"),
        (link, "not an ordinary file"),
    ],
    ids=["forged", "changed", "gone", "more", "no manifest", "bad manifest", "link"],
)
def test_a_change_of_anything_is_found(crate: Path, change: Callable[[Path], object], fault: str) -> None:
    change(crate)
    assert any(fault in each for each in check_crate(crate).faults)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"@graph": 1}', '{"@graph": [{"@id": "ro-crate-metadata.json"}]}'])
def test_a_folder_with_other_metadata_is_not_a_crate(tmp_path: Path, text: str) -> None:
    with pytest.raises(CatalogueError, match="is not an RO-Crate"):
        check_crate(tmp_path)
    (tmp_path / METADATA).write_text(text)
    with pytest.raises(CatalogueError, match="not the metadata of an RO-Crate"):
        check_crate(tmp_path)


def test_a_zip_file_of_others_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(b"PK not a zip file")
    with pytest.raises(CatalogueError, match="not a ZIP file that can be read"):
        check_crate(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../evil.txt", "x")
    with pytest.raises(CatalogueError, match="would be unpacked elsewhere"):
        check_crate(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(10**6))
    monkeypatch.setattr("gnomon.services.catalogue.crate_check.MAX_UNPACKED", 10**5)
    with pytest.raises(CatalogueError, match="not a crate of gnomon"):
        check_crate(path)
    with pytest.raises(CatalogueError, match="neither a folder nor a ZIP file"):
        check_crate(tmp_path / "none")


def test_a_file_that_was_changed_is_not_exported(made: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = made_places(tmp_path, monkeypatch)
    path = Results(places.results).save(orm_run(1, FIRST))
    with h5py.File(path, "a") as file:
        file["entry/raw_data/x_mm"][0, 0] = 42.0
    with pytest.raises(GnomonError, match="does not have its identifier"):
        export(places, tmp_path / "crate", FIRST)
    assert not (tmp_path / "crate").exists()


def another_study(path: Path) -> None:
    """Put another study, whole by itself, in the place of one that the catalogue knows."""
    write_result(dataclasses.replace(tune_study(), study="another"), path)


def another_calibration(path: Path) -> None:
    other = calibration("2026-11-27T11:00:00+00:00")
    path.write_text(other.model_dump_json())


@pytest.mark.parametrize(
    ("kind", "ending", "replace"),
    [("study", ".h5", another_study), ("study", ".json", another_study), ("calibration", "", another_calibration)],
)
def test_a_file_that_was_replaced_by_another_whole_one_is_not_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, ending: str, replace: Callable[[Path], None]
) -> None:
    places = made_places(tmp_path, monkeypatch)
    kept = CalibrationFolder(places.calibrations).save(calibration("2026-11-27T10:00:00+00:00"))
    if kind == "study":
        places.studies.mkdir(parents=True)
        kept = places.studies / f"{STUDY}{ending}"
        write_result(tune_study(), kept)
    export(places, tmp_path / "before", kept.stem)
    assert check_crate(tmp_path / "before").faults == []
    replace(kept)
    with pytest.raises(CatalogueError, match="its content does not have its identifier"):
        export(places, tmp_path / "crate", kept.stem)
    assert not (tmp_path / "crate").exists()


def test_a_source_that_is_gone_and_a_machine_that_is_not_known_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = made_places(tmp_path, monkeypatch)
    run, gone = orm_run(1, FIRST), str(Identifier("result", "0" * 64))
    told = run.provenance.model_copy(update={"sources": (gone,), "machine": "quince", "machine_document": "ab"})
    Results(places.results).save(run.model_copy(update={"provenance": told}))
    export(places, tmp_path / "crate", FIRST)
    page = (tmp_path / "crate" / "README.md").read_text()
    assert "The machine document of quince is missing" in page
    assert f"{gone}, from which something here was made, could not be found" in page
    assert check_crate(tmp_path / "crate").faults == []


SCICAT_FACTS = ScicatFacts(owner_group="machine", contact_email="a@b.org", facility="Test Ring", license="CC-BY-4.0")


def scicat_parts(places: CataloguePlaces) -> list[CratePart]:
    with Catalogue(places) as catalogue:
        parts, _ = crate_parts(places, [catalogue.resolve(name) for name in (FIRST, SECOND, STUDY)])
    return parts[:3]


def scicat_of(part: CratePart, places: CataloguePlaces, facts: ScicatFacts = SCICAT_FACTS) -> dict[str, Any]:
    return scicat_document(part, WrittenFile(Path(part.path).name, 12, "ab" * 32), places.results, facts)


@pytest.mark.slow(3)  # importing the client takes a second of a processor
def test_datasets_of_scicat_fit_the_client_that_is_generated_from_its_interface(made: Any) -> None:
    from scicat_sdk_py.models.create_dataset_dto import CreateDatasetDto
    from scicat_sdk_py.models.create_dataset_orig_datablock_dto import CreateDatasetOrigDatablockDto

    aliases = {field.alias or name for name, field in CreateDatasetDto.model_fields.items()}
    for part in scicat_parts(made[0]):
        document = scicat_of(part, made[0])
        assert set(document["dataset"]) <= aliases
        CreateDatasetDto.model_validate(document["dataset"])
        CreateDatasetOrigDatablockDto.model_validate(document["origdatablock"])


def test_datasets_of_scicat_tell_kind_origin_and_proposal(made: Any) -> None:
    places = made[0]
    parts = scicat_parts(places)
    documents = [scicat_of(part, places)["dataset"] for part in parts]
    first, second, study = documents
    assert [each["type"] for each in documents] == ["raw", "raw", "derived"]
    assert {"identifier": "10.5281/zenodo.12", "identifierType": "DOI"}.items() <= first["relationships"][1].items()
    assert second["proposalIds"] == ["P7"]
    assert second["inputDatasets"] == [str(orm_run(1, FIRST).identifier)]
    assert second["scientificMetadata"]["largest response x"]["unit"] == "mm/A"
    assert study["creationLocation"] == "/Test-Ring/mls"
    with pytest.raises(CatalogueError, match="SciCat's field contactEmail"):
        scicat_of(parts[0], places, SCICAT_FACTS.model_copy(update={"contact_email": "nobody"}))
