"""gnomon: a digital shadow of a synchrotron storage ring that any EPICS client can talk to.

`gnomon.ring("bessy2")` is a ring to compute with, `gnomon.connect()` one that a server runs. Importing this package
loads nothing but the version.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from gnomon._version import __version__

if TYPE_CHECKING:
    from os import PathLike

    from gnomon.clients.remote_ring import connect
    from gnomon.lattice import Lattice, MachineDocument
    from gnomon.propagator.facade import RingModel

__all__ = ["__version__", "connect", "ring"]

#: Names that are imported on first use, with their modules.
_LAZY = {"connect": "gnomon.clients.remote_ring"}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def ring(
    machine: "str | PathLike[str] | MachineDocument | Lattice" = "bessy2",
    *,
    use: str | None = None,
    energy_ev: float | None = None,
    harmonic_number: int | None = None,
    drop: tuple[str, ...] = (),
    approximate: bool = False,
) -> "RingModel":
    """Make a ring to compute with: a shipped machine by its name, a file, or a document or lattice of gnomon.

    A file is a machine document (`.json`), the folder that `gnomon init` made, or a lattice of pyAT, MAD-X, elegant or
    Tracy, which the other arguments are for: `use` names one of its sequences or lines, energy and harmonic number
    replace the file's, elements that fit a pattern of `drop` become free space, and `approximate` takes the nearest of
    what cannot be represented. Raises DocumentError, with the names that there are.
    """
    from gnomon.db.machine_files import find_document
    from gnomon.lattice import Lattice, MachineDocument, Ring
    from gnomon.propagator.facade import RingModel

    if isinstance(machine, Lattice):
        return RingModel(machine)
    if isinstance(machine, MachineDocument):
        return RingModel(Ring(machine).nominal)
    from gnomon.lattice.exchange import ImportOptions

    options = ImportOptions(
        use=use, energy_ev=energy_ev, harmonic_number=harmonic_number, drop=drop, approximate=approximate
    )
    return RingModel(Ring(find_document(machine, options)).nominal)
