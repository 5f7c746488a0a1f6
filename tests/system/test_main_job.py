"""The main job: a setpoint's whole way on BESSY II, with other people's clients."""

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import at
import numpy as np
import pytest
from conftest import EpicsPorts, free_port

from gnomon.db import shipped_machine
from gnomon.ioc.app.machines import find_machine, pvs_of
from gnomon.ioc.base.config import Config
from system.twin_process import TwinProcess
from unit.propagator.pyat_oracle import TIGHT, pyat_lattice

PYEPICS = "import epics\nget = lambda n, **k: epics.caget(n, timeout=5, use_monitor=False, **k)\n"
PVA = "from p4p.client.thread import Context\nctx = Context('pva')\n"


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwinProcess]:
    ports = EpicsPorts(free_port(), free_port(), free_port())
    with TwinProcess(ports.environment, tmp_path_factory.mktemp("twin"), "--prefix", "TWIN:") as process:
        yield process


def test_it_says_what_it_serves_and_last_that_it_is_ready(twin: TwinProcess) -> None:
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
    result = twin.code(PYEPICS + "pv = epics.PV('TWIN:TUNEZR:rdH'); v = pv.get(timeout=5); result = [v, pv.units]")
    assert result == [pytest.approx(0.8480055 * 1249.0916, abs=0.005), "kHz"]


def test_both_protocols_show_the_same(twin: TwinProcess) -> None:
    names = ["TUNEZR:rdH", "BPMZ5D1R:rdX", "Q1PDR:set", "Q1M1D1R:Cm:rdbk", "HS4P1D1R:set", "MCLKHX251C:freq"]
    ca = twin.code(
        PYEPICS + "result = []\n"
        "for n in names:\n"
        "    pv = epics.PV('TWIN:' + n, form='ctrl'); v = pv.get(timeout=5); c = pv.get_ctrlvars(timeout=5)\n"
        "    t = pv.get_timevars(timeout=5)\n"
        "    result.append([v, pv.severity, c['units'], c['precision'], c['lower_ctrl_limit'], c['upper_ctrl_limit'],\n"
        "        t['posixseconds'], t['nanoseconds']])\n",
        names=names,
    )
    pva = twin.code(
        PVA + "result = []\n"
        "for n in names:\n"
        "    v = ctx.get('TWIN:' + n, timeout=5).raw\n"
        "    c = v.control if 'control' in v else None\n"
        "    result.append([v.value, v.alarm.severity, v.display.units, v.display.precision,\n"
        "        c.limitLow if c else 0.0, c.limitHigh if c else 0.0,\n"
        "        v.timeStamp.secondsPastEpoch, v.timeStamp.nanoseconds])\n",
        names=names,
    )
    repeated = {"TUNEZR:rdH"}  # published again each second, so the two reads may see different stamps
    for name, a, b in zip(names, ca, pva, strict=True):
        n = 6 if name in repeated else 8
        assert a[:n] == b[:n], name


def test_a_put_with_wait_then_a_read_gives_the_new_orbit_every_time(twin: TwinProcess) -> None:
    """A thousand puts, each read back over both protocols at once; the orbit is pyAT's within 1 nm."""
    currents = (0.4 * np.random.default_rng(7).uniform(-1, 1, 1000)).tolist()
    rows = twin.code(
        PYEPICS
        + PVA
        + "import numpy as np\n"
        + "put = epics.PV('TWIN:HS4P1D1R:set'); x = epics.PV('TWIN:BPMZ6D1R:rdX', auto_monitor=False)\n"
        "b = epics.PV('TWIN:MDIZ2T5G:bdata', auto_monitor=False); put.wait_for_connection(5); x.get(timeout=5)\n"
        "result = []\n"
        "for i in currents:\n"
        "    status = put.put(i, wait=True, timeout=10)\n"
        "    rd = x.get(timeout=5, use_monitor=False)\n"
        "    packed = b.get(timeout=5, use_monitor=False, count=2048)\n"
        "    t = ctx.get('TWIN:ORBITCC:rdBpm', timeout=5).value\n"
        "    result.append([status, rd, float(packed[1]), float(t.X[1])])\n",
        currents=currents,
    )
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
    assert np.unique(x_m).size == 1000


def test_puts_without_wait_end_with_the_last_value(twin: TwinProcess) -> None:
    last = twin.code(
        PYEPICS + "import time\n"
        "put = epics.PV('TWIN:HS4P2D1R:set'); put.wait_for_connection(5)\n"
        "for i in range(300): put.put(i / 1000)\n"
        "put.put(0.5, wait=True, timeout=10)\n"
        "result = [get('TWIN:HS4P2D1R:set'), get('TWIN:HS4P2D1R:rdbk'), get('TWIN:HS4M2D1R:im:I')]\n"
    )
    assert last == [0.5, 0.5, 0.5]
    rows = twin.gnomon("log", "export", "--journal", str(twin.journal), "--pv", "TWIN:HS4P2D1R:set", "-").stdout
    values = [json.loads(line)["changes"][0]["new"] for line in rows.splitlines()]
    assert values == [i / 1000 for i in range(300)] + [0.5]


def test_puts_over_pva_complete_after_the_outputs(twin: TwinProcess) -> None:
    rows = twin.code(
        PVA + PYEPICS + "result = []\n"
        "for i in (0.1, 0.2, 0.3):\n"
        "    before = ctx.get('TWIN:BPMZ5D1R:rdY', timeout=5).raw\n"
        "    ctx.put('TWIN:VS3P2T5R:set', i, timeout=5)\n"
        "    after = ctx.get('TWIN:BPMZ5D1R:rdY', timeout=5).raw\n"
        "    result.append([before.value, after.value, after.timeStamp.userTag - before.timeStamp.userTag,\n"
        "        get('TWIN:BPMZ5D1R:rdY')])\n"
        "ctx.put('TWIN:VS3P2T5R:set', 0.0, timeout=5)\n"
    )
    for before, after, generations, over_ca in rows:
        assert after != before
        assert generations == 1
        assert over_ca == after


@pytest.mark.parametrize("value", ["float('nan')", "float('inf')", "11.0", "'abc'", "[1.0, 2.0]"])
def test_what_cannot_be_is_refused_over_both_protocols_and_moves_nothing(twin: TwinProcess, value: str) -> None:
    result = twin.code(
        PYEPICS + PVA + f"value = {value}\n"
        "pv = epics.PV('TWIN:HS1PD1R:set'); pv.wait_for_connection(5)\n"
        "try: over_ca = pv.put(value, wait=True, timeout=5)\n"
        "except Exception as error: over_ca = str(error)\n"
        "done = pv.put_complete\n"
        "try: ctx.put('TWIN:HS1PD1R:set', value, timeout=5); over_pva = 'accepted'\n"
        "except Exception as error: over_pva = str(error)\n"
        "result = [get('TWIN:HS1PD1R:set'), get('TWIN:HS1PD1R:rdbk'), over_pva]\n"
    )
    assert result[:2] == [0.0, 0.0]
    assert result[2] != "accepted"
    assert "Traceback" not in twin.log.read_text()


def test_a_refused_channel_access_put_fails_at_the_client(twin: TwinProcess) -> None:
    code = twin.code(
        "import epics.ca as ca, threading, ctypes\n"
        "ca.initialize_libca(); ch = ca.create_channel('TWIN:HS1PD1R:set', connect=True)\n"
        "got = []\n"
        "done = threading.Event()\n"
        "from epics import dbr\n"
        "def answered(args): got.append(args.status); done.set()\n"
        "callback = dbr.make_callback(answered, dbr.event_handler_args)\n"
        "data = (ctypes.c_double * 1)(99.0)\n"
        "ca.libca.ca_array_put_callback(dbr.DOUBLE, 1, ch, data, callback, ctypes.py_object(0))\n"
        "ca.flush_io(); done.wait(5)\n"
        "result = got\n"
    )
    assert len(code) == 1
    assert code[0] != 1  # ECA_NORMAL


def test_no_beam_shows_as_invalid_and_a_good_setting_brings_everything_back(twin: TwinProcess) -> None:
    rows = twin.code(
        PYEPICS + PVA + "result = []\n"
        "set = epics.PV('TWIN:Q1PDR:set'); set.wait_for_connection(5); nominal = set.get()\n"
        "def look():\n"
        "    v = ctx.get('TWIN:TUNEZR:rdH', timeout=5).raw\n"
        "    p = epics.PV('TWIN:TUNEZR:rdH', form='time', auto_monitor=False); p.get(timeout=5)\n"
        "    return [v.value, v.alarm.severity, v.timeStamp.secondsPastEpoch, p.severity,\n"
        "        ctx.get('TWIN:beam:orbit:found', timeout=5).raw.value.index,\n"
        "        str(ctx.get('TWIN:dt:reason').raw.value), get('TWIN:Q1PDR:rdbk')]\n"
        "result.append(look()); set.put(0.0, wait=True, timeout=10); result.append(look())\n"
        "import time; time.sleep(1.5); result.append(look())\n"
        "set.put(nominal, wait=True, timeout=10); result.append(look()); result.append(nominal)\n"
    )
    good, lost, later, back, nominal = rows
    assert (good[1], good[3], good[4]) == (0, 0, 1)
    assert (lost[1], lost[3], lost[4], lost[6]) == (3, 3, 0, 0.0)
    assert lost[0] == good[0]
    assert "trace" in lost[5]
    assert later[:4] == lost[:4]
    assert back[0] == pytest.approx(good[0], rel=1e-9)
    assert (back[1], back[3], back[4], back[5], back[6]) == (0, 0, 1, "", nominal)


def test_readings_are_repeated_with_a_fresh_time_stamp_and_the_same_generation(twin: TwinProcess) -> None:
    rows = twin.code(
        PVA + "import time\nresult = []\n"
        "for _ in range(2):\n"
        "    v = ctx.get('TWIN:MDIZ2T5G:bdata', timeout=5).raw\n"
        "    c = ctx.get('TWIN:MDIZ2T5G:count', timeout=5).raw.value\n"
        "    result.append([v.timeStamp.secondsPastEpoch * 10**9 + v.timeStamp.nanoseconds, v.timeStamp.userTag, c])\n"
        "    time.sleep(2.2)\n"
    )
    assert rows[1][0] > rows[0][0]
    assert rows[1][1] == rows[0][1]
    assert rows[1][2] >= rows[0][2] + 2


def test_several_setpoints_are_put_as_one_command_all_or_none(twin: TwinProcess) -> None:
    rows = twin.code(
        PVA + "from p4p.nt import NTURI\n"
        "uri = NTURI([('names', 'as'), ('values', 'ad')])\n"
        "def call(names, values):\n"
        "    call = uri.wrap('TWIN:dt:set', kws={'names': names, 'values': values})\n"
        "    try: return ctx.rpc('TWIN:dt:set', call).raw.value\n"
        "    except Exception as error: return 'refused: ' + str(error)\n"
        "see = lambda: [float(ctx.get(n)) for n in ('TWIN:HS1PD2R:rdbk', 'TWIN:HS1PD3R:rdbk', 'TWIN:dt:generation')]\n"
        "result = [see(), call(['HS1PD2R:set', 'TWIN:HS1PD3R:set'], [0.1, 0.2]), see(),\n"
        "    call(['HS1PD2R:set', 'HS1PD3R:set'], [0.5, 50.0]), see()]\n"
        "call(['HS1PD2R:set', 'HS1PD3R:set'], [0.0, 0.0])\n"
    )
    before, answer, after, refusal, still = rows
    assert json.loads(answer)["sequence"] > 0
    assert after == [0.1, 0.2, before[2] + 1]
    assert "HS1PD3R:set = 50 A: outside the drive limits" in refusal
    assert still == after


def test_a_second_server_with_the_same_names_is_refused(twin: TwinProcess, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="another server at"):
        TwinProcess(twin.environment | {"EPICS_CA_SERVER_PORT": twin.environment["EPICS_CA_SERVER_PORT"]}, tmp_path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly_within_a_second(epics_ports: EpicsPorts, tmp_path: Path, number: int) -> None:
    process = TwinProcess(epics_ports.environment, tmp_path, "--machine", "mls")
    try:
        assert process.code(PYEPICS + "result = get('TWIN:TUNEZRP:measX')") > 0
        start = time.monotonic()
        assert process.stop(number) == 0
        assert time.monotonic() - start < 1.0
        assert "Traceback" not in process.log.read_text()
    finally:
        process.stop()
