"""Files of others are ordinary files of bounded size; nothing else is waited for."""

import os
from pathlib import Path

import pytest

from gnomon.lattice.files import read_bounded, read_bytes


def test_a_file_is_read_up_to_the_limit(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text("gr\u00fcn", encoding="utf-8")
    assert read_bounded(file) == "gr\u00fcn"
    assert read_bytes(file, 2) == b"gr"
    with pytest.raises(OSError, match="larger than"):
        read_bounded(file, 4)


def test_a_pipe_without_a_writer_is_refused_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="not an ordinary file"):
        read_bounded(pipe)


def test_devices_and_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="not an ordinary file"):
        read_bounded(Path("/dev/zero"))
    with pytest.raises(IsADirectoryError, match=str(tmp_path)):
        read_bounded(tmp_path)
