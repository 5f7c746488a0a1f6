"""Plan of a calibration: steps of single settings, there and back, with orbit and tunes before and after each."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

import bluesky.plan_stubs as bps
import numpy as np
from bluesky.utils import Msg

from gnomon.clients.bluesky_devices import RingDevices
from gnomon.procedures.plans.measured_rows import Recording
from gnomon.procedures.plans.putting_back import setpoint_of
from gnomon.procedures.plans.scans import connected_run

__all__ = ["SingleStep", "calibration_plan"]

Plan = Generator[Msg, Any, Any]

#: Name of the master clock among the settings of a calibration.
CLOCK = "rf"


@dataclass(frozen=True, slots=True)
class SingleStep:
    """A step of one supply, or of the master clock ("rf"), from its present setting, in its unit, and back.

    With `both` ways, it goes from one side straight to the other before it goes back: of its three readings, the one in
    the middle is after a step that is twice as large.
    """

    name: str
    step: float
    both: bool = False

    @property
    def rows(self) -> int:
        """Number of its readings."""
        return 3 if self.both else 2


def calibration_plan(
    ring: RingDevices, repeats: int, steps: Sequence[SingleStep], recording: Recording, readings: int = 1
) -> Generator[Msg, Any, None]:
    """Read orbit and tunes `repeats` times, then before and after each step and after the way back.

    Group 0 of the recording has the repeated readings; that of a step, its number from 1, one row after each setting
    and one after the way back, each the mean of `readings`. The row before a step is the last one of all before it.
    """
    names = dict.fromkeys(each.name for each in steps)
    devices = {name: ring.master_clock if name == CLOCK else ring.supplies[name] for name in names}
    detectors = [ring.monitors, ring.tunes]
    recording.total = repeats + sum(each.rows for each in steps)

    def read(knobs: dict[str, float], group: int, count: int) -> Plan:
        rows = []
        for _ in range(count):
            yield from bps.checkpoint()
            found = yield from bps.trigger_and_read(detectors)
            rows.append([found[f"{d.name}-{plane}"]["value"] for d in detectors for plane in "xy"])
        x, y, tune_x, tune_y = (np.mean([row[i] for row in rows], axis=0) for i in range(4))
        recording.add(knobs, group, x=x, y=y, tune_x=tune_x, tune_y=tune_y)

    def scan() -> Plan:
        for _ in range(repeats):
            yield from read({}, 0, 1)
        for number, each in enumerate(steps, start=1):
            device = devices[each.name]
            base = yield from setpoint_of(device)
            away = (base + each.step, base - each.step) if each.both else (base + each.step,)
            for setting in (*away, base):
                yield from bps.abs_set(device, setting, wait=True)
                yield from read({each.name: setting}, number, readings)

    yield from connected_run("calibrate", detectors, list(devices.values()), scan)
