"""A shadow with a calibration shows the band of its machine's next reading, over the network and on the dashboard."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from conftest import EpicsPorts, free_port
from debian_programs import debian_program
from p4p.client.thread import Context

from gnomon.recorder.bounds import CalibrationDocument, calibrate
from gnomon.recorder.bounds.calibration_document import now_iso
from gnomon.recorder.calibration_folder import CalibrationFolder
from system.dashboard_browser import services_process, visitor
from system.test_shadow import client_of, until
from system.twin_process import TwinProcess
from unit.recorder.bounds.machines import MeasuredMachine, noise
from unit.recorder.bounds.rings import mls

pytestmark = pytest.mark.slow(15)  # two servers, the services and a browser

STEERER, HELD_OUT, PART = "HS3P2K1RP", 100, 5e-3
NO_CHANGE, LAST_CHANGE = 0, 1


@dataclass
class Stage:
    """A machine, and its shadow with a calibration."""

    machine: Context
    shadow: Context
    process: TwinProcess
    calibration: CalibrationDocument

    def bound(self, name: str) -> Any:
        return self.shadow.get(f"TWIN:dt:bound:{name}")

    def array(self, name: str) -> np.ndarray:
        return np.asarray(self.bound(name))

    def has_band(self, kind: int) -> bool:
        shown = [self.bound(name) for name in ("x:lower", "y:upper", "tune:x:lower", "outside")]
        return all(one.severity < 3 for one in shown) and int(self.bound("kind")) == kind

    def steer(self, part: float) -> None:
        spec = mls().properties[STEERER, "current"]
        self.machine.put(f"{STEERER}:setCur", spec.nominal + part * PART * (spec.high - spec.low))


def calibration() -> CalibrationDocument:
    """A calibration of an MLS without errors, by steps of its steerers."""
    machine = MeasuredMachine(3, size=1e-6)
    held = [machine.measured(machine.step(machine.steerers, PART)) for _ in range(HELD_OUT)]
    return calibrate(mls().nominal, mls().nominal, noise(), machine.response(8), held, made=now_iso(), author="test")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("bounds")
    for name in ("machine", "shadow"):
        (folder / name).mkdir()
    document = calibration()
    CalibrationFolder(folder / "shadow" / "calibrations").save(document)
    theirs, ours = (EpicsPorts(free_port(), free_port(), free_port()) for _ in range(2))
    follow = ("--role", "shadow", "--follow", f"pva://127.0.0.1:{theirs.pva_udp}", "--calibration", document.id[:8])
    with ExitStack() as stack:
        options = ("--role", "machine", "--ideal", "--machine", "mls")
        stack.enter_context(TwinProcess(theirs.environment, folder / "machine", *options))
        process = stack.enter_context(TwinProcess(ours.environment, folder / "shadow", *follow, "--machine", "mls"))
        machine, shadow = (stack.enter_context(client_of(where.pva_udp)) for where in (theirs, ours))
        yield Stage(machine, shadow, process, document)


def test_the_orbit_after_a_steerers_step_is_inside_the_band_of_the_step(stage: Stage) -> None:
    until(lambda: stage.has_band(NO_CHANGE))
    assert stage.bound("calibration").raw.value == stage.calibration.id
    before = stage.array("x:measured")
    stage.steer(0.6)
    until(lambda: stage.has_band(LAST_CHANGE))
    lower, upper, after = (stage.array(f"x:{name}") for name in ("lower", "upper", "measured"))
    assert np.abs(after - before).max() > 5.0 * np.max(upper - lower)
    assert np.all((lower <= after) & (after <= upper))
    assert int(stage.bound("outside")) == 0


@pytest.mark.network
def test_the_dashboard_draws_the_band_around_the_orbit_of_the_machine(stage: Stage) -> None:
    debian_program("chromium")
    until(lambda: any(stage.has_band(kind) for kind in (NO_CHANGE, LAST_CHANGE)))
    with services_process(stage.process.environment) as (url, _), visitor(url) as who:
        who.sign_in()
        who.open("orbit", prefix="TWIN:")
        data = "document.querySelector('#figure-orbit-x .js-plotly-plot')?.data"
        who.wait_until(f"{data}?.filter(each => each.name === 'bounds').length === 2")
        for wanted in ("bounds", "machine"):
            assert wanted in who.ask(f"{data}.map(each => each.name)")
        who.wait_until(
            f"(([low, high, mine, machine]) => machine.y.every((y, i) => low.y[i] <= y && y <= high.y[i]))({data})"
        )
        who.open("tunes", prefix="TWIN:")
        shape = "document.querySelector('#figure-tune-x .js-plotly-plot')?.layout?.shapes?.[0]"
        who.wait_until(f"{shape}?.y1 > {shape}?.y0")
        low, high = who.ask(f"[{shape}.y0, {shape}.y1]")
        assert low % 1.0 < float(stage.bound("tune:x:measured")) < high % 1.0
        assert who.complaints == []
