"""Setpoints in files of other programs: autosave, BURT, Phoebus save and restore, pairs of name and value."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gnomon.lattice.text import printable
from gnomon.recorder.recorder_errors import SaveFileError
from gnomon.recorder.save_files import autosave, burt, phoebus, pv_value_lines
from gnomon.recorder.save_files.decoding import read_text
from gnomon.recorder.save_files.saved import About, OmittedPv, Saved, UnreadLine, Value, ValueText

__all__ = [
    "FORMATS",
    "About",
    "Format",
    "OmittedPv",
    "Saved",
    "UnreadLine",
    "Value",
    "ValueText",
    "format_of",
    "read",
    "write",
]


@dataclass(frozen=True, slots=True)
class Format:
    """One program's file format: suffixes, and functions to recognise, read and write its files."""

    title: str
    suffixes: tuple[str, ...]
    is_format: Callable[[str], bool]
    parse: Callable[[str], Saved]
    render: Callable[[Iterable[Value], About], str]


#: By name; a file is read as the first one that it looks like.
FORMATS: Mapping[str, Format] = {
    "autosave": Format("synApps autosave", (".sav",), autosave.is_format, autosave.parse, autosave.render),
    "burt": Format("BURT", (".snp", ".snap"), burt.is_format, burt.parse, burt.render),
    "phoebus": Format("Phoebus save and restore", (".csv", ".bms"), phoebus.is_format, phoebus.parse, phoebus.render),
    "pairs": Format("name,value", (".txt",), pv_value_lines.is_format, pv_value_lines.parse, pv_value_lines.render),
}


def format_of(path: Path) -> str:
    """Choose the format to write a file by its suffix. Raises SaveFileError for an unknown suffix."""
    for name, known in FORMATS.items():
        if path.suffix.lower() in known.suffixes:
            return name
    suffixes = ", ".join(f"{s} ({name})" for name, f in FORMATS.items() for s in f.suffixes)
    raise SaveFileError(f"{path}: no format has the suffix {path.suffix!r}; use one of {suffixes}, or give --format")


def read(path: Path) -> Saved:
    """Read a file by its content, whatever its name. Raises SaveFileError for a file of another format."""
    text = read_text(path)
    if text.startswith("SDDS"):
        raise SaveFileError(f"{path}: an SDDS file; convert it to a plain one with burtrb -nosdds, or sddsprintout")
    try:
        for known in FORMATS.values():
            if known.is_format(text) or (path.suffix.lower().startswith(".sav") and known is FORMATS["autosave"]):
                return known.parse(text)
    except SaveFileError as error:
        raise SaveFileError(f"{path}: {printable(str(error))}") from error  # it may quote the file
    kinds = ", ".join(known.title for known in FORMATS.values())
    raise SaveFileError(f"{path}: not a file of {kinds}; a plain file has lines of PV,value")


def write(path: Path, values: Iterable[Value], about: About, form: str | None = None) -> None:
    """Write a file, completely or not at all. Raises SaveFileError."""
    text = FORMATS[form or format_of(path)].render(values, about)
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise SaveFileError(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
