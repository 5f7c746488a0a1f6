"""Files of others: ordinary files alone, read as UTF-8, and not beyond any document's size; places, rights, hashes."""

import hashlib
import os
import stat
from pathlib import Path

__all__ = ["MAX_DOCUMENT_BYTES", "file_digest", "full_path", "others_have_access", "read_bounded", "read_bytes"]

#: Largest machine or PV document [bytes]: one of a million elements fits.
MAX_DOCUMENT_BYTES = 2**28


def read_bounded(path: Path, max_bytes: int = MAX_DOCUMENT_BYTES) -> str:
    """Read a text in UTF-8 of at most a number of bytes.

    Raises OSError, also for a larger file, and UnicodeDecodeError.
    """
    data = read_bytes(path, max_bytes + 1)
    if len(data) > max_bytes:
        raise OSError(f"larger than {max_bytes / 2**20:g} MiB, which no such document is")
    return data.decode("utf-8")


def read_bytes(path: Path, max_bytes: int) -> bytes:
    """Read at most a number of bytes from the beginning of an ordinary file.

    Raises OSError, also for what is not an ordinary file: a named pipe without a writer would be waited for, without
    end.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):  # nor can `open` take the descriptor of a folder
        os.close(descriptor)
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(21, "Is a directory", str(path))
        raise OSError(22, "not an ordinary file; save it as one first", str(path))
    with open(descriptor, "rb") as file:
        return file.read(max_bytes)


def full_path(name: Path, folder: Path) -> Path:
    """Return the absolute path of a file that is named relative to a folder; `~` is the home folder."""
    name = name.expanduser()
    return name if name.is_absolute() else (folder / name).absolute()


def others_have_access(path: Path) -> bool:
    """Tell whether the group, or everybody, has any right at a file that should be its owner's. Raises OSError."""
    return bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))


def file_digest(path: Path) -> str:
    """Calculate the SHA-256 of a file, 64 hex digits. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
