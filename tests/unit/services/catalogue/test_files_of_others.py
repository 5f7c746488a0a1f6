"""The catalogue finds what can be read, and names what it leaves out, whatever lies in the folders of results."""

import json
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import h5py
import pytest

from gnomon.procedures.results import Results
from gnomon.services.catalogue import Annotation, Catalogue, CatalogueError, CataloguePlaces, CatalogueQuery
from gnomon.services.catalogue.annotations import FOLDER, write_annotation
from gnomon.services.catalogue.catalogue_entry import CatalogueEntry
from gnomon.services.catalogue.catalogue_index import CatalogueIndex
from unit.procedures.test_results import orm_run
from unit.services.catalogue.kept_things import FIRST, made_places


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CataloguePlaces:
    found = made_places(tmp_path, monkeypatch)
    Results(found.results).save(orm_run(1, FIRST))
    found.studies.mkdir()
    return found


def kept_names(catalogue: Catalogue) -> list[str]:
    return [entry.name for entry in catalogue.find(CatalogueQuery())]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"study": "tune \\ud800"}', "a text that is not Unicode"),
        ("[" * 100_000, "recursion"),
        ('{"study": "tune", "identifier": 5}', "its content does not have its identifier"),
        (
            '{"study": "tune", "identifier": "gnomon:study/%s"}' % ("ab" * 32),
            "its content does not have its identifier",
        ),
        ('{"study": "tune", "names": [1]}', "not in a form that this gnomon knows"),
        ('{"study": "tune", "x": NaN}', "not JSON compliant"),
    ],
)
def test_a_strange_file_is_left_out_and_named(text: str, reason: str, places: CataloguePlaces) -> None:
    (places.studies / "strange.json").write_text(text)
    with Catalogue(places) as catalogue:
        assert kept_names(catalogue) == [FIRST]
        (told,) = catalogue.unread()
        assert told.file.endswith("strange.json")
        assert reason in told.reason


def test_a_small_file_of_large_arrays_is_left_out_without_being_read(places: CataloguePlaces) -> None:
    path = places.studies / "bomb.h5"
    with h5py.File(path, "w") as file:
        file.attrs.update({"study": "orm", "machine": "mls"})
        large = file.create_dataset("quantities/x", shape=(10**8,), dtype="f8", chunks=True, compression="gzip")
        large.attrs.update({"unit": "m", "axes": ["turn"]})
    assert path.stat().st_size < 10_000
    with h5py.File(places.results / "bomb.h5", "w") as file:
        file.create_dataset("entry/raw_data/x", shape=(10**8,), dtype="f8", chunks=True, compression="gzip")
    with Catalogue(places) as catalogue:
        assert kept_names(catalogue) == [FIRST]
        told = {Path(each.file).parent.name: each.reason for each in catalogue.unread()}
    assert "its arrays are larger than 256 MiB together" in told["studies"]
    assert "x is more than 100 times as large as what is stored of it" in told["results"]


def test_capitals_of_an_identifier_do_not_count_and_an_annotation_has_small_letters(places: CataloguePlaces) -> None:
    whole = orm_run(1, FIRST).identifier
    with h5py.File(places.results / f"{FIRST}.h5", "a") as file:
        file["entry/run/identifier"][()] = str(whole).upper()
    folder = places.results / FOLDER
    folder.mkdir()
    (folder / f"RESULT-{whole.digits.upper()}.json").write_text("{}")
    with Catalogue(places) as catalogue:
        for text in (str(whole).upper(), whole.digits[:8].upper(), str(whole)):
            assert catalogue.resolve(text).identifier == str(whole)
        assert [each.reason for each in catalogue.unread()] == ["its name is not that of an annotation; remove it"]


def test_a_name_that_is_not_utf_8_is_told_of(places: CataloguePlaces) -> None:
    path = os.fsencode(places.studies) + b"/\xff.json"
    Path(os.fsdecode(path)).write_text('{"study": "tune"}')
    (places.studies / "back\\xslash.json").write_text('{"study": "tune"}')
    with Catalogue(places) as catalogue:
        assert set(kept_names(catalogue)) == {FIRST, "back\\xslash"}
        assert [each.reason for each in catalogue.unread()] == [
            f"{places.studies}/\\xff.json: its name is not UTF-8; rename it"
        ]
        os.rename(path, os.fsencode(places.studies) + b"/good.json")
        catalogue.update()
        assert not catalogue.unread()


def test_an_annotation_is_not_lost_when_the_update_was_interrupted(
    places: CataloguePlaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    identifier = str(orm_run(1, FIRST).identifier)
    with Catalogue(places) as catalogue:
        write_annotation(places.results, Annotation(identifier=identifier, tags=("golden",)))

        def killed(*_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(catalogue, "_update", killed)
            with pytest.raises(KeyboardInterrupt):
                catalogue.update()
        catalogue.update()
        assert [entry.tags for entry in catalogue.find(CatalogueQuery())] == [("golden",)]


def test_a_damaged_index_is_an_error_that_says_what_to_do_whatever_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    entry = CatalogueEntry(identifier="gnomon:result/" + "0" * 64, kind="result", name="orm-1", made="", file="x")
    with CatalogueIndex(path) as index:
        index.change("results", rows=[("results", "1", "", True, entry, "orm")])
        with sqlite3.connect(path) as other:
            other.execute("UPDATE entries SET told = ?", (json.dumps({"kind": "result"}),))
        other.close()
        asked: list[Callable[[], object]] = [
            lambda: index.named("orm-1"),
            lambda: index.beginning(["result"], "000000", 2),
            lambda: list(index.entries()),
            lambda: index.find(CatalogueQuery()),
        ]
        for ask in asked:
            with pytest.raises(CatalogueError, match="results find --rebuild"):
                ask()
        with sqlite3.connect(path) as other:
            for table in ("entries", "unread", "states"):
                other.execute(f"DROP TABLE {table}")
        other.close()
        looked: list[Callable[[str], object]] = [index.state, index.known, index.known_unread, lambda _: index.unread()]
        for look in looked:
            with pytest.raises(CatalogueError, match="results find --rebuild"):
                look("results")


def test_an_index_that_another_program_holds_or_that_has_no_room_is_not_to_be_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gnomon.services.catalogue.catalogue_index.BUSY_TIMEOUT_S", 0.01)
    path = tmp_path / "index.sqlite"
    with CatalogueIndex(path) as index:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(CatalogueError, match="locked; another program writes to it: try again"):
            index.change("results")
        other.close()
        index._db.execute("PRAGMA max_page_count = 1")
        with pytest.raises(CatalogueError, match="full; make room on the disk"):
            index.change("results", state="x" * 1_000_000)


@pytest.mark.parametrize(
    ("made", "us"),
    [
        ("0001-01-01T00:00:00+14:00", 0),
        ("then", 0),
        ("1970-01-01T00:00:01", 10**6),
        ("9999-12-31T23:59:59-14:00", None),
    ],
)
def test_a_time_of_any_year_is_a_number(made: str, us: int | None) -> None:
    found = CatalogueEntry(identifier="", kind="result", name="", made=made, file="").made_us
    assert found == us if us is not None else found > 0
