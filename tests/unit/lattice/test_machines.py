"""The shipped machines say what the fact tables say."""

import json
from pathlib import Path

import pytest

from gnomon.db import shipped_document, shipped_machine, shipped_machines
from gnomon.db.machines import pv_document
from gnomon.db.templates import expand, read_pvs
from gnomon.lattice import DocumentError
from gnomon.lattice.elements import Multipole
from tools.machine_documents import MACHINES, render

TABLES = Path(__file__).parents[2] / "facts"


def test_both_rings_are_shipped() -> None:
    assert shipped_machines() == ("bessy2", "mls")


def test_a_machine_that_is_not_shipped_is_refused_with_those_that_are() -> None:
    with pytest.raises(DocumentError, match="no machine 'als' is shipped; there are bessy2, mls"):
        shipped_document("als")


@pytest.mark.parametrize("name", MACHINES)
def test_documents_agree_with_the_fact_tables(name: str) -> None:
    shipped = Path(pv_document("beam")).parent / f"{name}.json"
    assert shipped.read_text() == render(MACHINES[name](TABLES / name)), "run python -m tests.tools.machine_documents"


def test_bessy2_has_the_devices_of_the_real_ring() -> None:
    ring = shipped_machine("bessy2")
    mains = [m.main for m in ring.magnets]
    assert (mains.count("k1"), mains.count("b3"), mains.count("kick")) == (145, 112, 112)
    assert (len(ring.document.supplies), len(ring.bpms)) == (179, 123)
    assert sum(bpm.slot is not None for bpm in ring.bpms) == 118
    assert ring.circumference == pytest.approx(240.00839, abs=1e-9)


@pytest.mark.parametrize("name", ["bessy2", "mls"])
def test_every_strength_is_that_of_the_table(name: str) -> None:
    ring = shipped_machine(name)
    for index in ring.magnets_on:
        present, design = ring.nominal.element(index), ring.elements[index]
        assert isinstance(present, Multipole)
        assert isinstance(design, Multipole)
        assert present.b == pytest.approx(design.b, rel=1e-14)


def test_the_mls_has_four_more_optics() -> None:
    ring = shipped_machine("mls")
    assert sorted(ring.optics) == ["injection", "low_alpha", "low_emittance", "ssmb"]
    assert ring.optics["injection"]["Q1M1K1RP", "k1"] == pytest.approx(2.8234, rel=1e-12)


@pytest.mark.parametrize("name", ["bessy2", "mls"])
def test_units_fit_into_channel_access_and_names_are_unique(name: str) -> None:
    ring = shipped_machine(name)
    specs = expand(read_pvs(name, pv_document), ring, "TWIN:")
    assert len({spec.name for spec in specs}) == len(specs)
    assert [spec.name for spec in specs if len(spec.unit.encode()) > 7] == []


def test_a_pv_document_with_an_unknown_source_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "mine.pvs.json"
    entry = {"pv": "X", "source": "orbit.z", "description": "no such thing"}
    file.write_text(json.dumps({"schema": "gnomon.pvs/1", "name": "mine", "pvs": [entry]}))
    with pytest.raises(DocumentError, match=r"mine\.pvs\.json: pvs\[0\] 'X': there is no source 'orbit\.z'"):
        read_pvs("mine", lambda _: file)
