"""All that is kept is found by words, fields and identifiers, and the files are the truth."""

import json
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gnomon.db.document_file import DocumentFile
from gnomon.ioc.base import snapshot_store
from gnomon.lattice.identifiers import parse_identifier
from gnomon.procedures.results import Results
from gnomon.services.catalogue import (
    Annotation,
    Catalogue,
    CatalogueError,
    CataloguePlaces,
    CatalogueQuery,
    catalogue_index,
    write_annotation,
)
from gnomon.services.catalogue.annotations import doi_of
from gnomon.services.catalogue.catalogue_entry import CatalogueEntry
from gnomon.services.catalogue.catalogue_index import CatalogueIndex
from gnomon.services.catalogue.catalogue_sources import SnapshotSource
from unit.procedures.test_results import chromaticity_run, orm_run
from unit.services.catalogue.kept_things import (
    FIRST,
    SECOND,
    STUDY,
    keep_all,
    made_places,
    recording_identifier,
    snapshot,
)


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CataloguePlaces:
    return made_places(tmp_path, monkeypatch)


def names(catalogue: Catalogue, words: str = "", **fields: object) -> list[str]:
    return [entry.name for entry in catalogue.find(CatalogueQuery(words, **fields))]  # type: ignore[arg-type]


def test_everything_is_found_by_words_and_by_fields(places: CataloguePlaces) -> None:
    recording = keep_all(places)
    with Catalogue(places) as catalogue:
        assert not catalogue.unread()
        assert sorted(names(catalogue)) == sorted([FIRST, SECOND, STUDY, "bump", "flat"])
        assert names(catalogue, "beamline") == ["bump"]
        assert names(catalogue, "hs4p1") == ["bump"]
        assert names(catalogue, "HS4P1D1R:set") == ["bump"]
        assert names(catalogue, "AFTER bump") == ["flat"]
        assert names(catalogue, "before") == []
        assert names(catalogue, user="carla") == [SECOND]
        assert names(catalogue, proposal="P7") == [SECOND]
        assert sorted(names(catalogue, machine="mls")) == ["flat", STUDY]
        assert names(catalogue, "orm", kind="recording") == []
        assert names(catalogue, procedure="tune") == [STUDY]
        assert names(catalogue, since_us=1_795_773_600_000_000 + 3600 * 10**6) == [STUDY]
        assert names(catalogue, "bessy2", kind="result", count=1, skip=1)[0] in (FIRST, SECOND)
        assert names(catalogue, '"* NEAR - ( : ^') == []
        found = catalogue.resolve(recording_identifier(recording)[:25])
    assert (found.kind, found.user, found.machine, found.document) == (
        "recording", "alice", "bessy2", recording.digest
    )  # fmt: skip


def test_names_and_beginnings_of_identifiers_are_resolved_and_ambiguous_ones_listed(places: CataloguePlaces) -> None:
    keep_all(places)
    with Catalogue(places) as catalogue:
        run = orm_run(1, FIRST)
        whole = str(run.identifier)
        for text in (whole, whole[:24], run.identifier.digits[:6], FIRST):
            assert catalogue.resolve(text).identifier == whole
        assert catalogue.resolve(SECOND).sources == (whole,)
        assert catalogue.resolve("flat").status == "revision 2"
        older = [each for each in catalogue.entries() if each.status == "revision 1, an older one"]
        assert catalogue.resolve(older[0].identifier).note == "before the bump"
        for wrong in ("nothing", "abcdef0123", "gnomon:study/" + run.identifier.digits):
            with pytest.raises(CatalogueError, match="there is nothing with the name or identifier"):
                catalogue.resolve(wrong)
    (places.results / f"{FIRST}.h5").rename(places.results / "copy.h5")
    Results(places.results).save(run)
    with Catalogue(places) as catalogue:
        assert catalogue.resolve(whole[:30]).identifier == whole


def test_the_index_follows_the_files(places: CataloguePlaces) -> None:
    results = Results(places.results)
    path = results.save(orm_run(1, FIRST))
    with Catalogue(places) as catalogue:
        assert names(catalogue) == [FIRST]
        results.save(chromaticity_run())
        catalogue.update()
        assert len(names(catalogue)) == 2
        path.unlink()
        catalogue.update()
        assert names(catalogue, "orm") == []
    places.index().write_bytes(b"not a file of SQLite" * 1000)
    with Catalogue(places) as catalogue:
        assert len(names(catalogue)) == 1


def test_a_folder_that_has_not_changed_is_not_listed_again(
    places: CataloguePlaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    Results(places.results).save(orm_run(1, FIRST))
    with Catalogue(places) as catalogue:
        os.utime(places.results, ns=(1, time.time_ns() - 10**10))  # making the index changed it
        catalogue.update()
        monkeypatch.setattr(catalogue._sources["results"], "list", None)
        catalogue.update()
        assert names(catalogue) == [FIRST]


def test_a_question_does_not_wait_for_another_program_that_writes(
    places: CataloguePlaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_all(places)
    with Catalogue(places) as first:
        for folder in (places.results, places.studies, places.recordings):
            os.utime(folder, ns=(1, time.time_ns() - 10**10))
        first.update()
        writer = sqlite3.connect(places.index(), isolation_level=None)
        writer.execute("BEGIN IMMEDIATE")
        monkeypatch.setattr(catalogue_index, "BUSY_TIMEOUT_S", 0.0)  # whoever would wait fails
        with Catalogue(places) as reader:
            assert names(reader, "beamline") == ["bump"]
        Results(places.results).save(chromaticity_run())
        with pytest.raises(CatalogueError, match="another program writes to it"):
            Catalogue(places)
        writer.close()


def test_all_snapshots_are_listed_by_one_call_and_the_newest_is_read_once(
    places: CataloguePlaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_all(places)
    snapshot_store.save(places.config, "bump", snapshot(), replace=False)
    calls: list[str] = []

    class Counted(DocumentFile):
        def _guarded(self, call: Callable[..., Any]) -> Any:
            calls.append(call.__qualname__.split(".")[1])
            return super()._guarded(call)

    monkeypatch.setattr("gnomon.db.store_place.DocumentFile", Counted)
    source = SnapshotSource(places.config.store_place())
    listed = source.list()
    assert [json.loads(key) for key in listed] == [["bump", 1], ["flat", 1], ["flat", 2]]
    assert [stamp.rpartition(" of ")[2] for stamp in listed.values()] == ["1", "2", "2"]
    assert calls == ["revisions"]
    found = [source.read(key) for key in listed]
    assert [each.entry.status for each in found if each] == ["revision 1", "revision 1, an older one", "revision 2"]
    assert calls[1:] == ["get"] * 4


def test_broken_files_are_named_left_out_and_read_when_they_are_mended(places: CataloguePlaces) -> None:
    results = Results(places.results)
    path = results.save(orm_run(1, FIRST))
    whole = path.read_bytes()
    path.write_bytes(whole[:500])
    os.mkfifo(places.results / "pipe.h5")
    (places.results / "other.h5").write_bytes(b"")
    with Catalogue(places) as catalogue:
        assert names(catalogue) == []
        told = {Path(each.file).name: each.reason for each in catalogue.unread()}
        assert set(told) == {f"{FIRST}.h5", "pipe.h5", "other.h5"}
        assert "take it from a backup" in told[f"{FIRST}.h5"]
        assert "not a regular file" in told["pipe.h5"]
        path.write_bytes(whole)
        catalogue.update()
        assert names(catalogue) == [FIRST]
        assert len(catalogue.unread()) == 2


def test_an_annotation_is_found_at_once_and_stays_beside_the_file(places: CataloguePlaces) -> None:
    keep_all(places)
    with Catalogue(places) as catalogue:
        identifier = catalogue.resolve(FIRST).identifier
        before = (places.results / f"{FIRST}.h5").read_bytes()
        told = Annotation(identifier=identifier, doi="10.5281/zenodo.12", tags=("golden", "week 48"), proposal="P8")
        path = write_annotation(places.results, told)
        catalogue.update()
        assert names(catalogue, tag="week 48") == [FIRST]
        assert names(catalogue, "zenodo golden") == [FIRST]
        assert names(catalogue, proposal="P8") == [FIRST]
        assert catalogue.resolve(FIRST).identifier == identifier
        assert (places.results / f"{FIRST}.h5").read_bytes() == before
        path.write_text("{")
        catalogue.update()
        assert "mend or remove it" in catalogue.unread()[0].reason
        assert FIRST in names(catalogue)
        path.unlink()
        catalogue.update()
        assert not catalogue.unread()
        assert names(catalogue, tag="golden") == []
        assert FIRST in names(catalogue)


def test_without_a_folder_of_results_recordings_are_found_and_no_folder_is_made(places: CataloguePlaces) -> None:
    with Catalogue(places) as catalogue:
        assert names(catalogue) == []
    assert not places.results.exists()


def test_files_of_before_there_were_identifiers_get_theirs(places: CataloguePlaces) -> None:
    import h5py

    run = orm_run(1, FIRST)
    path = Results(places.results).save(run)
    with h5py.File(path, "a") as file:
        del file["entry/run/identifier"]
    with Catalogue(places) as catalogue:
        assert catalogue.resolve(FIRST).identifier == str(run.identifier)


def test_a_question_over_many_entries_needs_no_sorting(tmp_path: Path) -> None:
    with CatalogueIndex(tmp_path / "index.sqlite") as index:
        rows = []
        for n in range(2000):
            entry = CatalogueEntry(
                identifier=f"gnomon:result/{n:064x}", kind="result", name=f"orm-{n}",
                made=f"2026-11-27T10:{n % 60:02}:00", machine=("mls", "bessy2")[n % 2], file="x", user="anna",
            )  # fmt: skip
            rows.append(("results", f"{n}", "", True, entry, f"orm-{n} common"))
        index.change("results", rows=rows)
        found = index.find(CatalogueQuery("common", machine="mls", count=5))
        assert [entry.made[14:16] for entry in found] == ["58"] * 5
        plan = index._db.execute(
            "EXPLAIN QUERY PLAN SELECT e.told FROM words w JOIN entries e ON e.number = w.rowid "
            "WHERE w.words MATCH 'text : common' AND e.current = 1 ORDER BY w.rowid DESC LIMIT 5"
        ).fetchall()
        assert not any("TEMP B-TREE" in str(step) for step in plan)
        assert parse_identifier(found[0].identifier) is not None


def test_a_doi_is_taken_as_people_write_it() -> None:
    for text in ("10.5281/zenodo.12", "doi:10.5281/zenodo.12", "https://doi.org/10.5281/zenodo.12"):
        assert doi_of(text) == "10.5281/zenodo.12"
    with pytest.raises(CatalogueError, match="is not a DOI"):
        doi_of("zenodo.12")
