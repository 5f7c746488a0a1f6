"""Errors of measurements and corrections."""

from gnomon.lattice import GnomonError

__all__ = ["Interrupted", "ProcedureError", "reason_of"]


class ProcedureError(GnomonError):
    """A measurement or a correction cannot be made as asked; the text says why and what to do."""


class Interrupted(ProcedureError):
    """The user interrupted a procedure; what was being measured was put back."""

    exit_code = 130


def reason_of(error: BaseException) -> str:
    """Return what an error says, with the notes that were added to it, such as that settings are as before."""
    return "; ".join([f"{error}" or type(error).__name__, *getattr(error, "__notes__", ())])
