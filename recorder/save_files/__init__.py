"""Setpoints in files of other programs: autosave, BURT, Phoebus' save and restore, pairs of name and value."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gnomon.lattice.text import printable
from gnomon.recorder.errors import SaveFileError
from gnomon.recorder.save_files import autosave, burt, pairs, phoebus
from gnomon.recorder.save_files.decoding import read_text
from gnomon.recorder.save_files.saved import About, Given, LeftOut, Saved, Unread, Value

__all__ = ["FORMATS", "About", "Format", "Given", "LeftOut", "Saved", "Unread", "Value", "format_of", "read", "write"]


@dataclass(frozen=True, slots=True)
class Format:
    """One program's files: which suffixes they have, how they look, how they are read and written."""

    title: str
    suffixes: tuple[str, ...]
    looks_so: Callable[[str], bool]
    parse: Callable[[str], Saved]
    render: Callable[[Iterable[Value], About], str]


#: By name; a file is read as the first one that it looks like.
FORMATS: Mapping[str, Format] = {
    "autosave": Format("synApps autosave", (".sav",), autosave.looks_so, autosave.parse, autosave.render),
    "burt": Format("BURT", (".snp", ".snap"), burt.looks_so, burt.parse, burt.render),
    "phoebus": Format("Phoebus save and restore", (".csv", ".bms"), phoebus.looks_so, phoebus.parse, phoebus.render),
    "pairs": Format("name,value", (".txt",), pairs.looks_so, pairs.parse, pairs.render),
}


def format_of(path: Path) -> str:
    """The format that a file of this name is written in. Raises SaveFileError for a suffix that none has."""
    for name, known in FORMATS.items():
        if path.suffix.lower() in known.suffixes:
            return name
    suffixes = ", ".join(f"{s} ({name})" for name, f in FORMATS.items() for s in f.suffixes)
    raise SaveFileError(f"{path}: no format has the suffix {path.suffix!r}; there are {suffixes}, or give --format")


def read(path: Path) -> Saved:
    """Read what a file holds, by its content, whatever its name. Raises SaveFileError for one that is none of these."""
    text = read_text(path)
    if text.startswith("SDDS"):
        raise SaveFileError(f"{path}: an SDDS file; make a plain one of it with burtrb -nosdds, or sddsprintout")
    try:
        for known in FORMATS.values():
            if known.looks_so(text) or (path.suffix.lower().startswith(".sav") and known is FORMATS["autosave"]):
                return known.parse(text)
    except SaveFileError as error:
        raise SaveFileError(f"{path}: {printable(str(error))}") from error  # it may quote the file
    kinds = ", ".join(known.title for known in FORMATS.values())
    raise SaveFileError(f"{path}: neither of {kinds}; a plain file has lines of PV,value")


def write(path: Path, values: Iterable[Value], about: About, form: str | None = None) -> None:
    """Write a file, whole or not at all. Raises SaveFileError."""
    text = FORMATS[form or format_of(path)].render(values, about)
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise SaveFileError(f"{path}: cannot be written: {error.strerror}") from error
