"""`gnomon get`: what it finds, and how it shows values, units, times and alarms."""

import json
import time
from dataclasses import replace
from typing import Any

import pytest

from gnomon.cli.get import reading_lines
from gnomon.clients.epics_client import EpicsClient, PvInfo
from gnomon.clients.errors import NoAnswerError, NotFoundError
from gnomon.clients.reading import Reading
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


def test_texts_of_a_server_are_shown_without_control_characters_and_impossible_times(server: FakeServer) -> None:
    hostile = replace(server.pvs.readings["TWIN:tune"], unit="\x1b[2Jm", time_ns=2**63 * 10**9)
    server.pvs.readings["TWIN:tune"] = hostile
    server.pvs.readings["TWIN:bpms"] = replace(hostile, name="TWIN:bpms", value={"\x1b[2J": [1.0]})
    output = gnomon("get", "tune", "bpms").output
    assert "\\x1b[2Jm" in output
    assert "\x1b[2J" not in output


def test_the_whole_wait_for_a_server_that_does_not_answer_is_the_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    class Silent:
        def get(self, names: list[str], timeout_s: float) -> list[None]:
            waited.append(timeout_s)
            time.sleep(timeout_s)
            return [None] * len(names)

    def find_pvs(
        self: EpicsClient, match: str = "*", source: str = "*", timeout_s: float | None = None
    ) -> list[PvInfo]:
        waited.append(timeout_s or self.timeout_s)
        time.sleep(waited[-1])
        raise NoAnswerError("nobody")

    monkeypatch.setattr("gnomon.clients.epics_client._connect", lambda target, protocol: Silent())
    monkeypatch.setattr("gnomon.clients.epics_client.FIRST_WAIT_S", 0.1)
    monkeypatch.setattr(EpicsClient, "find_pvs", find_pvs)
    with pytest.raises(NoAnswerError, match=r"no server answered within 0.6 s"):
        EpicsClient(Target("T:"), "pva", 0.6).get("x")
    assert sum(waited) < 0.65


def test_bare_values_have_all_digits_and_tables_all_rows_that_are_wanted(server: FakeServer) -> None:
    assert gnomon("get", "tune", "--bare").output == "1059.123456789\n"
    assert gnomon("get", "bpms", "--bare").output.splitlines()[:2] == ["BPM    X", "B0     0"]
    assert len(gnomon("get", "bpms", "--bare", "--all").output.splitlines()) == 21
    assert gnomon("get", "orbit", "--bare", "--all").output.split() == [str(n) for n in range(100)]


def lines(*readings: Reading, **options: Any) -> list[str]:
    return list(reading_lines(readings, **options))


LONG = Reading("TWIN:LONG", [1.5] * 50, "mm")
SHORT = Reading("TWIN:Q", 1.5, "A", time_ns=1_700_000_000_250_000_000)


def test_times_stand_below_each_other_and_a_waveform_does_not_move_them() -> None:
    other = Reading("TWIN:QUAD", 123.25, "A", time_ns=SHORT.time_ns)
    first, _, third = lines(SHORT, LONG, other)
    assert (first.index(SHORT.time), third.index(SHORT.time)) == (21, 21)
    assert first.startswith("TWIN:Q     1.5 A     ")


def test_time_comes_first_where_lines_follow_each_other() -> None:
    assert lines(SHORT, name_width=8, time_first=True) == [f"{SHORT.time}  TWIN:Q    1.5 A"]


def test_an_alarm_stands_at_the_end_and_its_colour_tells_its_severity() -> None:
    minor, major = (Reading("X", 1.0, severity=severity, alarm="HIGH") for severity in (1, 2))
    assert "\x1b[33mMINOR HIGH" in lines(minor)[0]
    assert "\x1b[31mMAJOR HIGH" in lines(major)[0]
