"""Recordings as tables on a terminal."""

from rich.table import Table

from gnomon.recorder.recordings.approvals import fingerprint, trouble_of
from gnomon.recorder.recordings.recording import RecordingContent, RecordingFile
from gnomon.recorder.rendering import clean, difference_texts, make_table


def steps_table(recording: RecordingContent) -> Table:
    """Make a table of the settings that a recording changes, in their own units."""
    table = make_table("step", "command", "by", "device", "property", "from", "to", "unit", "note", right=(0, 1, 5, 6))
    for number, step in enumerate(recording.steps, 1):
        for k, change in enumerate(step.changes):
            first = (str(number), str(step.sequence), step.who) if k == 0 else ("", "", "")
            table.add_row(
                *map(clean, first),
                clean(change.device),
                clean(change.property),
                *difference_texts(change.old, change.new),
                clean(change.unit),
                clean(step.note if k == 0 else ""),
            )
    return table


def approval_texts(file: RecordingFile) -> list[str]:
    """Describe the approvals of a recording, each with the reason why it does not count, if there is one."""
    found = []
    for approval in file.approvals:
        trouble = trouble_of(approval, file.recording)
        told = f"does not count: {trouble}" if trouble else "signature verified"
        limits = f"limits file {approval.limits[:12]}" if approval.limits else "without a limits file"
        found.append(f"{approval.reviewer}, {approval.time}, {limits}, key {fingerprint(approval.public_key)}: {told}")
    return found
