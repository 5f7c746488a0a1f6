"""Plans of a quadrupole scan: the tunes at changes of one gradient after the other."""

from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import bluesky.plan_stubs as bps
import numpy as np
from bluesky.utils import Msg

from gnomon.clients.bluesky_devices import RingDevices
from gnomon.clients.errors import NoDeviceError
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.local_beta import LocalBetaData
from gnomon.procedures.plans.measured_rows import Recording
from gnomon.procedures.plans.putting_back import setpoint_of
from gnomon.procedures.plans.scans import connected_run

__all__ = ["KnobChange", "local_beta_plan", "loop_offsets"]

Plan = Generator[Msg, Any, Any]


@dataclass(frozen=True, slots=True)
class KnobChange:
    """The way to change a quadrupole, or all of a supply: the supply, or the multiplexer's, and the largest step."""

    name: str
    supply: str
    by_multiplexer: bool
    step: float


def local_beta_plan(
    ring: RingDevices, changes: Sequence[KnobChange], recording: Recording, points: int = 5, readings: int = 1
) -> Generator[Msg, Any, LocalBetaData]:
    """Change each knob in a loop, and read tunes and orbit; settings between the ends of a loop come from both sides.

    So iron with hysteresis is on its way up as often as on its way down, and a loop ends where it began. Raises what
    the devices raise, after everything was put back.
    """
    tunes, offsets = ring.tunes, loop_offsets(points)
    monitors: list[Any] = []
    with suppress(NoDeviceError):
        monitors.append(ring.monitors)
    mux = ring.multiplexer if any(change.by_multiplexer for change in changes) else None
    supplies = {change.supply: ring.supplies[change.supply] for change in changes}
    # The current of the multiplexer's supply goes back before the multiplexer itself.
    devices = [*([mux] if mux is not None else []), *supplies.values()]
    recording.total = len(changes) * len(offsets) * readings

    def scan() -> Plan:
        for number, change in enumerate(changes):
            if change.by_multiplexer:
                yield from bps.abs_set(mux, change.name, wait=True)
            supply = supplies[change.supply]
            base = yield from setpoint_of(supply)
            last = 0.0
            for offset in offsets:
                if offset != last:
                    yield from bps.abs_set(supply, base + offset * change.step, wait=True)
                last = offset
                knobs = {change.name: offset * change.step}
                for _ in range(readings):
                    told = yield from bps.trigger_and_read([tunes, *monitors])
                    orbit = {"orbit_x": told[f"{monitors[0].name}-x"]["value"]} if monitors else {}
                    x, y = (told[f"{tunes.name}-{plane}"]["value"] for plane in "xy")
                    recording.add(knobs, number, x=x, y=y, **orbit)
            yield from bps.abs_set(supply, base, wait=True)

    yield from connected_run("beta", [tunes, *monitors], devices, scan)
    return LocalBetaData(
        knobs=tuple(change.name for change in changes),
        supplies=tuple(change.supply for change in changes),
        change_unit=supplies[changes[0].supply].unit,
        knob=recording.groups,
        change=np.array([value for row in recording.rows for value in row.knobs.values()]),
        tune_x=recording.column("x"),
        tune_y=recording.column("y"),
        monitors=tuple(name for each in monitors for name in each.names),
        orbit_x_mm=recording.column("orbit_x") if monitors else np.zeros((len(recording.rows), 0)),
        time_s=recording.times,
    )


def loop_offsets(points: int) -> tuple[float, ...]:
    """List the settings of a loop as parts of the step: 0, up to 1, down to -1, and up to 0.

    Raises ProcedureError for less than three points, or an even number, without a setting in the middle.
    """
    if points < 3 or points % 2 == 0:
        raise ProcedureError(f"a quadrupole scan needs 3, 5, 7 ... settings, not {points}")
    up = np.linspace(0.0, 1.0, (points + 1) // 2).tolist()
    down = up[-2::-1]
    return (*up, *down, *(-value for value in up[1:]), *(-value for value in down[:-1]), 0.0)
