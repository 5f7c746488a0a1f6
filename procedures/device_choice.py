"""Devices that a procedure moves: those that drive a property, and of these the ones that patterns choose."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from gnomon.lattice import Lattice
from gnomon.lattice.near_names import near_names_hint
from gnomon.procedures.errors import ProcedureError
from gnomon.propagator.derivatives import fed_by, supplies_of

__all__ = ["chosen_names", "supplies_that_drive"]


def chosen_names(names: Sequence[str], patterns: Sequence[str], what: str) -> tuple[str, ...]:
    """Choose the names that fit patterns. Raises ProcedureError for a pattern that none fits."""
    found = tuple(name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns))
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in found):
            raise ProcedureError(f"no {what} fits {pattern!r}{near_names_hint(pattern, list(names))}")
    return found


def supplies_that_drive(lattice: Lattice, main: str) -> tuple[str, ...]:
    """List the supplies that feed a magnet of this main strength (`k1`, `b3`), without the multiplexer's."""
    mux = lattice.ring.multiplexer
    return tuple(
        name
        for name in supplies_of(lattice)
        if any(m.main == main for m, _ in fed_by(lattice, name)) and (mux is None or name != mux.supply)
    )
