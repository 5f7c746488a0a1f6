"""The record of commands: the journal, its review, and replay with its safety gate."""

from gnomon.recorder.errors import JournalError, MachineError, RemoteError, ReplayError, ReviewError
from gnomon.recorder.journal import Journal

__all__ = ["Journal", "JournalError", "MachineError", "RemoteError", "ReplayError", "ReviewError"]
