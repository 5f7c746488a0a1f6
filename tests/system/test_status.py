"""What gnomon tells about itself and lets clients do with it, over both protocols."""

import re
from collections.abc import Iterator

import pytest
from conftest import EpicsPorts, free_port

from system.twin_process import TwinProcess

CLIENTS = """
import time, epics
from p4p.client.thread import Context
ctx = Context('pva', nt=False)
def get(name): return epics.caget('TWIN:' + name, timeout=5, use_monitor=False)
def pva(name): return ctx.get('TWIN:' + name, timeout=5)
def severity(name):
    pv = epics.PV('TWIN:' + name, form='time', auto_monitor=False); pv.get(timeout=5)
    return [pv.severity, pva(name).alarm.severity]
"""


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwinProcess]:
    ports = EpicsPorts(ca=free_port(), pva_tcp=free_port(), pva_udp=free_port())
    with TwinProcess(ports.environment, tmp_path_factory.mktemp("twin"), "--machine", "mls") as server:
        yield server


def test_figures_about_the_server_are_readable_and_beat_once_a_second(twin: TwinProcess) -> None:
    result = twin.code(
        CLIENTS + "epics.caput('TWIN:HS1P2K1RP:setCur', 0.01, wait=True)\n"
        "first = get('dt:heartbeat'); pva('dt:pid'); time.sleep(2.2)\n"
        "names = ('heartbeat', 'uptime', 'pid', 'memory', 'queue', 'put:time:p50', 'put:time:p99',\n"
        "    'model:time:p50', 'model:time:p99', 'model:hung', 'ca:clients', 'pva:clients', 'pva:channels',\n"
        "    'journal:last')\n"
        "result = {n: get('dt:' + n) for n in names} | {'first': first, 'over pva': pva('dt:pid').value,\n"
        "    'path': pva('dt:journal:path').value, 'long': epics.caget('TWIN:dt:journal:path.VAL$', as_string=True)}\n"
    )
    assert 1 <= result["heartbeat"] - result["first"] <= 4
    assert result["pid"] == result["over pva"] == twin.process.pid
    assert 10.0 < result["memory"] < 2000.0
    assert result["ca:clients"] == 1
    assert result["pva:clients"] == 1
    assert 0.0 < result["model:time:p50"] <= result["model:time:p99"]
    assert result["model:time:p50"] < result["put:time:p50"] <= result["put:time:p99"]
    assert result["journal:last"] >= 1
    assert result["path"] == str(twin.journal)
    assert result["long"] == str(twin.journal)


@pytest.mark.parametrize("over", ["ca", "pva"])
def test_the_model_is_paused_and_resumed_over_both_protocols(twin: TwinProcess, over: str) -> None:
    put = {
        "ca": "def put(name, value): assert epics.caput('TWIN:' + name, value, wait=True, timeout=5) == 1\n",
        "pva": "plain = Context('pva')\ndef put(name, value): plain.put('TWIN:' + name, value, timeout=5)\n",
    }[over]
    result = twin.code(
        CLIENTS + put + "tune = 'TUNEZRP:measX'\n"
        "put('dt:active', 'paused')\n"
        "result = [severity(tune), pva('dt:reason').value]\n"
        "put('HS1P2K1RP:setCur', 0.02)\n"
        "result += [get('HS1P2K1RP:setCur'), severity(tune), get('dt:active')]\n"
        "put('dt:active', 1)\n"
        "result += [severity(tune), get('dt:reason'), get('dt:calc:orbit:roe')]\n"
    )
    assert result == [[3, 3], "the model is paused (dt:active)", 0.02, [3, 3], 0, [0, 0], "", 0]
    assert re.search(r"\S+@\S+: set TWIN:dt:active to paused", twin.log.read_text())


def test_a_control_refuses_what_it_cannot_be_over_both_protocols(twin: TwinProcess) -> None:
    result = twin.code(
        CLIENTS + "plain = Context('pva')\n"
        "try: plain.put('TWIN:dt:active', 7, timeout=5); over_pva = 'accepted'\n"
        "except Exception as error: over_pva = str(error)\n"
        "epics.caput('TWIN:dt:active', 7, wait=True, timeout=5)\n"
        "result = [over_pva, get('dt:active'), pva('dt:active').value.index]\n"
    )
    assert "7 is not one of its states: 0 'paused', 1 'computing'" in result[0]
    assert result[1:] == [1, 1]
    assert "Traceback" not in twin.log.read_text()


def test_a_reference_orbit_is_saved_chosen_and_compared_with_over_both_protocols(twin: TwinProcess) -> None:
    result = twin.code(
        CLIENTS + "plain = Context('pva')\n"
        "def put(name, value): epics.caput('TWIN:' + name, value, wait=True, timeout=5)\n"
        "put('HS1P2K1RP:setCur', 0.0); put('HS1P2K1RP:setCur', 0.5)\n"
        "before = get('dt:orbit:diff:rms:x')\n"
        "put('dt:orbit:ref:save', 'golden'); plain.put('TWIN:dt:orbit:ref:use', 'golden', timeout=5)\n"
        "same = get('dt:orbit:diff:max:x'); put('HS1P2K1RP:setCur', 0.0)\n"
        "result = [before, same, get('dt:orbit:diff:rms:x'), pva('dt:orbit:diff:x').value.tolist(),\n"
        "    list(get('dt:orbit:ref:names')), get('dt:orbit:diff:where:x') in list(get('dt:orbit:names'))]\n"
        "try: plain.put('TWIN:dt:orbit:ref:use', 'silver', timeout=5); refusal = 'accepted'\n"
        "except Exception as error: refusal = str(error)\n"
        "put('dt:orbit:ref:use', 'zero')\n"
        "result += [refusal, get('dt:orbit:diff:max:x')]\n"
    )
    before, same, after, differences, names, known, refusal, last = result
    assert before > 1e-4
    assert same == 0.0
    assert after == pytest.approx(before, rel=0.01)
    assert (sum(d * d for d in differences) / len(differences)) ** 0.5 == pytest.approx(after, rel=1e-6)
    assert names == ["zero", "golden"]
    assert known
    assert "there is no reference orbit 'silver'; there are zero, golden" in refusal
    assert last < 1e-9
