"""Plan of beam based alignment: one quadrupole after the other, through the multiplexer or by a supply of its own."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

import bluesky.plan_stubs as bps
import numpy as np
from bluesky.utils import Msg

from gnomon.clients.bluesky_devices import RingDevices
from gnomon.procedures.alignment_model import AlignmentSteerers
from gnomon.procedures.beam_based_alignment import AlignmentData
from gnomon.procedures.plans.putting_back import setpoint_of
from gnomon.procedures.plans.recording import Recording
from gnomon.procedures.plans.scans import connected_run, read_planes

__all__ = ["QuadrupoleChange", "alignment_plan"]

Plan = Generator[Msg, Any, Any]

#: Orbits: as it was found, steered to both sides. Changes: both ways, and none twice, which tells the noise.
ORBITS, CHANGES = (0, 1, -1), (1, 0, 0, -1)


@dataclass(frozen=True, slots=True)
class QuadrupoleChange:
    """The way to change one quadrupole: its supply, or the multiplexer's; the step, and the steerers that move it."""

    quadrupole: str
    supply: str
    by_multiplexer: bool
    step: float
    steerers: AlignmentSteerers


def alignment_plan(
    ring: RingDevices,
    changes: Sequence[QuadrupoleChange],
    steerers: Sequence[str],
    move_mm: float,
    recording: Recording,
) -> Generator[Msg, Any, AlignmentData]:
    """Change each quadrupole both ways on three orbits, which differ by `move_mm` in it, and read all monitors.

    `steerers` are those whose present settings the analysis needs. Raises what the devices raise, after everything was
    put back.
    """
    monitors = ring.monitors
    mux = ring.multiplexer if any(change.by_multiplexer for change in changes) else None
    names = {change.supply for change in changes} | {name for c in changes for name in c.steerers.names}
    moved = {name: ring.supplies[name] for name in sorted({*names, *steerers})}
    # The current of the multiplexer's supply goes back before the multiplexer itself.
    devices = [*([mux] if mux is not None else []), *moved.values()]
    recording.total = len(changes) * len(ORBITS) * len(CHANGES)
    base: dict[str, float] = {}

    def scan() -> Plan:
        for name, device in moved.items():
            base[name] = yield from setpoint_of(device)
        for number, change in enumerate(changes):
            yield from _one(number, change)

    def _one(number: int, change: QuadrupoleChange) -> Plan:
        supply = moved[change.supply]
        pair = [moved[name] for name in change.steerers.names]
        if change.by_multiplexer:
            yield from bps.abs_set(mux, change.quadrupole, wait=True)
        for orbit in ORBITS:
            for device, name, by in zip(pair, change.steerers.names, change.steerers.mm_per_unit, strict=True):
                yield from bps.abs_set(device, base[name] + orbit * move_mm / by, group="steer")
            yield from bps.wait("steer")
            last = 0
            for way in CHANGES:
                if way or last:
                    yield from bps.abs_set(supply, base[change.supply] + way * change.step, wait=True)
                last = way
                knobs = {"quadrupole": float(number), "orbit": float(orbit), "change": way * change.step}
                yield from read_planes(recording, monitors, knobs, number, 1)
            yield from bps.abs_set(supply, base[change.supply], wait=True)
        for device, name in zip(pair, change.steerers.names, strict=True):
            yield from bps.abs_set(device, base[name], group="back")
        yield from bps.wait("back")

    yield from connected_run("bba", [monitors], devices, scan)
    table = recording.knobs(("quadrupole", "orbit", "change"), {})
    return AlignmentData(
        quadrupoles=tuple(change.quadrupole for change in changes),
        monitors=monitors.names,
        steerers=tuple(steerers),
        change_unit=moved[changes[0].supply].unit,
        steerer_unit=moved[steerers[0]].unit if steerers else "A",
        quadrupole=table[:, 0],
        orbit=table[:, 1],
        change=table[:, 2],
        x_mm=recording.column("x"),
        y_mm=recording.column("y"),
        steerer_settings=np.array([base[name] for name in steerers]),
        time_s=recording.times,
    )
