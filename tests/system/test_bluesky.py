"""Bluesky's own plans with gnomon's devices, over both protocols, on a twin and on a machine whose supplies ramp."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import EpicsPorts, free_port
from patience import PATIENCE_S

from programs import bluesky_client, gym_client
from system.twin_process import TwinProcess

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwinProcess]:
    ports = EpicsPorts(free_port(), free_port(), free_port())
    with TwinProcess(ports.environment, tmp_path_factory.mktemp("twin")) as process:
        yield process


def without_addresses(process: TwinProcess) -> None:
    """Let clients find the server as on a computer where nobody has set EPICS variables."""
    for name in [name for name in process.environment if name.startswith("EPICS_") and "REPEATER" not in name]:
        del process.environment[name]


@pytest.mark.parametrize("protocol", ["ca", "pva"])
def test_plans_of_bluesky_run_unchanged_on_a_twin(twin: TwinProcess, protocol: str) -> None:
    without_addresses(twin)
    told: dict[str, Any] = twin.client(bluesky_client.twin, protocol)
    assert told["count"] == 2
    assert told["keys"]["primary"] == [
        "current", "current-lifetime", "monitors-generation", "monitors-x", "monitors-x_rms", "monitors-y",
        "monitors-y_rms", "tunes-generation", "tunes-x", "tunes-y",
    ]  # fmt: skip
    # Each reading is that of its setting, none is one setting late.
    settings, x, generations = np.array(told["scan"]).T
    np.testing.assert_allclose(settings, np.linspace(-0.05, 0.05, 5), atol=1e-12)
    parabola = np.polynomial.Polynomial.fit(settings, x, 2)  # sextupoles
    assert abs(parabola(0.05) - parabola(-0.05)) > 0.3
    np.testing.assert_allclose(x, parabola(settings), atol=1e-3)
    assert list(np.diff(generations)) == [1, 1, 1, 1]
    assert told["dispersion"][0] < 0.1 * told["dispersion"][1]
    assert (told["multiplexer"], told["multiplexer off"]) == ("Q1M2D1R", "Mux OFF")
    assert told["current of the magnet"] == pytest.approx(told["nominal"] - 2.67857)

    kind, text, _ = told["refused"]
    assert (kind, "outside the drive limits -10 to 10 A; nothing was changed" in text) == ("RefusedError", True)
    kind, text, _ = told["unknown"]
    assert (kind, "near names: Q1M2D1R" in text) == ("RefusedError", True)
    kind, text, _ = told["no reference"]
    assert kind == "RefusedError"
    assert "dt:orbit:ref:use = 'nothing'" in text if protocol == "ca" else "there are zero" in text
    kind, text, _ = told["no beam"]
    assert (kind, "is INVALID: no stable beam" in text) == ("NoBeamError", True)
    kind, text, _ = told["lost"]
    assert kind == "NotReachedError"
    assert re.match(r"TWIN:HS4P1D1R:set = 0\.3 A: after [\d.]+ s the readback TWIN:HS4P1D1R:rdbk is 0 A", text)
    assert "(tolerance 0.001 A)" in text
    assert told["seconds of a setting"] < 1.0


def test_devices_of_both_exports_connect_and_scan(twin: TwinProcess, tmp_path: Path) -> None:
    happi, ophyd = tmp_path / "happi.json", tmp_path / "ring.py"
    for face, file in (("happi", happi), ("ophyd", ophyd)):
        done = twin.gnomon("export", face, "-o", str(file))
        assert done.returncode == 0, done.stderr
    without_addresses(twin)
    told: dict[str, Any] = twin.client(bluesky_client.exported, str(happi), str(ophyd))
    assert told["devices"] == [185, 185]
    for face in ("happi", "ophyd"):
        settings, x = np.array(told[face]).T
        np.testing.assert_allclose(settings, [-0.05, 0.0, 0.05], atol=1e-12)
        assert x[0] == pytest.approx(-x[2], rel=0.05)
        assert abs(x[0]) > 0.1
        assert told[f"{face} units"] == ["A", "mm"]


def test_an_agent_sees_the_same_on_the_server_as_on_the_model(twin: TwinProcess) -> None:
    without_addresses(twin)
    assert twin.gnomon("restore", "--to", "0", "--yes").returncode == 0  # also the master clock, which other tests move
    told: dict[str, Any] = twin.client(gym_client.same_on_both)
    assert max(told["differences"]) < 1e-5
    assert (told["moved"], told["back"]) == (True, True)


def test_a_scan_waits_for_ramps_on_a_machine_and_its_end_is_an_error(tmp_path: Path) -> None:
    ports = EpicsPorts(free_port(), free_port(), free_port())
    config = tmp_path / "machine.yaml"
    config.write_text(
        "role: machine\nprefix: ''\npublish: {repeat_hz: 10.0}\nimperfections: {supplies: {steerer_ramp_s: 40.0}}\n"
    )
    with TwinProcess(ports.environment, tmp_path, "--config", str(config)) as machine:
        without_addresses(machine)
        told: dict[str, Any] = machine.client(bluesky_client.machine, "ca", machine.process.pid)
    assert told["kind"] == "machine"
    steps = np.diff(told["progress"])
    assert len(steps) >= 2  # the ramp of 0.2 A takes 0.4 s
    assert (steps >= 0.0).all()
    settings, x = np.array(told["scan"]).T
    np.testing.assert_allclose(np.diff(settings), 0.1, atol=2e-3)
    # Equal steps give equal changes, up to sextupoles: no reading is of a setting before.
    assert np.diff(x)[0] == pytest.approx(np.diff(x)[1], rel=0.15)
    assert (np.diff(told["counts"]) > 0).all()
    kind, text, seconds = told["stuck"]
    assert kind == "NotReachedError"
    assert "HS4P1D1R:rdbk is" in text  # that of the readback, or of a put that has not come back
    assert seconds < PATIENCE_S
    kind, text, seconds = told["lost connection"]
    assert (kind, "the connection is lost" in text) == ("NoAnswerError", True)
    assert seconds < 2.0 * PATIENCE_S
