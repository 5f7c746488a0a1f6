"""Plans of the measurements in which settings are scanned: orbit and tune response, dispersion, chromaticity."""

from collections.abc import Generator, Mapping, Sequence
from typing import Any

import bluesky.preprocessors as bpp
import numpy as np
from bluesky.utils import Msg
from numpy.typing import NDArray
from ophyd_async.plan_stubs import ensure_connected

from gnomon.clients.bluesky_devices import RingDevices
from gnomon.procedures.chromaticity import ChromaticityData
from gnomon.procedures.dispersion import DispersionData
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.orbit_response import OrbitResponseData, together
from gnomon.procedures.plans.measured_rows import Recording
from gnomon.procedures.plans.messages import set_device, set_devices, take_reading
from gnomon.procedures.plans.putting_back import restoring, setpoint_of
from gnomon.procedures.tune_response import TuneResponseData

__all__ = [
    "chromaticity_plan",
    "connected_run",
    "dispersion_plan",
    "orbit_plan",
    "orm_plan",
    "read_planes",
    "tune_response_plan",
    "tunes_plan",
]

Plan = Generator[Msg, Any, Any]

#: Settings of a group of steerers beyond their number: the base orbit, and what tells the noise.
SPARE = 5


def orm_plan(
    ring: RingDevices,
    steps: Mapping[str, float],
    recording: Recording,
    points: int = 3,
    readings: int = 1,
    at_once: int = 1,
) -> Generator[Msg, Any, OrbitResponseData]:
    """Measure the orbit response: each steerer alone, at `points` settings from -step to +step about the present one.

    `steps` by name of the supply, in its unit. With `at_once` above 1 so many steerers move at the same time, each at a
    frequency of its own (`together`). Raises what the devices raise, after everything was put back.
    """
    monitors = ring.monitors
    if at_once > 1:
        unit, settings = yield from _together_scan(ring, monitors, steps, recording, readings, at_once)
    else:
        unit, settings = yield from _supply_scan("orm", ring, monitors, steps, recording, points, readings)
    return OrbitResponseData(
        steerers=tuple(steps),
        setting_unit=unit,
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
    unit, settings = yield from _supply_scan("tune-response", ring, ring.tunes, steps, recording, points, readings)
    return TuneResponseData(
        supplies=tuple(steps),
        setting_unit=unit,
        settings=settings,
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
    yield from _rf_scan("dispersion", ring, monitors, span, recording, points, readings)
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
    yield from _rf_scan("chromaticity", ring, ring.tunes, span, recording, points, readings)
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
    yield from connected_run("orbit", [monitors], [], lambda: read_planes(recording, monitors, {}, 0, readings))


def tunes_plan(ring: RingDevices, recording: Recording, readings: int = 1) -> Plan:
    """Read the tunes, `readings` times; nothing is set."""
    tunes = ring.tunes
    recording.total = readings
    yield from connected_run("tunes", [tunes], [], lambda: read_planes(recording, tunes, {}, 0, readings))


def _supply_scan(
    name: str,
    ring: RingDevices,
    detector: Any,
    steps: Mapping[str, float],
    recording: Recording,
    points: int,
    readings: int,
) -> Generator[Msg, Any, tuple[str, NDArray[np.float64]]]:
    """Scan one supply after the other; return the unit, and the settings (rows, supplies)."""
    devices = {supply: ring.supplies[supply] for supply in steps}
    recording.total = len(steps) * points * readings
    base: dict[str, float] = {}

    def scan() -> Plan:
        for group, (supply, device) in enumerate(devices.items()):
            base[supply] = yield from _scan_one(
                device, supply, steps[supply], detector, recording, group, points, readings
            )
            yield from set_device(device, base[supply])

    yield from connected_run(name, [detector], list(devices.values()), scan)
    unit = next((device.unit for device in devices.values()), "A")
    return unit, recording.knobs(tuple(steps), base)


def _together_scan(
    ring: RingDevices, monitors: Any, steps: Mapping[str, float], recording: Recording, readings: int, at_once: int
) -> Generator[Msg, Any, tuple[str, NDArray[np.float64]]]:
    """Move groups of supplies together; return the unit, and the settings (rows, supplies)."""
    devices, names = {supply: ring.supplies[supply] for supply in steps}, list(steps)
    groups = [names[start : start + at_once] for start in range(0, len(names), at_once)]
    recording.total = sum(len(group) + SPARE for group in groups) * readings
    base: dict[str, float] = {}

    def scan() -> Plan:
        for name, device in devices.items():
            base[name] = yield from setpoint_of(device)
        for number, group in enumerate(groups):
            # All of a group together move the orbit about as far as one of them alone.
            amplitudes = np.array([steps[name] for name in group]) / np.sqrt(len(group))
            for row in together(amplitudes, len(group) + SPARE):
                knobs = {name: base[name] + float(change) for name, change in zip(group, row, strict=True)}
                yield from _set_all(devices, knobs)
                yield from read_planes(recording, monitors, knobs, number, readings)
            yield from _set_all(devices, {name: base[name] for name in group})

    yield from connected_run("orm", [monitors], list(devices.values()), scan)
    unit = next((device.unit for device in devices.values()), "A")
    return unit, recording.knobs(tuple(steps), base)


def _set_all(devices: Mapping[str, Any], values: Mapping[str, float]) -> Plan:
    yield from set_devices([(devices[name], value) for name, value in values.items()])


def _rf_scan(
    name: str, ring: RingDevices, detector: Any, span: float, recording: Recording, points: int, readings: int
) -> Plan:
    clock = ring.master_clock
    recording.total = points * readings
    yield from connected_run(
        name, [detector], [clock], lambda: _scan_one(clock, "rf", span, detector, recording, 0, points, readings)
    )


def _scan_one(
    device: Any, knob: str, step: float, detector: Any, recording: Recording, group: int, points: int, readings: int
) -> Plan:
    """Read at `points` settings from -step to +step about the present one, which is returned; it is not put back."""
    base = yield from setpoint_of(device)
    for offset in _offsets(points):
        setting = base + offset * step
        if offset:
            yield from set_device(device, setting)
        yield from read_planes(recording, detector, {knob: setting}, group, readings)
    return base


def connected_run(name: str, detectors: Sequence[Any], devices: Sequence[Any], scan: Any) -> Plan:
    """Connect, open a run, carry out `scan` and put `devices` back, whatever happens."""
    yield from ensure_connected(*detectors, *devices)

    metadata = {"plan_name": name, "motors": [device.name for device in devices]}
    run = bpp.run_wrapper(scan(), md=metadata)  # type: ignore[no-untyped-call]
    yield from restoring(run, devices)


def read_planes(recording: Recording, detector: Any, knobs: Mapping[str, float], group: int, readings: int) -> Plan:
    """Take orbits, or tunes, into the recording, and as events. A Run Engine that is paused goes on from the last."""
    for _ in range(readings):
        found = yield from take_reading(detector)
        recording.add(knobs, group, x=found[f"{detector.name}-x"]["value"], y=found[f"{detector.name}-y"]["value"])


def _offsets(points: int) -> Sequence[float]:
    """List fractions of a step from -1 to 1: the present setting first, which needs no setting, then in order."""
    if points < 2:
        raise ProcedureError(f"{points} settings do not show a slope; use 2 or more, better 3")
    offsets: list[float] = np.linspace(-1.0, 1.0, points).tolist()
    return sorted(offsets, key=lambda offset: (offset != 0.0, offset))
