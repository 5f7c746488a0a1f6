"""HDF5 files of others: bounds on what one of them may hold, checked before anything of it is read.

A small file can state arrays of any size, and lead to other files; h5py follows both. No import of h5py here: the
caller has opened the file.
"""

from pathlib import Path
from typing import Any

__all__ = ["BoundsError", "check_bounds", "check_size"]

#: Largest file, and largest sum of all arrays of a file [bytes], and number and depth of its objects.
MAX_BYTES, MAX_OBJECTS, MAX_DEPTH = 2**31, 20_000, 12


class BoundsError(ValueError):
    """A file that holds more than any of ours, or leads to other files."""


def check_size(path: Path) -> None:
    """Raise BoundsError for a file that is too large, OSError if there is none."""
    if path.stat().st_size > MAX_BYTES:
        raise BoundsError(f"it is larger than {MAX_BYTES / 2**30:g} GiB")


def check_bounds(file: Any) -> None:
    """Raise BoundsError for a file with too many objects, too large arrays, or links to other files."""
    left = [MAX_OBJECTS, MAX_BYTES]
    _check(file, left, 0)


def _check(group: Any, left: list[int], depth: int) -> None:
    if depth > MAX_DEPTH:
        raise BoundsError(f"its groups are nested more than {MAX_DEPTH} deep")
    for name in group:
        left[0] -= 1
        if left[0] < 0:
            raise BoundsError(f"it has more than {MAX_OBJECTS} objects")
        if type(group.get(name, getlink=True)).__name__ != "HardLink":
            raise BoundsError(f"{name} is a link to another place")
        item = group[name]
        if hasattr(item, "keys"):
            _check(item, left, depth + 1)
            continue
        if not hasattr(item, "shape"):
            raise BoundsError(f"{name} is neither an array nor a group")
        if item.external or item.is_virtual:
            raise BoundsError(f"{name} is kept in another file")
        left[1] -= (item.size or 0) * item.dtype.itemsize
        if left[1] < 0:
            raise BoundsError(f"its arrays are larger than {MAX_BYTES / 2**30:g} GiB together")
