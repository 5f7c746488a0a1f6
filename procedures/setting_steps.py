"""Steps of settings, within their limits."""

from gnomon.lattice import Lattice
from gnomon.procedures.errors import ProcedureError

__all__ = ["bounded_step"]


def bounded_step(lattice: Lattice, supply: str, wanted: float) -> float:
    """Bound a step so that the supply stays within its limits both ways. Raises ProcedureError if it has no room."""
    spec, present = lattice.ring.property_spec(supply, "current"), lattice[supply, "current"]
    room = min(spec.high - present, present - spec.low)
    if not room > 0.0:
        raise ProcedureError(
            f"{supply} is at {present:g} {spec.unit}, at its limit: it cannot be moved both ways; leave it out"
        )
    return float(min(wanted, room))
