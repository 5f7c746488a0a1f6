"""Files of documents: read as UTF-8, and not beyond any document's size."""

from pathlib import Path

#: Largest machine or PV document [bytes]: one of a million elements fits.
MAX_DOCUMENT_BYTES = 2**28


def read_bounded(path: Path, max_bytes: int = MAX_DOCUMENT_BYTES) -> str:
    """Read a text in UTF-8 of at most a number of bytes.

    Raises OSError, also for a larger file, and UnicodeDecodeError.
    """
    with path.open("rb") as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise OSError(f"larger than {max_bytes / 2**20:g} MiB, which no such document is")
    return data.decode("utf-8")
