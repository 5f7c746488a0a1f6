"""Devices that a procedure moves: those that drive a property, and of these the ones that patterns choose."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from gnomon.lattice import Lattice, Ring
from gnomon.lattice.near_names import near_names_hint
from gnomon.procedures.errors import ProcedureError
from gnomon.propagator.derivatives import fed_by, supplies_of

__all__ = ["check_names", "chosen_names", "supplies_that_drive"]


def chosen_names(names: Sequence[str], patterns: Sequence[str], what: str) -> tuple[str, ...]:
    """Choose the names that fit patterns. Raises ProcedureError for a pattern that none fits."""
    found = tuple(name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns))
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in found):
            raise ProcedureError(f"no {what} fits {pattern!r}{near_names_hint(pattern, list(names))}")
    return found


def check_names(ring: Ring, options: Mapping[str, Any]) -> tuple[str, ProcedureError] | None:
    """Find an option that names a device which the ring does not have: the option and the error, else None.

    Of a procedure's options as they were given: patterns of devices, and monitors. What it cannot use of those that
    there are, a procedure refuses itself.
    """
    monitors = [bpm.name for bpm in ring.bpms]
    devices = [*dict.fromkeys([*(device for device, _ in ring.properties), *(m.name for m in ring.magnets), *monitors])]
    for option, names, what in (
        ("devices", devices, "device"), ("place", monitors, "monitor"), ("monitor", monitors, "monitor"),
        ("dead", monitors, "monitor"),
    ):  # fmt: skip
        given = options.get(option, ())
        try:
            chosen_names(names, [given] if isinstance(given, str) else list(given), f"{what} of {ring.name}")
        except ProcedureError as error:
            return option, error
    return None


def supplies_that_drive(lattice: Lattice, main: str) -> tuple[str, ...]:
    """List the supplies that feed a magnet of this main strength (`k1`, `b3`), without the multiplexer's."""
    mux = lattice.ring.multiplexer
    return tuple(
        name
        for name in supplies_of(lattice)
        if any(m.main == main for m, _ in fed_by(lattice, name)) and (mux is None or name != mux.supply)
    )
