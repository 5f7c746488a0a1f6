"""Files of others are ordinary files of bounded size; nothing else is waited for."""

import hashlib
import os
import re
from pathlib import Path

import pytest

from gnomon.lattice.files import file_digest, full_path, others_have_access, read_bounded, read_bytes
from tools.folders import FOLDERS, ROOT


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


@pytest.mark.parametrize(
    ("mode", "shared"), [(0o600, False), (0o400, False), (0o640, True), (0o601, True), (0o602, True)]
)
def test_any_right_of_others_at_a_file_counts(mode: int, shared: bool, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.touch()
    file.chmod(mode)
    assert others_have_access(file) is shared


def test_the_digest_of_a_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    file = tmp_path / "large"
    file.write_bytes(os.urandom(300_000))
    assert file_digest(file) == hashlib.sha256(file.read_bytes()).hexdigest()


def test_a_name_is_relative_to_its_folder_unless_it_says_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/operator")
    monkeypatch.chdir(tmp_path)
    assert full_path(Path("ring.json"), Path("/etc/gnomon")) == Path("/etc/gnomon/ring.json")
    assert full_path(Path("ring.json"), Path("sub")) == tmp_path / "sub" / "ring.json"
    assert full_path(Path("/ring.json"), Path("sub")) == Path("/ring.json")
    assert full_path(Path("~/ring.json"), Path("sub")) == Path("/home/operator/ring.json")


@pytest.mark.parametrize("rule", [r"0o0?77\b", r"S_IRWXO", r"hashlib\.file_digest", r"sha256\([^()]*\.read_bytes\("])
def test_rights_and_hashes_of_files_are_looked_at_in_one_place(rule: str) -> None:
    sources = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    found = [path.relative_to(ROOT) for path in sources if re.search(rule, path.read_text(encoding="utf-8"))]
    assert [path for path in found if path != Path("lattice/files.py")] == []
