"""`gnomon put`: what is sent, what is refused before anything is sent, and what is shown of it."""

import json
from dataclasses import replace

import numpy as np
import pytest

from gnomon.clients.errors import ClientError, RefusedError
from gnomon.clients.reading import Reading
from unit.cli.commands import gnomon
from unit.cli.running_client import FakeServer


def test_put_waits_and_shows_old_and_new(server: FakeServer) -> None:
    assert gnomon("put", "Q1:set=1.25").output == "TWIN:Q1:set  1.5  ->  1.25 A\n"
    assert gnomon("put", "Q1:set", "1").output == "TWIN:Q1:set  1.25  ->  1 A\n"
    assert gnomon("put", "Q1:set=2", "--no-wait").output == "TWIN:Q1:set  1  ->  2 A\n"
    assert server.pvs.puts == [("TWIN:Q1:set", 1.25, True), ("TWIN:Q1:set", 1.0, True), ("TWIN:Q1:set", 2.0, False)]


def test_old_and_new_are_told_apart_by_as_many_digits_as_it_takes(server: FakeServer) -> None:
    assert gnomon("put", "Q1:set=1.5000000000001").output == "TWIN:Q1:set  1.5  ->  1.5000000000001 A\n"


def test_a_state_is_put_by_name_or_number(server: FakeServer) -> None:
    assert gnomon("put", "mode=shadow").output == "TWIN:mode  twin  ->  shadow\n"
    assert gnomon("put", "mode=0").output == "TWIN:mode  shadow  ->  twin\n"
    with pytest.raises(ClientError, match="'off' is not one of its states: 0 'twin', 1 'shadow'"):
        gnomon("put", "mode=off")


def test_a_refusal_has_the_servers_words(server: FakeServer) -> None:
    with pytest.raises(RefusedError, match=r"^TWIN:Q1:set = 99 A: outside the drive limits 0 to 10 A; nothing was"):
        gnomon("put", "Q1:set=99")


def test_several_settings_are_one_command(server: FakeServer) -> None:
    server.answer = {"sequence": 7, "lattice_id": "abc"}
    text = gnomon("put", "Q1:set=1", "TWIN:Q2:set=2.5", "--note", "shift").output
    assert server.calls == [
        ("dt:set", {"names": ["TWIN:Q1:set", "TWIN:Q2:set"], "values": ["1", "2.5"], "note": "shift"})
    ]
    assert server.pvs.puts == []
    assert "one command, number 7 in the journal; lattice abc" in text


@pytest.mark.parametrize(
    "arguments",
    [["Q1:set"], ["Q1:set="], ["=1"], ["Q1:set=1", "Q1:set=2"], ["Q*:set=1"], ["Q1:set=1", "Q2:set=2", "--no-wait"],
     ["Q1:set=1", "Q2:set=2", "--protocol", "ca"], ["Q1:set=1", "--protocol", "usb"]],
)  # fmt: skip
def test_wrong_use_sends_nothing(server: FakeServer, arguments: list[str]) -> None:
    assert gnomon("put", *arguments).exit_code == 2
    assert server.pvs.puts == []
    assert server.calls == []


def test_a_text_that_is_not_a_number_is_not_sent(server: FakeServer) -> None:
    with pytest.raises(ClientError, match="'1_0' is not a number"):
        gnomon("put", "Q1:set=1_0")
    assert server.pvs.puts == []


def test_put_prints_json(server: FakeServer) -> None:
    (setting,) = json.loads(gnomon("put", "Q1:set=3", "--json").output)["settings"]
    assert (setting["name"], setting["old"], setting["new"], setting["unit"]) == ("TWIN:Q1:set", 1.5, 3.0, "A")


def test_a_waveform_is_written_by_its_values(server: FakeServer) -> None:
    assert gnomon("put", "orbit=1, 2.5 3e-3").exit_code == 0
    assert server.pvs.puts == [("TWIN:orbit", [1.0, 2.5, 0.003], True)]
    with pytest.raises(ClientError, match="TWIN:orbit: 'x' is not a number"):
        gnomon("put", "orbit=1,x")


def test_a_waveform_of_an_array_that_stays_the_same_is_shown(server: FakeServer) -> None:
    server.pvs.readings["TWIN:orbit"] = replace(server.pvs.readings["TWIN:orbit"], value=np.zeros(3))
    server.pvs.put = lambda *_, **__: None  # type: ignore[method-assign]
    assert "(3 values, min 0, max 0, rms 0)" in gnomon("put", "orbit=0,0,0").output


def test_a_table_is_not_written(server: FakeServer) -> None:
    with pytest.raises(ClientError, match="TWIN:bpms is a table"):
        gnomon("put", "bpms=1")


def test_a_readback_that_is_not_at_the_setpoint_is_told(server: FakeServer) -> None:
    server.pvs.loses = True
    assert gnomon("put", "Q1:set=3").output == (
        "TWIN:Q1:set  1.5  ->  3 A\nTWIN:Q1:rdbk is 1.5 A, not at the setpoint\n"
    )
    (setting,) = json.loads(gnomon("put", "Q1:set=4", "--json").output)["settings"]
    assert (setting["new"], setting["readback"]) == (4.0, 1.5)
    assert gnomon("put", "Q1:set=5", "--no-wait").output == "TWIN:Q1:set  4  ->  5 A\n"
    server.pvs.readings["TWIN:Q1:rdbk"] = replace(server.pvs.readings["TWIN:Q1:rdbk"], value=6.0, severity=3)
    assert "TWIN:Q1:rdbk is 6 A" in gnomon("put", "Q1:set=6").output


def test_a_step_changes_the_present_value(server: FakeServer) -> None:
    assert gnomon("put", "Q1:set+=0.25").output == "TWIN:Q1:set  1.5  ->  1.75 A\n"
    assert gnomon("put", "Q1:set-=0.5").output == "TWIN:Q1:set  1.75  ->  1.25 A\n"
    server.answer = {"sequence": 3, "lattice_id": "abc"}
    gnomon("put", "Q1:set+=1", "Q2:set=3")
    assert server.calls[-1] == ("dt:set", {"names": ["TWIN:Q1:set", "TWIN:Q2:set"], "values": ["2.25", "3"]})


@pytest.mark.parametrize("setting", ["mode+=1", "orbit+=1", "Q1:set+=x"])
def test_a_step_of_what_is_not_a_number_sends_nothing(server: FakeServer, setting: str) -> None:
    with pytest.raises(ClientError, match="number"):
        gnomon("put", setting)
    assert server.pvs.puts == []


def test_a_put_that_loses_the_beam_says_so(server: FakeServer) -> None:
    server.pvs.readings["TWIN:dt:reason"] = Reading("TWIN:dt:reason", "no stable beam: trace 908")
    result = gnomon("put", "Q1:set=1")
    assert (result.exit_code, result.output.splitlines()[1]) == (0, "attention: no stable beam: trace 908")
    assert json.loads(gnomon("put", "Q1:set=2", "--json").output)["attention"] == "no stable beam: trace 908"
