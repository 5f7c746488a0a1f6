"""`gnomon panels`: the files that it writes, and what it says."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from gnomon.lattice import DocumentError
from unit.cli.commands import gnomon


def test_panels_are_written_for_the_machine_and_its_prefix(tmp_path: Path) -> None:
    out = tmp_path / "new" / "panels"
    result = gnomon("panels", "--machine", "mls", "--prefix", "SIM:", "-o", out)
    written = sorted(path.name for path in out.iterdir())
    assert result.exit_code == 0
    assert "overview.bob" in written
    assert result.output.startswith(f"{len(written)} panels for ")
    assert result.output.endswith(f" written to {out}; open {out / 'overview.bob'} in Phoebus\n")
    names = {pv.text for path in out.iterdir() for pv in ElementTree.parse(path).iter("pv_name")}
    assert any(name and "SIM:" in name for name in names)
    assert not any(name and "TWIN:" in name for name in names)


def test_a_folder_that_cannot_be_written_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DocumentError, match=r"file/panels: panels cannot be written: "):
        gnomon("panels", "--machine", "mls", "-o", tmp_path / "file" / "panels")
