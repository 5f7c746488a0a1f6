"""Daily use by clients of the MLS and of BESSY II: optics, frequency sweeps, voltage, switches, the multiplexer."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import EpicsPorts, free_port

from gnomon.db import shipped_document, shipped_machine
from gnomon.propagator import Propagator
from gnomon.propagator.six import radiation_summary
from programs import daily_use
from system.twin_process import TwinProcess

#: The optics' tunes, from the tables' reference: what pyAT finds.
TUNES = {
    0: (3.178486097496658, 2.2319955738636583),
    1: (3.1784925964499866, 2.231998648253405),
    2: (3.4759075082050375, 2.206480565974537),
    3: (3.178122882417408, 2.220015547004966),
    4: (3.184557914072871, 2.259368435487355),
}


def server(folder: Path, *arguments: str) -> TwinProcess:
    ports = EpicsPorts(free_port(), free_port(), free_port())
    return TwinProcess(ports.environment, folder, "--prefix", "T:", *arguments)


@pytest.fixture(scope="module")
def mls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwinProcess]:
    with server(tmp_path_factory.mktemp("mls"), "--machine", "mls") as process:
        yield process


@pytest.fixture(scope="module")
def bessy2(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwinProcess]:
    with server(tmp_path_factory.mktemp("bessy2")) as process:
        yield process


def test_every_pv_of_the_mls_can_be_read_over_both_protocols(mls: TwinProcess) -> None:
    names = [
        "TUNEZRP:measZ", "cumz4x003gp:tuneSyn", "PAHRP:setVoltCav", "ERMPCGP:rdRmp", "CUM1ZK3RP:measCur",
        "CUM1ZK3RP:rdLt10", "CUM1ZK3RP:rdLt100", "OPCHECKCCP:calcCurrLife", "MLSOPCCP:actOptRmpTblSet",
        "ORBITCCP:selRunMode", "RMC00VP", "IGPF:X:FBCTRL", "IGPF:Y:FBCTRL", "IGPF:Z:FBCTRL", "PAHRP:cmdExtPhasMod",
        "QPD01ZL2RP:rdSigmaX", "QPD01ZL2RP:rdSigmaY", "QPD00ZL4RP:rdSigmaX", "QPD00ZL4RP:rdSigmaY",
    ]  # fmt: skip
    ca = mls.client(daily_use.kinds_over_ca, names)
    pva = mls.client(daily_use.numbers_over_pva, names)
    for name, (value, _, _, severity), other in zip(names, ca, pva, strict=True):
        assert severity == 0, name
        assert other == pytest.approx(value, rel=1e-3), name  # a second may pass, and the current falls
    by_name = dict(zip(names, ca, strict=True))
    assert by_name["TUNEZRP:measZ"][1:3] == ["kHz", "ctrl_double"]
    assert by_name["ORBITCCP:selRunMode"][2] == "ctrl_long"
    assert by_name["RMC00VP"][2] == "ctrl_long"  # as its setpoint, so that clients can pair them
    assert by_name["MLSOPCCP:actOptRmpTblSet"][2] == "ctrl_enum"
    assert by_name["ERMPCGP:rdRmp"][:2] == [629.0, "MeV"]
    assert by_name["cumz4x003gp:tuneSyn"][0] == pytest.approx(1e3 * by_name["TUNEZRP:measZ"][0])


def test_the_packed_buffer_is_whole_micrometres_of_all_monitors(mls: TwinProcess) -> None:
    monitors = [m.name for m in shipped_document("mls").monitors]
    result = mls.client(daily_use.buffer_after_a_kick, "HS1P1K1RP:setCur", "BPMZ1X003GP:rdBufBpm", monitors)
    kind, buffer, x = result
    assert (kind, len(buffer)) == ("time_long", 256)
    slots = [slot for slot in range(32) if slot % 8 != 7]
    rows = np.array(buffer).reshape(8, 32)
    assert rows[0, slots[:28]].tolist() == [round(1e3 * position) for position in x]
    assert rows[0].any()
    assert not rows[:, 7::8].any()
    assert not rows[1:].any()
    pva = mls.client(daily_use.array_over_pva, "BPMZ1X003GP:rdBufBpm")
    assert pva == ["int32", 256]


def test_each_optics_is_one_put_and_one_generation_with_the_tunes_of_pyat(mls: TwinProcess) -> None:
    result = mls.client(daily_use.optics, [1, 2, 3, 4, 0])
    ring = shipped_machine("mls")
    lattices = [ring.nominal, *ring.optics.values()]
    for number, generations, shown, energy, voltage, synchrotron, size, *tunes in result:
        assert (generations, shown) == (1, number)
        assert tunes == pytest.approx([tune % 1.0 for tune in TUNES[number]], abs=1e-7)
        assert (energy, voltage) == ((105.0, 72.0) if number == 4 else (629.0, 500.0))
        lattice = lattices[number]
        equilibrium = radiation_summary(lattice, Propagator(ring)(lattice))
        turns_khz = 1e-3 * lattice.rf_frequency / ring.harmonic_number
        assert synchrotron == pytest.approx(equilibrium.synchrotron_tune * turns_khz, rel=1e-6)
        assert 0.01 < size < 1.0  # mm


def test_the_switch_to_an_optics_is_one_command_that_can_be_undone(mls: TwinProcess) -> None:
    names = ["dt:command", "dt:lattice", "ERMPCGP:rdRmp", "MLSOPCCP:actOptRmpTblSet"]
    before = mls.client(daily_use.get_all, names)
    after = mls.client(daily_use.put_and_read, [("MLSOPCCP:actOptRmpTblSet", "injection")], names)
    assert (after[0], *after[2:]) == (before[0] + 1, 105.0, 4)
    undone = mls.gnomon("log", "undo", str(after[0]), "--yes", "--journal", str(mls.journal))
    assert undone.returncode == 0, undone.stdout + undone.stderr
    assert mls.client(daily_use.get_all, names)[1:] == before[1:]


def test_the_voltage_moves_the_synchrotron_tune_alone_and_one_too_low_makes_it_invalid(mls: TwinProcess) -> None:
    result = mls.client(daily_use.voltages, [500.0, 125.0, 5.0, 500.0])
    full, quarter, low, back = result
    assert quarter[0] == pytest.approx(0.5 * full[0], rel=2e-3)  # and a little by the phase
    assert [row[1] for row in result] == [0, 0, 3, 0]
    assert [row[2] for row in result] == [0, 0, 0, 0]
    assert len({row[3] for row in result}) == 1
    assert low[4] == 0.0
    assert low[5] == 3
    assert back[4] == pytest.approx(150.0, rel=1e-3)  # a second may have passed


def test_switches_hold_their_state_and_are_refused_others(mls: TwinProcess) -> None:
    puts = [("IGPF:X:FBCTRL", "on"), ("ORBITCCP:selRunMode", 3), ("PAHRP:cmdExtPhasMod", 1)]
    mls.client(daily_use.put_all, [*puts, ("IGPF:Y:FBCTRL", 7), ("ORBITCCP:selRunMode", 99)])
    names = ["ORBITCCP:selRunMode", "RMC00VP", "PAHRP:cmdExtPhasMod", "IGPF:Y:FBCTRL"]
    result = [mls.client(daily_use.get, "IGPF:X:FBCTRL", as_string=True), *mls.client(daily_use.get_all, names)]
    assert result == ["on", 3, 3, 1, 0]
    pva = mls.client(daily_use.switch_over_pva, "IGPF:Z:FBCTRL", "on", "ORBITCCP:selRunMode", 16)
    assert pva[0] == 1
    assert "outside the drive limits 0 to 15" in pva[1]


def sweep(twin: TwinProcess, machine: str, **values: Any) -> None:
    harmonic = float(shipped_document(machine).harmonic_number)
    measured, model, orbit = twin.client(daily_use.sweep, harmonic=harmonic, **values)
    assert measured == pytest.approx(model, rel=1e-2)
    assert np.abs(orbit).max() < 1e-12


def test_a_frequency_sweep_of_the_mls_gives_the_models_chromaticity(mls: TwinProcess) -> None:
    tunes = ["TUNEZRP:measX", "TUNEZRP:measY"]
    sweep(mls, "mls", setter="MCLKHGP:setFrq", tunes=tunes, relative=8e-6)


def test_a_frequency_sweep_of_bessy2_gives_the_models_chromaticity(bessy2: TwinProcess) -> None:
    sweep(bessy2, "bessy2", setter="MCLKHX251C:freq", tunes=["TUNEZR:rdH", "TUNEZR:rdV"], relative=5e-7)


def test_the_multiplexer_connects_one_quadrupole_after_its_sequence(bessy2: TwinProcess) -> None:
    result = bessy2.client(daily_use.multiplex, "Q1M1D1R")
    row, names = result
    assert row == [pytest.approx(2.0 * -2.67857), 1, 0, "Q1M1D1R", 0.0, 0, 1, 0.0, 1]
    assert names[-4:] == ["Q1M1D1R", "Mux OFF", "Q1M1D1R", "Mux OFF"]


def test_the_current_of_bessy2_stays_near_its_top_up_level(bessy2: TwinProcess) -> None:
    current = bessy2.client(daily_use.value_and_severity, "MDIZ3T5G:current")
    assert 249.0 < current[0] <= 250.0
    assert current[1] == 0


def test_a_killed_server_comes_back_with_its_optics_energy_and_switches(
    epics_ports: EpicsPorts, tmp_path: Path
) -> None:
    names = ["MLSOPCCP:actOptRmpTblSet", "ERMPCGP:rdRmp", "PAHRP:setVoltCav", "IGPF:X:FBCTRL", "ORBITCCP:selRunMode"]
    names.insert(0, "dt:lattice")
    puts = [("MLSOPCCP:actOptRmpTblSet", 4), ("IGPF:X:FBCTRL", 1), ("ORBITCCP:selRunMode", 2)]
    arguments = ("--machine", "mls", "--prefix", "T:")
    with TwinProcess(epics_ports.environment, tmp_path, *arguments) as twin:
        before = twin.client(daily_use.put_and_read, puts, names)
        twin.stop(signal.SIGKILL)
    assert before[1:] == [4, 105.0, 72.0, 1, 2]
    with TwinProcess(epics_ports.environment, tmp_path, *arguments, "--restore") as again:
        assert again.client(daily_use.get_all, names) == before
