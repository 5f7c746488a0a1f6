"""Recordings for tests."""

from typing import Any

from gnomon.lattice import OPTICS, Lattice, Ring
from gnomon.recorder.recordings import (
    RecordedChange,
    RecordedStep,
    Recording,
    RecordingContent,
    StartSetting,
    StartState,
    seal,
)
from unit.recorder.records import MORNING, SECOND

#: A setting of a step: device, property, value.
Asked = tuple[str, str, float]


def make_recording(
    ring: Ring, *steps: Asked | tuple[Asked, ...], start: Lattice | None = None, **more: Any
) -> Recording:
    """A recording of one command per step, each by the PV of its device."""
    lattice = begin = start or ring.nominal
    recorded = []
    for number, step in enumerate(steps, 1):
        changes = []
        for device, property, value in step if isinstance(step[0], tuple) else (step,):
            spec = ring.property_spec(device, property)
            after = lattice.updated({(device, property): value})
            changes.append(
                RecordedChange(
                    pv=f"{device}:set" if property == "current" else "",
                    device=device,
                    property=property,
                    unit=spec.unit,
                    old=lattice[device, property],
                    new=after[device, property],
                    setting=spec.setting,
                    setting_old=lattice[device, spec.setting],
                    setting_new=after[device, spec.setting],
                )
            )
            lattice = after
        wall_ns = MORNING + number * SECOND
        recorded.append(
            RecordedStep(sequence=10 + number, wall_ns=wall_ns, changes=tuple(changes), note="", who="alice@console1")
        )
    return seal(RecordingContent(**_fields(ring, begin) | {"steps": tuple(recorded)} | more))


def _fields(ring: Ring, start: Lattice) -> dict[str, Any]:
    settings = tuple(
        StartSetting(device=key[0], setting=key[1], value=start[key], unit=spec.unit)
        for key, spec in ring.properties.items()
        if spec.slot is not None and spec.setting == spec.property and start[key] != spec.nominal
    )
    return {
        "name": "bump",
        "purpose": "a bump for the beamline",
        "author": "alice@console1",
        "made": "2026-11-27T09:00:00Z",
        "parent": "",
        "machine": ring.name,
        "digest": ring.digest,
        "prefix": "TWIN:",
        "calibration_id": "",
        "start": StartState(
            lattice_id=start.id,
            optics="nominal" if OPTICS in ring.properties else "",
            settings=settings,
            tunes=(17.85, 6.74),
            orbit=(),
            reference=(),
        ),
        "usual": (),
    }
