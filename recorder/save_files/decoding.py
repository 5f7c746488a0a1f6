"""Decode files of other programs to text, within limits of size."""

import codecs
from pathlib import Path

from gnomon.lattice.files import read_bytes
from gnomon.recorder.recorder_errors import SaveFileError

#: Largest file [bytes] and number of lines that are read: a hundred times the setpoints of the largest rings.
MAX_BYTES = 16 * 2**20
MAX_LINES = 300_000

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_text(path: Path) -> str:
    """Read a file of UTF-8 or of UTF-16 or UTF-32 with a byte order mark; lines that are neither are Latin-1.

    Raises SaveFileError if it cannot be read, is too large, or is not a text.
    """
    try:
        data = read_bytes(path, MAX_BYTES + 1)
    except OSError as error:
        raise SaveFileError(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) > MAX_BYTES:
        raise SaveFileError(
            f"{path}: larger than {MAX_BYTES // 2**20} MiB: this is not a file of setpoints; nothing was read"
        )
    if max(data.count(b"\n"), data.count(b"\r")) > MAX_LINES:
        raise SaveFileError(f"{path}: more than {MAX_LINES} lines: this is not a file of setpoints; nothing was read")
    data = data.removeprefix(codecs.BOM_UTF8)  # of a line that is not UTF-8 it says nothing
    mark = next((encoding for mark, encoding in _MARKS if data.startswith(mark)), "")
    if mark:
        try:
            return data.decode(mark)
        except UnicodeDecodeError as error:
            raise SaveFileError(
                f"{path}: cannot be read as {mark.upper()}, as its byte order mark says: {error.reason}"
            ) from error
    if b"\0" in data:
        raise SaveFileError(
            f"{path}: has zero bytes: UTF-16 without a byte order mark, or not a text; save it as UTF-8"
        )
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return "\n".join(map(_decode_line, data.split(b"\n")))


def _decode_line(line: bytes) -> str:
    """A line of a file that is not UTF-8 throughout: old comments are Latin-1."""
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("latin-1")
