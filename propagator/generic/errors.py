"""What the generic propagator refuses, and why it stops."""

from gnomon.lattice import GnomonError


class ProgramError(GnomonError):
    """An element, a property or a ring that no program can be made of: element, property, value, unit, what to do."""


class KnobError(ProgramError):
    """A knob that does not exist."""


class SeriesError(GnomonError):
    """A power series that cannot be made or read: order, variable or memory, with the limit."""


class PropagationError(GnomonError):
    """A phase space that cannot be carried on: turn, element and reason."""
