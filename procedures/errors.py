"""Errors of measurements and corrections."""

from gnomon.lattice import GnomonError

__all__ = ["Interrupted", "ProcedureError"]


class ProcedureError(GnomonError):
    """A measurement or a correction cannot be made as asked; the text says why and what to do."""


class Interrupted(ProcedureError):
    """The user interrupted a procedure; what was being measured was put back."""

    exit_code = 130
