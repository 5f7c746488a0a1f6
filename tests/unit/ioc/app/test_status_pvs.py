"""Status of the server itself."""

import os
from pathlib import Path

import pytest

from gnomon.ioc.app.document_watch import CHANGED, NEWEST, UNKNOWN, DocumentState
from gnomon.ioc.app.status_pvs import Status
from gnomon.ioc.base.forward_status import BEHIND, DELIVERING, NOT_RUNNING, STOPPED, Forwarding
from gnomon.ioc.base.recent_times import LAST, RecentTimes
from gnomon.ioc.outputs.bank import Severity
from unit.ioc.rig import running


def test_percentiles_are_those_of_the_last_values_and_0_without_any() -> None:
    recent = RecentTimes()
    assert recent.percentile(50.0) == 0.0
    for seconds in [9.0] * 500 + [1.0] * (LAST - 1) + [3.0]:
        recent.add(seconds)
    assert recent.percentile(50.0) == recent.percentile(99.0) == 1.0
    assert recent.percentile(100.0) == 3.0


async def test_all_figures_are_published_together(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        rig.status.begin()
        await rig.put("T:CP:set", 1.0)
        await rig.put("T:CP:set", 2.0)
        rig.published.clear()
        rig.status.beat()
        (together,) = rig.published
        beating = {name.removeprefix("T:dt:") for name in together}
        assert beating == {
            "heartbeat", "uptime", "queue", "memory", "model:hung", "model:time:p50", "model:time:p99", "put:time:p50",
            "put:time:p99", "ca:clients", "pva:clients", "pva:channels", "journal:path", "journal:size", "journal:last",
            "forward", "forward:backlog", "forward:age", "forward:reason", "document", "document:reason",
        }  # fmt: skip
        value = {name: rig.get(f"T:dt:{name}").value for name in (*beating, "pid", "version", "host", "started")}
    assert value["heartbeat"] == 2
    assert value["queue"] == value["model:hung"] == 0
    assert 0.0 < value["model:time:p50"] <= value["model:time:p99"]
    assert value["model:time:p50"] < value["put:time:p50"] <= value["put:time:p99"]
    assert (value["ca:clients"], value["pva:clients"], value["pva:channels"]) == (2, 1, 3)
    assert value["journal:path"] == str(tmp_path / "journal")
    assert value["journal:last"] == 2
    assert value["journal:size"] * 1e6 >= (tmp_path / "journal").stat().st_size
    assert value["pid"] == os.getpid()
    assert value["memory"] > 1.0
    assert value["version"]
    assert value["host"]
    told = [value[name] for name in ("forward", "forward:backlog", "forward:age", "forward:reason")]
    assert told == [0, 0, 0.0, ""]
    assert (value["document"], value["document:reason"]) == (0, "")
    assert value["started"].startswith("2")


@pytest.mark.parametrize(("state", "severity"), [(NEWEST, 0), (CHANGED, Severity.MINOR), (UNKNOWN, Severity.MINOR)])
async def test_a_document_that_waits_and_a_store_that_is_away_are_alarms(
    tmp_path: Path, state: int, severity: int
) -> None:
    async with running(tmp_path) as rig:
        status = Status(rig.status._outputs, {}, document=lambda: DocumentState(state, "why"))
        status.beat()
        shown = rig.get("T:dt:document")
        assert (shown.value, shown.severity) == (state, severity)
        assert rig.get("T:dt:document:reason").value == "why"


@pytest.mark.parametrize(
    ("state", "severity"),
    [(DELIVERING, 0), (BEHIND, Severity.MINOR), (STOPPED, Severity.MAJOR), (NOT_RUNNING, Severity.MAJOR)],
)
async def test_forwarding_that_is_behind_or_ended_is_an_alarm(tmp_path: Path, state: int, severity: int) -> None:
    async with running(tmp_path) as rig:
        status = Status(rig.status._outputs, {}, lambda: Forwarding(state, 7, 90.0, "mqtt: away"))
        status.beat()
        shown = rig.get("T:dt:forward")
        assert (shown.value, shown.severity) == (state, severity)
        assert rig.get("T:dt:forward:backlog").value == 7
        assert rig.get("T:dt:forward:reason").value == "mqtt: away"
