"""Status of the server itself."""

import os
from pathlib import Path

from gnomon.ioc.base.recent_times import LAST, RecentTimes
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
    assert value["started"].startswith("2")
