"""What can go wrong with a record of commands."""

from gnomon.lattice._errors import GnomonError


class JournalError(GnomonError):
    """The journal cannot be opened, read or written; the text says which file, why, and what to do."""


class ReviewError(GnomonError):
    """What was asked of the journal does not fit what stands in it."""


class RemoteError(GnomonError):
    """A running server did not answer, or refused."""


class MachineError(GnomonError):
    """A PV of the machine could not be reached, read or written in time."""


class MissedError(MachineError):
    """A PV of the machine answers, and is not where it should be, or not yet."""


class ReplayError(GnomonError):
    """A recording that cannot be replayed as asked; nothing has been written."""


class SaveFileError(GnomonError):
    """A file of setpoints that cannot be read or written: which, where in it, and why."""
