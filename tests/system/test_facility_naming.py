"""BESSY II under names of another facility's kind: the same ring, other PVs, by a file alone."""

from collections.abc import Iterator

import pytest
from conftest import EpicsPorts, free_port

from gnomon.db import shipped_machine
from gnomon.propagator import Propagator
from programs import other_names
from system.twin_process import TwinProcess

pytestmark = pytest.mark.slow  # servers and commands started one by one


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwinProcess]:
    ports = EpicsPorts(free_port(), free_port(), free_port())
    folder = tmp_path_factory.mktemp("twin")
    with TwinProcess(ports.environment, folder, "--prefix", "", "--pvs", "bessy2-areas") as process:
        yield process


def test_puts_over_both_protocols_move_the_model_and_are_read_back_under_the_other_names(twin: TwinProcess) -> None:
    rows = twin.client(other_names.bessy2_areas)
    before, after, real_name = rows
    assert any("named by bessy2-areas" in line for line in twin.lines)
    ring = shipped_machine("bessy2")
    current = ring.nominal["Q3P1T6R", "current"] * 1.0001
    beam = Propagator(ring)(ring.nominal.updated({("HS4P1D1R", "current"): 0.1, ("Q3P1T6R", "current"): current}))
    assert before[0] == before[2] == 0.0
    assert after[:2] == [0.1, pytest.approx(current, rel=1e-12)]
    assert after[2] == pytest.approx(1e3 * beam.orbit[ring.index["BPMZ6D1R"], 0], abs=1e-9)
    assert after[3] == pytest.approx(float(beam.tune[0]), abs=1e-9)
    assert after[4] == pytest.approx(ring.rf_reference, rel=1e-12)
    assert real_name is None


def test_the_journal_has_devices_so_its_commands_show_under_any_names(twin: TwinProcess) -> None:
    text = twin.gnomon("log", "--journal", str(twin.journal)).stdout
    assert "SR01A-PC-HSTR-02:SETI" in text
    assert twin.gnomon("log", "show", "1", "--journal", str(twin.journal)).stdout.count("HS4P1D1R") >= 1


def test_a_recording_is_replayed_under_other_names(twin: TwinProcess) -> None:
    journal = ("--journal", str(twin.journal), "--from", "1", "--to", "1", "--prefix", "SIM:")
    assert "SIM:HS4P1D1R:set" in twin.gnomon("replay", *journal).stdout
    assert "SIM:SR01A-PC-HSTR-02:SETI" in twin.gnomon("replay", *journal, "--pvs", "bessy2-areas").stdout
