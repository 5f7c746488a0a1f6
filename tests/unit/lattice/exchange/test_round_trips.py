"""An imported ring goes out to AT, MAD-X and elegant, and is there the same ring, at rest and stable in 6D."""

from pathlib import Path
from typing import Any

import at
import numpy as np
import pytest

from gnomon.db import shipped_machine
from gnomon.lattice import Lattice, Ring
from gnomon.lattice.elements import Bend, Corrector, Multipole, Octupole, Quadrupole, Sextupole
from gnomon.lattice.exchange import RefusedLattice, export_machine, import_machine
from gnomon.lattice.exchange.export_pieces import split_element
from gnomon.lattice.exchange.momentum_compaction import momentum_compaction
from gnomon.propagator import Propagator
from unit.lattice.exchange.rings import imported, saved, small_cell, small_ring, turn_of

FORMATS = ("at-json", *(pytest.param(format, marks=pytest.mark.slow(1)) for format in ("madx", "elegant")))
READ = {"elegant": {"energy_ev": 1.7e9}}
FINE = {"convergence": 1e-15, "max_iterations": 30, "XYStep": 1e-7, "DPStep": 1e-6}


def upright(cell: list[Any]) -> list[Any]:
    """The cell without what a bend of other programs cannot say."""
    for element in cell:
        if isinstance(element, at.Dipole):
            at.transform_elem(element, dx=0.0, dy=0.0, tilt=0.0)
            element.FringeInt2 = element.FringeInt1  # pyAT reads one of elegant's for both
    return cell


def everything(folder: Path, cell: list[Any] | None = None) -> Ring:
    """A ring with all that magnets other than bends can hold: coils, mixed and skew fields, displacements, rolls."""
    return imported(saved(small_ring(upright(cell or small_cell())), folder))


def tunes(lattice: Lattice) -> np.ndarray:
    """Both tunes at the reference momentum."""
    beam = Propagator(lattice.ring, chromatic=False, momentum="orbit")(lattice)
    assert beam.found, beam.reason
    return np.asarray(beam.tune)


def exported(lattice: Lattice, format: str, folder: Path) -> Path:
    """A file of the format."""
    file = folder / f"out.{format}"
    export_machine(lattice, format, file)
    return file


@pytest.mark.parametrize("format", FORMATS)
def test_our_reader_finds_the_same_ring(format: str, tmp_path: Path) -> None:
    ring = everything(tmp_path)
    again = imported(exported(ring.nominal, format, tmp_path), format, **READ.get(format, {}))
    np.testing.assert_allclose(tunes(again.nominal), tunes(ring.nominal), atol=2e-6)
    np.testing.assert_allclose(turn_of(again)[0], turn_of(ring)[0], atol=2e-8)
    assert again.circumference == pytest.approx(ring.circumference, abs=1e-9)
    assert again.harmonic_number == ring.harmonic_number
    assert len(again.bpms) == len(ring.bpms)


@pytest.mark.parametrize("format", FORMATS)
def test_pyat_finds_the_same_ring_at_rest_and_stable(format: str, tmp_path: Path) -> None:
    ring = everything(tmp_path)
    file = exported(ring.nominal, format, tmp_path)
    load = {"at-json": at.load_json, "madx": at.load_madx, "elegant": at.load_elegant}[format]
    theirs = load(file, **({"energy": 1.7e9} if format == "elegant" else {}))
    theirs.disable_6d()
    np.testing.assert_allclose(theirs.get_tune(), tunes(ring.nominal) % 1.0, atol=2e-4)
    for element in theirs:
        if isinstance(element, at.RFCavity):
            element.PassMethod = "RFCavityPass"
    theirs._radiation = True
    orbit, _ = at.find_orbit6(theirs, **FINE)
    assert abs(orbit[4] - delta_of(ring)) < 3e-6
    assert np.all(np.abs(np.abs(np.linalg.eigvals(at.find_m66(theirs)[0])) - 1.0) < 1e-5)


def delta_of(ring: Ring) -> float:
    """The momentum deviation that the RF gives this ring."""
    beam = Propagator(ring, chromatic=False, momentum="frequency")(ring.nominal)
    return float(beam.delta)


@pytest.mark.slow(1)
def test_madx_finds_the_same_tunes_and_its_emit_is_stable(tmp_path: Path) -> None:
    pytest.importorskip("cpymad")
    from cpymad.madx import Madx

    ring = everything(tmp_path)
    file = exported(ring.nominal, "madx", tmp_path)
    with Madx(stdout=False) as madx:
        madx.call(str(file))
        madx.use(sequence="ring")
        summary = madx.twiss().summary
        ours = Propagator(ring, chromatic=False)(ring.nominal).tune  # MAD-X closes the orbit with the RF on
        np.testing.assert_allclose([summary.q1, summary.q2], ours, atol=2e-4)
        madx.input("beam, radiate=true;")
        assert madx.emit() is not False
        beam = madx.beam if isinstance(madx.beam, dict) else madx.sequence.ring.beam
        assert 1e-9 < beam["ex"] < 1e-5
        assert 1e-3 < beam["qs"] < 0.1


@pytest.mark.parametrize("optics", ["low_alpha", "low_emittance"])
@pytest.mark.parametrize("format", ["at-json", "madx"])
def test_the_mls_leaves_with_its_momentum(optics: str, format: str, tmp_path: Path) -> None:
    lattice = shipped_machine("mls").optics[optics]
    file = exported(lattice, format, tmp_path)
    theirs = at.load_json(file) if format == "at-json" else at.load_madx(file)
    for element in theirs:
        if isinstance(element, at.RFCavity):
            element.PassMethod = "RFCavityPass"
    theirs._radiation = True
    orbit, _ = at.find_orbit6(theirs, **FINE)
    assert abs(orbit[4]) < 1e-7


def test_a_bend_that_other_programs_cannot_describe_is_refused(tmp_path: Path) -> None:
    ring = imported(saved(small_ring(), tmp_path))
    for format in ("madx", "elegant"):
        with pytest.raises(RefusedLattice, match=r"bend roll: .* has no bend with this property: B_02"):
            exported(ring.nominal, format, tmp_path)
        assert not (tmp_path / f"out.{format}").exists()
        export_machine(ring.nominal, format, tmp_path / "out", approximate=True)


def test_pieces_hold_the_whole_field() -> None:
    magnet = Multipole(
        name="M", length=0.4, a=(0.0, 0.01, 0.2, 0.0), b=(0.0, 1.0, 3.0, 5.0), kick_x=1e-4, dx=1e-3, roll=0.1
    )
    pieces, nearly = split_element(magnet, lambda element: False)
    assert nearly
    assert sum(p.length for p in pieces) == pytest.approx(0.4)
    own = [complex(b, a) for a, b in zip(magnet.a, magnet.b, strict=True)]
    z = 2e-3 + 1e-3j
    inside = (z - magnet.dx) * np.exp(-1j * magnet.roll)
    field = sum(c * inside**n for n, c in enumerate(own))
    expected = np.conj(np.conj(magnet.kick_x - field * magnet.length) * np.exp(1j * magnet.roll))
    got = 0j
    for piece in pieces:
        assert isinstance(piece, Multipole)
        scale = piece.length or 1.0
        got -= scale * sum(complex(b, a) * z**n for n, (a, b) in enumerate(zip(piece.a, piece.b, strict=True)))
        if isinstance(piece, Corrector):
            got += complex(piece.kick_x, -piece.kick_y)
    assert got == pytest.approx(expected, rel=1e-12)


def test_a_magnet_that_fits_stays_whole() -> None:
    for magnet in (Quadrupole(name="Q", length=0.3), Sextupole(name="S", length=0.1), Octupole(name="O")):
        assert split_element(magnet, lambda element: True) == ([magnet], False)
    bend = Bend(name="B", length=1.0, angle=0.1, roll=1e-3)
    assert split_element(bend, lambda element: False) == ([bend], False)


def test_momentum_compaction_agrees_with_pyat(tmp_path: Path) -> None:
    ring = small_ring()
    ring.disable_6d()
    for element in ring:
        at.transform_elem(element, dx=0.0, dy=0.0, tilt=0.0)
        if hasattr(element, "KickAngle"):
            element.KickAngle = [0.0, 0.0]
        if hasattr(element, "PolynomA"):
            element.PolynomA[:] = 0.0
            element.PolynomB[0] = 0.0
    elements = imported(saved(ring, tmp_path)).elements
    ring.disable_6d()
    assert momentum_compaction(elements) == pytest.approx(float(ring.get_mcf()), rel=2e-3)


def test_a_frequency_that_is_not_kept_is_reported_with_its_momentum(tmp_path: Path) -> None:
    ring = small_ring()
    turns = 299792458.0 / ring.circumference

    def told(frequency: float) -> list[str]:
        for element in ring:
            if isinstance(element, at.RFCavity):
                element.Frequency, element.HarmNumber = frequency, 75
        found = import_machine(saved(ring, tmp_path), "at-json").findings
        return [f.why for f in found if f.attribute == "frequency"]

    assert told(75 * turns) == []
    assert told(75 * turns * at.Lattice([], energy=1.7e9, particle="electron").beta) == []
    (why,) = told(75 * turns + 5e3)
    assert "the difference of +5000 Hz means a momentum deviation of about -6." in why
    ring.disable_6d()
    expected = at.find_orbit4(ring, df=5e3)[0][4] - at.find_orbit4(ring, df=0.0)[0][4]
    assert expected == pytest.approx(float(why.rsplit(" ", 1)[1]), rel=0.02)


def test_a_harmonic_number_that_does_not_fit_its_frequency_is_reported(tmp_path: Path) -> None:
    found = import_machine(saved(small_ring(), tmp_path), "at-json")
    assert "80 does not fit its frequency, which has 75 periods a turn: 75 is taken" in [f.why for f in found.findings]
    cavity = next(p for p in found.document["elements"] if p["type"] == "cavity")
    assert cavity["harmonic_number"] == found.document["harmonic_number"] == 75
