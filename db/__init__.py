"""Machine structure: where it is kept, and the PVs that it gets."""

from typing import TYPE_CHECKING

from gnomon.lattice import lazy_names

if TYPE_CHECKING:
    from gnomon.db.machines import shipped_document, shipped_machines
    from gnomon.lattice import Ring


def shipped_machine(name: str) -> "Ring":
    """The ring of a shipped machine. Raises DocumentError when there is none of that name."""
    from gnomon.db.machines import shipped_document
    from gnomon.lattice import Ring

    return Ring(shipped_document(name))


__all__ = ["shipped_document", "shipped_machine", "shipped_machines"]

__getattr__ = lazy_names(__name__, dict.fromkeys(("shipped_document", "shipped_machines"), "machines"))
