"""Another version of a recording: steps dropped, values changed. It names its parent, which stays as it is. Pure."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from gnomon.db.pvs import PvSpec
from gnomon.lattice import LatticeError, Ring
from gnomon.recorder.recorder_errors import RecordingError
from gnomon.recorder.recordings.excerpt import Label
from gnomon.recorder.recordings.recording import RecordedChange, RecordedStep, Recording, RecordingContent, seal
from gnomon.recorder.recordings.recording_plan import start_of
from gnomon.recorder.replay_steps import Setpoints


@dataclass(frozen=True, slots=True)
class Edit:
    """A new value for a step, from 1 on, in the unit of its PV; `pv`, without prefix, chooses one of several PVs."""

    step: int
    value: float
    pv: str = ""


def edited(
    recording: Recording,
    ring: Ring,
    specs: Iterable[PvSpec],
    label: Label,
    drop: Collection[int] = (),
    edits: Sequence[Edit] = (),
) -> Recording:
    """Make the version of a recording without the steps `drop` and with other values.

    `specs` are the PVs under the recorded prefix. Each remaining step asks for what it asked for, from the settings
    that those before it now leave. Raises RecordingError.
    """
    unknown = sorted({*drop, *(edit.step for edit in edits)} - set(range(1, len(recording.steps) + 1)))
    if unknown:
        raise RecordingError(f"there is no step {unknown[0]}; {recording.name!r} has steps 1 to {len(recording.steps)}")
    setpoints = Setpoints(specs)
    values = _values(recording, setpoints, edits)
    lattice = start_of(recording, ring)
    steps: list[RecordedStep] = []
    for number, step in enumerate(recording.steps, 1):
        if number in drop:
            continue
        asked = {(c.device, c.property): values.get((number, k), c.new) for k, c in enumerate(step.changes)}
        try:
            after = lattice.updated(asked)
        except LatticeError as error:
            raise RecordingError(f"step {number}: {error}") from error
        changes = tuple(
            RecordedChange(
                pv=c.pv,
                device=c.device,
                property=c.property,
                unit=c.unit,
                old=lattice[c.device, c.property],
                new=after[c.device, c.property],
                setting=c.setting,
                setting_old=lattice[c.device, c.setting],
                setting_new=after[c.device, c.setting],
            )
            for c in step.changes
            if lattice[c.device, c.setting] != after[c.device, c.setting]
        )
        lattice = after
        told = [
            f"edited by {label.author}: {step.changes[k].new:.9g} -> {value:.9g} {step.changes[k].unit}".rstrip()
            for (at, k), value in values.items()
            if at == number
        ]
        if changes:
            note = "; ".join(filter(None, [step.note, *told]))[:2000]
            steps.append(step.model_copy(update={"changes": changes, "note": note}))
    if not steps:
        raise RecordingError("no step is left that changes a setting")
    content = RecordingContent.model_validate(
        recording.model_dump(by_alias=True, exclude={"id"})
        | {
            "name": label.name,
            "purpose": label.purpose,
            "author": label.author,
            "made": label.made,
            "parent": recording.id,
            "steps": [step.model_dump() for step in steps],
        }
    )
    return seal(content)


def _values(recording: Recording, setpoints: Setpoints, edits: Sequence[Edit]) -> dict[tuple[int, int], float]:
    """Find the changes that are edited: their new values in their own unit, by step and place in it."""
    values: dict[tuple[int, int], float] = {}
    for edit in edits:
        step = recording.steps[edit.step - 1]
        names = [setpoint_of(change, recording.prefix, setpoints) for change in step.changes]
        fitting = [k for k, name in enumerate(names) if edit.pv in ("", name)]
        if len(fitting) != 1:
            choice = ", ".join(f"{edit.step}:{name}" for name in dict.fromkeys(names[:20]))
            raise RecordingError(
                f"step {edit.step} changes {len(names)} settings: say which with one of {choice}"
                if not edit.pv
                else f"step {edit.step} does not set {edit.pv}, but {choice}"
            )
        spec = setpoints.by_name.get(recording.prefix + names[fitting[0]])
        values[edit.step, fitting[0]] = edit.value / (spec.scale if spec is not None else 1.0)
    return values


def setpoint_of(change: RecordedChange, prefix: str, setpoints: Setpoints) -> str:
    """Name the setpoint of a change without prefix: the PV that was written, else the one that sets it."""
    spec = setpoints.by_name.get(prefix + change.pv) or setpoints.of_property(change.device, change.property)
    return spec.name.removeprefix(prefix) if spec is not None else f"{change.device}.{change.property}"
