"""A catalogue of tiled as a second place for runs: the tree of a run's file, as named arrays with their units.

Needs the extra `gnomon[tiled]`. The key is the environment variable TILED_API_KEY, as for any client of tiled.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from gnomon.lattice.hdf5_files import MAX_BYTES
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.nexus import read_head, read_identifier, require_h5py

__all__ = ["SPEC", "publish_run", "require_tiled", "run_metadata"]

#: Name and version under which tiled's clients know a run.
SPEC = ("gnomon.procedure", "1")
#: Time for which a catalogue that does not answer is tried again [s], unless the user has set it.
RETRY_S = "10"
#: Groups that hold what stands elsewhere in the file.
COPIES = ("plot",)


def require_tiled(*more: str) -> None:
    """Raise ProcedureError with the command that installs tiled, unless it and what else is named are installed."""
    for name in ("tiled", "strawberry", "hdf5plugin", *more):
        if find_spec(name) is None:
            raise ProcedureError(
                f"catalogues of tiled need {name}, which is not installed; pip install 'gnomon[tiled]'"
            )


def run_metadata(path: Path) -> dict[str, Any]:
    """Read what a run's file says about it, without arrays, and its identifier. Raises ProcedureError."""
    head = read_head(path)
    return {**head.document, "identifier": str(read_identifier(path, head, MAX_BYTES))}


def publish_run(path: Path, uri: str) -> None:
    """Write a run's file into a catalogue, as a container of its name. Raises ProcedureError, and leaves no half of it.

    Numbers become arrays, whose metadata are the file's attributes (`units`, `long_name`); texts become metadata.
    """
    require_tiled()
    h5py = require_h5py()
    metadata = run_metadata(path)
    name = path.stem
    # Read when tiled is imported; its own 45 s are long for somebody who waits for a prompt.
    os.environ.setdefault("TILED_RETRY_TIMEOUT", RETRY_S)
    with _told(name, uri):
        from tiled.client import from_uri
        from tiled.structures.core import Spec

        catalogue = from_uri(uri)
        if name in catalogue:
            raise ProcedureError(f"{name} is in the catalogue {_without_key(uri)} already")
        made = catalogue.create_container(name, metadata=metadata, specs=[Spec(*SPEC)])
        try:
            with h5py.File(path, "r") as file:
                _copy(file["entry"], made.create_container("entry", metadata=_facts(file["entry"])))
        except BaseException:
            with suppress(Exception):  # the reason is what is told
                catalogue.delete_contents(name, recursive=True, external_only=False)
            raise


def _copy(group: Any, container: Any) -> None:
    for name, item in group.items():
        if hasattr(item, "keys"):
            if name not in COPIES:
                _copy(item, container.create_container(name, metadata=_facts(item)))
        elif item.dtype.kind in "fiub":
            container.write_array(np.asarray(item[()]), key=name, metadata=_attributes(item))


def _facts(group: Any) -> dict[str, Any]:
    """Collect the attributes of a group, and its texts."""
    texts = {name: item.asstr()[()] for name, item in group.items() if not hasattr(item, "keys") and item.dtype == "O"}
    return {**_attributes(group), **texts}


def _attributes(item: Any) -> dict[str, Any]:
    return {name: value.tolist() if hasattr(value, "tolist") else value for name, value in item.attrs.items()}


@contextmanager
def _told(name: str, uri: str) -> Iterator[None]:
    """Turn whatever a client of tiled raises into a line of text."""
    try:
        yield
    except ProcedureError:
        raise
    except Exception as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise ProcedureError(f"{name} cannot be written to the catalogue {_without_key(uri)}: {reason}") from error


def _without_key(uri: str) -> str:
    """Return an address without a key that it may hold."""
    return uri.partition("?")[0]
