"""`gnomon export`: the files that it writes, and what it says."""

import json
from pathlib import Path

import pytest

from gnomon.lattice import DocumentError
from unit.cli.commands import gnomon


def test_a_database_of_happi_is_written_for_the_machine_and_its_prefix(tmp_path: Path) -> None:
    out = tmp_path / "mls.json"
    result = gnomon("export", "happi", "--machine", "mls", "--prefix", "SIM:", "-o", out)
    assert result.exit_code == 0
    assert result.output == f"{out}: written; load it with happi.Client(path=...)\n"
    assert json.loads(out.read_text())["Q1P1K1RP"]["kwargs"]["setpoint_pv"] == "SIM:Q1P1K1RP:setCur"


def test_a_file_of_ophyd_devices_is_written_for_a_real_machine(tmp_path: Path) -> None:
    out = tmp_path / "ring.py"
    gnomon("export", "ophyd", "--prefix", "", "--for", "machine", "-o", out)
    assert "'setpoint_pv': 'HS4P1D1R:set'" in out.read_text()
    assert "'settle_s': 0.5" in out.read_text()


def test_a_file_that_cannot_be_written_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"none/ring\.py: cannot be written: "):
        gnomon("export", "ophyd", "-o", tmp_path / "none" / "ring.py")


def test_a_start_up_folder_of_a_queue_is_written_once_with_the_command_that_starts_it(tmp_path: Path) -> None:
    folder = tmp_path / "queue"
    made = ["export", "queueserver", folder, "--machine", "mls", "--prefix", "SIM:", "--results", tmp_path / "r"]
    result = gnomon(*made)
    assert result.exit_code == 0
    assert f"start-re-manager --config {folder / 'queueserver.yaml'}" in result.output.splitlines()
    startup = (folder / "startup" / "startup.py").read_text()
    assert "machine='mls'" in startup
    assert f"results='{tmp_path / 'r'}'" in startup
    again = gnomon(*made)
    assert again.exit_code == 2
    assert "--force overwrites it" in again.output
    assert gnomon(*made, "--force").exit_code == 0
