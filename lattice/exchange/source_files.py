"""Files of other programs, read as text or JSON, and not beyond the size of any lattice."""

import json
from pathlib import Path
from typing import Any

from gnomon.lattice.exchange.findings import ExchangeError

#: Largest file that is read as text [bytes].
MAX_TEXT_BYTES = 100_000_000


def read_text(file: Path, format: str) -> str:
    """The text of a lattice file: UTF-8, else Latin-1, of which no character can be wrong.

    Raises ExchangeError when it cannot be read, is larger than any lattice, or is not a text.
    """
    try:
        if file.stat().st_size > MAX_TEXT_BYTES:
            raise ExchangeError(f"{file}: {file.stat().st_size} bytes; the limit for {format} is {MAX_TEXT_BYTES}")
        data = file.read_bytes()
    except OSError as error:
        raise ExchangeError(f"{file}: cannot be read: {error}") from error
    if b"\0" in data:
        raise ExchangeError(f"{file}: not {format}: it is not a text")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def read_json(file: Path, format: str, *, nan: bool = False) -> Any:
    """A JSON file. Raises ExchangeError when it is not one, or has NaN or infinity in it (unless `nan` allows it)."""

    def refuse(word: str) -> Any:
        raise ValueError(f"{word} is not a number of JSON")

    try:
        return json.loads(read_text(file, format), parse_constant=float if nan else refuse)
    except ValueError as error:
        raise ExchangeError(f"{file}: not {format}: cannot be read as JSON: {error}") from error
