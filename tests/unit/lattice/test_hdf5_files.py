"""Files of others cannot take more memory than ours, nor lead a reader to other files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import pytest

from gnomon.lattice.hdf5_files import BoundsError, check_bounds, check_size


def huge(file: Any) -> None:
    file.create_dataset("x", shape=(2**20, 2**20), dtype="f8", chunks=(64, 64))


def elsewhere(file: Any) -> None:
    file["x"] = h5py.ExternalLink("/etc/passwd", "/")


def soft(file: Any) -> None:
    file["x"] = h5py.SoftLink("/x")


def kept_outside(file: Any) -> None:
    file.create_dataset("x", shape=(4,), dtype="u1", external=[("/etc/passwd", 0, 4)])


def circle(file: Any) -> None:
    file.create_group("a")["b"] = file["/"]


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (huge, "larger than 2 GiB"),
        (elsewhere, "link"),
        (soft, "link"),
        (kept_outside, "another file"),
        (circle, "deep"),
    ],
)
def test_a_file_that_would_cost_too_much_is_refused(make: Callable[[Any], None], reason: str, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        make(file)
    with h5py.File(tmp_path / "a.h5") as file, pytest.raises(BoundsError, match=reason):
        check_bounds(file)


def test_a_large_file_is_refused_by_its_size(tmp_path: Path) -> None:
    with (tmp_path / "a.h5").open("wb") as file:
        file.truncate(2**31 + 1)
    with pytest.raises(BoundsError, match="larger than 2 GiB"):
        check_size(tmp_path / "a.h5")
