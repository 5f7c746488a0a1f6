"""Write a crate: a folder or a ZIP file with data, machine documents, units, checksums and a page that explains it."""

import csv
import io
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import gnomon
from gnomon.lattice.files import file_digest
from gnomon.services.catalogue.catalogue_entry import CatalogueError
from gnomon.services.catalogue.crate_contents import CratePart
from gnomon.services.catalogue.crate_metadata import METADATA, CrateFacts, WrittenFile, crate_metadata

__all__ = ["MANIFEST", "write_crate"]

#: File of the checksums, as `sha256sum` writes and checks it.
MANIFEST = "manifest-sha256.txt"


def write_crate(
    to: Path, facts: CrateFacts, parts: Sequence[CratePart], remarks: Sequence[str] = (), missing: Sequence[str] = ()
) -> list[WrittenFile]:
    """Write a crate to a folder, or to a file that ends with .zip; neither may exist. It is there as a whole or not.

    Returns its files. Raises CatalogueError.
    """
    to = to.expanduser()
    if to.exists():
        raise CatalogueError(f"{to} exists; choose another name, or remove it")
    try:
        to.absolute().parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=to.absolute().parent, prefix=f".{to.name}.") as draft:
            folder = Path(draft) / "crate"
            folder.mkdir()
            files = _write_folder(folder, facts, parts, remarks, missing)
            if to.suffix == ".zip":
                packed = Path(draft) / "crate.zip"
                with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
                    for file in files:
                        archive.write(folder / file.path, file.path)
                packed.rename(to)
            else:
                folder.rename(to)
    except OSError as error:
        raise CatalogueError(f"{to}: cannot be written: {error}") from error
    return files


def _write_folder(
    folder: Path, facts: CrateFacts, parts: Sequence[CratePart], remarks: Sequence[str], missing: Sequence[str]
) -> list[WrittenFile]:
    written: dict[str, WrittenFile] = {}
    for part in parts:
        path = folder / part.path
        path.parent.mkdir(exist_ok=True)
        if isinstance(part.source, bytes):
            path.write_bytes(part.source)
        else:
            shutil.copyfile(part.source, path)
        written[part.path] = _written(folder, part.path)
    others = [_text(folder, "README.md", _readme(facts, parts, remarks, missing))]
    if any(part.arrays for part in parts):
        others.append(_text(folder, "arrays.csv", _arrays(parts)))
    metadata = crate_metadata(facts, parts, written, others, missing)
    about = _text(folder, METADATA, json.dumps(metadata, indent=1, ensure_ascii=False) + "\n")
    files = [about, *others, *written.values()]
    _text(folder, MANIFEST, "".join(f"{file.sha256}  {file.path}\n" for file in files))
    return [*files, _written(folder, MANIFEST)]


def _text(folder: Path, name: str, text: str) -> WrittenFile:
    (folder / name).write_text(text, encoding="utf-8", newline="\n")
    return _written(folder, name)


def _written(folder: Path, name: str) -> WrittenFile:
    path = folder / name
    with path.open("rb") as file:
        os.fsync(file.fileno())
    return WrittenFile(name, path.stat().st_size, file_digest(path))


def _arrays(parts: Sequence[CratePart]) -> str:
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["file", "array", "shape", "unit", "axes", "description"])
    for part in parts:
        for each in part.arrays:
            shape = " x ".join(map(str, each.shape)) or "1"
            table.writerow([part.path, each.path, shape, each.unit or "1", " ".join(each.axes), each.description])
    return text.getvalue()


def _readme(facts: CrateFacts, parts: Sequence[CratePart], remarks: Sequence[str], missing: Sequence[str]) -> str:
    """Explain a crate to somebody who knows neither gnomon nor the machine."""
    lines = [
        f"# {_line(facts.title)}",
        "",
        f"Written on {facts.date} by gnomon {gnomon.__version__}, a digital shadow of a storage ring"
        + (f", at {_line(facts.facility)}." if facts.facility else "."),
        "",
        f"License: {_line(facts.license) or 'none was stated; ask the authors before you use or share these data'}",
        "",
        "## Contents",
        "",
        "| file | content | made | by | machine | identifier |",
        "|---|---|---|---|---|---|",
    ]
    for part in parts:
        entry = part.entry
        told = ("", "", "") if entry is None else (entry.made, entry.user, entry.machine)
        cells = [f"`{part.path}`", part.title, *told, f"`{part.identifier}`"]
        lines.append("| " + " | ".join(_line(cell).replace("|", "\\|") for cell in cells) + " |")
    lines.append("")
    for part in parts:
        entry = part.entry
        if entry is None:
            continue
        facts_of = {
            "note": entry.note, "proposal": entry.proposal, "DOI": entry.doi, "tags": ", ".join(entry.tags),
            "state": entry.status, "optics": entry.optics, "id of the lattice": entry.lattice,
            "made from": ", ".join(entry.sources),
            "programs": ", ".join(f"{name} {number}" for name, number in entry.versions.items()),
        }  # fmt: skip
        told_of = "; ".join(f"{name}: {_line(text)}" for name, text in facts_of.items() if text)
        lines.append(f"- `{part.path}`: {told_of or 'nothing more is known'}")
    lines += ["", HOW_TO_READ]
    if remarks or missing:
        lines += ["## What is missing", "", *(f"- {_line(remark)}" for remark in remarks)]
        lines += [f"- {_line(name)}, from which something here was made, could not be found." for name in missing]
        lines.append("")
    return "\n".join(lines)


HOW_TO_READ = """## How to read it

- Files that end with `.h5` are HDF5 by the conventions of NeXus, which any reader of HDF5 opens, for example in Python:

      import h5py; file = h5py.File("results/NAME.h5"); print(file["entry/outcome"].keys())

  In a result, `entry/raw_data` is what was set and read, `entry/parameters` what the analysis used, `entry/outcome`
  what it found, with standard deviations (`..._error`), and `entry/run/document` who measured what, when and with
  which programs, as JSON. NaN stands for what is not known.
- `arrays.csv` lists all arrays with unit, axes and meaning; each array has its unit as the attribute `units`, too.
  Names along an axis, as of monitors, are in the JSON text `values` beside the arrays.
- Files that end with `.json` are JSON. Those in `machines` describe the ring: its elements in the order of the beam
  with lengths [m] and strengths, power supplies with the conversion from current [A] to strength, monitors, RF.
- `ro-crate-metadata.json` says the same as this page for programs (https://w3id.org/ro/crate/1.1).
- `sha256sum --check manifest-sha256.txt` tells whether a file has changed. An identifier `gnomon:KIND/HASH` has a
  hash of the content, whatever its file is called; `gnomon data check FOLDER` computes all of them again.
"""


def _line(text: str) -> str:
    """Make a text of others one line that no Markdown acts on."""
    return " ".join(text.split()).replace("<", "&lt;")
