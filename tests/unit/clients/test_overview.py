"""Conditions of a running twin that need attention."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gnomon.clients.epics_client import EpicsClient, PvInfo
from gnomon.clients.errors import NoAnswerError, RefusedError
from gnomon.clients.overview import Overview, last_commands, read_overview
from gnomon.clients.reading import Reading
from gnomon.clients.server_choice import Target
from gnomon.db import sources
from unit.cli.fake_overview import NOW_NS, healthy, overview, server


def test_a_twin_that_is_well_needs_no_attention() -> None:
    assert overview().attention() == []


@pytest.mark.parametrize(
    ("changes", "notice"),
    [
        ({"beam__found": "no beam", "beam__reason": "traces 2.1"}, "no beam: traces 2.1"),
        ({"beam__found": ("found", 3, "CALC"), "beam__reason": "took too long"}, "no beam: took too long"),
        ({"control__active": "paused", "beam__found": ("found", 3, "CALC")}, "the model is paused"),
        ({"status__model__hung": 2}, "2 computations hang: at 4 nothing more is computed: restart the server"),
        ({"recorder__state": "cannot write"}, "the journal is not written: commands are refused until it is"),
        (
            {"status__document__state": ("changed", 1, "STATE"), "status__document__reason": "revision 3"},
            "machine document in the store: changed: revision 3",
        ),
        ({"faults__count": 1, "faults__active": ["delay HS*"]}, "1 injected fault: delay HS*"),
    ],
)
def test_each_trouble_is_named_with_its_reason(changes: dict[str, Any], notice: str) -> None:
    assert [str(each) for each in overview(**changes).attention()] == [notice]


def test_a_shadow_that_does_not_follow_needs_attention() -> None:
    shown = overview(machine__role="shadow", machine__connected="in part", machine__reason="3 PVs missing")
    assert [str(each) for each in shown.attention()] == ["machine in part: 3 PVs missing"]
    assert overview(machine__role="shadow", machine__connected="followed").attention() == []


def test_a_heartbeat_that_has_stopped_needs_attention() -> None:
    shown = replace(overview(), time_ns=NOW_NS + 61_000_000_000)
    assert [each.what for each in shown.attention()] == ["heartbeat 61 s old"]


def test_an_invalid_value_is_not_given_out() -> None:
    shown = overview(tune__fraction__x=(0.17, 3, "CALC"))
    assert shown.value(sources.TUNE_FRACTION.x) is None
    assert shown.reading(sources.TUNE_FRACTION.x) is not None


def test_json_has_all_readings_by_source() -> None:
    told = json.loads(json.dumps(overview(faults__count=2).to_json()))
    assert told["machine"] == "mls"
    assert told["attention"] == ["2 injected faults"]
    assert told["readings"]["orbit.difference.rms.y"]["value"] == 0.25
    assert told["commands"] == []


class FakeClient(EpicsClient):
    """A client of a twin in memory."""

    def __init__(self, target: Target, error: Exception | None = None) -> None:
        self.target, self.error, self.timeout_s, self._listed = target, error, 1.0, None
        self.timeout_s, self._listed = 5.0, None

    def find_pvs(self, match: str = "*", source: str = "*", timeout_s: float | None = None) -> list[PvInfo]:
        if self.error:
            raise self.error
        return [PvInfo(f"TWIN:{name}", name, "", "", "", False, "") for name in (*healthy(), "status.host")]

    def get(self, *names: str) -> list[Reading]:
        known = healthy() | {"status.host": Reading("TWIN:status.host", "elsewhere")}
        return [known[name.removeprefix("TWIN:")] for name in names]

    def call(self, procedure: str, arguments: Any = None) -> Any:
        raise RefusedError("not for you")


def test_readings_are_shown_though_procedures_are_not_allowed() -> None:
    shown = read_overview(FakeClient(Target("TWIN:", {}, server())))
    assert shown.value(sources.ORBIT_DIFFERENCE_RMS.x) == 0.125
    assert shown.reading(sources.TUNE.x) is None
    assert shown.forks == ()
    assert shown.commands is None  # the journal is on another computer


def test_a_server_that_is_known_to_run_and_does_not_answer_is_shown_as_such() -> None:
    silent = NoAnswerError("no answer within 5 s")
    shown: Overview = read_overview(FakeClient(Target("TWIN:", {}, server()), silent))
    assert [each.what for each in shown.attention()] == ["no answer"]
    with pytest.raises(NoAnswerError):
        read_overview(FakeClient(Target("TWIN:"), silent))


def test_a_journal_that_cannot_be_read_has_no_commands(tmp_path: Path) -> None:
    assert last_commands(tmp_path / "none.journal", 5) is None
    assert list(tmp_path.iterdir()) == []
