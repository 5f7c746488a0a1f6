"""The plan of a recording: its steps as writes of one PV each, on the machine of a prefix."""

from collections.abc import Callable, Sequence

from gnomon.db.pvs import PvSpec
from gnomon.lattice import Lattice, LatticeError, Ring
from gnomon.recorder.entries import StoredChange
from gnomon.recorder.recorder_errors import RecordingError
from gnomon.recorder.recordings.recording import RecordedChange, Recording, RecordingContent
from gnomon.recorder.replay_steps import Beam, Plan, Put, Setpoints, changes_by_put, plan_of_puts


def plan_of(
    recording: Recording, prefix: str, ring: Ring, specs: Sequence[PvSpec], propagate: Callable[[Lattice], Beam]
) -> Plan:
    """Make the plan that writes a recording to the PVs of `prefix`, which are `specs`.

    `Step.sequence` is the number of the recording's step, from 1 on; a step that changes several PVs gives several
    steps of the plan. Raises RecordingError for a ring that is not the recorded one and for a recording whose steps do
    not follow from each other, ReplayError as `make_plan` does.
    """
    lattices_of(recording, ring)
    setpoints = Setpoints(specs)
    puts = [
        Put(number, step.wall_ns, tuple(effects))
        for number, step in enumerate(recording.steps, 1)
        for effects in changes_by_put(
            (_effect(change, recording.prefix) for change in step.changes), setpoints, recording.prefix, prefix
        )
    ]
    return plan_of_puts(puts, recording.prefix, prefix, start_of(recording, ring), setpoints, propagate)


def start_of(recording: RecordingContent, ring: Ring) -> Lattice:
    """Make the lattice that a recording starts from. Raises RecordingError for another ring than the recorded one."""
    if ring.digest != recording.digest:
        raise RecordingError(
            f"recording {recording.name!r} is of the machine document {recording.digest[:12]} of "
            f"{recording.machine!r}, this one is {ring.digest[:12]} of {ring.name!r}; give the recorded document with "
            "--machine, or record it again"
        )
    try:
        start = ring.nominal.updated(recording.start.stored)
    except LatticeError as error:
        raise RecordingError(f"recording {recording.name!r}, start: {error}") from error
    if start.id != recording.start.lattice_id:
        raise RecordingError(
            f"recording {recording.name!r}: its settings make the lattice {start.id[:12]}, but it says that it starts "
            f"from {recording.start.lattice_id[:12]}; record it again"
        )
    return start


def lattices_of(recording: RecordingContent, ring: Ring) -> tuple[Lattice, ...]:
    """Make the lattices of a recording: that of the start, and those after each step.

    Raises RecordingError for another ring, a value that it cannot have, and a step that does not begin where those
    before it end.
    """
    lattice = start_of(recording, ring)
    found = [lattice]
    for number, step in enumerate(recording.steps, 1):
        for change in step.changes:
            key = (change.device, change.setting)
            where = f"recording {recording.name!r}, step {number}, {change.device} {change.setting}"
            try:
                now = lattice[key]
                if now != change.setting_old:
                    raise RecordingError(
                        f"{where}: it begins at {change.setting_old:.9g}, but the steps before it lead to {now:.9g}: a "
                        "step is missing or out of order; make another version of it with gnomon review edit"
                    )
                lattice = lattice.updated({key: change.setting_new})
            except LatticeError as error:
                raise RecordingError(f"{where}: {error}") from error
        found.append(lattice)
    return tuple(found)


def _effect(change: RecordedChange, prefix: str) -> StoredChange:
    return StoredChange(
        pv=f"{prefix}{change.pv}" if change.pv else "",
        device=change.device,
        property=change.property,
        unit=change.unit,
        old=change.old,
        new=change.new,
        done=change.new,
        setting=change.setting,
        setting_old=change.setting_old,
        setting_done=change.setting_new,
    )
