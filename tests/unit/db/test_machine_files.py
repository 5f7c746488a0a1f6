"""A machine is found by its name or by any file that describes it."""

import json
from pathlib import Path

import pytest

from gnomon.db.machine_files import find_document
from gnomon.lattice import DocumentError
from gnomon.lattice.exchange import ExchangeError
from unit.lattice.small_ring import DOCUMENT

ELEGANT = """\
Q1: KQUAD, L=0.3, K1=1.2
Q2: KQUAD, L=0.3, K1=-1.2
B: CSBEND, L=1.0, ANGLE=0.3926990816987241, E1=0.19634954084936207, E2=0.19634954084936207
D: DRIFT, L=0.5
M: MONI
CELL: LINE=(M, Q1, D, B, D, Q2, D, B, D)
RING: LINE=(8*CELL)
"""


def test_a_document_is_found_by_shipped_name_by_file_and_by_folder(tmp_path: Path) -> None:
    file = tmp_path / "own.json"
    file.write_text(json.dumps(DOCUMENT))
    (tmp_path / "own.pvs.json").write_text("{}")
    assert find_document("mls").name == "mls"
    assert find_document(file).name == find_document(str(tmp_path)).name == "small"


@pytest.mark.usefixtures("reads_here")
def test_a_lattice_of_another_program_is_imported(tmp_path: Path) -> None:
    from gnomon.lattice.exchange import ImportOptions

    file = tmp_path / "own.lte"
    file.write_text(ELEGANT)
    with pytest.raises(ExchangeError, match="energy"):
        find_document(file, ImportOptions(use="RING"))
    document = find_document(file, ImportOptions(use="RING", energy_ev=1e9, harmonic_number=80))
    assert len(document.elements) == 72


def test_an_unknown_machine_is_refused_with_the_known_ones_and_a_broken_file_with_its_fault(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="no machine and no file 'bessy3'; use one of bessy2, mls"):
        find_document("bessy3")
    with pytest.raises(DocumentError, match="0 machine documents"):
        find_document(tmp_path)
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    with pytest.raises(DocumentError, match="not JSON"):
        find_document(broken)
