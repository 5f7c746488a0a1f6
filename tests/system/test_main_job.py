"""The main job: a setpoint's whole way on BESSY II, with other people's clients."""

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import at
import numpy as np
import pytest
from conftest import EpicsPorts, free_port
from patience import PATIENCE_S

from gnomon.db import shipped_machine
from gnomon.ioc.base.config import Config
from gnomon.ioc.base.machines import find_machine, pvs_of
from programs import access, setpoints
from system.twin_process import TwinProcess
from unit.propagator.pyat_oracle import TIGHT, pyat_lattice


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwinProcess]:
    ports = EpicsPorts(free_port(), free_port(), free_port())
    with TwinProcess(ports.environment, tmp_path_factory.mktemp("twin"), "--prefix", "TWIN:") as process:
        yield process


def test_a_server_says_its_machine_and_addresses_and_last_that_it_is_ready(twin: TwinProcess) -> None:
    text = " ".join(" ".join(twin.lines).split())  # long lines are folded
    ring = shipped_machine("bessy2")
    assert ring.nominal.id in text
    counts = f"{len(ring.elements)} elements, {len(ring.document.supplies)} supplies, {len(ring.bpms)} monitors"
    assert f"BESSY II storage ring: {counts}" in text
    assert f"{len(pvs_of(find_machine(Config()), 'TWIN:'))} PVs as 'TWIN:'" in text
    assert "EPICS_CA_ADDR_LIST=127.0.0.1" in text
    assert "EPICS_PVA_ADDR_LIST=127.0.0.1" in text
    assert "ready" in twin.lines[-1]


def test_pyepics_reads_the_tune_of_the_real_ring(twin: TwinProcess) -> None:
    result = twin.client(setpoints.value_and_unit, "TWIN:TUNEZR:rdH")
    assert result == [pytest.approx(0.8480055 * 1249.0916, abs=0.005), "kHz"]


def test_both_protocols_show_the_same(twin: TwinProcess) -> None:
    names = ["TUNEZR:rdH", "BPMZ5D1R:rdX", "Q1PDR:set", "Q1M1D1R:Cm:rdbk", "HS4P1D1R:set", "MCLKHX251C:freq"]
    ca = twin.client(setpoints.metadata_over_ca, [f"TWIN:{name}" for name in names])
    pva = twin.client(setpoints.metadata_over_pva, [f"TWIN:{name}" for name in names])
    repeated = {"TUNEZR:rdH"}  # published again each second, so the two reads may see different stamps
    for name, a, b in zip(names, ca, pva, strict=True):
        n = 6 if name in repeated else 8
        assert a[:n] == b[:n], name


def test_a_put_with_wait_then_a_read_gives_the_new_orbit_every_time(twin: TwinProcess, soak: bool) -> None:
    """A thousand puts in a soak, each read back over both protocols at once; the orbit is pyAT's within 1 nm."""
    currents = (0.4 * np.random.default_rng(7).uniform(-1, 1, 1000 if soak else 200)).tolist()
    rows = twin.client(setpoints.orbits_after_puts, currents)
    ring = shipped_machine("bessy2")
    table, coil = pyat_lattice(ring.nominal), ring.index["S4M1D1R"]
    reference: list[float] = []
    for current in currents[::50]:
        table[coil].KickAngle = [current * -0.0044502 / ring.rigidity, 0.0]
        _, orbit = at.find_orbit4(table, dct=0.0, refpts=[ring.index["BPMZ6D1R"]], **TIGHT)
        reference.append(float(orbit[0, 0]))
    assert all(row[0] == 1 for row in rows)
    x_m = np.array([row[1] for row in rows]) * 1e-3
    packed_m = np.array([row[2] for row in rows]) * 10e-3 / 2**15
    table_m = np.array([row[3] for row in rows]) * 1e-9
    assert np.abs(x_m - packed_m).max() < 1e-15
    assert np.abs(x_m - table_m).max() < 1e-15
    assert np.abs(x_m[::50] - np.array(reference)).max() < 1e-9
    assert np.unique(x_m).size == len(currents)


def test_puts_without_wait_end_with_the_last_value(twin: TwinProcess) -> None:
    values = [i / 1000 for i in range(300)]
    twin.client(setpoints.many_puts_without_wait, "TWIN:HS4P2D1R:set", values, 0.5)
    last = twin.client(access.caget_all, [f"TWIN:{n}" for n in ("HS4P2D1R:set", "HS4P2D1R:rdbk", "HS4M2D1R:im:I")])
    assert last == [0.5, 0.5, 0.5]
    rows = twin.gnomon("log", "export", "--journal", str(twin.journal), "--pv", "TWIN:HS4P2D1R:set", "-").stdout
    assert [json.loads(line)["changes"][0]["new"] for line in rows.splitlines()] == [*values, 0.5]


def test_puts_over_pva_complete_after_the_outputs(twin: TwinProcess) -> None:
    rows = twin.client(setpoints.readings_around_puts, "TWIN:VS3P2T5R:set", "TWIN:BPMZ5D1R:rdY", [0.1, 0.2, 0.3])
    for before, after, generations, over_ca in rows:
        assert after != before
        assert generations == 1
        assert over_ca == after


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 11.0, "abc", [1.0, 2.0]])
def test_invalid_puts_are_refused_over_both_protocols_and_move_nothing(twin: TwinProcess, value: Any) -> None:
    result = twin.client(setpoints.try_over_both, "TWIN:HS1PD1R:set", "TWIN:HS1PD1R:rdbk", value)
    assert result[:2] == [0.0, 0.0]
    assert result[2] != "accepted"
    assert "Traceback" not in twin.log.read_text()


def test_a_refused_channel_access_put_fails_at_the_client(twin: TwinProcess) -> None:
    code = twin.client(setpoints.status_of_a_put, "TWIN:HS1PD1R:set", 99.0)
    assert len(code) == 1
    assert code[0] != 1  # ECA_NORMAL


def test_no_beam_shows_as_invalid_and_a_good_setting_brings_everything_back(twin: TwinProcess) -> None:
    rows = twin.client(setpoints.lose_the_beam, "Q1PDR")
    good, lost, later, back, nominal = rows
    assert (good[1], good[3], good[4]) == (0, 0, 1)
    assert (lost[1], lost[3], lost[4], lost[6]) == (3, 3, 0, 0.0)
    assert lost[0] == good[0]
    assert (
        "no closed orbit" in lost[5] or "trace" in lost[5]
    )  # whether the search still ends is chance, far from any beam
    assert later[:4] == lost[:4]
    assert back[0] == pytest.approx(good[0], rel=1e-9)
    assert (back[1], back[3], back[4], back[5], back[6]) == (0, 0, 1, "", nominal)


def test_readings_are_repeated_with_a_fresh_time_stamp_and_the_same_generation(twin: TwinProcess) -> None:
    rows = twin.client(setpoints.stamps, "TWIN:MDIZ2T5G:bdata", "TWIN:MDIZ2T5G:count", 2.2)
    assert rows[1][0] > rows[0][0]
    assert rows[1][1] == rows[0][1]
    assert rows[1][2] >= rows[0][2] + 2


def test_several_setpoints_are_put_as_one_command_all_or_none(twin: TwinProcess) -> None:
    def see() -> list[float]:
        names = ("HS1PD2R:rdbk", "HS1PD3R:rdbk", "dt:generation")
        return list(twin.client(setpoints.values_over_pva, [f"TWIN:{name}" for name in names]))

    def call(names: list[str], values: list[float]) -> str:
        return str(twin.client(setpoints.set_together, "TWIN:dt:set", names, values))

    before, answer, after = see(), call(["HS1PD2R:set", "TWIN:HS1PD3R:set"], [0.1, 0.2]), see()
    refusal, still = call(["HS1PD2R:set", "HS1PD3R:set"], [0.5, 50.0]), see()
    call(["HS1PD2R:set", "HS1PD3R:set"], [0.0, 0.0])
    assert json.loads(answer)["sequence"] > 0
    assert after == [0.1, 0.2, before[2] + 1]
    assert "HS1PD3R:set = 50 A: outside the drive limits" in refusal
    assert still == after


def test_a_second_server_with_the_same_names_is_refused(twin: TwinProcess, tmp_path: Path) -> None:
    for _ in range(5):  # it searches for half a second, in which a busy computer may not answer
        try:
            TwinProcess(twin.environment, tmp_path).stop()
        except AssertionError as error:
            assert "another server at" in str(error)  # noqa: PT017
            return
    pytest.fail("it was not refused")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_cleanly_within_a_second(epics_ports: EpicsPorts, tmp_path: Path, number: int) -> None:
    process = TwinProcess(epics_ports.environment, tmp_path, "--machine", "mls")
    try:
        assert process.client(access.caget, "TWIN:TUNEZRP:measX") > 0
        start = time.monotonic()
        assert process.stop(number) == 0
        assert time.monotonic() - start < PATIENCE_S  # a second is promised; the machine may have other things to do
        assert "Traceback" not in process.log.read_text()
    finally:
        process.stop()
