"""PV documents of users' machines in a store that several computers share: no folder beside it reaches all of them."""

import json
import os
from pathlib import Path

from gnomon.db import StorePlace
from gnomon.db.store import NEW, ConflictError, Document, NotFoundError
from gnomon.lattice import DocumentError

KIND = "pvs"
SUFFIX = ".pvs.json"


def share_pv_documents(place: StorePlace, machine: str, folder: Path) -> None:
    """Put the PV documents of a machine, files of a folder, into a shared store. Raises StoreError, DocumentError."""
    if place.folder is not None or not folder.is_dir():
        return
    with place.open_blocking() as store:
        for file in sorted(folder.glob(f"*{SUFFIX}")):
            name, document = f"{machine}/{file.name.removesuffix(SUFFIX)}", _read(file)
            try:
                newest = store.get(KIND, name)
            except NotFoundError:
                newest = None
            if newest is None or json.dumps(newest.document) != json.dumps(document):
                try:
                    store.put(KIND, name, document, newest.revision if newest else NEW)
                except ConflictError:
                    continue  # another server has just put it


def fetch_pv_documents(place: StorePlace, machine: str | None, folder: Path) -> None:
    """Write the PV documents of a machine from a shared store to a folder; of all machines (None), to one for each.

    Raises StoreError, DocumentError.
    """
    if place.folder is not None:
        return
    with place.open_blocking() as store:
        for known in store.list(KIND):
            of, _, name = known.name.partition("/")
            if machine not in (None, of) or not (_is_name(of) and _is_name(name)):
                continue
            where = folder / of if machine is None else folder
            _write(where / f"{name}{SUFFIX}", store.get(KIND, known.name).document)


def _is_name(part: str) -> bool:
    """Tell whether a part of a document's name is the name of a file, which cannot lead to another folder."""
    return part not in ("", ".", "..") and part == Path(part).name


def _read(file: Path) -> Document:
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DocumentError(f"{file}: the PV document cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise DocumentError(f"{file}: not a PV document: it is not an object")
    return document


def _write(file: Path, document: Document) -> None:
    text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    new = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        if file.exists() and json.loads(file.read_text(encoding="utf-8")) == document:
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        new.write_text(text, encoding="utf-8")
        new.replace(file)
    except (OSError, ValueError) as error:
        raise DocumentError(f"{file}: the PV document cannot be kept: {error}") from error
