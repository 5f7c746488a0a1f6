"""elegant's lattice files: read as elegant would read them, or refused with line, element and attribute."""

from pathlib import Path
from typing import Any

import at
import numpy as np
import pytest

from gnomon.lattice import Ring
from gnomon.lattice.exchange import ExchangeError, ImportOptions, RefusedLattice, import_machine
from gnomon.lattice.exchange.elegant_tables import TYPES, documentation, find_types
from gnomon.lattice.exchange.slicing import choose_slices
from gnomon.propagator import Propagator
from unit.lattice.exchange.rings import imported, turn_of
from unit.propagator.pyat_oracle import turn_matrix

EDGES_OFF = """! pole faces without effect: the tunes are those of sector magnets
% 0.4 sto LQ
Q1: KQUAD,L="LQ",K1=1.3
Q2: KQUAD,L="LQ",K1=-1.2
B: CSBEND,L=1,ANGLE="360 dtor 16 /",E1=0.2,E2=0.2,EDGE1_EFFECTS=0,EDGE2_EFFECTS=0
D: DRIF,L=0.4
M: MARKER,FITPOINT=1
MA: MALIGN,ON_PASS=1
CAV: RFCA,L=0,VOLT=1e6,FREQ="c_mks 35.2 / 10 *"
CELL: LINE=(Q1,D,B,D,Q2,D,B,D,M)
RING: LINE=(MA,CAV,8*CELL)
"""

RING = """QF: KQUAD, L=0.3, K1=2.1
QD: KQUAD, L=0.3, K1="1.8 -1 *"
B: CSBEND, L=1.1, ANGLE=0.39269908169872414, E1=0.1, E2=0.05, HGAP=0.02
SF: KSEXT, L=0.15, K2=4
D: DRIF, L=0.6
C: RFCA, VOLT=5e5
CELL: LINE=(QF,D,B,SF,D,QD,D,B,D)
RING: LINE=(8*CELL,C)
"""


def written(folder: Path, text: str, name: str = "ring.lte") -> Path:
    """A file."""
    file = folder / name
    file.write_text(text)
    return file


def read(folder: Path, text: str, **options: object) -> Ring:
    """The ring of a text at 1.7 GeV."""
    return imported(written(folder, text), "elegant", energy_ev=1.7e9, **options)


def tunes(ring: Ring) -> np.ndarray:
    """Both tunes."""
    beam = Propagator(ring, chromatic=False)(ring.nominal)
    assert beam.found, beam.reason
    return np.asarray(beam.tune)


def pyat(*cell: at.Element, cells: int = 8) -> at.Lattice:
    """A ring of pyAT of cells, in slices as fine as ours."""
    ring = at.Lattice(list(cell) * cells, energy=1.7e9, periodicity=1)
    for element in ring:
        if hasattr(element, "PolynomB"):
            angle = getattr(element, "BendingAngle", 0.0)
            element.NumIntSteps = choose_slices({"length": element.Length, "k1": element.PolynomB[1], "angle": angle})
    return ring


def test_pole_faces_without_effect_are_sector_magnets(tmp_path: Path) -> None:
    ring = read(tmp_path, EDGES_OFF)
    np.testing.assert_allclose(tunes(ring), [2.169288, 1.248989], atol=2e-6)
    assert (ring.circumference, ring.harmonic_number) == (pytest.approx(35.2, abs=1e-12), 10)


def test_an_imported_ring_agrees_with_pyat_in_fine_slices(tmp_path: Path) -> None:
    bend = at.Dipole("B", 1.1, np.pi / 8, 0.0, EntranceAngle=0.1, ExitAngle=0.05, FullGap=0.04, FringeInt1=0.5,
                     FringeInt2=0.5, PassMethod="BndMPoleSymplectic4Pass")  # fmt: skip
    d = at.Drift("D", 0.6)
    qf, qd = at.Quadrupole("QF", 0.3, 2.1), at.Quadrupole("QD", 0.3, -1.8)
    expected = pyat(qf, d, bend, at.Sextupole("SF", 0.15, 2.0), d, qd, d, bend, d)
    np.testing.assert_allclose(turn_of(read(tmp_path, RING))[1], turn_matrix(expected, np.zeros(6)), atol=1e-9)


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (("QF: KQUAD, L=0.3, K1=2.1", 'QF: "KQUAD", L = 0.3 , &\n  K1=2.1 ! as it is'), RING),
        (("QF: KQUAD", "qf: quadrupole"), RING),
        (("D: DRIF", "D: DRIFT"), RING),
        (("K1=2.1", "K1=2.1, N_KICKS=20, SYNCH_RAD=1, TILT=0, DX=0, BORE=0"), RING),
        (("K1=2.1", "K1=2.0, FSE=0.05"), RING),
        (("K1=2.1", "K1=2.1, NKICKS=20"), RING),
        (("HGAP=0.02", "HGAP=0.02, FINT=0.5, EDGE_ORDER=1, NONLINEAR=0, EDGE1_EFFECTS=1"), RING),
        (("HGAP=0.02", "HGAP=0.02, FINT1=0.5, FINT2=0.5, FINT=0.9"), RING),
        (("8*CELL,C", "4*(CELL,CELL),C"), RING),
        (("8*CELL,C", "4*(2*CELL),C"), RING),
        (("8*CELL,C", "-8*CELL,C"), RING.replace("8*CELL,C", "-CELL,-CELL,-CELL,-CELL,4*(-CELL),C")),
        (("8*CELL,C", '"CELL",7*CELL,C'), RING),
        (("QD: KQUAD, L=0.3, K1=", 'QD: QF, K1='), RING),
        (('K1="1.8 -1 *"', "K1=-1.8, GROUP=\"a, b\""), RING),
        (("L=0.6", "L=W"), "% 0.6 sto W\n" + RING.replace("L=0.6", "L=W")),
    ],
)  # fmt: skip
def test_spellings_of_one_ring(change: tuple[str, str], same: str, tmp_path: Path) -> None:
    text = RING.replace(*change)
    assert text != RING
    if "L=W" in text:
        text = "% 0.6 sto W\n" + text
    np.testing.assert_allclose(turn_of(read(tmp_path, text))[1], turn_of(read(tmp_path, same))[1], atol=1e-13)


def test_reversal_exchanges_the_ends_of_a_bend(tmp_path: Path) -> None:
    forward = import_machine(written(tmp_path, RING), "elegant", ImportOptions(energy_ev=1.7e9)).document["elements"]
    reverse = RING.replace("8*CELL,C", "8*(-CELL),C")
    back = import_machine(written(tmp_path, reverse), "elegant", ImportOptions(energy_ev=1.7e9)).document["elements"]
    assert [p["type"] for p in back[:9]] == [p["type"] for p in forward[8::-1]]
    assert (forward[2]["entrance_angle"], forward[2]["exit_angle"]) == (0.1, 0.05)
    assert (back[1]["entrance_angle"], back[1]["exit_angle"]) == (0.05, 0.1)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("K1=2.1", "K1=2.1, I0P=1e-3"), r"KQUAD i0p: 0.001: fringe fields .*: QF \(line 1\)"),
        (("K1=2.1", "K1=2.1, FOO=1"), r"KQUAD foo: is not an attribute of this element that is known here: QF"),
        (("K1=2.1", 'K1=2.1, SYSTEMATIC_MULTIPOLES="f.sdds"'), "systematic_multipoles: .*multipoles from a file: QF"),
        (("K1=2.1", "K1=2.1, BORE=0.01, B=1"), "bore: 0.01: .*give the strength: QF"),
        (("HGAP=0.02", "HGAP=0.02, TILT=0.1"), r"CSBEND tilt: 0.1: a bend out of the plane .*: B \(line 3\)"),
        (("HGAP=0.02", "HGAP=0.02, EDGE_ORDER=2"), "edge_order: 2: second-order edges"),
        (("HGAP=0.02", "HGAP=0.02, EDGE2_EFFECTS=2"), "edge2_effects: 2: "),
        (("HGAP=0.02", "HGAP=0.02, NONLINEAR=0, K2=1"), "nonlinear: 0 with K2 or K3"),
        (("HGAP=0.02", "HGAP=0.02, H1=0.1"), "h1: 0.1: curved pole faces"),
        (("HGAP=0.02", "HGAP=0.02, K4=1"), "k4: 1: beyond the octupole"),
        (("SF: KSEXT, L=0.15, K2=4", "SF: MALIGN, DX=1e-3"), r"MALIGN dx: 0.001: a jump of the beam .*: SF \(line 4\)"),
        (("SF: KSEXT, L=0.15, K2=4", "SF: SOLENOID, L=0.15, KS=1"), "SOLE ks: 1: a solenoid has no kernel"),
        (("SF: KSEXT, L=0.15, K2=4", "SF: CWIGGLER, L=0.15"), r"CWIGGLER: there is no such element here: SF"),
        (("SF: KSEXT, L=0.15, K2=4", "SF: RBEN, L=0.15, ANGLE=0, EDGE_ORDER=2"), "RBEN edge_order: 2"),
        (("SF: KSEXT, L=0.15, K2=4", "SF: KICKER, HKICK=1e-5, B2=1"), "KICKER b2: 1: a sextupole in a steerer"),
        (("VOLT=5e5", "VOLT=5e5, END1_FOCUS=1"), "end1_focus: 1: focusing in a cavity"),
    ],
)
def test_an_element_without_counterpart_is_refused_by_name(change: tuple[str, str], said: str, tmp_path: Path) -> None:
    with pytest.raises(RefusedLattice, match=said):
        read(tmp_path, RING.replace(*change))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('"1.8 -1 *"', '"1.8 nodef *"'), "line 2: QD: K1: the word 'nodef' in '1.8 nodef .' is not known"),
        (("QF: KQUAD", "% 1 frob\nQF: KQUAD"), "line 1: the word 'frob'"),
        (("KSEXT", "FROBNICATOR"), "line 4: SF: the type 'FROBNICATOR' is neither an element"),
        (("KSEXT", "TRFM"), None),
        (("KSEXT", "TW"), "the type 'TW' may be TWISS, TWLA, TWMTA, TWPL: write it out"),
        (("8*CELL", "8*CEL"), "line 8: line RING: 'CEL' is neither an element nor a line"),
        (("8*CELL", "-(CELL,CELL)"), "elegant does not reverse a list in parentheses"),
        (("(QF,D", "(QF,RING"), "line 7: line CELL: the line RING contains itself"),
        (("8*CELL", "99999999*CELL"), "at most 1000000 times"),
        (("QD: KQUAD", "QF: KQUAD"), "line 2: QF is defined twice"),
        (("(8*CELL,C)", "(8*CELL,C"), "the line RING is not in parentheses"),
        (("RING: LINE", "RUNG: LINE"), "no line 'RING': give --use; there are: CELL, RUNG"),
        (("D: DRIF, L=0.6", "frobnicate;"), "line 5: not elegant: 'frobnicate;'"),
        (("D: DRIF, L=0.6", "D: DRIF, L"), "line 5: D: 'L' is not ATTRIBUTE=value"),
        (("D: DRIF, L=0.6", 'D: DRIF, L="0.6'), "line 5: quotes or parentheses are not closed"),
        (("D: DRIF", "#INCLUDE: nothing.lte\nD: DRIF"), "line 5: the included file 'nothing.lte' is not there"),
    ],
)
def test_text_that_cannot_be_read_is_refused_with_its_line(
    change: tuple[str, str], said: str | None, tmp_path: Path
) -> None:
    text = RING.replace(*change)
    if said is None:
        assert "SF" in str(import_machine(written(tmp_path, text), "elegant", ImportOptions(energy_ev=1.7e9)).findings)
        return
    with pytest.raises(ExchangeError, match=said):
        read(tmp_path, text)


def test_no_energy_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(ExchangeError, match="does not say the beam energy: give --energy-ev"):
        imported(written(tmp_path, RING), "elegant")


def test_all_that_is_needed_is_said_at_once(tmp_path: Path) -> None:
    file = written(tmp_path, "d: drift, l=1\nq: quad, l=0.5, k1=1\nring: line=(d, q)\nuse, ring")
    with pytest.raises(ExchangeError, match=r"give --energy-ev \[eV\] and --harmonic-number, which is not in the file"):
        import_machine(file, "elegant", ImportOptions())
    with pytest.raises(ExchangeError, match=r"give --energy-ev \[eV\]$"):
        import_machine(file, "elegant", ImportOptions(harmonic_number=10))


def test_a_cavity_has_500_mhz_and_the_nearest_harmonic_number(tmp_path: Path) -> None:
    text = RING.replace("VOLT=5e5", "VOLT=5e5, FREQ={}")
    ring = read(tmp_path, RING)
    harmonic = 500e6 * ring.circumference / 299792458.0
    assert ring.harmonic_number == round(harmonic)
    below = (ring.harmonic_number - 1e-4) * 299792458.0 / ring.circumference
    assert read(tmp_path, text.format(below)).harmonic_number == ring.harmonic_number


def test_a_rectangular_bend_is_measured_along_its_chord(tmp_path: Path) -> None:
    angle = np.pi / 8
    chord = float(1.1 * np.sin(angle / 2) / (angle / 2))
    text = RING.replace("B: CSBEND, L=1.1", f"B: RBEN, L={chord!r}").replace("E1=0.1, E2=0.05, ", "E1=0.1, ")
    sector = RING.replace("E1=0.1, E2=0.05", f"E1={0.1 + angle / 2!r}, E2={angle / 2!r}")
    np.testing.assert_allclose(turn_of(read(tmp_path, text))[1], turn_of(read(tmp_path, sector))[1], atol=1e-12)


def test_steerers_and_thin_multipoles_kick_as_they_say(tmp_path: Path) -> None:
    text = RING.replace("SF: KSEXT, L=0.15, K2=4", "SF: VKICK, KICK=1e-5, CALIBRATION=2, TILT=0.3")
    part = import_machine(written(tmp_path, text), "elegant", ImportOptions(energy_ev=1.7e9)).document["elements"][3]
    assert part["type"] == "corrector"
    np.testing.assert_allclose([part["kick_x"], part["kick_y"]], [-2e-5 * np.sin(0.3), 2e-5 * np.cos(0.3)], rtol=1e-14)
    text = RING.replace("SF: KSEXT, L=0.15, K2=4", "SF: MULT, KNL=0.6, ORDER=2, FACTOR=2")
    part = import_machine(written(tmp_path, text), "elegant", ImportOptions(energy_ev=1.7e9)).document["elements"][3]
    assert (part["type"], part["length"], part["b"]) == ("multipole", 0.0, (0.0, 0.0, 0.6, 0.0))


def test_included_files_use_and_case_of_quoted_names(tmp_path: Path) -> None:
    head, tail = RING.split("SF:")
    written(tmp_path, head, "magnets.lte")
    text = '#INCLUDE: "magnets.lte"\nSF:' + tail.replace("RING:", '"my ring":') + 'USE, "my ring"\nRETURN\nnonsense\n'
    assert import_machine(written(tmp_path, text.replace('USE, "my ring"', "USE, CELL")), "elegant",
                          ImportOptions(energy_ev=1.7e9, harmonic_number=10)).document["name"] == "cell"  # fmt: skip
    turn = turn_of(read(tmp_path, text, use="my ring"))[1]
    np.testing.assert_allclose(turn, turn_of(read(tmp_path, RING))[1], atol=1e-13)


def test_monitors_read_in_their_middle_and_everything_else_keeps_its_length(tmp_path: Path) -> None:
    ring = read(tmp_path, RING.replace("SF: KSEXT, L=0.15, K2=4", "SF: MONITOR, L=0.15, XCALIBRATION=1.1"))
    assert len(ring.bpms) == 8
    assert ring.circumference == pytest.approx(read(tmp_path, RING).circumference, abs=1e-12)
    collimator = RING.replace("SF: KSEXT, L=0.15, K2=4", "SF: RCOL, L=0.15, X_MAX=0.02")
    found = import_machine(written(tmp_path, collimator), "elegant", ImportOptions(energy_ev=1.7e9))
    assert "only its length is kept: an aperture; not imported" in [f.why for f in found.findings]


@pytest.mark.parametrize("name", sorted(TYPES))
def test_an_attribute_at_its_own_default_is_accepted(name: str, tmp_path: Path) -> None:
    written_out = ", ".join(
        f'{a}="{k.default}"' if isinstance(k.default, str) else f"{a}={k.default!r}"
        for a, k in TYPES[name].items()
        if a != "L" and k.default != ""
    )
    text = RING.replace("SF: KSEXT, L=0.15, K2=4", f"SF: {name}, {written_out}")
    bare = RING.replace("SF: KSEXT, L=0.15, K2=4", f"SF: {name}")
    np.testing.assert_allclose(turn_of(read(tmp_path, text))[1], turn_of(read(tmp_path, bare))[1], atol=1e-15)


def outcome(folder: Path, name: str, attributes: str) -> list[dict[str, Any]] | None:
    """The parts that stand for one element between two drifts; None when it is refused."""
    line = f"D: DRIF, L=1\nX: {name}, L=0.2{attributes}\nRING: LINE=(D,X,D)\n"
    if "L" not in TYPES[name]:
        line = line.replace(", L=0.2", "")
    options = ImportOptions(energy_ev=1.7e9, harmonic_number=1)
    try:
        parts = import_machine(written(folder, line), "elegant", options).document["elements"]
    except RefusedLattice:
        return None
    assert isinstance(parts, list)
    return parts[1:-1]


@pytest.mark.parametrize("name", sorted(TYPES))
def test_every_attribute_does_what_its_table_says(name: str, tmp_path: Path) -> None:
    bend = ", ANGLE=0.1, E1=0.02, E2=0.03, HGAP=0.01" if "ANGLE" in TYPES[name] else ""
    field = ", KNL=0.1" if name == "MULT" else ""
    bare = outcome(tmp_path, name, bend + field)
    assert bare is not None
    for attribute, known in TYPES[name].items():
        if attribute == "L" or isinstance(known.default, str):
            continue
        rest = "".join(f", {w}" for w in (bend + field).split(", ") if w and not w.startswith(f"{attribute}="))
        counts = (name, attribute) == ("MULT", "ORDER")
        matters = known.used or known.allowed is not None or counts
        for value in (0.0, 1.0, 1e-3) if matters else (1.0,):
            made = outcome(tmp_path, name, f"{rest}, {attribute}={value!r}")
            whole = not counts or value == round(value)
            if not whole or (known.allowed is not None and value not in known.allowed):
                assert made is None, (attribute, value)
            elif not known.used:
                assert made == bare, (attribute, value)
            else:
                assert made is not None, (attribute, value)


@pytest.mark.parametrize(
    ("name", "attributes", "changed"),
    [
        ("KQUAD", "K1=1", {"k1": 1.0}),
        ("KQUAD", "K1=1, FSE=0.5", {"k1": 1.5}),
        ("KQUAD", "K1=1, TILT=0.1", {"roll": 0.1}),
        ("KQUAD", "K1=1, DX=1e-3, DY=2e-3", {"dx": 1e-3, "dy": 2e-3}),
        ("KQUAD", "K1=1, HKICK=1e-3, HCALIBRATION=2, VKICK=3e-3", {"kick_x": 2e-3, "kick_y": 3e-3}),
        ("KSEXT", "K2=6", {"b3": 3.0}),
        ("KOCT", "K3=6", {"b4": 1.0}),
        ("KQUSE", "K1=1, K2=2, FSE1=0.5, FSE2=1", {"b": (0.0, 1.5, 2.0, 0.0)}),
        ("CSBEND", "ANGLE=0.1, K1=1, K2=2, K3=6", {"b": (0.0, 1.0, 1.0, 1.0), "angle": 0.1}),
        ("CSBEND", "ANGLE=0.1, HGAP=0.01", {"gap": 0.02, "fint_entrance": 0.5, "fint_exit": 0.5}),
        ("CSBEND", "ANGLE=0.1, HGAP=0.01, FINT1=0.3, FINT2=0.4", {"fint_entrance": 0.3, "fint_exit": 0.4}),
        ("CSBEND", "ANGLE=0.1, E1=0.2, EDGE1_EFFECTS=0, E2=0.3", {"entrance_angle": 0.0, "exit_angle": 0.3}),
        ("RFCA", "VOLT=1e5, FREQ=3e8", {"voltage": 1e5, "frequency": 3e8}),
        ("KICKER", "HKICK=1e-3, VKICK=2e-3", {"kick_x": 1e-3, "kick_y": 2e-3}),
    ],
)  # fmt: skip
def test_an_attribute_that_is_represented_has_its_value(
    name: str, attributes: str, changed: dict[str, Any], tmp_path: Path
) -> None:
    represented = outcome(tmp_path, name, f", {attributes}")
    assert represented is not None
    (part,) = represented
    assert {key: part[key] for key in changed} == changed


def test_the_tables_in_the_documentation_are_those_of_the_code() -> None:
    page = Path(__file__).parents[4] / "docs" / "reference" / "lattice_exchange.md"
    assert "\n".join(documentation()) in page.read_text(encoding="utf-8")


def test_shortened_and_lengthened_types() -> None:
    assert find_types("MARKER") == ["MARK"]
    assert find_types("CSBEN") == ["CSBEND"]
    assert find_types("OCTUPOLE") == ["OCTU"]
    assert find_types("KICKER") == ["KICKER"]
    assert find_types("HKICKER") == ["HKICK"]
