"""Status and controls of gnomon itself, over both protocols."""

import json
import re
from collections.abc import Iterator

import pytest
from conftest import EpicsPorts, free_port

from programs import status
from system.twin_process import TwinProcess


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwinProcess]:
    ports = EpicsPorts(ca=free_port(), pva_tcp=free_port(), pva_udp=free_port())
    with TwinProcess(ports.environment, tmp_path_factory.mktemp("twin"), "--machine", "mls") as server:
        yield server


def test_figures_about_the_server_are_readable_and_beat_once_a_second(twin: TwinProcess) -> None:
    result = twin.client(status.figures)
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


def test_the_command_line_finds_the_server_and_shows_it(twin: TwinProcess) -> None:
    shown = twin.gnomon("status")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith("TWIN:  mls, twin, gnomon ")
    assert f"process {twin.process.pid} on " in shown.stdout
    assert shown.stdout.splitlines()[-1] == "all is well"
    (told,) = json.loads(twin.gnomon("status", "--json", "--protocol", "ca").stdout)["servers"]
    assert told["readings"]["beam.found"]["value"] == "found"
    assert told["readings"]["status.journal.path"]["value"] == str(twin.journal)
    assert isinstance(told["commands"], list)


@pytest.mark.parametrize("over", ["ca", "pva"])
def test_the_model_is_paused_and_resumed_over_both_protocols(twin: TwinProcess, over: str) -> None:
    result = twin.client(status.pause_and_resume, over)
    assert result == [[3, 3], "the model is paused (dt:active)", 0.02, [3, 3], 0, [0, 0], "", 0]
    assert re.search(r"\S+@\S+: set TWIN:dt:active to paused", twin.log.read_text())


def test_a_control_refuses_what_it_cannot_be_over_both_protocols(twin: TwinProcess) -> None:
    result = twin.client(status.refused_state)
    assert "7 is not one of its states: 0 'paused', 1 'computing'" in result[0]
    assert result[1:] == [1, 1]
    assert "Traceback" not in twin.log.read_text()


def test_a_reference_orbit_is_saved_chosen_and_compared_with_over_both_protocols(twin: TwinProcess) -> None:
    result = twin.client(status.reference_orbit)
    before, same, after, differences, names, known, refusal, last = result
    assert before > 1e-4
    assert same == 0.0
    assert after == pytest.approx(before, rel=0.01)
    assert (sum(d * d for d in differences) / len(differences)) ** 0.5 == pytest.approx(after, rel=1e-6)
    assert names == ["zero", "golden"]
    assert known
    assert "there is no reference orbit 'silver'; there are zero, golden" in refusal
    assert last < 1e-9
