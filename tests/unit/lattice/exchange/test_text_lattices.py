"""MAD-X and lat2db: read through, and nothing of them is left out without a word."""

import importlib.util
import json
from pathlib import Path

import at
import numpy as np
import pytest

from gnomon.lattice import Ring, parse_machine
from gnomon.lattice.exchange import (
    ExchangeError,
    ImportOptions,
    RefusedLattice,
    export_machine,
    import_machine,
    render,
)
from gnomon.lattice.exchange.export_madx import madx_names
from gnomon.propagator import Propagator
from unit.lattice.exchange.rings import MADX, imported, saved, small_ring, turn_of
from unit.propagator.pyat_oracle import TIGHT, turn_matrix


def written(folder: Path, name: str, text: str) -> Path:
    """A file."""
    file = folder / name
    file.write_text(text)
    return file


def test_a_line_of_madx_is_the_ring_that_pyat_makes_of_it(tmp_path: Path) -> None:
    file = written(tmp_path, "ring.madx", MADX)
    orbit, turn = turn_of(imported(file, "madx", slices=10))
    ring = at.load_madx(file)
    ring.disable_6d()
    expected, _ = at.find_orbit4(ring, **TIGHT)
    np.testing.assert_allclose(orbit, expected[:4], rtol=0.0, atol=1e-12)
    np.testing.assert_allclose(turn, turn_matrix(ring, expected), rtol=0.0, atol=1e-9)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("k2=4;", "k2=4, k1=0.3;"), r"sextupole k1: not an attribute of a sextupole in MAD-X: sf \(line 7\)"),
        (("d: drift", "d: solenoid, ks=0.1"), r"solenoid ks: acts on the beam and has no counterpart.*: d \(line 13\)"),
        (("k1=1.9;", "k1=1.9, hkick=1e-4;"), r"quadrupole hkick: not an attribute.*: qf \(line 3\)"),
        (("!", "select, flag=error; ealign, dx=1e-3;\n!"), r"command: displaces magnets; .*: ealign \(line 1\)"),
    ],
)
def test_an_attribute_that_acts_in_madx_and_not_here_is_refused(
    change: tuple[str, str], said: str, tmp_path: Path
) -> None:
    file = written(tmp_path, "ring.madx", MADX.replace(*change))
    with pytest.raises(RefusedLattice, match=said):
        imported(file, "madx")


def test_madx_without_energy_or_ring_says_what_to_give(tmp_path: Path) -> None:
    file = written(tmp_path, "ring.madx", MADX.replace("beam,", "!"))
    with pytest.raises(ExchangeError, match="no BEAM gives the energy: give --energy-ev"):
        imported(file, "madx")
    assert imported(file, "madx", energy_ev=2e9).energy_ev == 2e9
    with pytest.raises(ExchangeError, match="no sequence or line 'arc': give --use; there are: cell, ring"):
        imported(file, "madx", use="arc")


def test_a_machine_goes_out_to_madx_and_comes_back_the_same(tmp_path: Path) -> None:
    ring = imported(written(tmp_path, "ring.madx", MADX), "madx")
    export_machine(ring.nominal, "madx", tmp_path / "out.madx")
    for one, other in zip(turn_of(ring), turn_of(imported(tmp_path / "out.madx", "madx")), strict=True):
        np.testing.assert_allclose(one, other, rtol=0.0, atol=1e-12)


def test_a_property_that_madx_cannot_describe_is_refused_by_name(tmp_path: Path) -> None:
    ring = imported(saved(small_ring(), tmp_path))
    with pytest.raises(RefusedLattice) as refused:
        export_machine(ring.nominal, "madx", tmp_path / "out.madx")
    assert "bend roll: MAD-X has no bend with this property: B_02" in str(refused.value)
    assert not (tmp_path / "out.madx").exists()
    findings = export_machine(ring.nominal, "madx", tmp_path / "out.madx", approximate=True)
    assert any(f.attribute == "slices" and not f.changes_beam for f in findings)
    assert any("written as 20 pieces" in f.why and f.element == "SF_1" for f in findings)
    assert at.load_madx(tmp_path / "out.madx").circumference == pytest.approx(ring.circumference, abs=1e-9)


def test_names_for_madx_are_unique_and_not_its_own() -> None:
    assert madx_names(["Q.1", "q-1", "Ring", "PI", "X"]) == ["q_1", "q_1_2", "ring_2", "pi_2", "x"]


def test_tunes_are_those_of_madx_itself_when_slices_are_fine(tmp_path: Path) -> None:
    if importlib.util.find_spec("cpymad") is None:
        pytest.skip("cpymad, which is MAD-X itself, is not installed")
    from cpymad.madx import Madx

    plain = MADX.replace("sq, mp, c, cav", "cav").replace("volt=0.5", "volt=0")
    found = import_machine(written(tmp_path, "ring.madx", plain), "madx").document
    for part in found["elements"]:
        if part["type"] in ("quadrupole", "sextupole", "bend"):
            part["slices"] = 100
    ring = Ring(parse_machine(render(found), "fine"))
    export_machine(ring.nominal, "madx", tmp_path / "out.madx")
    madx = Madx(stdout=False)
    madx.call(str(tmp_path / "out.madx"))
    madx.use(sequence="ring")
    theirs = madx.twiss().summary
    madx.quit()
    ours = Propagator(ring, chromatic=False)(ring.nominal).tune
    np.testing.assert_allclose(ours, [theirs.q1, theirs.q2], rtol=0.0, atol=1e-7)


def test_lat2db_is_read_by_its_public_structure(tmp_path: Path) -> None:
    def magnet(kind: str, name: str, length: float, normal: list[float], **more: object) -> dict[str, object]:
        field = {"coeffs": {"normal_coefficients": normal, "skew_coefficients": [0.0] * len(normal)}}
        configuration = {"magnetic_element": field, "kickangle": {"x": 0, "y": 0}}
        return {"type": kind, "name": name, "length": length, "element_configuration": configuration, **more}

    angles = {"bending_angle": np.pi / 8, "entranceangle": 0.1, "exitangle": 0.1, "fullgap": 0.05}
    cell = [
        magnet("Quadrupole", "QF", 0.3, [0.0, 1.9], passmethod="StrMPoleSymplectic4RadPass", Energy=1.7e9),
        {"type": "Drift", "name": "D1", "length": 0.6, "tags": [""]},
        magnet("Dipole", "B1", 1.1, [0.0, 0.0], passmethod="BndMPoleSymplectic4Pass", fringeint1=0.5, **angles),
        {"type": "Monitor", "name": "M1", "length": 0, "passmethod": "IdentityPass"},
        {"type": "Drift", "name": "D2", "length": 0.6},
        magnet("Quadrupole", "QD", 0.3, [0.0, -1.8]),
        {"type": "Drift", "name": "D3", "length": 0.6},
    ]
    cavity = {"type": "RFCavity", "name": "CAV", "length": 0.0, "frequency": 5e8, "voltage": 1e5, "harmonic_number": 93}
    sequence = [dict(item, index=i) for i, item in enumerate([*cell * 16, cavity])]
    file = written(tmp_path, "ring.json", json.dumps([{"name": "R", "sequences": sequence[::-1]}]))
    ring = imported(file, "lat2db")
    expected = at.Lattice(
        [
            at.Quadrupole("QF", 0.3, 1.9), at.Drift("D1", 0.6),
            at.Dipole("B1", 1.1, np.pi / 8, EntranceAngle=0.1, ExitAngle=0.1, FullGap=0.05, FringeInt1=0.5,
                      FringeInt2=0.0, PassMethod="BndMPoleSymplectic4Pass"),
            at.Drift("D2", 0.6), at.Quadrupole("QD", 0.3, -1.8), at.Drift("D3", 0.6),
        ] * 16,
        energy=1.7e9,
    )  # fmt: skip
    np.testing.assert_allclose(turn_of(ring)[1], turn_matrix(expected, np.zeros(6)), rtol=0.0, atol=1e-9)
    assert (ring.energy_ev, ring.harmonic_number, len(ring.bpms)) == (1.7e9, 93, 16)
    strange = written(tmp_path, "strange.json", json.dumps({"sequences": [{"type": "Undulator", "name": "U1"}]}))
    with pytest.raises(RefusedLattice, match=r"Undulator PassMethod: .*U1 \(element 1\)"):
        import_machine(strange, "lat2db", ImportOptions(energy_ev=1e9, harmonic_number=10))
    with pytest.raises(ExchangeError, match="it has no list 'sequences'"):
        imported(written(tmp_path, "not.json", "{}"), "lat2db")


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ({"type": "Drift", "name": "D1", "length": "long"}, r"element 2 'D1': it cannot be read: could not convert"),
        ({"type": "Quadrupole", "name": "Q", "element_configuration": {"magnetic_element": [1]}}, "element 2 'Q': it"),
        ({"type": "Quadrupole", "name": "Q", "energy": "much"}, "element 2 'Q': energy: "),
        ({"type": 1, "name": "Q"}, "element 2: it has no type or no name"),
    ],
)
def test_an_item_of_lat2db_that_cannot_be_read_is_refused_with_its_element(
    item: object, said: str, tmp_path: Path
) -> None:
    drift = {"type": "Drift", "name": "D", "length": 0.6}
    file = written(tmp_path, "ring.json", json.dumps({"sequences": [drift, item]}))
    with pytest.raises(ExchangeError, match=said):
        import_machine(file, "lat2db", ImportOptions(harmonic_number=10))


def test_elements_of_lat2db_that_disagree_about_the_energy_need_it_given(tmp_path: Path) -> None:
    drifts = [{"type": "Drift", "name": f"D{i}", "length": 0.6, "energy": i * 1e9} for i in (1, 2)]
    file = written(tmp_path, "ring.json", json.dumps({"sequences": drifts}))
    with pytest.raises(ExchangeError, match=r"disagree about the energy: 1e.09, 2e.09 eV: give --energy-ev"):
        import_machine(file, "lat2db", ImportOptions(harmonic_number=10))
    made = import_machine(file, "lat2db", ImportOptions(harmonic_number=10, energy_ev=3e9))
    assert made.document["energy_ev"] == 3e9
