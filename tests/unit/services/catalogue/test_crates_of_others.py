"""Crates that a transport damaged, or that were made to do harm: each ends in a fault or a message, and in time."""

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

from gnomon.services.catalogue import CatalogueError
from gnomon.services.catalogue.crate_check import check_crate
from gnomon.services.catalogue.crate_metadata import METADATA


def make_crate(folder: Path, *nodes: dict[str, Any]) -> Path:
    """Make a folder with the metadata of a crate and these nodes."""
    about = {"@id": METADATA, "about": {"@id": "./"}, "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"}}
    folder.mkdir()
    (folder / METADATA).write_text(json.dumps({"@graph": [about, {"@id": "./", "name": "x"}, *nodes]}))
    return folder


def test_a_zip_file_with_a_damaged_stream_is_an_error_that_names_it(tmp_path: Path) -> None:
    file = tmp_path / "crate.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(METADATA, os.urandom(100).hex() * 50)
    content = bytearray(file.read_bytes())
    content[60:90] = b"\xff" * 30
    file.write_bytes(content)
    with pytest.raises(CatalogueError, match=r"crate\.zip: not a ZIP file that can be read: .*; get it again"):
        check_crate(file)


def test_a_zip_file_that_no_folder_can_hold_is_an_error_that_names_it(tmp_path: Path) -> None:
    file = tmp_path / "crate.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("x" * 300, "")
    with pytest.raises(CatalogueError, match=r"crate\.zip: cannot be unpacked: .*; unpack it, and check the folder"):
        check_crate(file)


def test_a_link_to_a_folder_is_a_fault_and_not_followed(tmp_path: Path) -> None:
    crate = make_crate(tmp_path / "crate")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "secret").write_text("x")
    (crate / "results").symlink_to(tmp_path / "other")
    found = check_crate(crate)
    assert "results: not an ordinary file; replace it by one" in found.faults
    assert found.files == 1


def test_a_document_that_nests_too_deep_is_a_fault(tmp_path: Path) -> None:
    node = {"@id": "a.json", "@type": "File", "identifier": "gnomon:snapshot/" + "0" * 64}
    crate = make_crate(tmp_path / "crate", node)
    (crate / "a.json").write_text("[" * 100_000)
    assert any(fault.startswith("a.json: maximum recursion depth") for fault in check_crate(crate).faults)


def test_many_missing_files_are_told_once_each_and_in_time(tmp_path: Path) -> None:
    nodes = [{"@id": f"f{number}", "@type": "File"} for number in range(3000)]
    crate = make_crate(tmp_path / "crate", *nodes)
    (crate / "manifest-sha256.txt").write_text("".join(f"{'0' * 64}  f{number}\n" for number in range(1500)))
    faults = check_crate(crate).faults
    assert sum(fault.endswith(": the file is missing") for fault in faults) == 3000
