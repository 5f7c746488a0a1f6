"""Files beside a document store: results (HDF5), and PV documents of users' machines; copied and verified by hash."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from gnomon.db import StorePlace
from gnomon.ioc.base.shared_pv_documents import SUFFIX, fetch_pv_documents, share_pv_documents
from gnomon.lattice import GnomonError
from gnomon.lattice.files import file_digest

__all__ = ["FilesReport", "StoreFolderError", "copy_files"]

#: Folders beside a store, and what is copied of each.
RESULTS, PVS = "results", "pvs"
PATTERNS = ((RESULTS, "*.h5"), (PVS, f"*/*{SUFFIX}"))


class StoreFolderError(GnomonError):
    """A file beside a store that cannot be read or written."""


@dataclass(slots=True)
class FilesReport:
    """Files that were copied, or were there already with the same hash; `problems` names those that are others."""

    copied: int = 0
    there: int = 0
    problems: list[str] = field(default_factory=list)


def copy_files(
    source: StorePlace,
    target: StorePlace,
    folders: tuple[Path | None, Path | None] = (None, None),
    tell: Callable[[str, int, int], None] = lambda *_: None,
) -> FilesReport:
    """Copy results and PV documents from beside one store to beside another; nothing is overwritten.

    `folders` are those of source and target, where they are not the folder of a file. A store in MongoDB has its PV
    documents within. Raises StoreFolderError, StoreError.
    """
    begin, end = (given or place.folder for given, place in zip(folders, (source, target), strict=True))
    report = FilesReport()
    if begin is not None and target.folder is None:
        for folder in sorted((begin / PVS).glob("*/")):
            share_pv_documents(target, folder.name, folder)
    if begin is None or end is None or begin.absolute() == end.absolute():
        if begin != end and begin is not None and (count := len(list(_files(begin, PATTERNS[:1])))):
            report.problems.append(
                f"files of results, which stay in {begin / RESULTS} ({count}): --to-folder FOLDER copies them"
            )
        if source.folder is None and end is not None:
            fetch_pv_documents(source, None, end / PVS)
        return report
    files = list(_files(begin, PATTERNS))
    for number, file in enumerate(files, 1):
        _copy(file, end / file.relative_to(begin), report)
        tell("copying files", number, len(files))
    if source.folder is None:
        fetch_pv_documents(source, None, end / PVS)
    return report


def _files(folder: Path, patterns: tuple[tuple[str, str], ...]) -> Iterator[Path]:
    for name, pattern in patterns:
        yield from (path for path in sorted((folder / name).glob(pattern)) if path.is_file())


def _copy(file: Path, to: Path, report: FilesReport) -> None:
    new = to.with_name(f".{to.name}.{os.getpid()}")
    try:
        digest = file_digest(file)
        if to.exists():
            if file_digest(to) != digest:
                report.problems.append(f"{to}: has other content than {file}; it was left as it is")
            else:
                report.there += 1
            return
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, new)
        if file_digest(new) != digest:
            raise StoreFolderError(f"{file}: what was written to {to.parent} has another hash: is the disk in order?")
        new.replace(to)
        report.copied += 1
    except OSError as error:
        raise StoreFolderError(f"{file}: cannot be copied to {to}: {error}") from error
    finally:
        new.unlink(missing_ok=True)
