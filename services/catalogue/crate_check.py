"""Check a crate: its metadata, all checksums, and that content has the identifier under which it stands."""

import json
import os
import re
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from gnomon.lattice.files import file_digest, read_bounded
from gnomon.lattice.identifiers import Identifier, parse_identifier
from gnomon.services.catalogue.catalogue_entry import CatalogueError
from gnomon.services.catalogue.content_hash import content_hash
from gnomon.services.catalogue.crate_metadata import METADATA
from gnomon.services.catalogue.crate_writer import MANIFEST

__all__ = ["CheckedCrate", "check_crate"]

#: Most files and bytes of a crate that are looked at, and the largest document [bytes].
MAX_FILES, MAX_BYTES, MAX_DOCUMENT = 20_000, 64 * 2**30, 2**28
#: Most bytes that a ZIP file is unpacked to.
MAX_UNPACKED = 8 * 2**30


@dataclass
class CheckedCrate:
    """The outcome: title, numbers of files, checksums and identifiers that are right, and what is wrong."""

    title: str = ""
    files: int = 0
    checksums: int = 0
    identifiers: int = 0
    faults: list[str] = field(default_factory=list)


def check_crate(path: Path) -> CheckedCrate:
    """Check a crate in a folder or a ZIP file. Raises CatalogueError if it is not a crate at all."""
    path = path.expanduser()
    if path.is_dir():
        return _check(path)
    if not path.is_file():
        raise CatalogueError(f"{path}: there is neither a folder nor a ZIP file of that name")
    with _unpacked(path) as folder:
        return _check(folder)


def _check(folder: Path) -> CheckedCrate:
    found = CheckedCrate()
    files = _files(folder, found)
    found.files = len(files)
    nodes = _metadata(folder, found)
    digests = {name: file_digest(folder / name) for name in files}
    _check_manifest(folder, digests, found)
    listed = _check_nodes(folder, nodes, digests, found)
    for name in sorted(digests.keys() - listed - {METADATA, MANIFEST}):
        found.faults.append(f"{name}: no metadata describe this file")
    return found


def _files(folder: Path, found: CheckedCrate) -> list[str]:
    """List all ordinary files; links and all else are faults, and are not followed."""
    names: list[str] = []
    total = 0
    for place, folders, files in os.walk(folder):
        links = [name for name in folders if Path(place, name).is_symlink()]
        folders[:] = [name for name in folders if name not in links]
        for each in (*files, *links):
            path = Path(place, each)
            told = path.lstat()
            name = path.relative_to(folder).as_posix()
            if not stat.S_ISREG(told.st_mode):
                found.faults.append(f"{name}: not an ordinary file; replace it by one")
                continue
            total += told.st_size
            names.append(name)
            if len(names) > MAX_FILES or total > MAX_BYTES:
                raise CatalogueError(
                    f"{folder}: more than {MAX_FILES} files or {MAX_BYTES >> 30} GiB: not a crate of gnomon"
                )
    return names


def _metadata(folder: Path, found: CheckedCrate) -> dict[str, dict[str, Any]]:
    """Read the metadata: all nodes by id. Raises CatalogueError if they are none."""
    path = folder / METADATA
    try:
        document = json.loads(read_bounded(path, MAX_DOCUMENT))
        nodes = {str(node["@id"]): dict(node) for node in document["@graph"]}
        about = str(nodes[METADATA]["about"]["@id"])
        root = nodes[about]
        conforms = json.dumps(nodes[METADATA].get("conformsTo"))
    except FileNotFoundError as error:
        raise CatalogueError(f"{folder} is not an RO-Crate: it has no {METADATA}") from error
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise CatalogueError(f"{path}: not the metadata of an RO-Crate: {type(error).__name__} {error}") from error
    if "w3id.org/ro/crate/" not in conforms:
        found.faults.append(f"{METADATA}: it does not say to which version of RO-Crate it conforms")
    found.title = str(root.get("name", ""))
    needed = ("name", "description", "datePublished", "license")
    found.faults += [f"{METADATA}: the crate has no {name}" for name in needed if not root.get(name)]
    for part in _list(root.get("hasPart")):
        if _id(part) not in nodes:
            found.faults.append(f"{METADATA}: {_id(part)} is a part, but nothing describes it")
    return nodes


def _check_manifest(folder: Path, digests: dict[str, str], found: CheckedCrate) -> None:
    if MANIFEST not in digests:
        found.faults.append(f"{MANIFEST} is missing: only checksums in the metadata can be compared")
        return
    try:
        lines = read_bounded(folder / MANIFEST, MAX_DOCUMENT).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        found.faults.append(f"{MANIFEST}: cannot be read: {error}")
        return
    listed: set[str] = set()
    for line in lines:
        match = re.fullmatch(r"([0-9a-f]{64}) [ *](.+)", line)
        if match is None:
            found.faults.append(f"{MANIFEST}: {line[:60]!r} is not a checksum and a name")
            continue
        digest, name = match.groups()
        listed.add(name)
        if name not in digests:
            found.faults.append(f"{name}: the file is missing")
        elif digests[name] != digest:
            found.faults.append(f"{name}: its checksum is another one: it was changed or damaged; get it again")
        else:
            found.checksums += 1
    found.faults += [f"{name}: {MANIFEST} does not list it" for name in sorted(digests.keys() - listed - {MANIFEST})]


def _check_nodes(
    folder: Path, nodes: dict[str, dict[str, Any]], digests: dict[str, str], found: CheckedCrate
) -> set[str]:
    """Compare the files that the metadata describe with those that there are; return their names."""
    listed: set[str] = set()
    told = set(found.faults)
    for name, node in nodes.items():
        if "File" not in _list(node.get("@type")) or re.match(r"[a-z]+://", name):
            continue
        listed.add(name)
        if name not in digests:
            if (fault := f"{name}: the file is missing") not in told:
                found.faults.append(fault)
            continue
        if node.get("sha256") not in (None, digests[name]):
            found.faults.append(f"{name}: its checksum is not that of the metadata")
        if str(node.get("contentSize", (folder / name).stat().st_size)) != str((folder / name).stat().st_size):
            found.faults.append(f"{name}: its size is not that of the metadata")
        stated = parse_identifier(str(node.get("identifier", "")))
        if stated is not None:
            _check_content(folder / name, name, stated, found)
    return listed


def _check_content(path: Path, name: str, stated: Identifier, found: CheckedCrate) -> None:
    try:
        actual = content_hash(path, stated.kind)
    except Exception as error:  # noqa: BLE001  a file of others: whatever is wrong with it is a fault of the crate
        text = str(error).replace(f"{path}: ", "").replace(str(path), name)
        found.faults.append(f"{name}: {text or type(error).__name__}")
        return
    if actual == stated.digits:
        found.identifiers += 1
    else:
        found.faults.append(f"{name}: its content has the identifier gnomon:{stated.kind}/{actual}, not {stated}")


@contextmanager
def _unpacked(path: Path) -> Iterator[Path]:
    """Unpack a ZIP file into a folder for the time of a check, within bounds."""
    with tempfile.TemporaryDirectory(prefix="gnomon-crate-") as folder:
        try:
            with zipfile.ZipFile(path) as archive:
                entries = archive.infolist()
                if len(entries) > MAX_FILES or sum(entry.file_size for entry in entries) > MAX_UNPACKED:
                    raise CatalogueError(
                        f"{path}: more than {MAX_FILES} files or {MAX_UNPACKED >> 30} GiB: not a crate of gnomon"
                    )
                for entry in entries:
                    parts = PurePosixPath(entry.filename).parts
                    if entry.filename.startswith("/") or ".." in parts or "\\" in entry.filename:
                        raise CatalogueError(f"{path}: {entry.filename!r} would be unpacked elsewhere: do not use it")
                    archive.extract(entry, folder)  # a link becomes a file with the link's text
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError, zlib.error) as error:
            raise CatalogueError(f"{path}: not a ZIP file that can be read: {error}; get it again") from error
        except OSError as error:
            raise CatalogueError(f"{path}: cannot be unpacked: {error}; unpack it, and check the folder") from error
        inner = list(Path(folder).iterdir())
        only = inner[0] if len(inner) == 1 and inner[0].is_dir() else Path(folder)
        yield only


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [] if value is None else [value]


def _id(value: Any) -> str:
    return str(value.get("@id", "")) if isinstance(value, dict) else str(value)
