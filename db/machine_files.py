"""A machine by its name or by any file that describes one: a document, a folder of `gnomon init`, a lattice file."""

from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING

from gnomon.db.machines import shipped_document, shipped_machines
from gnomon.lattice import DocumentError, MachineDocument, read_machine
from gnomon.lattice.text import shorten

if TYPE_CHECKING:
    from gnomon.lattice.exchange import ImportOptions

__all__ = ["find_document"]


def find_document(machine: str | PathLike[str], options: "ImportOptions | None" = None) -> MachineDocument:
    """Find the document of a machine: shipped, in a file, or imported from a lattice file in a process of its own.

    `options` are for lattice files of other programs. Raises DocumentError with the names that there are, and what
    reading and importing raise.
    """
    name = fspath(machine)
    if name in shipped_machines():
        return shipped_document(name)
    path = Path(name).expanduser()
    if path.is_dir():
        path = _in_folder(path)
    if not path.exists():
        raise DocumentError(
            f"there is no machine and no file {shorten(name)}; use one of {', '.join(shipped_machines())}, a "
            "machine document (.json), or a lattice file (.mat, .m, .seq, .madx, .lte, .lat)"
        )
    from gnomon.lattice.exchange import ExchangeError, guess_format, import_isolated

    try:
        format = guess_format(path)
    except ExchangeError:
        if path.suffix.lower() != ".json":
            raise
        return read_machine(path)
    return import_isolated(path, format, options).parsed(str(path))


def _in_folder(folder: Path) -> Path:
    """The machine document in a folder. Raises DocumentError unless there is one."""
    found = [path for path in sorted(folder.glob("*.json")) if not path.name.endswith(".pvs.json")]
    if len(found) != 1:
        raise DocumentError(f"{folder}: {len(found)} machine documents (.json) are in this folder; name a file")
    return found[0]
