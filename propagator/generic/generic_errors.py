"""Errors of the generic propagator."""

from gnomon.lattice import GnomonError


class ProgramError(GnomonError):
    """A lattice that cannot be made into a program; the text names element, property, value, unit and what to do."""


class KnobError(ProgramError):
    """A knob that does not exist."""


class SeriesError(GnomonError):
    """A power series that cannot be made or read; the text names order, variable or memory, with the limit."""


class PropagationError(GnomonError):
    """A phase space that cannot be propagated further; the text names turn, element and reason."""
