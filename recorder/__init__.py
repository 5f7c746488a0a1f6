"""The record of commands: the journal, its review, and replay with its safety gate."""

from typing import TYPE_CHECKING

from gnomon.lattice import lazy_names
from gnomon.recorder.errors import JournalError, MachineError, RemoteError, ReplayError, ReviewError

if TYPE_CHECKING:
    from gnomon.recorder.journal import Journal

__all__ = ["Journal", "JournalError", "MachineError", "RemoteError", "ReplayError", "ReviewError"]

__getattr__ = lazy_names(__name__, {"Journal": "journal"})
