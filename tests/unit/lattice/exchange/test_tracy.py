"""Tracy's and thor-scsi's lattice files: read as those programs read them, or refused with line and construct."""

import re
from pathlib import Path
from typing import Any

import at
import numpy as np
import pytest

from gnomon.lattice.exchange import ExchangeError, ImportOptions, RefusedLattice, import_machine
from unit.lattice.exchange.rings import imported, turn_of
from unit.propagator.pyat_oracle import turn_matrix

TRACY = """define lattice; ringtype = 1;
energy = 1.7;
{ a comment }
D: Drift, L=0.6;
QF: Quadrupole, L=0.3, K=1.9, N=4, Method=4;
QD: Quadrupole, L=0.3, K=-1.8, N=4, Method=4;
B: Bending, L=1.1, T=22.5, T1=5, T2=5, N=4, Method=4, gap=0.02;
SF: Sextupole, L=0.15, K=2.0, N=1, Method=4;
BPM1: Beam Position Monitor;
CAV: Cavity, Frequency=499.7e6, Voltage=5e5, harnum=71;
SUP: QF, D, B, BPM1, SF, D, QD, D, B, D;
CELL: SUP, SUP, SUP, SUP, SUP, SUP, SUP, SUP, CAV;
end;
"""


def written(folder: Path, name: str, text: str) -> Path:
    """A file."""
    file = folder / name
    file.write_text(text)
    return file


def parts(folder: Path, text: str) -> list[dict[str, Any]]:
    """The elements of a file as a machine document has them."""
    elements = import_machine(written(folder, "ring.lat", text), "tracy", ImportOptions()).document["elements"]
    assert isinstance(elements, list)
    return elements


def test_tracy_and_thor_scsi_are_one_ring_with_its_monitors(tmp_path: Path) -> None:
    tracy = imported(written(tmp_path, "tracy.lat", TRACY), "tracy", harmonic_number=80)
    ring = at.load_tracy(tmp_path / "tracy.lat", harmonic_number=80)
    ring.disable_6d()
    np.testing.assert_allclose(turn_of(tracy)[1], turn_matrix(ring, np.zeros(6)), rtol=0.0, atol=1e-9)
    assert len(tracy.bpms) == 8
    thor = re.sub(r"(SUP|CELL): ([^;]*);", r"\1: LINE = (\2);", TRACY).replace("define lattice;", "# define lattice;\n")
    thor = thor.replace("Beam Position Monitor", "BPM").replace("end;", "")
    thor = thor.replace("D: Drift, L=0.6;", "a = 4.0*arctan(1.0); d_l = (1.0+(a*0))/(5.0/3.0)*1.0;\nD: Drift, L=d_l;")
    again = imported(written(tmp_path, "thor.lat", thor), "tracy", harmonic_number=80)
    np.testing.assert_allclose(turn_of(again)[1], turn_of(tracy)[1], rtol=0.0, atol=1e-12)
    assert imported(tmp_path / "thor.lat", "tracy").harmonic_number == 71


@pytest.mark.parametrize(
    "change",
    [
        ("SUP:", "invert: Marker; bpm_a: Marker; SUP: invert, bpm_a,"),
        ("SUP, SUP, SUP, SUP, SUP, SUP, SUP, SUP", "8*SUP"),
        ("SUP, SUP, SUP, SUP, SUP, SUP, SUP, SUP", "4*(SUP, SUP)"),
        ("SUP, SUP, SUP, SUP, SUP, SUP, SUP, SUP", "n_cell*SUP"),
        ("{ a comment }", "{ a { nested } comment } (* another *) # and a third"),
        ("L=0.3, K=1.9", "L=d.l/2, K=1.9"),
        ("K=1.9", "K=1.9d0"),
        ("K=1.9", "K=2^2-2.1"),
        ("K=1.9", "K=-(-1.9)"),
        ("CELL: SUP, SUP, SUP, SUP, SUP, SUP, SUP, SUP, CAV;", "PART: SUP, SUP; CELL: 4*PART, CAV;"),
        ("CELL: SUP, SUP, SUP, SUP, SUP, SUP, SUP, SUP, CAV;", "C2: 4*inv(inv(SUP), inv(SUP)); CELL: C2, CAV;"),
        ("harnum=71", "HarmonicNumber=71"),
    ],
)
def test_spellings_of_one_ring(change: tuple[str, str], tmp_path: Path) -> None:
    text = TRACY.replace(*change)
    assert text != TRACY
    if "n_cell" in text:
        text = text.replace("energy = 1.7;", "energy = 1.7; n_cell = 8;")
    assert [p for p in parts(tmp_path, text) if p["type"] != "marker"] == parts(tmp_path, TRACY)


def test_a_reversed_list_exchanges_the_ends_of_bends(tmp_path: Path) -> None:
    text = TRACY.replace("T1=5, T2=5", "T1=5, T2=7").replace("SUP, SUP, SUP, SUP, SUP, SUP, SUP, SUP", "8*inv(SUP)")
    bends = [p for p in parts(tmp_path, text) if p["type"] == "bend"]
    np.testing.assert_allclose(np.degrees([bends[0]["entrance_angle"], bends[0]["exit_angle"]]), [7.0, 5.0])


def test_missing_angles_are_zero_and_hom_holds_the_gradient(tmp_path: Path) -> None:
    text = TRACY.replace("T1=5, T2=5, N=4, Method=4, gap=0.02", "N=4, HOM=(2, 0.1, 0.0, 3, 0.5, 0.25)")
    bend = next(p for p in parts(tmp_path, text) if p["type"] == "bend")
    assert (bend["entrance_angle"], bend["exit_angle"]) == (0.0, 0.0)
    assert (tuple(bend["b"]), tuple(bend["a"])) == ((0.0, 0.1, 0.5, 0.0), (0.0, 0.0, 0.25, 0.0))
    flat = TRACY.replace("T=22.5, T1=5, T2=5", "K=0.2")
    assert next(p for p in parts(tmp_path, flat) if p["name"].startswith("B"))["angle"] == 0.0


def test_magnets_without_length_have_integrated_strengths(tmp_path: Path) -> None:
    thin = parts(tmp_path, TRACY.replace("SF: Sextupole, L=0.15, K=2.0", "SF: Sextupole, L=0, K=0.3"))[4]
    assert (thin["type"], thin["length"], thin["b3"]) == ("sextupole", 0.0, 0.3)
    thin = parts(tmp_path, TRACY.replace("SF: Sextupole, L=0.15, K=2.0", "SF: Multipole, HOM=(3, 0.3, 0.1)"))[4]
    assert (thin["type"], thin["length"], thin["a"][2], thin["b"][2]) == ("multipole", 0.0, 0.1, 0.3)


def test_periods_tilt_and_other_elements(tmp_path: Path) -> None:
    text = TRACY.replace("CELL: SUP, SUP, SUP, SUP, SUP, SUP, SUP, SUP, CAV;", "CELL: SUP, CAV, symmetry=8;")
    assert len(parts(tmp_path, text)) == 8 * 11
    tilted = parts(tmp_path, TRACY.replace("K=1.9,", "K=1.9, Tilt=45,"))[0]
    assert tilted["roll"] == pytest.approx(np.pi / 4)
    steerer = parts(tmp_path, TRACY.replace("SF: Sextupole, L=0.15, K=2.0, N=1,", "SF: Corrector, Horizontal, L=0.15,"))
    assert steerer[4]["type"] == "corrector"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("K=1.9", "K=1.9, hkick=1"), r"quadrupole hkick: is not an attribute .*: QF \(line 5\)"),
        (("T=22.5", "T=22.5, tilt=90"), r"bending tilt: a bend out of the plane .*: B \(line 7\)"),
        (("L=1.1, T=22.5", "L=0, T=22.5"), r"BendingAngle: a thin magnet that bends: B"),
        (("SF: Sextupole", "SF: Wiggler"), r"wiggler: there is no such element here: SF \(line 8\)"),
        (("N=4, Method=4;\nB", "N=4, Method=1;\nB"), "method: 1: an integrator that is not of fourth order: QD"),
        (("gap=0.02", "gap=0.02, K=0.1, HOM=(2, 0.2, 0)"), "hom: gives order 2 another strength than K"),
    ],
)
def test_an_element_without_counterpart_is_refused_by_name(change: tuple[str, str], said: str, tmp_path: Path) -> None:
    with pytest.raises(RefusedLattice, match=said):
        parts(tmp_path, TRACY.replace(*change))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("K=1.9", "K=kq"), "line 5: 'kq' is not defined"),
        (("K=1.9", "K=foo(1)"), "line 5: the function 'foo' is not known"),
        (("K=1.9", "K=1.9/0"), "line 5: /: .*division"),
        (("K=1.9", "K=1_9"), "line 5: not Tracy: "),
        (("SUP: QF, D", "SUP: QF, DD"), "line 11: 'dd' is neither an element nor a line"),
        (("SUP: QF", "SUP: SUP"), "line 11: the line sup contains itself"),
        (("QD: Quadrupole", "QD: Quadrupol"), "the type 'quadrupol' is not known; there are drift"),
        (("{ a comment }", "{ a comment"), "line 3: the comment that begins here does not end"),
        (("CELL: SUP", "CELL: 2.5*SUP"), "line 12: '2.5' before"),
        (("CELL: SUP", "CELL: n*SUP"), "line 12: 'n' before .* is neither a whole number nor defined"),
        (("CELL: SUP", "CELL: 9999999*SUP"), "use a whole number from 1 to 1000000"),
        (("CELL: SUP", "CELL: 99999*(SUP,SUP,SUP,SUP)"), "more than 1000000 elements"),
        (("QF: Quad", "D: Quad"), "line 5: d is defined twice"),
        (("CELL:", "RING:"), "no line 'cell': give --use; there are: sup, ring"),
        (("energy = 1.7;", ""), "give --energy-ev"),
        (("energy = 1.7;", "some words;"), "line 2: not Tracy: 'some' is neither defined"),
        ((", Method=4, gap", " Method=4, gap"), "line 7: 'method' is not expected here; is a ';' missing"),
    ],
)
def test_text_that_cannot_be_read_is_refused_with_its_line(change: tuple[str, str], said: str, tmp_path: Path) -> None:
    with pytest.raises(ExchangeError, match=said):
        parts(tmp_path, TRACY.replace(*change))
