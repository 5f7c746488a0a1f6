"""Files of other programs: ordinary files alone, read as text or JSON, and not beyond the size of any lattice."""

import json
from pathlib import Path
from typing import Any

from gnomon.lattice.exchange.findings import ExchangeError
from gnomon.lattice.files import read_bytes

#: Largest file that is read [bytes].
MAX_FILE_BYTES = 100_000_000


def check_size(file: Path, format: str) -> None:
    """Refuse a file that is larger than any lattice. Raises ExchangeError with the file, its size and the limit."""
    try:
        size = file.stat().st_size
    except OSError as error:
        raise ExchangeError(f"{file}: cannot be read: {error}") from error
    if size > MAX_FILE_BYTES:
        raise ExchangeError(f"{file}: {size} bytes; the limit for {format} is {MAX_FILE_BYTES} bytes")


def read_text(file: Path, format: str) -> str:
    """Read a text: UTF-8, else Latin-1, of which no character can be wrong.

    Raises ExchangeError when it cannot be read, is larger than any lattice, or is not a text.
    """
    check_size(file, format)
    try:
        data = read_bytes(file, MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ExchangeError(f"{file}: cannot be read: {error}") from error
    if len(data) > MAX_FILE_BYTES:  # it has grown since
        raise ExchangeError(f"{file}: more than {MAX_FILE_BYTES} bytes, which is the limit for {format}")
    if b"\0" in data:
        raise ExchangeError(f"{file}: not {format}: it is not a text")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def read_json(file: Path, format: str, *, nan: bool = False) -> Any:
    """Read JSON. Raises ExchangeError when it is not, or has NaN or infinity in it (unless `nan` allows it)."""

    def refuse(word: str) -> Any:
        raise ValueError(f"{word} is not a number of JSON")

    try:
        return json.loads(read_text(file, format), parse_constant=float if nan else refuse)
    except ValueError as error:
        raise ExchangeError(f"{file}: not {format}: cannot be read as JSON: {error}") from error
    except RecursionError as error:
        raise ExchangeError(f"{file}: not {format}: too many brackets within each other") from error
