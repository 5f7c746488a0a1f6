"""`gnomon get`, `put` and `monitor`: what they print, send and end with."""

import json
import time
from dataclasses import replace

import numpy as np
import pytest

from gnomon.clients.epics_client import EpicsClient, PvInfo
from gnomon.clients.errors import ClientError, NoAnswerError, NotFoundError, RefusedError
from gnomon.clients.server_choice import Target
from unit.cli.commands import gnomon
from unit.cli.running_client import FakeServer


def test_get_shows_value_unit_time_and_alarm(server: FakeServer) -> None:
    (line,) = gnomon("get", "tune").output.splitlines()
    name, value, unit, _, time, *alarm = line.split()
    assert (name, value, unit, alarm) == ("TWIN:tune", "1059.12346", "kHz", ["INVALID", "CALC"])
    assert time.endswith(".250")
    assert server.pvs.closed


@pytest.mark.parametrize("name", ["tune", "TWIN:tune", "pva://TWIN:tune", "tune.VAL"])
def test_a_name_is_taken_with_and_without_prefix(server: FakeServer, name: str) -> None:
    assert "TWIN:tune" in gnomon("get", name).output


def test_a_state_is_shown_by_its_name(server: FakeServer) -> None:
    assert gnomon("get", "mode", "--bare").output == "twin\n"


def test_a_waveform_is_shortened_with_what_it_holds(server: FakeServer) -> None:
    text = gnomon("get", "orbit").output
    assert "0 1 2 ... 97 98 99  (100 values, min 0, max 99, rms 57.3018) mm" in text
    assert len(gnomon("get", "orbit", "--all").output.split()) > 100


def test_a_table_is_shown_by_columns(server: FakeServer) -> None:
    lines = gnomon("get", "bpms").output.splitlines()
    assert "table of 20 rows: BPM, X" in lines[0]
    assert [line.split() for line in lines[1:]] == [
        ["BPM", "X"], ["B0", "0"], ["B1", "0.5"], ["B2", "1"], ["...", "..."], ["B17", "8.5"], ["B18", "9"],
        ["B19", "9.5"],
    ]  # fmt: skip


def test_patterns_find_the_served_names(server: FakeServer) -> None:
    names = [line.split()[0] for line in gnomon("get", "Q*:set", "TWIN:t?ne").output.splitlines()]
    assert names == ["TWIN:Q1:set", "TWIN:Q2:set", "TWIN:tune"]
    with pytest.raises(NotFoundError, match="no PV under 'TWIN:' fits 'S\\*'"):
        gnomon("get", "S*")


def test_a_wrong_name_is_answered_with_near_names(server: FakeServer) -> None:
    with pytest.raises(NotFoundError, match="there is no PV 'Q1:st' under 'TWIN:'; near names: Q1:set") as error:
        gnomon("get", "Q1:st", "tune")
    assert error.value.exit_code == 2


def test_json_has_all_digits_and_values(server: FakeServer) -> None:
    tune, orbit, mode = json.loads(gnomon("get", "tune", "orbit", "mode", "--json").output)
    assert tune["value"] == 1059.123456789
    assert tune["severity"] == "INVALID"
    assert len(orbit["value"]) == 100
    assert (mode["value"], mode["index"], mode["states"]) == ("twin", 0, ["twin", "shadow"])


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


def test_monitor_shows_updates_and_a_disconnection(server: FakeServer) -> None:
    lines = gnomon("monitor", "Q1:set", "--count", "3").output.splitlines()
    assert lines[0].split()[2:] == ["TWIN:Q1:set", "1.5", "A"]
    assert lines[1].split() == ["TWIN:Q1:set", "disconnected"]
    assert lines[2].split()[2:] == ["TWIN:Q1:set", "7", "A"]


def test_monitor_ends_after_its_time(server: FakeServer) -> None:
    assert len(gnomon("monitor", "tune", "--duration", "0.2").output.splitlines()) == 3


def test_monitor_prints_a_line_of_json_for_each_update(server: FakeServer) -> None:
    first, second = map(json.loads, gnomon("monitor", "tune", "--count", "2", "--json").output.splitlines())
    assert first["value"] == 1059.123456789
    assert second == {"name": "TWIN:tune", "connected": False}


@pytest.mark.parametrize("seconds", ["-1", "0", "nan", "inf", "1e12"])
@pytest.mark.parametrize("option", ["--timeout", "--duration"])
def test_a_time_that_cannot_be_waited_for_is_wrong_use(server: FakeServer, option: str, seconds: str) -> None:
    result = gnomon("monitor", "tune", "--count", "1", option, seconds)
    assert (result.exit_code, "is not a time to wait" in " ".join(result.output.split())) == (2, True)


def test_texts_of_a_server_are_shown_without_control_characters_and_impossible_times(server: FakeServer) -> None:
    hostile = replace(server.pvs.readings["TWIN:tune"], unit="\x1b[2Jm", time_ns=2**63 * 10**9)
    server.pvs.readings["TWIN:tune"] = hostile
    server.pvs.readings["TWIN:bpms"] = replace(hostile, name="TWIN:bpms", value={"\x1b[2J": [1.0]})
    output = gnomon("get", "tune", "bpms").output
    assert "\\x1b[2Jm" in output
    assert "\x1b[2J" not in output


def test_the_whole_wait_for_a_server_that_does_not_answer_is_the_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent:
        def get(self, names: list[str], timeout_s: float) -> list[None]:
            time.sleep(timeout_s)
            return [None] * len(names)

    def find_pvs(
        self: EpicsClient, match: str = "*", source: str = "*", timeout_s: float | None = None
    ) -> list[PvInfo]:
        time.sleep(timeout_s or self.timeout_s)
        raise NoAnswerError("nobody")

    monkeypatch.setattr("gnomon.clients.epics_client._connect", lambda target, protocol: Silent())
    monkeypatch.setattr("gnomon.clients.epics_client.FIRST_WAIT_S", 0.1)
    monkeypatch.setattr(EpicsClient, "find_pvs", find_pvs)
    begin = time.monotonic()
    with pytest.raises(NoAnswerError, match=r"no server answered within 0.6 s"):
        EpicsClient(Target("T:"), "pva", 0.6).get("x")
    assert time.monotonic() - begin < 0.95


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
