"""HDF5 files of others: bounds on what one of them may hold, checked before anything of it is read.

A small file can state arrays of any size, and lead to other files; h5py follows both. No import of h5py here: the
caller has opened the file.
"""

from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

__all__ = ["MAX_BYTES", "BoundsError", "check_bounds", "check_size"]

#: Largest file, and largest sum of all arrays of a file [bytes], and number and depth of its objects.
MAX_BYTES, MAX_OBJECTS, MAX_DEPTH = 2**31, 20_000, 12
#: Times that an array may be larger than what is stored of it, and bytes of all arrays beyond that: small ones compress
#: well, and an array that was never written takes no room at all.
MAX_RATIO, MAX_UNSTORED_BYTES = 100, 2**24
#: Kinds of values: numbers, complex numbers, booleans and texts. We write no others.
KINDS = "biufcSO"
#: Largest number of texts of an attribute, and bytes of texts that are read without being measured before.
MAX_ATTRIBUTE_TEXTS, UNMEASURED_BYTES = 64, 2**26
#: Largest number of texts in arrays: names of devices.
MAX_TEXTS = 100_000
#: Largest part of a file that is not arrays, and largest sum of the texts in it [bytes].
MAX_TEXT_BYTES = 2**28


class BoundsError(ValueError):
    """A file that holds more than any of ours, or leads to other files."""


def check_size(path: Path) -> None:
    """Raise BoundsError for a file that is too large, OSError if there is none."""
    if path.stat().st_size > MAX_BYTES:
        raise BoundsError(f"it is larger than {MAX_BYTES / 2**30:g} GiB")


def check_bounds(file: Any, max_bytes: int = MAX_BYTES) -> None:
    """Raise BoundsError for a file with too many objects, too large arrays, or links to other files.

    `max_bytes` is the largest sum of all arrays. Arrays that are much larger than what is stored of them are refused.
    """
    bounds = _Bounds(max_bytes, file.id.get_filesize())
    bounds.check(file, 0)
    if bounds.file_bytes - bounds.stored > MAX_TEXT_BYTES:
        raise BoundsError(f"it has more than {_text(MAX_TEXT_BYTES)} besides its arrays")


class _Bounds:
    """The rest of each bound while the objects of a file are counted."""

    def __init__(self, max_bytes: int, file_bytes: int) -> None:
        self.max_bytes, self.file_bytes = max_bytes, max(1, file_bytes)
        self.objects, self.bytes, self.unstored = MAX_OBJECTS, max_bytes, MAX_UNSTORED_BYTES
        self.texts, self.text_bytes, self.unmeasured = MAX_TEXTS, MAX_TEXT_BYTES, UNMEASURED_BYTES
        self.stored = 0

    def check(self, group: Any, depth: int) -> None:
        """Count a group and all below it."""
        if depth > MAX_DEPTH:
            raise BoundsError(f"its groups are nested more than {MAX_DEPTH} deep")
        self._check_attributes(group)
        for name in group:
            self._count_object()
            if type(group.get(name, getlink=True)).__name__ != "HardLink":
                raise BoundsError(f"{name} is a link to another place")
            item = group[name]
            if hasattr(item, "keys"):
                self.check(item, depth + 1)
            elif hasattr(item, "shape"):
                self._check_array(name, item)
            else:
                raise BoundsError(f"{name} is neither an array nor a group")

    def _count_object(self) -> None:
        self.objects -= 1
        if self.objects < 0:
            raise BoundsError(f"it has more than {MAX_OBJECTS} objects")

    def _check_attributes(self, item: Any) -> None:
        for name in item.attrs:
            self._count_object()
            told = item.attrs.get_id(name)
            if told.dtype.kind == "O" and _count(told.shape) > MAX_ATTRIBUTE_TEXTS:  # many may be one and the same
                raise BoundsError(f"its attribute {name} has more than {MAX_ATTRIBUTE_TEXTS} texts")

    def _check_array(self, name: str, item: Any) -> None:
        if item.external or item.is_virtual:
            raise BoundsError(f"{name} is kept in another file")
        texts = (item.dtype.metadata or {}).get("vlen") in (str, bytes)
        if item.dtype.kind not in KINDS or (item.dtype.kind == "O" and not texts):
            raise BoundsError(f"{name} has values of a kind that gnomon does not write")
        self._check_attributes(item)
        size = max(_count(item.shape), prod(item.chunks or ())) * item.dtype.itemsize  # a chunk is read as a whole
        stored = item.id.get_storage_size()
        self.stored += stored
        self._take(name, size, stored)
        if texts:
            self._measure(item)

    def _take(self, name: str, size: int, stored: int) -> None:
        self.bytes -= size
        if self.bytes < 0:
            raise BoundsError(f"its arrays are larger than {_text(self.max_bytes)} together")
        self.unstored -= max(0, size - MAX_RATIO * stored)
        if self.unstored < 0:
            raise BoundsError(f"{name} is more than {MAX_RATIO} times as large as what is stored of it")

    def _measure(self, item: Any) -> None:
        """Count the texts of a large file: each may be as long as the file, and all may be one and the same."""
        self.texts -= _count(item.shape)
        if self.texts < 0:
            raise BoundsError(f"it has more than {MAX_TEXTS} texts")
        self.unmeasured -= _count(item.shape) * self.file_bytes
        if self.unmeasured >= 0:
            return
        for length in _lengths(item, max(1, UNMEASURED_BYTES // self.file_bytes)):
            self.text_bytes -= length
            if self.text_bytes < 0:
                raise BoundsError(f"its texts are longer than {_text(MAX_TEXT_BYTES)} together")


def _lengths(item: Any, step: int) -> Iterator[int]:
    """Yield lengths of texts, `step` of them read at once."""
    if not item.shape:
        yield len(item[()])
    elif len(item.shape) > 1:
        raise BoundsError("it has a table of texts")
    else:
        for first in range(0, item.shape[0], step):
            yield sum(map(len, item[first : first + step]))


def _count(shape: tuple[int, ...] | None) -> int:
    """Return the number of values of a shape; without any, that of the empty lists that it becomes."""
    return prod(max(1, each) for each in shape or ())


def _text(size: int) -> str:
    return f"{size / 2**30:g} GiB" if size >= 2**30 else f"{size / 2**20:g} MiB"
