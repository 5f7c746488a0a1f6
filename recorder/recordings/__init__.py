"""Recordings: named, immutable excerpts of a journal, their review and their approval."""

from typing import TYPE_CHECKING

from gnomon.lattice import lazy_names

if TYPE_CHECKING:
    from gnomon.recorder.recordings.approvals import (
        NO_IDENTITY,
        ReviewKey,
        fingerprint,
        is_author,
        key_path,
        own_key,
        trouble_of,
        verify,
    )
    from gnomon.recorder.recordings.excerpt import MONTH_NS, Label, Past, make_recording, positions, start_state
    from gnomon.recorder.recordings.recording import (
        Approval,
        MonitorPosition,
        RecordedChange,
        RecordedStep,
        Recording,
        RecordingContent,
        RecordingFile,
        StartSetting,
        StartState,
        UsualRange,
        seal,
    )
    from gnomon.recorder.recordings.recording_edits import Edit, edited
    from gnomon.recorder.recordings.recording_folder import Begun, RecordingFolder, read_recording_file
    from gnomon.recorder.recordings.recording_plan import lattices_of, plan_of, start_of
    from gnomon.recorder.recordings.recording_tables import approval_texts, steps_table
    from gnomon.recorder.recordings.review_data import review_document
    from gnomon.recorder.recordings.review_pages import PICTURES, picture, review_page
    from gnomon.recorder.recordings.review_tables import (
        NOT_PROTECTION,
        TextTable,
        beam_of,
        facts_of,
        marks_of,
        steps_of,
        totals_of,
    )
    from gnomon.recorder.recordings.reviewing import Review, ReviewedState, Strength, review
    from gnomon.recorder.recordings.unusual import Mark, MarkCode

__all__ = [
    "MONTH_NS",
    "NOT_PROTECTION",
    "NO_IDENTITY",
    "PICTURES",
    "Approval",
    "Begun",
    "Edit",
    "Label",
    "Mark",
    "MarkCode",
    "MonitorPosition",
    "Past",
    "RecordedChange",
    "RecordedStep",
    "Recording",
    "RecordingContent",
    "RecordingFile",
    "RecordingFolder",
    "Review",
    "ReviewKey",
    "ReviewedState",
    "StartSetting",
    "StartState",
    "Strength",
    "TextTable",
    "UsualRange",
    "approval_texts",
    "beam_of",
    "edited",
    "facts_of",
    "fingerprint",
    "is_author",
    "key_path",
    "lattices_of",
    "make_recording",
    "marks_of",
    "own_key",
    "picture",
    "plan_of",
    "positions",
    "read_recording_file",
    "review",
    "review_document",
    "review_page",
    "seal",
    "start_of",
    "start_state",
    "steps_of",
    "steps_table",
    "totals_of",
    "trouble_of",
    "verify",
]

#: Names by module, each imported on first use.
_NAMES = {
    "approvals": (
        "NO_IDENTITY",
        "ReviewKey",
        "fingerprint",
        "is_author",
        "key_path",
        "own_key",
        "trouble_of",
        "verify",
    ),
    "excerpt": (
        "Label",
        "MONTH_NS",
        "Past",
        "make_recording",
        "positions",
        "start_state",
    ),
    "recording": (
        "Approval",
        "MonitorPosition",
        "RecordedChange",
        "RecordedStep",
        "Recording",
        "RecordingContent",
        "RecordingFile",
        "StartSetting",
        "StartState",
        "UsualRange",
        "seal",
    ),
    "recording_edits": (
        "Edit",
        "edited",
    ),
    "recording_folder": (
        "Begun",
        "RecordingFolder",
        "read_recording_file",
    ),
    "recording_plan": (
        "lattices_of",
        "plan_of",
        "start_of",
    ),
    "recording_tables": (
        "approval_texts",
        "steps_table",
    ),
    "review_data": ("review_document",),
    "review_pages": (
        "PICTURES",
        "picture",
        "review_page",
    ),
    "review_tables": (
        "NOT_PROTECTION",
        "TextTable",
        "beam_of",
        "facts_of",
        "marks_of",
        "steps_of",
        "totals_of",
    ),
    "reviewing": (
        "Review",
        "ReviewedState",
        "Strength",
        "review",
    ),
    "unusual": (
        "Mark",
        "MarkCode",
    ),
}

__getattr__ = lazy_names(__name__, {name: module for module, names in _NAMES.items() for name in names})
