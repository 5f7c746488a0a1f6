"""From commands of a journal to a recording. Effects of injected faults are left out, as a replay does. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnomon.db.pvs import PvSpec
from gnomon.lattice import Lattice, Outcome
from gnomon.recorder.command_document import iso_time
from gnomon.recorder.entries import Entry, Key, Run, StoredChange
from gnomon.recorder.reader import SettingRange
from gnomon.recorder.recorder_errors import RecordingError
from gnomon.recorder.recordings.recording import (
    MonitorPosition,
    RecordedChange,
    RecordedStep,
    Recording,
    RecordingContent,
    StartSetting,
    StartState,
    UsualRange,
    seal,
)
from gnomon.recorder.recordings.recording_plan import lattices_of
from gnomon.recorder.replay_steps import Beam, Setpoints, same_run
from gnomon.recorder.without_faults import without_faults

#: Settings of the past that say what is usual: those of a month [ns].
MONTH_NS = 30 * 86_400 * 1_000_000_000


@dataclass(frozen=True, slots=True)
class Label:
    """The words that a recording gets from people: its name, its purpose, its author and the time [ns since 1970]."""

    name: str
    purpose: str
    author: str
    made_ns: int
    calibration_id: str = ""

    @property
    def made(self) -> str:
        """The time in ISO 8601."""
        return iso_time(self.made_ns)


@dataclass(frozen=True, slots=True)
class Past:
    """The time before a recording, by the journal: the run, all settings, and the values of the last month."""

    run: Run
    settings: Mapping[Key, float]
    ranges: Mapping[Key, SettingRange]


def make_recording(
    label: Label,
    entries: Sequence[Entry],
    past: Past,
    nominal: Lattice,
    specs: Iterable[PvSpec],
    propagate: Callable[[Lattice], Beam],
    reference: Sequence[MonitorPosition] = (),
) -> Recording:
    """Make a recording of commands of one run; `specs` are the PVs that were recorded, `nominal` the ring's settings.

    Raises RecordingError if a command still waits, nothing was changed, or the changes do not follow from each other,
    and ReplayError for commands of several runs and for values that the ring cannot have.
    """
    same_run(entries, past.run)
    waiting = [entry.sequence for entry in entries if entry.outcome in (None, Outcome.DELAYED)]
    if waiting:
        raise RecordingError(
            f"command {waiting[0]} has no outcome yet: the server still works on it, or ended before; try again, or "
            "leave it out with --to"
        )
    start = nominal.updated(past.settings)
    setpoints = Setpoints(specs)
    steps = _steps(without_faults(entries, start), setpoints, past.run.prefix)
    if not steps:
        raise RecordingError("no command has changed a setting: there is nothing to record")
    touched = {(change.device, change.setting) for step in steps for change in step.changes}
    content = RecordingContent(
        name=label.name,
        purpose=label.purpose,
        author=label.author,
        made=label.made,
        parent="",
        machine=past.run.machine,
        digest=past.run.digest,
        prefix=past.run.prefix,
        calibration_id=label.calibration_id,
        start=start_state(start, propagate(start), reference),
        usual=tuple(
            UsualRange(device=key[0], setting=key[1], low=found.low, high=found.high, commands=found.commands)
            for key, found in sorted(past.ranges.items())
            if key in touched
        ),
        steps=steps,
    )
    lattices_of(content, nominal.ring)
    return seal(content)


def start_state(start: Lattice, beam: Beam, reference: Sequence[MonitorPosition] = ()) -> StartState:
    """Describe the state that a recording starts from."""
    ring = start.ring
    return StartState(
        lattice_id=start.id,
        optics=start.optics_name,
        settings=tuple(
            StartSetting(device=key[0], setting=key[1], value=start[key], unit=spec.unit)
            for key, spec in sorted(ring.properties.items())
            if spec.slot is not None and spec.setting == spec.property and start[key] != spec.nominal
        ),
        tunes=(float(beam.tune[0]), float(beam.tune[1])) if beam.found else None,
        orbit=positions([bpm.name for bpm in ring.bpms], 1e3 * beam.orbit[list(ring.monitors)][:, [0, 2]])
        if beam.found
        else (),
        reference=tuple(reference),
    )


def positions(monitors: Sequence[str], orbit: NDArray[np.float64]) -> tuple[MonitorPosition, ...]:
    """Name the rows (x, y) [mm] of an orbit; monitors without a number are left out."""
    return tuple(
        MonitorPosition(monitor=name, x=float(x), y=float(y))
        for name, (x, y) in zip(monitors, orbit, strict=True)
        if np.isfinite(x) and np.isfinite(y)
    )


def _steps(entries: Iterable[Entry], setpoints: Setpoints, prefix: str) -> tuple[RecordedStep, ...]:
    acted = sorted(
        ((outcome.order, entry, outcome) for entry in entries if (outcome := entry.applied) is not None),
        key=lambda found: found[:1],
    )
    found = []
    for _, entry, outcome in acted:
        changes = tuple(change for effect in outcome.effects for change in _changes(effect, setpoints, prefix))
        if changes:
            found.append(
                RecordedStep(
                    sequence=entry.sequence,
                    wall_ns=outcome.wall_ns,
                    changes=changes,
                    note=entry.note[:2000],
                    who=f"{entry.client.user}@{entry.client.host}"[:200],
                )
            )
    return tuple(found)


def _changes(effect: StoredChange, setpoints: Setpoints, prefix: str) -> Iterable[RecordedChange]:
    """Make the change of an effect; nothing of one that left the setting as it was."""
    if effect.setting_done is None or effect.setting_old is None or effect.setting_done == effect.setting_old:
        return
    old = effect.setting_old if effect.old is None else effect.old
    yield RecordedChange(
        pv=effect.pv.removeprefix(prefix) if effect.pv in setpoints.by_name else "",
        device=effect.device,
        property=effect.property,
        unit=effect.unit,
        old=old,
        new=effect.setting_done if effect.done is None else effect.done,
        setting=effect.setting,
        setting_old=effect.setting_old,
        setting_new=effect.setting_done,
    )
