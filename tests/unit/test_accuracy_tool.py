"""The table of docs/accuracy.md can be made of any folder of lattice files."""

import json
from pathlib import Path

import pytest

from gnomon.db import shipped_machine
from gnomon.lattice.exchange import export_machine
from tools.rings import of_folder, row


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    ring = shipped_machine("mls")
    (tmp_path / "more").mkdir()
    export_machine(ring.nominal, "madx", tmp_path / "mls.madx")
    export_machine(ring.nominal, "at-json", tmp_path / "more" / "mls.json")
    (tmp_path / "broken.lte").write_text("Q: KQUAD,L=0.2,FRINGE_TYPE=", encoding="utf-8")
    (tmp_path / "notes.txt").write_text("not a lattice", encoding="utf-8")
    options = {"broken.lte": {"energy_ev": 1e9, "harmonic_number": 4}}
    (tmp_path / "options.json").write_text(json.dumps(options), encoding="utf-8")
    return tmp_path


def test_each_lattice_file_of_a_folder_has_a_line_with_tunes_or_the_reason(folder: Path) -> None:
    cases = {case.path: case for case in of_folder(folder)}
    assert sorted(cases) == ["broken.lte", "mls.madx", str(Path("more") / "mls.json")]
    assert cases["broken.lte"].options.energy_ev == 1e9
    assert "not read" in row(cases["broken.lte"])
    for path in ("mls.madx", str(Path("more") / "mls.json")):
        cells = [cell.strip() for cell in row(cases[path]).strip("|").split("|")]
        assert cells[3] == "imported"
        assert [float(tune) for tune in cells[4].split()] == pytest.approx([3.178488, 2.231996], abs=5e-6)
        assert float(cells[5].split()[0]) < 1e-5
