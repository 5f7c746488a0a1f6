"""Return of the orbit after excursions of a steerer.

A user script of gnomon: a steerer goes away by a step and comes back, several times, and each time the orbit is read.
What does not return is hysteresis of the magnet, or a drift. With `services: {scripts: FOLDER}` in the configuration,
`gnomon measure orbit-return HS4P1D1R` and `POST /v1/procedures/orbit-return` carry it out.
"""

from collections.abc import Generator
from typing import Any

import bluesky.plan_stubs as bps
import numpy as np
from pydantic import Field

from gnomon.procedures.documents import Data, Floats, Outcome, quantity
from gnomon.procedures.plans import connected_run, read_planes, setpoint_of
from gnomon.procedures.procedure_options import ProcedureOptions


class Options(ProcedureOptions):
    """Options of the script: parameters of the request, and options of the command."""

    steerer: str = Field(description="name of the steering power supply")
    step: float = Field(default=0.1, gt=0.0, description="size of the excursion, in the supply's unit")
    times: int = Field(default=5, ge=1, le=100, description="number of excursions")


class ReturnData(Data):
    """Orbits before the first excursion and after each."""

    monitors: tuple[str, ...]
    x_mm: Floats = quantity("mm", "visits", "monitors")
    y_mm: Floats = quantity("mm", "visits", "monitors")


class ReturnOutcome(Outcome):
    """Distance of each orbit from the first one."""

    rms_x_mm: Floats = quantity("mm", "excursions", description="rms over the monitors")
    rms_y_mm: Floats = quantity("mm", "excursions", description="rms over the monitors")
    largest_mm: float = Field(description="largest difference at a monitor", json_schema_extra={"unit": "mm"})


def plan(ring: Any, options: Options, recording: Any) -> Generator[Any, Any, ReturnData]:
    """Move the steerer away and back, and read the orbit each time."""
    steerer, monitors = ring.supplies[options.steerer], ring.monitors
    recording.total = options.times + 1

    def visits() -> Generator[Any, Any, None]:
        home = yield from setpoint_of(steerer)
        yield from read_planes(recording, monitors, {options.steerer: home}, 0, 1)
        for visit in range(1, options.times + 1):
            yield from bps.abs_set(steerer, home + options.step, wait=True)
            yield from bps.abs_set(steerer, home, wait=True)
            yield from read_planes(recording, monitors, {options.steerer: home}, visit, 1)

    yield from connected_run("orbit-return", [monitors], [steerer], visits)
    return ReturnData(monitors=monitors.names, x_mm=recording.column("x"), y_mm=recording.column("y"))


def analyse(data: ReturnData, options: Options) -> ReturnOutcome:
    """Compare each orbit with the first one."""
    away = np.array([data.x_mm[1:] - data.x_mm[0], data.y_mm[1:] - data.y_mm[0]])
    rms = np.sqrt(np.mean(away**2, axis=2))
    return ReturnOutcome(rms_x_mm=rms[0], rms_y_mm=rms[1], largest_mm=float(np.abs(away).max()))
