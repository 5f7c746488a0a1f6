"""Plan of beam based alignment: one quadrupole or group after the other, by the multiplexer or by own supplies."""

from collections.abc import Generator, Mapping, Sequence
from typing import Any

import numpy as np
from bluesky.utils import Msg

from gnomon.clients.bluesky_devices import RingDevices
from gnomon.procedures.alignment_groups import AlignmentGroup
from gnomon.procedures.beam_based_alignment import AlignmentData
from gnomon.procedures.plans.measured_rows import Recording
from gnomon.procedures.plans.messages import set_device, set_devices
from gnomon.procedures.plans.putting_back import setpoint_of
from gnomon.procedures.plans.scans import connected_run, read_planes

__all__ = ["alignment_plan"]

Plan = Generator[Msg, Any, Any]

#: Orbits: as it was found, steered to both sides.
ORBITS = (0, 1, -1)


def alignment_plan(
    ring: RingDevices,
    groups: Sequence[AlignmentGroup],
    steerers: Sequence[str],
    move_mm: float,
    recording: Recording,
) -> Generator[Msg, Any, AlignmentData]:
    """Change each group's quadrupoles both ways on three orbits, which differ by `move_mm` in them; read all monitors.

    `steerers` are those whose present settings the analysis needs. Raises what the devices raise, after everything was
    put back.
    """
    monitors = ring.monitors
    changes = [change for group in groups for change in group.changes]
    quadrupoles = tuple(change.quadrupole for change in changes)
    together = len(groups) < len(changes)
    mux = ring.multiplexer if any(change.by_multiplexer for change in changes) else None
    names = {change.supply for change in changes} | {name for group in groups for name in group.steerers.names}
    moved = {name: ring.supplies[name] for name in sorted({*names, *steerers})}
    # The current of the multiplexer's supply goes back before the multiplexer itself.
    devices = [*([mux] if mux is not None else []), *moved.values()]
    recording.total = len(ORBITS) * sum(len(group.rows) for group in groups)
    base: dict[str, float] = {}

    def scan() -> Plan:
        for name, device in moved.items():
            base[name] = yield from setpoint_of(device)
        for number, group in enumerate(groups):
            yield from _one(number, group)

    def _one(number: int, group: AlignmentGroup) -> Plan:
        steering, place = group.steerers, quadrupoles.index(group.changes[0].quadrupole)
        if group.changes[0].by_multiplexer:
            yield from set_device(mux, group.changes[0].quadrupole)
        supplies = [change.supply for change in group.changes]
        steps = [change.step for change in group.changes]
        for orbit in ORBITS:
            by = zip(steering.names, steering.mm_per_unit, strict=True)
            yield from _set({name: base[name] + orbit * move_mm / each for name, each in by})
            last = np.zeros(len(steps))
            for row in group.rows:
                if (row != last).any():
                    new = zip(supplies, row, steps, strict=True)
                    yield from _set({name: base[name] + float(way * step) for name, way, step in new})
                last = row
                made = {change.quadrupole: float(way * change.step)
                        for change, way in zip(group.changes, row, strict=True)}  # fmt: skip
                knobs = {"quadrupole": float(place), "orbit": float(orbit), "change": made[quadrupoles[place]]}
                knobs |= made if together else {}
                yield from read_planes(recording, monitors, knobs, number, 1)
            if last.any():
                yield from _set({name: base[name] for name in supplies})
        yield from _set({name: base[name] for name in steering.names})

    def _set(values: Mapping[str, float]) -> Plan:
        yield from set_devices([(moved[name], value) for name, value in values.items()])

    yield from connected_run("bba", [monitors], devices, scan)
    table = recording.knobs(("quadrupole", "orbit", "change"), {})
    each = recording.knobs(quadrupoles, dict.fromkeys(quadrupoles, 0.0)) if together else np.zeros((0, 0))
    return AlignmentData(
        quadrupoles=quadrupoles,
        monitors=monitors.names,
        steerers=tuple(steerers),
        change_unit=moved[changes[0].supply].unit,
        steerer_unit=moved[steerers[0]].unit if steerers else "A",
        quadrupole=table[:, 0],
        orbit=table[:, 1],
        change=table[:, 2],
        changes=each,
        x_mm=recording.column("x"),
        y_mm=recording.column("y"),
        steerer_settings=np.array([base[name] for name in steerers]),
        time_s=recording.times,
    )
