"""The machines that gnomon ships: their documents, and the PVs that their facilities give them."""

from functools import cache
from pathlib import Path

from gnomon.lattice import DocumentError, MachineDocument, read_machine

_FOLDER = Path(__file__).parent


def shipped_machines() -> tuple[str, ...]:
    """Names of the shipped machines, sorted."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.json") if not path.name.endswith(".pvs.json")))


@cache
def shipped_document(name: str) -> MachineDocument:
    """Read the document of a shipped machine, once in a process. Raises DocumentError when there is no such machine."""
    if name not in shipped_machines():
        raise DocumentError(f"no machine {name!r} is shipped; there are {', '.join(shipped_machines())}")
    return read_machine(_FOLDER / f"{name}.json")


def shipped_pv_documents() -> tuple[str, ...]:
    """Names of the shipped PV documents, sorted."""
    return tuple(sorted(path.name.removesuffix(".pvs.json") for path in _FOLDER.glob("*.pvs.json")))


def pv_document(name: str, beside: Path | None = None) -> Path:
    """The file of a PV document: in the folder `beside`, where a user's machine document stands, or shipped.

    Raises DocumentError with what there is when nothing has that name.
    """
    folders = (beside, _FOLDER) if beside else (_FOLDER,)
    for folder in folders:
        if (path := folder / f"{name}.pvs.json").exists():
            return path
    where = f"in {beside} nor " if beside else ""
    raise DocumentError(
        f"no PV document {name!r} ({name}.pvs.json) is {where}shipped; there are {', '.join(shipped_pv_documents())}"
    )
