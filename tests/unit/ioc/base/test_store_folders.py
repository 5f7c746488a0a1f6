"""Files beside a store are copied with it; a store that is shared has PV documents within."""

import json
from pathlib import Path

import pytest

from gnomon.db import DocumentFile, StorePlace
from gnomon.ioc.base.shared_pv_documents import fetch_pv_documents, share_pv_documents
from gnomon.ioc.base.store_folders import copy_files
from gnomon.lattice import DocumentError


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StorePlace:
    """A store in MongoDB, whose documents are in a file: nothing here depends on the database."""
    monkeypatch.setattr(StorePlace, "open_blocking", lambda place: DocumentFile(tmp_path / "shared.sqlite"))
    return StorePlace.of("mongodb://h/ring")


def write(file: Path, content: object) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content))
    return file


def test_pv_documents_reach_another_computer_through_a_shared_store(shared: StorePlace, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    write(here / "mine.pvs.json", {"b": 1, "a": 2})
    share_pv_documents(shared, "demo", here)
    share_pv_documents(shared, "demo", here)
    fetch_pv_documents(shared, "other", there)
    assert not there.exists()
    fetch_pv_documents(shared, "demo", there)
    assert list(json.loads((there / "mine.pvs.json").read_text())) == ["b", "a"]
    write(here / "mine.pvs.json", {"changed": True})
    share_pv_documents(shared, "demo", here)
    fetch_pv_documents(shared, "demo", there)
    assert json.loads((there / "mine.pvs.json").read_text()) == {"changed": True}
    with DocumentFile(tmp_path / "shared.sqlite") as store:
        assert [(each.name, each.revision) for each in store.list("pvs")] == [("demo/mine", 2)]


def test_a_name_in_the_store_cannot_lead_out_of_the_folder(shared: StorePlace, tmp_path: Path) -> None:
    with DocumentFile(tmp_path / "shared.sqlite") as store:
        store.put("pvs", "demo/../evil", {}, 0)
        store.put("pvs", "../demo", {}, 0)
    fetch_pv_documents(shared, "demo", tmp_path / "there")
    fetch_pv_documents(shared, None, tmp_path / "there")
    assert {path.name for path in tmp_path.rglob("*.json")} == set()


def test_a_file_that_is_not_json_is_named(shared: StorePlace, tmp_path: Path) -> None:
    (tmp_path / "mine.pvs.json").write_text("{")
    with pytest.raises(DocumentError, match=r"mine.pvs.json: the PV document cannot be read"):
        share_pv_documents(shared, "demo", tmp_path)


def test_files_go_from_folder_to_folder_and_none_is_overwritten(tmp_path: Path) -> None:
    source, target = StorePlace(tmp_path / "a" / "documents.sqlite"), StorePlace(tmp_path / "b" / "documents.sqlite")
    result = write(tmp_path / "a" / "results" / "orm-1.h5", "data")
    write(tmp_path / "a" / "results" / "notes.txt", "not a result")
    write(tmp_path / "a" / "pvs" / "demo" / "mine.pvs.json", {})
    told: list[tuple[str, int, int]] = []
    report = copy_files(source, target, tell=lambda *now: told.append(now))
    assert (report.copied, report.there, report.problems) == (2, 0, [])
    assert told[-1] == ("copying files", 2, 2)
    result.write_text("changed")
    report = copy_files(source, target)
    assert (report.copied, report.there, len(report.problems)) == (0, 1, 1)
    assert json.loads((tmp_path / "b" / "results" / "orm-1.h5").read_text()) == "data"
    assert sorted(path.name for path in (tmp_path / "b").rglob("*.*")) == ["mine.pvs.json", "orm-1.h5"]


def test_results_stay_unless_a_folder_for_them_is_named(shared: StorePlace, tmp_path: Path) -> None:
    source = StorePlace(tmp_path / "a" / "documents.sqlite")
    write(tmp_path / "a" / "results" / "orm-1.h5", "data")
    write(tmp_path / "a" / "pvs" / "demo" / "mine.pvs.json", {"a": 1})
    assert "--to-folder" in copy_files(source, shared).problems[0]
    assert copy_files(source, shared, (None, tmp_path / "net")).copied == 2
    back = copy_files(shared, StorePlace(tmp_path / "b" / "documents.sqlite"))
    assert back.problems == []
    assert json.loads((tmp_path / "b" / "pvs" / "demo" / "mine.pvs.json").read_text()) == {"a": 1}
