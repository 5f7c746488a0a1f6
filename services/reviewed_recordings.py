"""Named recordings as routes and pages show them: a list, and one with its review by the model."""

from collections.abc import Iterable
from dataclasses import dataclass

from gnomon.ioc.base.config import Config
from gnomon.ioc.base.machines import pvs_of, recorded_machine
from gnomon.lattice.text import shorten
from gnomon.propagator import Propagator
from gnomon.recorder.recordings import RecordingFile, RecordingFolder, Review, fingerprint, review, trouble_of
from gnomon.services.problems import ProblemError
from gnomon.services.service_documents import ApprovalLine, NamedRecording

#: Largest number of steps that the services review: the model takes some milliseconds for each.
MAX_STEPS = 2000


@dataclass(frozen=True, slots=True, eq=False)
class Reviewed:
    """A recording with its approvals, and its review."""

    file: RecordingFile
    review: Review


def find_recording(config: Config, name: str) -> RecordingFile:
    """Find a recording by its name, or by its id. Raises ProblemError (404), RecordingError for a changed file."""
    folder = RecordingFolder(config.recordings())
    if not any(name in (file.recording.name, file.recording.id) for file in folder.all()):
        detail = f"there is no recording {shorten(name)}"
        raise ProblemError(404, detail, field="name", action="GET /v1/reviews lists all")
    return folder.find(name)


def review_of(config: Config, name: str) -> Reviewed:
    """Review a recording. Raises ProblemError, RecordingError, ReplayError, and DocumentError without its machine."""
    file = find_recording(config, name)
    recording = file.recording
    if len(recording.steps) > MAX_STEPS:
        raise ProblemError(
            422,
            f"{recording.name} has {len(recording.steps)} steps",
            limit=f"{MAX_STEPS} steps",
            action=f"review it with `gnomon review {recording.name}`",
        )
    machine = recorded_machine(config, recording.machine, recording.digest)
    propagate = Propagator(machine.ring, config.model.momentum, chromatic=False)
    return Reviewed(file, review(recording, machine.ring, pvs_of(machine, recording.prefix), propagate))


def recording_lines(config: Config) -> list[NamedRecording]:
    """List all recordings with their approvals, the newest first. Raises RecordingError."""
    return [line_of(file) for file in reversed(RecordingFolder(config.recordings()).all())]


def line_of(file: RecordingFile) -> NamedRecording:
    """Describe a recording without its steps."""
    recording = file.recording
    return NamedRecording(
        name=recording.name,
        id=recording.id,
        purpose=recording.purpose,
        author=recording.author,
        made=recording.made,
        parent=recording.parent,
        machine=recording.machine,
        prefix=recording.prefix,
        calibration_id=recording.calibration_id,
        steps=len(recording.steps),
        approvals=list(_approvals(file)),
    )


def _approvals(file: RecordingFile) -> Iterable[ApprovalLine]:
    for approval in file.approvals:
        yield ApprovalLine(
            reviewer=approval.reviewer,
            time=approval.time,
            key=fingerprint(approval.public_key),
            trouble=trouble_of(approval, file.recording),
        )
