"""Plans of the measurements in which settings are scanned: orbit and tune response, dispersion, chromaticity."""

from collections.abc import Generator, Mapping, Sequence
from typing import Any

import bluesky.plan_stubs as bps
import bluesky.preprocessors as bpp
import numpy as np
from bluesky.utils import Msg
from ophyd_async.plan_stubs import ensure_connected

from gnomon.clients.bluesky_devices import RingDevices
from gnomon.procedures.chromaticity import ChromaticityData
from gnomon.procedures.dispersion import DispersionData
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.orbit_response import OrbitResponseData
from gnomon.procedures.plans.putting_back import restoring, setpoint_of
from gnomon.procedures.plans.recording import Recording
from gnomon.procedures.tune_response import TuneResponseData

__all__ = [
    "chromaticity_plan",
    "connected_run",
    "dispersion_plan",
    "orbit_plan",
    "orm_plan",
    "read_orbit",
    "tune_response_plan",
    "tunes_plan",
]

Plan = Generator[Msg, Any, Any]


def orm_plan(
    ring: RingDevices, steps: Mapping[str, float], recording: Recording, points: int = 3, readings: int = 1
) -> Generator[Msg, Any, OrbitResponseData]:
    """Measure the orbit response: each steerer alone, at `points` settings from -step to +step about the present one.

    `steps` by name of the supply, in its unit. Raises what the devices raise, after everything was put back.
    """
    names = tuple(steps)
    monitors = ring.monitors
    devices = [ring.supplies[name] for name in names]
    recording.total = len(names) * points * readings
    base: dict[str, float] = {}

    def scan() -> Plan:
        for group, (name, device) in enumerate(zip(names, devices, strict=True)):
            base[name] = yield from setpoint_of(device)
            for offset in _offsets(points):
                if offset:
                    yield from bps.abs_set(device, base[name] + offset * steps[name], wait=True)
                yield from read_orbit(recording, monitors, {name: base[name] + offset * steps[name]}, group, readings)
            yield from bps.abs_set(device, base[name], wait=True)

    yield from connected_run("orm", [monitors], devices, scan)
    settings = recording.knobs(names, base)
    return OrbitResponseData(
        steerers=names,
        setting_unit=devices[0].unit if devices else "A",
        monitors=monitors.names,
        settings=settings,
        group=recording.groups,
        x_mm=recording.column("x"),
        y_mm=recording.column("y"),
        time_s=recording.times,
    )


def tune_response_plan(
    ring: RingDevices, steps: Mapping[str, float], recording: Recording, points: int = 3, readings: int = 1
) -> Generator[Msg, Any, TuneResponseData]:
    """Measure the response of the tunes to supplies, one at a time, at `points` settings from -step to +step."""
    names = tuple(steps)
    tunes = ring.tunes
    devices = [ring.supplies[name] for name in names]
    recording.total = len(names) * points * readings
    base: dict[str, float] = {}

    def scan() -> Plan:
        for group, (name, device) in enumerate(zip(names, devices, strict=True)):
            base[name] = yield from setpoint_of(device)
            for offset in _offsets(points):
                if offset:
                    yield from bps.abs_set(device, base[name] + offset * steps[name], wait=True)
                yield from read_tunes(recording, tunes, {name: base[name] + offset * steps[name]}, group, readings)
            yield from bps.abs_set(device, base[name], wait=True)

    yield from connected_run("tune-response", [tunes], devices, scan)
    return TuneResponseData(
        supplies=names,
        setting_unit=devices[0].unit if devices else "A",
        settings=recording.knobs(names, base),
        group=recording.groups,
        tune_x=recording.column("x"),
        tune_y=recording.column("y"),
        time_s=recording.times,
    )


def dispersion_plan(
    ring: RingDevices, span: float, recording: Recording, points: int = 5, readings: int = 1, hz_per_unit: float = 1e3
) -> Generator[Msg, Any, DispersionData]:
    """Measure orbits at RF frequencies from -span to +span about the present one, in the master clock's unit."""
    monitors = ring.monitors

    def read(frequency: float) -> Plan:
        yield from read_orbit(recording, monitors, {"rf": frequency}, 0, readings)

    yield from _rf_scan("dispersion", ring, monitors, span, recording, points, readings, read)
    return DispersionData(
        monitors=monitors.names,
        rf_hz=hz_per_unit * recording.knobs(("rf",), {"rf": np.nan})[:, 0],
        x_mm=recording.column("x"),
        y_mm=recording.column("y"),
        time_s=recording.times,
    )


def chromaticity_plan(
    ring: RingDevices, span: float, recording: Recording, points: int = 9, readings: int = 1, hz_per_unit: float = 1e3
) -> Generator[Msg, Any, ChromaticityData]:
    """Measure tunes at RF frequencies from -span to +span about the present one, in the master clock's unit."""
    tunes = ring.tunes

    def read(frequency: float) -> Plan:
        yield from read_tunes(recording, tunes, {"rf": frequency}, 0, readings)

    yield from _rf_scan("chromaticity", ring, tunes, span, recording, points, readings, read)
    return ChromaticityData(
        rf_hz=hz_per_unit * recording.knobs(("rf",), {"rf": np.nan})[:, 0],
        tune_x=recording.column("x"),
        tune_y=recording.column("y"),
        time_s=recording.times,
    )


def orbit_plan(ring: RingDevices, recording: Recording, readings: int = 1) -> Plan:
    """Read the orbit, `readings` times; nothing is set."""
    monitors = ring.monitors
    recording.total = readings
    yield from connected_run("orbit", [monitors], [], lambda: read_orbit(recording, monitors, {}, 0, readings))


def tunes_plan(ring: RingDevices, recording: Recording, readings: int = 1) -> Plan:
    """Read the tunes, `readings` times; nothing is set."""
    tunes = ring.tunes
    recording.total = readings
    yield from connected_run("tunes", [tunes], [], lambda: read_tunes(recording, tunes, {}, 0, readings))


def _rf_scan(
    name: str,
    ring: RingDevices,
    detector: Any,
    span: float,
    recording: Recording,
    points: int,
    readings: int,
    read: Any,
) -> Plan:
    clock = ring.master_clock
    recording.total = points * readings

    def scan() -> Plan:
        base = yield from setpoint_of(clock)
        for offset in _offsets(points):
            if offset:
                yield from bps.abs_set(clock, base + offset * span, wait=True)
            yield from read(base + offset * span)

    yield from connected_run(name, [detector], [clock], scan)


def connected_run(name: str, detectors: Sequence[Any], devices: Sequence[Any], scan: Any) -> Plan:
    """Connect, open a run, carry out `scan` and put `devices` back, whatever happens."""
    yield from ensure_connected(*detectors, *devices)

    metadata = {"plan_name": name, "motors": [device.name for device in devices]}
    run = bpp.run_wrapper(scan(), md=metadata)  # type: ignore[no-untyped-call]
    yield from restoring(run, devices)


def read_orbit(recording: Recording, monitors: Any, knobs: Mapping[str, float], group: int, readings: int) -> Plan:
    """Take orbits into the recording, and as events."""
    for _ in range(readings):
        found = yield from bps.trigger_and_read([monitors])
        recording.add(knobs, group, x=found[f"{monitors.name}-x"]["value"], y=found[f"{monitors.name}-y"]["value"])


def read_tunes(recording: Recording, tunes: Any, knobs: Mapping[str, float], group: int, readings: int) -> Plan:
    """Take tunes into the recording, and as events."""
    for _ in range(readings):
        found = yield from bps.trigger_and_read([tunes])
        recording.add(knobs, group, x=found[f"{tunes.name}-x"]["value"], y=found[f"{tunes.name}-y"]["value"])


def _offsets(points: int) -> Sequence[float]:
    """List fractions of a step from -1 to 1: the present setting first, which needs no setting, then in order."""
    if points < 2:
        raise ProcedureError(f"{points} settings do not show a slope; use 2 or more, better 3")
    offsets: list[float] = np.linspace(-1.0, 1.0, points).tolist()
    return sorted(offsets, key=lambda offset: (offset != 0.0, offset))
