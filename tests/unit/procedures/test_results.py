"""Runs keep every bit in NeXus files that nexusformat accepts, and come back by name, newest or file."""

import json
import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from nexusformat.nexus import nxload
from nexusformat.nexus.validate import logger as checker
from nexusformat.nexus.validate import validate_file

from gnomon.db import DocumentFile
from gnomon.procedures.chromaticity import ChromaticityData, ChromaticityParameters
from gnomon.procedures.documents import Data, Parameters, Provenance, Run
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.momentum import Momentum
from gnomon.procedures.nexus import read_head, read_run, write_run
from gnomon.procedures.orbit_response import OrbitResponseData, OrbitResponseParameters
from gnomon.procedures.registry import PROCEDURES, find_procedure, reanalyse, typed
from gnomon.procedures.results import Results, compare, new_name


def orm_run(seed: int = 1, name: str = "") -> Run:
    random = np.random.default_rng(seed)
    settings = np.zeros((12, 2))
    settings[:6, 0] = settings[6:, 1] = np.repeat([-0.1, 0.0, 0.1], 2)
    x = settings @ np.array([[1.0, 2.0, 3.0], [-1.0, 0.5, 0.1]]) + 1e-3 * random.standard_normal((12, 3))
    x[:, 1] = np.nan
    data = OrbitResponseData(
        steerers=("A", "B"), monitors=("M", "N", "O"), settings=settings, group=np.repeat([0.0, 1.0], 6), x_mm=x,
        y_mm=1e-3 * random.standard_normal((12, 3)), time_s=np.arange(12.0),
    )  # fmt: skip
    return made("orm", data, OrbitResponseParameters(), name)


def made(procedure: str, data: Data, parameters: Parameters, name: str = "") -> Run:
    outcome = find_procedure(procedure).analyse(data, parameters)
    return Run(
        name=name or new_name(procedure), procedure=procedure, note="a note",
        provenance=Provenance(machine="bessy2", prefix="TWIN:", started="2026-11-27T10:00:00.000+00:00",
                              ended="2026-11-27T10:01:00.000+00:00", versions={"gnomon": "1"}),
        data=data.model_dump(), parameters=parameters.model_dump(), outcome=outcome.model_dump(),
    )  # fmt: skip


def chromaticity_run() -> Run:
    rf = 5e8 + 100.0 * np.arange(5)
    data = ChromaticityData(rf_hz=rf, tune_x=0.8 + 1e-7 * np.arange(5), tune_y=np.full(5, 0.7), time_s=np.arange(5.0))
    momentum = Momentum(rf_hz=5e8, coefficients=np.array([-1000.0, 3.0]), source="here")
    return made("chromaticity", data, ChromaticityParameters(momentum=momentum, degree=2))


def with_all_provenance(run: Run) -> Run:
    """A run whose provenance has every field."""
    times = {"started": run.provenance.started, "ended": run.provenance.ended}
    others = {"versions": {"a": "1"}, "sources": ("b",)} | times
    fields = {name: 3 if field.annotation is int else name for name, field in Provenance.model_fields.items()}
    told = Provenance.model_validate(fields | others)
    return run.model_copy(update={"provenance": told})


def test_the_identifier_of_a_run_of_version_0_1_stays_as_it_was() -> None:
    """The digest that version 0.1 computed, before the provenance had more fields."""
    run = orm_run(1, "orm-20261127T100000.000")
    assert str(run.identifier) == f"gnomon:result/{run.digest}"
    told = run.model_dump(mode="json", by_alias=True)["provenance"]
    assert set(told) == {
        "machine", "prefix", "lattice_id", "lattice_id_after", "settings_id", "settings_id_after", "generation",
        "first_command", "last_command", "fit", "role", "protocol", "user", "started", "ended", "versions",
    }  # fmt: skip
    other = with_all_provenance(run)
    assert other.digest != run.digest
    assert Run.model_validate_json(other.to_json()).to_json() == other.to_json()


def test_a_file_states_its_identifier_and_its_head_is_read_without_arrays(tmp_path: Path) -> None:
    run = orm_run(1)
    write_run(run, tmp_path / "run.h5")
    head = read_head(tmp_path / "run.h5")
    assert head.identifier == run.identifier
    assert head.document["note"] == "a note"
    assert {"A", "B", "M", "N", "O"} <= set(head.names)


def test_the_head_of_a_result_and_its_identifier_come_from_one_look_into_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, results, opened = orm_run(1), Results(tmp_path), []
    write_run(run, tmp_path / f"{run.name}.h5")
    file = h5py.File

    def opening(path: Path, *mode: str) -> Any:
        opened.append(path)
        return file(path, *mode)

    monkeypatch.setattr(h5py, "File", opening)
    head, identifier = results.head(run.name)
    assert len(opened) == 1
    assert identifier == run.identifier
    assert (head.name, head.procedure, head.note, head.provenance) == (
        run.name,
        run.procedure,
        run.note,
        run.provenance,
    )
    assert not head.data
    (tmp_path / "other.h5").write_bytes(b"junk")
    with pytest.raises(ProcedureError, match="damaged"):
        results.head("other")


def test_a_file_of_others_with_huge_arrays_or_links_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = Results(tmp_path).save(orm_run(1))
    with h5py.File(path, "a") as file:
        file["entry/raw_data"].create_dataset("huge", shape=(2**20, 2**20), dtype="f8", chunks=(64, 64))
    for read in (read_run, read_head):
        with pytest.raises(ProcedureError, match=r"its arrays are larger than 2 GiB together; remove it"):
            read(path)
    with h5py.File(path, "a") as file:
        del file["entry/raw_data/huge"]
        file["entry/raw_data/x"] = h5py.ExternalLink("/etc/passwd", "/")
    with pytest.raises(ProcedureError, match="x is a link to another place"):
        read_run(path)


@pytest.mark.parametrize(
    "run", [orm_run(), chromaticity_run(), with_all_provenance(orm_run())], ids=["orm", "chromaticity", "provenance"]
)
def test_a_file_holds_the_whole_run_and_its_analysis_gives_the_same_bits_again(run: Run, tmp_path: Path) -> None:
    write_run(run, tmp_path / "run.h5")
    again = read_run(tmp_path / "run.h5")
    assert again.to_json() == run.to_json()
    outcome = typed(run)[2]
    assert outcome is not None
    assert reanalyse(again).model_dump_json() == outcome.model_dump_json()


@pytest.mark.parametrize("run", [orm_run(), chromaticity_run()], ids=["orm", "chromaticity"])
def test_files_follow_nexus_with_units_and_a_default_plot(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    write_run(run, path)
    root = nxload(str(path))
    entry = root["entry"]
    assert (root.nxclass, entry.nxclass, root.attrs["default"]) == ("NXroot", "NXentry", "entry")
    plot = root.plottable_data
    assert plot.nxclass == "NXdata"
    assert plot.nxsignal is not None
    assert [len(axis) for axis in plot.nxaxes] == list(plot.nxsignal.shape)
    with h5py.File(path) as file:
        arrays = []
        file["entry"].visititems(lambda _, item: arrays.append(item) if hasattr(item, "dtype") else None)
        numbers = [each for each in arrays if each.dtype.kind == "f"]
        assert numbers
        assert all("units" in each.attrs for each in numbers)


def checked(path: Path) -> dict[str, int]:
    """Numbers of warnings and errors that nexusformat's checker finds."""
    validate_file(str(path))
    return dict(checker.total)


@pytest.mark.parametrize(
    "run", [orm_run(), chromaticity_run(), with_all_provenance(orm_run())], ids=["orm", "chromaticity", "provenance"]
)
def test_nexusformats_own_checker_finds_nothing(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    write_run(run, path)
    assert checked(path) == {"warning": 0, "error": 0}
    with h5py.File(path, "a") as file:
        file["entry/plot"].attrs["NX_class"] = "NXnothing"
    assert checked(path)["error"] > 0


def test_results_come_back_by_name_newest_and_file_and_their_document_stands_in_the_store(tmp_path: Path) -> None:
    results = Results(tmp_path / "results", tmp_path / "store.db")
    first, second = orm_run(1, "orm-20261127T100000.000"), orm_run(2, "orm-20261127T110000.000")
    path = results.save(first)
    results.save(second)
    assert results.load("orm").name == second.name
    assert results.load(first.name).digest == first.digest
    assert results.load(str(path)).digest == first.digest
    assert [run.name for run in results.all()] == [first.name, second.name]
    with DocumentFile(tmp_path / "store.db") as store:
        kept = store.get("result", first.name).document
    assert kept["digest"] == first.digest
    assert kept["file"] == str(path)
    assert "data" not in kept
    json.dumps(kept)
    with pytest.raises(ProcedureError, match=r"orn.*did you mean|there is no result 'orn'"):
        results.load("orn")
    with pytest.raises(ProcedureError, match="cannot be written"):
        results.save(first)


def test_two_runs_of_the_same_machine_differ_by_their_errors(tmp_path: Path) -> None:
    differences = {each.field: each for each in compare(orm_run(1), orm_run(2))}
    assert differences["x"].unit == "mm/A"
    assert 0.2 < differences["x"].in_errors < 3.0
    with pytest.raises(ProcedureError, match="of chromaticity"):
        compare(orm_run(1), chromaticity_run())


def test_a_file_that_is_not_a_run_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(ProcedureError, match="not a file of a run of gnomon: parts are missing"):
        read_run(tmp_path / "other.h5")


def test_a_file_that_is_damaged_is_told_in_our_words(tmp_path: Path) -> None:
    path = Results(tmp_path).save(orm_run(1))
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ProcedureError, match="it is damaged, or no file of HDF5; take it from a backup") as refused:
        read_run(path)
    assert "truncated" not in str(refused.value)
    with pytest.raises(ProcedureError, match="there is no such file"):
        read_run(tmp_path / "none.h5")


def test_every_procedure_plots_arrays_that_its_documents_have() -> None:
    for procedure in PROCEDURES.values():
        part, signals, abscissa = procedure.plot
        fields = getattr(procedure, part).model_fields
        assert set(signals) | ({abscissa} if abscissa else set()) <= set(fields)
    with pytest.raises(ProcedureError, match="there is no procedure 'orn'"):
        find_procedure("orn")


def test_a_pipe_in_the_place_of_a_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "orm-1.h5")
    with pytest.raises(ProcedureError, match="not a regular file"):
        Results(tmp_path).read("orm-1")
