"""Files of others cannot take more memory than ours, nor lead a reader to other files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from gnomon.lattice import hdf5_files
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


def never_written(file: Any) -> None:
    file.create_dataset("x", shape=(10**7,), dtype="f8", chunks=True, compression="gzip")


def one_large_chunk(file: Any) -> None:
    file.create_dataset("x", shape=(1,), maxshape=(None,), dtype="f8", chunks=(10**7,))


def empty_lists(file: Any) -> None:
    file.create_dataset("x", shape=(10**9, 0), dtype="f8")


def too_many_texts(file: Any) -> None:
    file.create_dataset("x", shape=(10**5 + 1,), dtype=h5py.string_dtype(), chunks=(1000,))


def lists_of_any_length(file: Any) -> None:
    file.create_dataset("x", shape=(1,), dtype=h5py.vlen_dtype("f8"))


def many_texts_of_an_attribute(file: Any) -> None:
    file.create_dataset("x", data=[1.0]).attrs["axes"] = ["a"] * 65


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (huge, "larger than 2 GiB"),
        (never_written, "x is more than 100 times as large as what is stored of it"),
        (one_large_chunk, "x is more than 100 times as large as what is stored of it"),
        (empty_lists, "larger than 2 GiB"),
        (too_many_texts, "it has more than 100000 texts"),
        (lists_of_any_length, "a kind that gnomon does not write"),
        (many_texts_of_an_attribute, "its attribute axes has more than 64 texts"),
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


def test_texts_that_are_all_the_same_bytes_count_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As h5py does not write them: the stored references are repeated, and lead to the same bytes."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        texts = file.create_dataset("x", shape=(100,), dtype=h5py.string_dtype(), chunks=(10,), compression="gzip")
        texts[:10] = ["a" * 10_000] * 10
        told, stored = texts.id.read_direct_chunk((0,))
        for first in range(10, 100, 10):
            texts.id.write_direct_chunk((first,), stored, told)
        file["title"] = "a" * 10_000
    monkeypatch.setattr(hdf5_files, "UNMEASURED_BYTES", 2**20)
    with h5py.File(tmp_path / "a.h5") as file:
        assert sum(map(len, file["x"][()])) == 10**6
        check_bounds(file)
        monkeypatch.setattr(hdf5_files, "MAX_TEXT_BYTES", 2**19)
        with pytest.raises(BoundsError, match=r"its texts are longer than 0\.5 MiB together"):
            check_bounds(file)
    monkeypatch.setattr(hdf5_files, "MAX_TEXT_BYTES", 10**5)
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["title"] = "a" * 200_000
    with h5py.File(tmp_path / "b.h5") as file, pytest.raises(BoundsError, match="besides its arrays"):
        check_bounds(file)


def test_arrays_that_compress_well_and_texts_are_read(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("flat", data=np.zeros(10**5), compression="gzip", shuffle=True)
        file.create_dataset("names", data=[f"M{n}" for n in range(500)], dtype=h5py.string_dtype())
        file.create_dataset("lost", data=np.ones((2, 0), bool)).attrs["axes"] = ["turn", "particle"]
        file["title"] = "a study"
    with h5py.File(tmp_path / "a.h5") as file:
        check_bounds(file)
        with pytest.raises(BoundsError, match=r"larger than 0\.5 MiB together"):
            check_bounds(file, 2**19)


def test_a_large_file_is_refused_by_its_size(tmp_path: Path) -> None:
    with (tmp_path / "a.h5").open("wb") as file:
        file.truncate(2**31 + 1)
    with pytest.raises(BoundsError, match="larger than 2 GiB"):
        check_size(tmp_path / "a.h5")
