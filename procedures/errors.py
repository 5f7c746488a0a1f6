"""Errors of measurements and corrections."""

from gnomon.lattice import GnomonError

__all__ = ["ProcedureError"]


class ProcedureError(GnomonError):
    """A measurement or a correction cannot be made as asked; the text says why and what to do."""
