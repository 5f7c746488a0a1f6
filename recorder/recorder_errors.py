"""Errors of journals, reviews, replays and files of setpoints."""

from gnomon.lattice import GnomonError


class JournalError(GnomonError):
    """The journal cannot be opened, read or written; the text has the file, the reason, and what to do."""


class ReviewError(GnomonError):
    """A request for a review or snapshot that the recorded data cannot meet."""


class RemoteError(GnomonError):
    """A running server did not answer, or refused the call."""


class MachineError(GnomonError):
    """A PV of the machine could not be reached, read or written in time."""


class MissedError(MachineError):
    """A PV of the machine answers, but does not have the expected value, or not yet."""


class ReplayError(GnomonError):
    """A recording that cannot be replayed, a replay that stopped, or an audit file that cannot be written."""


class RecordingError(GnomonError):
    """A recording or an approval that cannot be made, read or trusted; the text has the file or name, and the place."""


class FrozenError(ReplayError):
    """Putting back did not bring the machine back: nothing more is written, and the operator is called."""

    #: Exit status of a command that ends so.
    exit_code = 3


class CalibrationError(GnomonError):
    """A calibration cannot be made, read or used; the text has the reason, and what to do."""


class SaveFileError(GnomonError):
    """A file of setpoints cannot be read or written; the text has the file, the place in it, and the reason."""


class LimitsError(GnomonError):
    """A limits file of the gate that cannot be used; the text has the file, and each mistake with line and key."""

    exit_code = 2  # of the command line: wrong use


class AuthorityError(GnomonError):
    """A token that gives no authority to write, or cannot be made; the text has the reason, and what to do."""


class AuditChainError(ReplayError):
    """An audit log that is broken or cannot be written; the text has the file, and the first line that is wrong."""
