"""The record of commands: the journal, its review, and replay with its safety gate."""

from typing import TYPE_CHECKING

from gnomon.lattice import lazy_names
from gnomon.recorder.recorder_errors import (
    AuditChainError,
    AuthorityError,
    CalibrationError,
    FrozenError,
    JournalError,
    LimitsError,
    MachineError,
    RecordingError,
    RemoteError,
    ReplayError,
    ReviewError,
    SaveFileError,
)

if TYPE_CHECKING:
    from gnomon.recorder.entries import Entry, Key, Run
    from gnomon.recorder.filters import Filter
    from gnomon.recorder.journal import Journal
    from gnomon.recorder.reader import Reader
    from gnomon.recorder.rotation import Rotation, archive, due
    from gnomon.recorder.schema import open_for_writing
    from gnomon.recorder.state_names import StateNames
    from gnomon.recorder.without_faults import BY_FAULT

__all__ = [
    "BY_FAULT",
    "AuditChainError",
    "AuthorityError",
    "CalibrationError",
    "Entry",
    "Filter",
    "FrozenError",
    "Journal",
    "JournalError",
    "Key",
    "LimitsError",
    "MachineError",
    "Reader",
    "RecordingError",
    "RemoteError",
    "ReplayError",
    "ReviewError",
    "Rotation",
    "Run",
    "SaveFileError",
    "StateNames",
    "archive",
    "due",
    "open_for_writing",
]

__getattr__ = lazy_names(
    __name__,
    {
        "BY_FAULT": "without_faults",
        "Entry": "entries",
        "Filter": "filters",
        "Journal": "journal",
        "Key": "entries",
        "Reader": "reader",
        "Run": "entries",
        "Rotation": "rotation",
        "StateNames": "state_names",
        "archive": "rotation",
        "due": "rotation",
        "open_for_writing": "schema",
    },
)
