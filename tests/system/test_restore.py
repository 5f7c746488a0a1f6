"""`gnomon serve --restore`: a killed server comes back as it was."""

import signal
from pathlib import Path

import pytest
from conftest import EpicsPorts

from programs import restoring
from system.twin_process import TwinProcess

pytestmark = pytest.mark.slow  # servers and commands started one by one


def test_a_killed_server_comes_back_with_the_lattice_it_had(epics_ports: EpicsPorts, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text('forks:\n  start: {whatif: "WHATIF:"}\n')
    with TwinProcess(epics_ports.environment, tmp_path, "--config", str(config)) as twin:
        assert "restore" not in "\n".join(twin.lines)
        nominal = twin.client(restoring.lattice, "TWIN:")
        assert twin.gnomon("fault", "add", "modify", "HS1PD2R", "scale=0.5").returncode == 0
        assert twin.gnomon("fault", "add", "abandon", "HS1PD3R").returncode == 0
        before = twin.client(
            restoring.change,
            [
                ("HS4P1D1R:set", 0.1 + 0.2),
                ("HS1PD2R:set", 0.4),
                ("HS1PD3R:set", 0.4),
                ("Q1M1D1R:Cm:set", 2.4601),
                ("MCLKHX251C:freq", 499638.0),
            ],
        )
        twin.stop(signal.SIGKILL)
    assert before[0] != nominal
    with TwinProcess(epics_ports.environment, tmp_path, "--config", str(config), "--restore") as again:
        after = again.client(
            restoring.look,
            ["HS4P1D1R:set", "HS4P1D1R:rdbk", "HS1PD2R:rdbk", "HS1PD3R:rdbk", "MCLKHX251C:freq"],
        )
        assert after[0] == before[0]
        assert after[1] == pytest.approx(before[1], rel=1e-12)
        assert after.pop() == before[2] != nominal
        assert after[2:] == [0.1 + 0.2, 0.1 + 0.2, 0.2, 0.0, 499638.0]
        (line,) = [line for line in again.lines if "restore" in line]
        assert "restore run 1, command 7, of " in line
        assert any("fork whatif: " in line and before[2] in line for line in again.lines)
        assert line.endswith("settings that are not nominal: 4")
        listed = again.gnomon("log", "--journal", str(again.journal), "-n", "1").stdout
        assert "restore run 1, command 7" in listed
        undone = again.gnomon("log", "undo", "--yes", "--journal", str(again.journal), "8")
        assert undone.returncode == 0, undone.stderr
        assert again.client(restoring.lattice, "TWIN:") == nominal


def test_without_anything_to_restore_it_says_so_and_starts_nominal(epics_ports: EpicsPorts, tmp_path: Path) -> None:
    with TwinProcess(epics_ports.environment, tmp_path, "--machine", "mls", "--restore") as twin:
        (line,) = [line for line in twin.lines if "restore" in line]
        assert "nothing to restore" in line
        assert "knows no earlier server of 'mls' under 'TWIN:'" in line
