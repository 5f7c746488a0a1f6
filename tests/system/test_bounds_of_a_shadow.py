"""A shadow with a calibration shows the band of its machine's next reading, also over the network."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from conftest import EpicsPorts, free_port

from gnomon.recorder.bounds import CalibrationDocument, calibrate
from gnomon.recorder.bounds.calibration_document import now_iso
from gnomon.recorder.calibration_folder import CalibrationFolder
from system.test_shadow import client_of, until
from system.twin_process import TwinProcess
from unit.recorder.bounds.machines import MeasuredMachine, noise
from unit.recorder.bounds.rings import mls

STEERER, HELD_OUT, PART = "HS3P2K1RP", 100, 5e-3


def calibration() -> CalibrationDocument:
    """A calibration of an MLS without errors, by steps of its steerers."""
    machine = MeasuredMachine(3, size=1e-6)
    held = [machine.measured(machine.step(machine.steerers, PART)) for _ in range(HELD_OUT)]
    return calibrate(mls().nominal, mls().nominal, noise(), machine.response(8), held, made=now_iso(), author="test")


def test_the_orbit_after_a_steerers_step_is_inside_the_band_of_the_step(tmp_path: Path) -> None:
    for folder in ("machine", "shadow"):
        (tmp_path / folder).mkdir()
    document = calibration()
    CalibrationFolder(tmp_path / "shadow" / "calibrations").save(document)
    theirs, ours = (EpicsPorts(free_port(), free_port(), free_port()) for _ in range(2))
    follow = ("--role", "shadow", "--follow", f"pva://127.0.0.1:{theirs.pva_udp}", "--calibration", document.id[:8])
    with ExitStack() as stack:
        options = ("--role", "machine", "--ideal", "--machine", "mls")
        stack.enter_context(TwinProcess(theirs.environment, tmp_path / "machine", *options))
        stack.enter_context(TwinProcess(ours.environment, tmp_path / "shadow", *follow, "--machine", "mls"))
        machine, shadow = (stack.enter_context(client_of(where.pva_udp)) for where in (theirs, ours))

        def bound(name: str) -> Any:
            return shadow.get(f"TWIN:dt:bound:{name}")

        def has_band(kind: int) -> bool:
            shown = [bound(name) for name in ("x:lower", "y:upper", "tune:x:lower", "outside")]
            return all(one.severity < 3 for one in shown) and int(bound("kind")) == kind

        until(lambda: has_band(0))
        assert bound("calibration").raw.value == document.id
        before = np.asarray(bound("x:measured"))
        low, high = mls().properties[STEERER, "current"].low, mls().properties[STEERER, "current"].high
        step = 0.6 * PART * (high - low)
        machine.put(f"{STEERER}:setCur", mls().nominal[STEERER, "current"] + step)
        until(lambda: has_band(1))
        lower, upper, after = (np.asarray(bound(f"x:{name}")) for name in ("lower", "upper", "measured"))
        assert np.abs(after - before).max() > 5.0 * np.max(upper - lower)
        assert np.all((lower <= after) & (after <= upper))
        assert int(bound("outside")) == 0
