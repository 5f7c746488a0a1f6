"""Recordings: named, immutable excerpts of a journal, their review and their approval."""

from typing import TYPE_CHECKING

from gnomon.lattice import lazy_names

if TYPE_CHECKING:
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
        seal,
    )
    from gnomon.recorder.recordings.recording_plan import lattices_of, plan_of, start_of

__all__ = [
    "Approval",
    "MonitorPosition",
    "RecordedChange",
    "RecordedStep",
    "Recording",
    "RecordingContent",
    "RecordingFile",
    "StartSetting",
    "StartState",
    "lattices_of",
    "plan_of",
    "seal",
    "start_of",
]

__getattr__ = lazy_names(
    __name__,
    {
        **dict.fromkeys(
            (
                "Approval",
                "MonitorPosition",
                "RecordedChange",
                "RecordedStep",
                "Recording",
                "RecordingContent",
                "RecordingFile",
                "StartSetting",
                "StartState",
                "seal",
            ),
            "recording",
        ),
        **dict.fromkeys(("lattices_of", "plan_of", "start_of"), "recording_plan"),
    },
)
