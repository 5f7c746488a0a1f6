"""`gnomon machine truth`: the errors of a configuration or of the machine that runs, and a document with them."""

import json
from pathlib import Path

import pytest

from gnomon.db import shipped_document
from gnomon.fault_injection.errors import KINDS
from gnomon.ioc.app.imperfect.imperfect_machine import machine_errors
from gnomon.ioc.base.config import ImperfectionsConfig
from gnomon.ioc.base.running_servers import RunningServer, announced
from gnomon.lattice import Ring, read_machine
from unit.cli.commands import gnomon

MLS = shipped_document("mls")
ERRORS = machine_errors(MLS, ImperfectionsConfig(seed=7))


@pytest.fixture(autouse=True)
def _no_server_and_no_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(variable, str(tmp_path / "home"))


def running(tmp_path: Path, seed: int, role: str = "machine") -> RunningServer:
    """The description that a server of MLS makes known."""
    imperfections = ImperfectionsConfig(seed=seed).model_dump_json() if role == "machine" else ""
    return RunningServer(
        pid=4711, prefix="", machine="mls", role=role, ca_address="", pva_address="", imperfections=imperfections,
        store=str(tmp_path / "documents.sqlite"),
    )  # fmt: skip


def test_a_summary_has_a_row_for_each_kind_with_its_size() -> None:
    heading, titles, *rows = gnomon("machine", "truth", "--machine", "mls", "--seed", "7").output.splitlines()
    assert heading == "mls, seed 7, of the configuration"
    assert titles.split() == ["kind", "devices", "size", "rms", "largest", "device", "unit"]
    assert [row.split()[0] for row in rows] == [kind.name for kind in KINDS]
    gradients = rows[0].split()
    assert gradients[1:3] == ["24", "0.001"]
    assert gradients[5] == max(ERRORS.values["quadrupole_gradient"].items(), key=lambda item: abs(item[1]))[0]


def test_patterns_list_devices_and_the_girders_that_they_stand_on() -> None:
    girder = next(g for g in ERRORS.girders if len(g.bodies) > 2)
    name = girder.bodies[1].name
    output = gnomon("machine", "truth", "--machine", "mls", "--seed", "7", name).output
    rows = [line.split() for line in output.splitlines()[2:]]
    assert {tuple(row[:2]) for row in rows if row[0].startswith("girder")} == {
        (f"girder_{what}", girder.name) for what in ("x", "y", "roll")
    }
    (shift,) = [row for row in rows if row[0] == "magnet_x"]
    assert float(shift[2]) == pytest.approx(ERRORS.values["magnet_x"][name], rel=1e-8)


def test_json_has_all_digits_of_all_errors() -> None:
    told = json.loads(gnomon("machine", "truth", "--machine", "mls", "--seed", "7", "--json").output)
    assert (told["machine"], told["seed"], told["scale"]) == ("mls", 7, 1.0)
    for kind in KINDS:
        of_kind = {row["device"]: row["value"] for row in told["errors"] if row["kind"] == kind.name}
        assert of_kind == ERRORS.values[kind.name]


def test_a_pattern_that_matches_nothing_is_refused() -> None:
    result = gnomon("machine", "truth", "--machine", "mls", "NOTHING*")
    assert result.exit_code == 2
    assert "NOTHING*" in result.output


def test_a_document_with_the_true_values_is_written(tmp_path: Path) -> None:
    file = tmp_path / "true.json"
    assert gnomon("machine", "truth", "--machine", "mls", "--seed", "7", "--document", file).exit_code == 0
    true = Ring(read_machine(file))
    quadrupole = next(m for m in true.magnets if m.main == "k1")
    error = ERRORS.values["quadrupole_gradient"][quadrupole.name]
    assert true.nominal.strength(quadrupole) == pytest.approx(
        (1.0 + error) * Ring(MLS).nominal[quadrupole.name, "k1"], rel=1e-12
    )
    assert "for evaluation alone" in true.document.notes[-1]


def test_without_options_it_is_the_machine_that_runs(tmp_path: Path) -> None:
    assert gnomon("machine", "truth").output.startswith("bessy2, seed 1, of the configuration")
    with announced(running(tmp_path, 7)), announced(running(tmp_path, 8, role="twin")):
        assert gnomon("machine", "truth").output.startswith("mls, seed 7, of the running machine, process 4711")
        assert gnomon("machine", "truth", "--seed", "9").output.startswith("bessy2, seed 9, of the configuration")


def test_of_several_machines_that_run_none_is_guessed(tmp_path: Path) -> None:
    with announced(running(tmp_path, 7)), announced(running(tmp_path, 8)):
        result = gnomon("machine", "truth")
    assert result.exit_code == 2
    assert "several machines run" in result.output
