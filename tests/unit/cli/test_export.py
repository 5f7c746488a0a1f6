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
    assert "'settle_s': 1.5" in out.read_text()


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


def test_a_list_for_the_archiver_comes_with_the_command_that_posts_it(tmp_path: Path) -> None:
    out = tmp_path / "archive.json"
    result = gnomon("export", "archiver", "--machine", "mls", "--prefix", "", "-o", out)
    assert result.output.splitlines() == [
        f"{out}: written; post it to the appliance:",
        f"curl -X POST -H 'Content-Type: application/json' --data @{out} 'http://APPLIANCE:17665/mgmt/bpl/archivePV'",
    ]
    assert "Q1P1K1RP:setCur" in {row["pv"] for row in json.loads(out.read_text())}


def test_an_alarm_configuration_comes_with_the_command_that_imports_it(tmp_path: Path) -> None:
    out = tmp_path / "alarms.xml"
    result = gnomon("export", "alarm", "--machine", "mls", "--name", "MLS", "-o", out)
    assert result.output.splitlines()[1] == f"alarm-server.sh -config MLS -import {out}"
    assert '<config name="MLS">' in out.read_text()


def test_three_files_for_channelfinder_come_with_the_order_to_put_them(tmp_path: Path) -> None:
    folder = tmp_path / "cf"
    result = gnomon("export", "channelfinder", folder, "--machine", "mls", "--owner", "mls-controls")
    commands = result.output.splitlines()[1:]
    assert [command.rpartition("/")[2] for command in commands] == ["properties'", "tags'", "channels'"]
    assert {row["owner"] for row in json.loads((folder / "channels.json").read_text())} == {"mls-controls"}
    (folder / "not_a_folder").touch()
    assert "cannot be made" in gnomon("export", "channelfinder", folder / "not_a_folder").output


def test_a_save_set_comes_with_the_command_that_puts_it(tmp_path: Path) -> None:
    out = tmp_path / "set.json"
    result = gnomon("export", "save-restore", "--machine", "mls", "--name", "MLS all", "-o", out)
    assert f"--data @{out} " in result.output
    assert json.loads(out.read_text())["configurationNode"]["name"] == "MLS all"
