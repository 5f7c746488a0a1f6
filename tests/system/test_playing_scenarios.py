"""`gnomon fault run` as a user calls it: a server of its own, a report, and the way back after SIGTERM."""

import os
import signal
import subprocess
import time
from pathlib import Path
from xml.etree import ElementTree

import psutil
import pytest
from patience import PATIENCE_S

from gnomon.testing.scenarios import OwnServer
from programs.running import python_path
from system.twin_process import GNOMON

pytestmark = [pytest.mark.slow, pytest.mark.network]

SCENARIO = """\
title: made up
happened: a fault is there, and a setting, when somebody ends the scenario
good: it is not there any more after that
application: any
steps:
  - name: abandoned
    fault: {kind: abandon, device: "Q1P*"}
  - put: {"HS1P2K1RP:setCur": 0.1}
  - start: application
  - until: {condition: "HS1P2K1RP:rdCur > 0.05", within_s: 60}
  - wait_s: 60
"""
READY = "done        start the application"


def test_a_scenario_that_is_ended_by_sigterm_leaves_nothing_behind(tmp_path: Path) -> None:
    scenario, junit, printed = tmp_path / "made.yaml", tmp_path / "report.xml", tmp_path / "printed"
    scenario.write_text(SCENARIO.replace("steps:", "ring: {machine: mls}\nsteps:"), encoding="utf-8")
    with OwnServer("mls") as target, printed.open("wb") as output:
        assert target.server is not None
        environment = os.environ | dict(target.environment) | {"PYTHONPATH": python_path()}
        state = Path(target.server.journal).parent
        environment |= {"XDG_STATE_HOME": str(state), "XDG_RUNTIME_DIR": str(state)}
        run = [*GNOMON, "fault", "run", str(scenario), "--server", str(target.server.pid), "--junit", str(junit)]
        player = subprocess.Popen([*run, "--", "sleep", "61"], env=environment, stdout=output, stderr=output)
        end = time.monotonic() + 60.0
        while READY not in printed.read_text() and player.poll() is None and time.monotonic() < end:
            time.sleep(0.05)
        sleeping = [p for p in psutil.Process(player.pid).children() if p.cmdline()[:1] == ["sleep"]]
        player.send_signal(signal.SIGTERM)
        assert player.wait(PATIENCE_S) == 128 + signal.SIGTERM, printed.read_text()
        said = printed.read_text()
        assert len(sleeping) == 1
        assert not sleeping[0].is_running()
        listed = subprocess.run(
            [*GNOMON, "fault", "list", "--server", str(target.server.pid)],
            env=environment, capture_output=True, text=True, check=True, timeout=60,
        )  # fmt: skip
        assert listed.stdout == "no fault active\n"
        setpoint = subprocess.run(
            [*GNOMON, "get", "HS1P2K1RP:setCur", "--server", str(target.server.pid)],
            env=environment, capture_output=True, text=True, check=True, timeout=60,
        )  # fmt: skip
    assert "the ring is as it was found\nmade: failed, interrupted" in said
    assert setpoint.stdout.startswith("SCENARIO:HS1P2K1RP:setCur  0 A")
    root = ElementTree.parse(junit).getroot()
    assert [case.get("name") for case in root.iter("testcase")][-1] == "played to its end"


def test_a_server_is_started_for_a_scenario_and_ends_with_it(tmp_path: Path) -> None:
    scenario = tmp_path / "made.yaml"
    steps = '  - start: application\n  - finish: {within_s: 60}\n  - expect_application: {printed: "SCENARIO:"}\n'
    text = SCENARIO.partition("steps:")[0] + "ring: {machine: mls}\nsteps:\n" + steps
    scenario.write_text(text, encoding="utf-8")
    done = subprocess.run(
        [*GNOMON, "fault", "run", str(scenario), "--start", "--", "sh", "-c", "echo $GNOMON_PREFIX"],
        env=os.environ | {"PYTHONPATH": python_path()}, capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "made: passed; 2 of 2 expectations held" in done.stdout
