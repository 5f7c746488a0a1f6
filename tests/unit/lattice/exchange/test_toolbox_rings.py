"""A ring of pyAT is imported as it is tracked there, and what cannot be is refused by name."""

import importlib.util
import json
import re
import sys
from pathlib import Path
from typing import Any

import at
import numpy as np
import pytest

from gnomon.db import shipped_machine
from gnomon.lattice import Ring
from gnomon.lattice.exchange import ExchangeError, ImportOptions, RefusedLattice, export_machine, import_machine
from gnomon.lattice.exchange.export_at import toolbox_ring
from gnomon.lattice.exchange.toolbox import MISSING
from unit.lattice.exchange.rings import imported, saved, small_cell, small_ring, turn_of
from unit.propagator.pyat_oracle import TIGHT, turn_matrix

MACHINE_DATA = Path(importlib.util.find_spec("machine_data").origin).parent  # type: ignore[union-attr, arg-type]


def refusal(element: Any, folder: Path, **options: Any) -> str:
    """Return the refusal of a ring with one strange element."""
    with pytest.raises(RefusedLattice) as refused:
        imported(saved(small_ring([*small_cell(), element]), folder), **options)
    return str(refused.value)


def test_orbit_and_turn_are_those_of_pyat(tmp_path: Path) -> None:
    ring = small_ring()
    orbit, turn = turn_of(imported(saved(ring, tmp_path)))
    ring.disable_6d()
    expected, _ = at.find_orbit4(ring, **TIGHT)
    np.testing.assert_allclose(orbit, expected[:4], rtol=0.0, atol=1e-12)
    np.testing.assert_allclose(turn, turn_matrix(ring, expected), rtol=0.0, atol=1e-9)


def test_a_ring_goes_out_to_the_toolbox_and_comes_back_the_same(tmp_path: Path) -> None:
    ring = imported(saved(small_ring(), tmp_path), name="small")
    export_machine(ring.nominal, "at-json", tmp_path / "out.json")
    again = imported(tmp_path / "out.json")
    for one, other in zip(turn_of(ring), turn_of(again), strict=True):
        np.testing.assert_allclose(one, other, rtol=0.0, atol=1e-13)
    assert again.harmonic_number == ring.harmonic_number


def test_an_exported_ring_has_the_present_energy_and_voltage() -> None:
    ring = toolbox_ring(shipped_machine("mls").optics["injection"])
    assert ring.energy == 105e6
    assert sum(e.Voltage for e in ring if isinstance(e, at.RFCavity)) == 72e3


def test_every_magnet_that_turns_gets_a_supply_and_monitors_stay(tmp_path: Path) -> None:
    file = saved(small_ring(), tmp_path)
    ring = imported(file)
    assert ring.property_spec("QF_1_PS", "current").nominal == pytest.approx(100.0)
    assert ring.property_spec("SF_1_H_PS", "current").nominal == pytest.approx(0.2)
    assert all(magnet.supply == f"{magnet.name}_PS" for magnet in ring.magnets)
    assert [bpm.name for bpm in ring.bpms] == [f"M_{i}" for i in range(1, 9)]
    bare = imported(file, bare=True)
    assert not bare.magnets
    np.testing.assert_allclose(turn_of(bare)[1], turn_of(ring)[1], rtol=0.0, atol=1e-12)


@pytest.mark.parametrize(
    ("element", "said"),
    [
        (at.Quadrupole("QX", 0.1, 0.5, FringeQuadEntrance=1), "Quadrupole FringeQuadEntrance: .*no kernel: QX"),
        (at.Dipole("BX", 0.1, 0.01, PassMethod="BndMPoleSymplectic4E2Pass"), "second-order edges of a bend: BX"),
        (at.Wiggler("WX", 1.0, 0.05, 1.2), "Wiggler PassMethod: GWigSymplecticPass: .*: WX"),
        (at.Multipole("MX", 0.1, [], [0.0] * 4 + [1.0]), r"PolynomB\[4\] .*beyond the octupole: MX"),
        (at.Drift("DX", 0.1, PassMethod="ExactDriftPass"), "ExactDriftPass: .*: DX"),
        (at.M66("XX", np.diag([1.0, 1.0, 1.0, 1.0, 1.0, 1.1])), "M66 PassMethod: Matrix66Pass: .*: XX"),
        (at.Drift("NX", -0.1), "Drift Length: -0.1 m; .*: NX"),
        (at.Quadrupole("TX", 0.1, 0.5, T1=[1e-4] + [0.0] * 5), "Quadrupole .*T1.*: not a displacement .*: TX"),
        (
            at.Dipole("EX", 0.1, 0.01, 0.0, EntranceAngle=0.01, FringeBendEntrance=2),
            "FringeBendEntrance: form 2 .*: EX",
        ),
    ],
)
def test_an_element_without_counterpart_is_refused_by_name(element: Any, said: str, tmp_path: Path) -> None:
    text = refusal(element, tmp_path)
    place = f"element {len(small_cell()) + 1}"
    assert re.search(rf"{said} \({place}\)", text), text
    assert "--drop" in text


def test_dropped_elements_become_free_space_and_are_noted(tmp_path: Path) -> None:
    file = saved(small_ring([*small_cell(), at.Wiggler("ID1", 1.0, 0.05, 1.2)]), tmp_path)
    found = import_machine(file, "at-json", ImportOptions(drop=("id*",)))
    parts = {p["name"]: p for p in found.document["elements"]}
    assert parts["ID1_1"] == {"type": "drift", "name": "ID1_1", "length": 1.0}
    assert any("Wiggler" in note and "ID1" in note for note in found.document["notes"])
    with pytest.raises(RefusedLattice, match="Wiggler"):
        imported(file, approximate=True)  # nothing is near to a wiggler


def test_approximation_keeps_the_rest_of_an_element(tmp_path: Path) -> None:
    ring = at.load_mat(MACHINE_DATA / "dba.mat")
    with pytest.raises(RefusedLattice, match=r"8 Dipole PassMethod: BndMPoleSymplectic4E2Pass.*B \(element 11\)"):
        imported(MACHINE_DATA / "dba.mat", "at-mat", harmonic_number=10)
    _, turn = turn_of(imported(MACHINE_DATA / "dba.mat", "at-mat", harmonic_number=10, approximate=True))
    np.testing.assert_allclose(turn, turn_matrix(ring, np.zeros(6)), rtol=0.0, atol=1e-9)


def test_lines_of_an_m_file_are_told_and_its_ring_is_that_of_pyat(tmp_path: Path) -> None:
    ring = at.load_m(MACHINE_DATA / "thomx.m")
    ring.disable_6d()
    _, turn = turn_of(imported(MACHINE_DATA / "thomx.m", "at-m"))
    np.testing.assert_allclose(turn, turn_matrix(ring, np.zeros(6)), rtol=0.0, atol=1e-8)
    text = (MACHINE_DATA / "thomx.m").read_text()
    lines = text.splitlines()
    number = next(i for i, line in enumerate(lines) if "'QP1'" in line or "atquadrupole" in line)
    lines[number] = lines[number].rstrip().removesuffix("...").rstrip(";").rstrip(")") + ",'FringeQuadExit',1);"
    broken = tmp_path / "thomx.m"
    broken.write_text("\n".join(lines) + "\n")
    with pytest.raises(RefusedLattice, match=rf"FringeQuadExit.*\(line {number + 1}\)"):
        imported(broken, "at-m")


def test_a_line_that_pyat_skips_is_refused(tmp_path: Path) -> None:
    lines = (MACHINE_DATA / "thomx.m").read_text().splitlines()
    lines[5] = lines[5].replace("at", "atno", 1)
    broken = tmp_path / "thomx.m"
    broken.write_text("\n".join(lines) + "\n")
    with pytest.raises(RefusedLattice, match=r"line: not understood by the reader: \? \(line 6\)"):
        imported(broken, "at-m")


def test_a_file_without_energy_or_harmonic_number_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(ExchangeError, match="harmonic number is not in the file: give --harmonic-number"):
        imported(MACHINE_DATA / "dba.mat", "at-mat", approximate=True)
    with pytest.raises(ExchangeError, match="no such file"):
        imported(tmp_path / "none.mat", "at-mat")
    with pytest.raises(ExchangeError, match="no format 'opa'; there are at-mat"):
        imported(MACHINE_DATA / "dba.mat", "opa")
    bad = tmp_path / "bad.json"
    bad.write_text("{")
    with pytest.raises(ExchangeError, match=r"bad\.json: not at-json: cannot be read as JSON"):
        imported(bad)


def test_nonsense_in_an_element_is_refused_with_its_place(tmp_path: Path) -> None:
    file = saved(small_ring(), tmp_path)
    data = json.loads(file.read_text())
    data["elements"][7]["NumIntSteps"] = float("nan")
    file.write_text(json.dumps(data))
    with pytest.raises(ExchangeError, match=r"Quadrupole.*QD.*cannot convert float NaN"):
        imported(file)
    data["elements"][7]["NumIntSteps"] = 10
    data["properties"]["periodicity"] = 10**9
    file.write_text(json.dumps(data))
    with pytest.raises(ExchangeError, match="1000000000 periods of 105 elements; a ring may have at most 1000000"):
        imported(file)


def test_without_pyat_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "at", None)
    with pytest.raises(ExchangeError) as refused:
        imported(MACHINE_DATA / "dba.mat", "at-mat")
    assert str(refused.value) == MISSING
    assert "gnomon[import]" in MISSING


def test_a_ring_of_diamond_is_imported_as_pyat_tracks_it() -> None:
    spec = importlib.util.find_spec("atip")
    if spec is None or spec.origin is None:
        pytest.skip("atip, which has Diamond's rings, is not installed")
    file = Path(spec.origin).parent / "rings" / "DIAD.mat"
    ring = at.load_mat(file)
    ring.disable_6d()
    _, turn = turn_of(imported(file, "at-mat"))
    expected = turn_matrix(ring, np.zeros(6))
    for plane in (slice(0, 2), slice(2, 4)):
        cosines = [0.5 * np.trace(matrix[plane, plane]) for matrix in (turn, expected)]
        assert np.arccos(cosines[0]) == pytest.approx(np.arccos(cosines[1]), abs=1e-9)


def test_periods_are_written_out(tmp_path: Path) -> None:
    cell = at.Lattice([*small_cell(), at.RFCavity("CAV", 0.3, 5e5, 4.997e8, 10, 1.7e9)], energy=1.7e9, periodicity=8)
    ring = imported(saved(cell, tmp_path))
    assert len(ring.elements) == 8 * (len(small_cell()) + 1)
    assert ring.harmonic_number == 80
    assert isinstance(ring, Ring)
    assert json.loads(saved(cell, tmp_path).read_text())["properties"]["periodicity"] == 8
