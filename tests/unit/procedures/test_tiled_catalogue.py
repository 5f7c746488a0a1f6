"""Runs for catalogues of tiled, without tiled: what is told of a file, and which extra is missing."""

import importlib.util
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.results import NotPublishedError, Results
from gnomon.procedures.runnable import RUNNABLE, Finished, Watcher, run_procedure
from gnomon.procedures.tiled_catalogue import publish_run, require_tiled, run_metadata
from unit.procedures.test_results import orm_run

NAME = "orm-20261127T100000.000"


def test_metadata_are_the_document_without_arrays(tmp_path: Path) -> None:
    path = Results(tmp_path).save(orm_run(1, NAME))
    found = run_metadata(path)
    assert (found["name"], found["procedure"], found["status"], found["note"]) == (NAME, "orm", "done", "a note")
    assert found["provenance"]["prefix"] == "TWIN:"
    assert not {"data", "parameters", "outcome"} & found.keys()


def test_file_that_is_not_a_run_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    path.write_text("no")
    with pytest.raises(ProcedureError, match=r"x\.h5: not a file of a run"):
        run_metadata(path)


def test_missing_extra_is_named_and_the_run_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gnomon.procedures.tiled_catalogue.find_spec", _without_tiled)
    with pytest.raises(ProcedureError, match=r"pip install 'gnomon\[tiled\]'"):
        require_tiled()
    results = Results(tmp_path, catalogue="http://127.0.0.1:1/api/v1")
    path = results.save(orm_run(1, NAME))
    with pytest.raises(NotPublishedError, match=r"orm-.*\.h5 is written, but: .*gnomon\[tiled\]"):
        results.publish(path)
    assert results.names() == [NAME]
    with pytest.raises(ProcedureError, match=r"gnomon\[tiled\]"):
        publish_run(path, "http://127.0.0.1:1/api/v1")


def _without_tiled(name: str) -> object:
    return None if name == "tiled" else importlib.util.find_spec(name)


def test_procedure_whose_run_the_catalogue_does_not_take_has_failed_and_has_its_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gnomon.procedures.tiled_catalogue.find_spec", _without_tiled)
    results = Results(tmp_path, catalogue="http://127.0.0.1:1/api/v1")
    kept = (orm_run(1, NAME), results.save(orm_run(1, NAME)))
    measurement = replace(RUNNABLE["orm"], run=lambda *_: Finished((kept,)))
    bench: Any = SimpleNamespace(results=results, used=[], only_one=lambda _: nullcontext())
    finished = run_procedure(measurement, bench, measurement.options(), Watcher())
    assert finished.runs == (kept,)
    assert isinstance(finished.failure, NotPublishedError)
