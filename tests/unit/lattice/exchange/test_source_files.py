"""Files of other programs are read within bounds, and what is refused is named with its size and the limit."""

import os
from pathlib import Path

import pytest

from gnomon.lattice.exchange import ExchangeError, import_machine
from gnomon.lattice.exchange.readers import FORMATS
from gnomon.lattice.exchange.source_files import MAX_FILE_BYTES, read_text


def large(path: Path) -> Path:
    """A file above the limit that takes no room on the disk."""
    with path.open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    return path


@pytest.mark.parametrize("format", FORMATS)
def test_a_file_of_any_format_is_refused_above_the_limit_with_its_size(format: str, tmp_path: Path) -> None:
    said = rf"ring\.txt: {MAX_FILE_BYTES + 1} bytes; the limit for {format} is {MAX_FILE_BYTES} bytes"
    with pytest.raises(ExchangeError, match=said):
        import_machine(large(tmp_path / "ring.txt"), format)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ExchangeError, match=r"pipe: cannot be read: .*not an ordinary file"):
        read_text(tmp_path / "pipe", "elegant")


@pytest.mark.parametrize(
    ("data", "text"), [(b"\xef\xbb\xbfa=1", "a=1"), ("µ".encode(), "µ"), ("µ".encode("latin-1"), "µ")]
)
def test_texts_are_utf_8_or_else_latin_1(data: bytes, text: str, tmp_path: Path) -> None:
    (tmp_path / "ring.lte").write_bytes(data)
    assert read_text(tmp_path / "ring.lte", "elegant") == text
