"""`gnomon results` on a folder, and measurements and corrections that are refused before a machine is asked."""

import json
import re
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from gnomon.cli import app, applying, results_folder
from gnomon.cli.connection import Connection
from gnomon.clients.server_choice import Target
from gnomon.ioc.base import snapshot_store
from gnomon.ioc.base.config import ConfigError, read_config
from gnomon.lattice import GnomonError
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.results import Results
from gnomon.propagator.studies import write_result
from unit.cli import commands
from unit.procedures.test_results import orm_run
from unit.services.catalogue.kept_things import snapshot, tune_study

FIRST, SECOND = "orm-20261127T100000.000", "orm-20261127T110000.000"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    results = Results(tmp_path / "results")
    results.save(orm_run(1, FIRST))
    results.save(orm_run(2, SECOND))
    return results.folder


def test_list_has_all_results_the_oldest_first(folder: Path, tmp_path: Path) -> None:
    listed = commands.gnomon("results", "list", "--results", folder)
    assert [line.split()[0] for line in listed.output.splitlines()[1:]] == [FIRST, SECOND]
    assert "no results yet" in commands.gnomon("results", "list", "--results", tmp_path / "none").output


def test_show_has_origin_and_outcome_and_analyses_again(folder: Path) -> None:
    shown = commands.gnomon("results", "show", "orm", "--again", "--results", folder)
    assert shown.exit_code == 0
    for text in (SECOND, "bessy2", "a note", "largest response x", "the same outcome, bit for bit"):
        assert text in shown.output
    told = json.loads(commands.gnomon("results", "show", FIRST, "--json", "--results", folder).output)
    assert told["schema"] == "gnomon.procedure/1"


def test_compare_shows_differences_in_standard_deviations(folder: Path) -> None:
    rows = json.loads(commands.gnomon("results", "compare", FIRST, SECOND, "--json", "--results", folder).output)
    assert {row["array"] for row in rows} >= {"x", "y"}
    assert 0.2 < float(rows[0]["in errors"]) < 3.0


def test_export_writes_json_and_nexus_and_no_file_twice(folder: Path, tmp_path: Path) -> None:
    for name in ("a.json", "a.h5"):
        assert commands.gnomon("results", "export", FIRST, tmp_path / name, "--results", folder).exit_code == 0
    document = json.loads((tmp_path / "a.json").read_text())
    assert np.shape(document["data"]["settings"]) == (12, 2)
    again = commands.gnomon("results", "export", FIRST, tmp_path / "a.json", "--results", folder)
    assert again.exit_code == 2
    assert commands.gnomon("results", "export", FIRST, tmp_path / "a.txt", "--results", folder).exit_code == 2


def test_an_unknown_result_is_refused_with_near_names(folder: Path) -> None:
    with pytest.raises(
        GnomonError, match=f"nothing with the name or identifier 'orm-20261127T11'; near names: {SECOND}"
    ):
        commands.gnomon("results", "show", "orm-20261127T11", "--results", folder)


def test_wrong_use_is_refused_before_a_machine_is_asked() -> None:
    refused = {
        "give --x or --y": commands.gnomon("bump", "BPMZ5D1R"),
        "one of them": commands.gnomon("bump", "BPMZ5D1R", "--x", "1", "--y", "1"),
        "is not a pair": commands.gnomon("correct", "tune", "--to", "0.85"),
        "--fraction": commands.gnomon("correct", "orbit", "--fraction", "2"),
        "--points": commands.gnomon("measure", "orm", "--points", "1"),
    }
    for message, done in refused.items():
        assert done.exit_code == 2
        assert message in done.output


def test_results_stand_beside_the_document_store_unless_told_otherwise(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(f"machine: mls\nstore: {{path: {tmp_path / 'documents.sqlite'}}}\n")
    assert results_folder.results_of(None, config).folder == tmp_path / "results"
    assert results_folder.results_of(tmp_path / "other", config).folder == tmp_path / "other"


def test_the_machine_is_the_one_that_was_named_or_that_the_server_tells() -> None:
    class Client:
        target = Target("P:")

        def __init__(self, answer: dict[str, str]) -> None:
            self.answer = answer

        def call(self, _: str) -> dict[str, str]:
            return self.answer

    telling: Any = Client({"machine": "mls"})
    silent: Any = Client({})
    assert applying.machine_of(Connection(machine="bessy2"), silent) == "bessy2"
    assert applying.machine_of(Connection(), telling) == "mls"
    with pytest.raises(typer.BadParameter, match="does not tell its machine"):
        applying.machine_of(Connection(), silent)


def test_publish_wants_a_catalogue_in_the_configuration(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ProcedureError, match=r"give its address in results\.tiled of the configuration"):
        commands.gnomon("results", "publish", "orm", "--results", folder)
    config = tmp_path / "config.yaml"
    config.write_text("results: {tiled: 'http://127.0.0.1:1/api/v1?api_key=secret'}\n")
    with pytest.raises(ConfigError, match=r"results\.tiled"):
        commands.gnomon("results", "publish", "orm", "--results", folder, "--config", config)


@pytest.mark.parametrize("missing", ["tiled", "fastapi", "uvicorn"])
def test_serve_without_tiled_or_its_server_names_the_extra(
    missing: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gnomon.procedures.tiled_catalogue.find_spec", lambda name: None if name == missing else name)
    with pytest.raises(ProcedureError, match=rf"{missing}, .*pip install 'gnomon\[tiled\]'"):
        commands.gnomon("results", "serve", "--results", folder)


@pytest.fixture
def at_home(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration whose results are those of `folder`."""
    monkeypatch.setenv("GNOMON_RECORDINGS", str(tmp_path / "recordings"))
    monkeypatch.setenv("GNOMON_CALIBRATIONS", str(tmp_path / "calibrations"))
    config = tmp_path / "config.yaml"
    config.write_text(f"store: {{path: {tmp_path / 'documents.sqlite'}}}\n")
    return config


def test_find_has_a_table_and_json_and_names_what_it_leaves_out(folder: Path, at_home: Path) -> None:
    (folder / "broken.h5").write_bytes(b"nothing")
    found = commands.gnomon("results", "find", "orm", "note", "--machine", "bessy2", "--config", at_home)
    lines = found.stdout.splitlines()
    assert [line.split()[1] for line in lines[1:]] == [SECOND, FIRST]
    assert "broken.h5: not a file of a run of gnomon" in found.stderr
    told = json.loads(commands.gnomon("results", "find", "--json", "--config", at_home, "-n", "1").stdout)
    assert (told[0]["name"], told[0]["kind"], told[0]["procedure"]) == (SECOND, "result", "orm")
    assert "nothing was found" in commands.gnomon("results", "find", "quince", "--config", at_home).stdout
    more = commands.gnomon("results", "find", "--config", at_home, "-n", "1")
    assert "--count 10" in more.stderr
    assert commands.gnomon("results", "find", "--rebuild", "--since", "1h", "--config", at_home).exit_code == 0
    wrong = commands.gnomon("results", "find", "--kind", "recodring", "--config", at_home)
    assert "near names: recording" in wrong.output
    assert commands.gnomon("results", "find", "--since", "then", "--config", at_home).exit_code == 2


def test_show_takes_an_identifier_and_its_first_digits(folder: Path, at_home: Path) -> None:
    whole = str(orm_run(1, FIRST).identifier)
    shown = commands.gnomon("results", "show", whole[:27], "--config", at_home)
    assert ["identifier", whole] in [line.split() for line in shown.output.splitlines()]
    assert "largest response x" in shown.output
    told = json.loads(commands.gnomon("results", "show", whole, "--json", "--config", at_home).output)
    assert told["identifier"] == whole
    rows = json.loads(commands.gnomon("results", "compare", whole, SECOND, "--json", "--config", at_home).output)
    assert rows


@pytest.mark.parametrize(
    "missing",
    ["f" * 64, f"gnomon:result/{'f' * 64}", "result/fff", "ffffff", "fff", "orm-20260101T000000.000", "none.h5"],
)
def test_all_that_names_nothing_gets_the_same_text(missing: str, folder: Path, at_home: Path) -> None:
    with pytest.raises(GnomonError) as refusal:
        commands.gnomon("results", "show", missing, "--config", at_home)
    text = re.sub(r"; near names: [^;]*", "", str(refusal.value))
    assert text == (
        f"there is nothing with the name or identifier '{missing}'; `gnomon results find` lists what there is in "
        f"{folder} and beside the journal"
    )


def test_a_file_that_is_not_a_result_is_told_so(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "other.h5").write_bytes(b"nothing")
    with pytest.raises(ProcedureError, match="not a file of a run of gnomon"):
        commands.gnomon("results", "show", tmp_path / "other.h5", "--results", folder)


def test_show_of_something_else_says_where_it_comes_from_and_which_command_shows_more(
    folder: Path, at_home: Path
) -> None:
    snapshot_store.save(read_config(at_home), "flat", snapshot(), replace=False)
    entry = json.loads(commands.gnomon("results", "find", "flat", "--json", "--config", at_home).stdout)[0]
    shown = commands.gnomon("results", "show", entry["identifier"], "--config", at_home).output
    for text in (entry["identifier"], "before the bump", "bert", "gnomon snapshot show flat"):
        assert text in shown
    assert commands.gnomon("results", "show", "flat", "--config", at_home).output == shown
    told = (
        "is not a result but a snapshot: `gnomon results show flat` shows it, and `gnomon data export flat --to FOLDER`"
    )
    done = CliRunner().invoke(app, ["results", "export", "flat", str(folder / "a.json"), "--config", str(at_home)])
    assert told in str(done.exception)
    assert done.output == ""


def test_all_files_that_cannot_be_read_are_listed_on_request(folder: Path, at_home: Path) -> None:
    asked = ("results", "find", "--config", at_home)
    assert commands.gnomon(*asked, "--unreadable").stdout == "all files can be read\n"
    for number in range(7):
        (folder / f"broken-{number}.h5").write_bytes(b"nothing")
    assert "and 2 more files that cannot be read; `gnomon results find --unreadable` lists all" in (
        commands.gnomon(*asked).stderr
    )
    rows = json.loads(commands.gnomon(*asked, "--unreadable", "--json").stdout)
    assert [Path(row["file"]).name for row in rows] == [f"broken-{number}.h5" for number in range(7)]
    assert all(row["reason"].startswith("not a file of a run of gnomon") for row in rows)


def test_show_refuses_content_that_does_not_have_its_identifier(folder: Path, at_home: Path) -> None:
    (folder / "studies").mkdir()
    study = folder / "studies" / "study-tune.h5"
    write_result(tune_study(), study)
    with h5py.File(study, "a") as file:
        file["entry/quantities/tune"][0] = 3.0
    with pytest.raises(GnomonError, match="its content does not have its identifier"):
        commands.gnomon("results", "show", "study-tune", "--config", at_home)
    whole = str(orm_run(1, FIRST).identifier)
    with h5py.File(folder / f"{FIRST}.h5", "a") as file:
        file["entry/raw_data/settings"][0] = 3.0
    with pytest.raises(GnomonError, match="its content does not have its identifier"):
        commands.gnomon("results", "show", whole.upper(), "--config", at_home)
