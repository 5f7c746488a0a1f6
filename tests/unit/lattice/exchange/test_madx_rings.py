"""Rings in MAD-X files have MAD-X's tunes, circumference and energy; a generator of small lattices says so at large."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gnomon.lattice import Ring
from gnomon.lattice.exchange import ExchangeError, ImportOptions, RefusedLattice, import_machine
from gnomon.lattice.exchange.madx import read_madx
from gnomon.propagator import Propagator
from unit.lattice.exchange.madx_oracle import MadxSession, needs_madx, our_text, session
from unit.lattice.exchange.rings import imported
from unit.propagator.pyat_oracle import pyat_lattice, turn_matrix

LATTICES = Path(__file__).parent / "lattices"
#: So many slices that the integrator is exact to 1e-11.
FINE = 300


@pytest.fixture(scope="module")
def madx() -> Iterator[MadxSession]:
    with session() as made:
        made.start()
        yield made


def tunes(ring: Ring) -> list[float]:
    beam = Propagator(ring, chromatic=False)(ring.nominal)
    assert beam.found, beam.reason
    return [float(q) for q in beam.tune]


@pytest.mark.parametrize(
    ("name", "expected", "circumference"),
    [
        ("control_flow", (2.234448, 1.213242), 35.2),
        ("rbend_negative", (1.325690, 2.138362), 35.303273),
        ("reversed_line", (1.921004, 1.438639), 44.8),
        ("beam_pc", (2.238368, 0.383103), 46.4),
        ("rectangular_bends", (1.720493, 1.761019), 27.4),
    ],
)
def test_files_that_came_out_wrong(name: str, expected: tuple[float, float], circumference: float) -> None:
    file = LATTICES / f"{name}.madx"
    ring = imported(file, "madx", harmonic_number=10)
    np.testing.assert_allclose(tunes(ring), expected, rtol=0.0, atol=1e-6)
    assert ring.circumference == pytest.approx(circumference, abs=1e-6)
    ten = imported(file, "madx", harmonic_number=10, slices=10)
    np.testing.assert_allclose(tunes(ten), expected, rtol=0.0, atol=2e-5)
    assert {e.slices for e in ten.elements if hasattr(e, "slices")} == {10}


def test_a_beam_given_by_its_momentum() -> None:
    ring = read_madx(LATTICES / "beam_pc.madx", None, None)
    assert ring.energy_ev == pytest.approx(3.143303e9, rel=1e-6)
    assert ring.rest_energy_ev == pytest.approx(9.382721e8, rel=1e-7)
    assert [(f.element, f.changes_beam) for f in ring.findings] == [("b", False), ("nobody", False)]
    assert "chromaticities differ" in ring.findings[0].why


Q = "q: quadrupole, l=0.5, k1=0.8; d: drift, l=0.3; m: marker; c: line=(q,d);"


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("b: rbend, l=1, angle=0.5; ring: line=(b);", 1.010493),
        ("option, rbarc=false; b: rbend, l=1, angle=0.5; ring: line=(b);", 1.0),
        ("b: rbend, l=1, angle=0.5; ring: line=(b); option, -rbarc;", 1.0),
        ("b: rbend, l=1, angle=0; ring: line=(b);", 1.0),
        ("b: rbend, l=1; ring: line=(b);", 1.0),
        ("ring: line=(-8*c, 8*(-c));", 12.8),
        ("l(x,y): line=(x,2*y,x); ring: line=(l(q,d), -l(c,(d,q)));", 1.6 + 3.2),
        ("ring: sequence, l=5; p:m, at=1; q, at=2, from=p; endsequence;", 5.0),
    ],
)
def test_lengths(text: str, length: float, tmp_path: Path) -> None:
    ring = read_madx(our_text(tmp_path, f"beam, energy=1.7; {Q} {text}"), None, None)
    assert sum(e.length for e in ring.elements) == pytest.approx(length, abs=1e-6)


def starts(folder: Path, text: str) -> dict[str, float]:
    """The entrance [m] of each element that is not a drift, by name."""
    found, s = {}, 0.0
    for element in read_madx(our_text(folder, f"beam, energy=1.7; {Q} {text}"), "ring", None).elements:
        if element.kind != "Drift":
            found[element.name] = round(s, 9)
        s += element.length
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ring: sequence, l=5; p:m, at=1; x:q, at=2, from=p; endsequence;", {"p": 1.0, "x": 2.75}),
        ("ring: sequence, l=5, refer=entry; x:q, at=1; p:m, at=2, from=x; endsequence;", {"x": 1.0, "p": 3.25}),
        ("ring: sequence, l=5, refer=exit; x:q, at=2; y:q, at=2, from=x; endsequence;", {"x": 1.5, "y": 3.25}),
        ("ring: sequence, l=5; x:q, at=(0.5)+(0.25); endsequence;", {"x": 0.5}),
        ("ring: sequence, l:=n; x:q, at:=n/2; endsequence; n=6;", {"x": 2.75}),
        ("s: sequence, l=2, refer=entry; x:q, at=0; p:m, at=1.5; endsequence; "
         "ring: sequence, l=8; s, at=2; y:q, at=6; endsequence;", {"x": 1.0, "p": 2.5, "y": 5.75}),
        ("s: sequence, l=2, refer=entry, refpos=x; p:m, at=0.2; x:q, at=1; endsequence; "
         "ring: sequence, l=8, refer=entry; s, at=3; r:m, at=4, from=x; endsequence;", {"p": 1.95, "x": 2.75,
         "r": 7.0}),
        ("ring: sequence, l=5; x: quadrupole, l=1, k1=1, at=1; endsequence; x, l=0.2;", {"x": 0.9}),
    ],
)  # fmt: skip
def test_elements_stand_where_madx_has_them(text: str, expected: dict[str, float], tmp_path: Path) -> None:
    assert starts(tmp_path, text) == expected


def test_overlaps_are_refused_and_gaps_below_a_micrometre_closed(tmp_path: Path) -> None:
    text = "ring: sequence, l=2, refer=entry; x:q, at=0; y:q, at={}; endsequence;"
    assert starts(tmp_path, text.format("0.5000009")) == {"x": 0.0, "y": 0.5}
    with pytest.raises(ExchangeError, match=r"line 1: y overlaps x by 0\.1 m"):
        starts(tmp_path, text.format("0.4"))


def test_the_ring_is_what_the_user_or_the_file_says_or_the_only_one(tmp_path: Path) -> None:
    base = f"beam, energy=1.7; {Q} a: line=(c,c,c); b: line=(c);"
    assert len(read_madx(our_text(tmp_path, base), "b", None).elements) == 2
    assert len(read_madx(our_text(tmp_path, f"{base} use, sequence=a;"), None, None).elements) == 6
    used = read_madx(our_text(tmp_path, f"{base} use, period=a;"), None, None)
    assert len(used.elements) == 6
    assert [f.why for f in used.findings] == ["taken for the ring; --use takes another: b"]
    assert len(read_madx(our_text(tmp_path, f"{base} z: line=(a,b);"), None, None).elements) == 8
    with pytest.raises(ExchangeError, match="several may be the ring: give --use; there are: c, a, b"):
        read_madx(our_text(tmp_path, base), None, None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("z: modrf, l=1;", r"modrf: there is no such class of elements in MAD-X: z \(line 3\)"),
        ("z: quadrupole, l=1, k7=1;", r"quadrupole k7: not an attribute of a quadrupole in MAD-X: z \(line 3\)"),
        ("z: solenoid, l=1, ks=0.1;", r"solenoid ks: acts on the beam.*: z \(line 3\)"),
        ("z: sbend, l=1, angle=0.1, h1=0.1;", r"sbend h1: acts on the beam.*: z \(line 3\)"),
        ("z: sbend, l=1, angle=0.1, k0=0.2;", r"sbend k0: a field that differs from angle / l: z \(line 3\)"),
        ("z: multipole, lrad=1, knl={0.1};", r"multipole lrad: a thin bend that focuses.*: z \(line 3\)"),
        ("z: sbend, l=1, angle=0.1, tilt=0.1;", r"sbend tilt: a bend out of the plane.*: z \(line 3\)"),
        ("z: multipole, knl={0.1};", r"Multipole BendingAngle: a thin magnet that bends: z \(line 3\)"),
        ("z: beambeam, charge=1, npart=1e9;", r"beambeam charge: acts on the beam.*: z \(line 3\)"),
        ("z: matrix, rm11=0.9;", r"matrix rm11: acts on the beam.*: z \(line 3\)"),
    ],
)
def test_an_element_without_counterpart_is_refused_by_name_and_line(text: str, said: str, tmp_path: Path) -> None:
    file = our_text(tmp_path, f"beam, energy=1.7;\n{Q}\n{text}\nring: line=(8*c,z);")
    with pytest.raises(RefusedLattice, match=said):
        import_machine(file, "madx", ImportOptions(harmonic_number=10))


@pytest.mark.parametrize("kind", ["placeholder", "instrument", "collimator", "rcollimator", "ecollimator", "monitor",
                                  "hmonitor", "solenoid", "elseparator", "crabcavity", "wire", "drift"])  # fmt: skip
def test_classes_that_are_free_space(kind: str, tmp_path: Path) -> None:
    file = our_text(tmp_path, f"beam, energy=1.7; {Q} z: {kind}, l=0.4; ring: line=(8*c,z);")
    last = import_machine(file, "madx", ImportOptions(harmonic_number=10)).document["elements"][-1]
    assert (last["type"] in ("drift", "monitor"), last["length"]) == (True, 0.4)


@needs_madx
@pytest.mark.parametrize("kind", ["kicker, hkick=1e-4, vkick=3e-4", "hkicker, kick=1e-4", "vkicker, kick=1e-4, l=0.1",
                                  "hkicker, hkick=2e-4", "tkicker, hkick=1e-4, chkick=5e-5"])  # fmt: skip
@pytest.mark.parametrize("tilt", [0.0, 0.3])
def test_steerers_kick_as_in_madx(kind: str, tilt: float, madx: MadxSession, tmp_path: Path) -> None:
    text = f"k: {kind}, tilt={tilt}; kl: line=(k);"
    found = madx.run(f"{text} use, sequence=kl; twiss, betx=1, bety=1;")
    assert found is not None
    kick = read_madx(our_text(tmp_path, f"beam, energy=1.7; {text}"), None, None).elements[0].numbers("KickAngle")
    np.testing.assert_allclose(kick, [found.table.twiss.px[-1], found.table.twiss.py[-1]], rtol=0.0, atol=1e-15)


def test_a_beam_the_other_way_round_turns_all_fields(tmp_path: Path) -> None:
    text = (
        Q + " s: sextupole, l=1, k2=6; b: sbend, l=1, angle=0.1, e1=0.05; k: kicker, hkick=1e-4; ring: line=(q,s,b,k);"
    )
    ring = read_madx(our_text(tmp_path, f"beam, energy=1, bv=-1; {text}"), None, None)
    q, s, b, k = ring.elements
    assert (q.numbers("PolynomB")[1], s.numbers("PolynomB")[2]) == (-0.8, -3.0)
    assert (b.number("BendingAngle"), b.number("EntranceAngle"), k.number("KickAngle")) == (-0.1, -0.05, -1e-4)


def number(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_nan=False, allow_infinity=False).map(lambda x: round(x, 4))


@st.composite
def lattices(draw: st.DrawFn) -> str:
    """A ring `ring` of FODO cells, with names that begin with P_."""
    angle = draw(number(0.05, 0.3))
    k1, k2 = draw(number(0.6, 1.4)), draw(number(-1.4, -0.6))
    e1, e2 = draw(number(-0.1, 0.2)), draw(number(-0.1, 0.2))
    extra = draw(st.sampled_from(["", f", k1={draw(number(-0.1, 0.1))}", ", hgap=0.02, fint=0.5",
                                  ", hgap=0.03, fint=0.4, fintx=0.2", f", k0={angle}/1.0"]))  # fmt: skip
    tilt = draw(st.sampled_from(["", "", ", tilt=0.02", ", k1s=0.03"]))
    turned = draw(st.sampled_from(["", ", tilt=0.3"]))
    bend = draw(st.sampled_from(["sbend", "rbend"]))
    bend_text = f"P_b: {bend}, l=1.0, angle={angle}, e1={e1}, e2={e2}{extra}"
    if bend == "rbend":
        bend_text = bend_text.replace("/1.0", "/(1.0*0.5*P_ang/sin(0.5*P_ang))")
    lines = [
        f"P_x = {k1}; P_y := -P_z; P_z = {-k2}; P_ang = {angle};",
        draw(st.sampled_from(["option, rbarc=true;", "option, -rbarc;" if "k0" not in extra else "option, rbarc;"])),
        draw(st.sampled_from([
            f"P_qf: quadrupole, l=0.4, k1=P_x{tilt};",
            f"P_q: quadrupole, l=0.4; P_qf: P_q, k1:=P_x{tilt};",
            f"P_qf: quadrupole, l=0.2, k1=9{tilt}; P_qf->k1 = P_x; P_qf, l=(0.2)*(2);",
            f"P_qf: quadrupole, l=0.4, k1:=P_w{tilt}; P_w = P_x;",
        ])),
        draw(st.sampled_from([
            "P_qd: quadrupole, l=0.4, k1:=P_y;",
            "P_qd: quadrupole, l=0.4; if (P_x > 1) { P_qd, k1=P_y; } else { P_qd, k1=-P_z; }",
            "P_mk(n,v): macro = { n: quadrupole, l=0.4, k1=v; } exec, P_mk(P_qd, P_y);",
        ])),
        bend_text + ";",
        f"P_s: sextupole, l=0.1, k2={draw(number(-20, 20))};",
        f"P_m: multipole, knl={{0, {draw(number(-0.05, 0.05))}, 3}}, ksl={{0, 0}}{turned};",
        "P_d: drift, l=0.35; P_i: instrument, l=0.15, tilt=1; P_k: marker;",
    ]  # fmt: skip
    if draw(st.booleans()):
        cell = draw(
            st.sampled_from(
                ["P_qf,P_d,P_b,P_s,P_d,P_qd,P_i,P_m,P_b,P_d", "P_m,2*(P_d,P_k),P_qf,P_i,P_b,-(P_qd,P_s,P_d,P_b)"]
            )
        )
        lines.append(f"P_cell: line=({cell});")
        arc = draw(st.sampled_from(["4*P_cell", "-4*P_cell", "2*P_cell,-2*P_cell", "4*(-P_cell)", "P_l(P_cell,P_d)"]))
        lines.append("P_l(a,b): line=(a,b,-2*a,b);")
        lines.append(f"P_ring: line=({arc});")
    else:
        refer = draw(st.sampled_from(["entry", "centre", "exit"]))
        lines.append(
            f"P_c: sequence, l=7.3, refer={refer}; P_a1: P_qf, at=1.0; P_a2: P_b, at=1.5, from=P_a1; P_s, at=4.0; "
            "P_a3: P_qd, at:=4.1+P_u; P_m, at=5.1; P_a4: P_b, at=6.2; endsequence; P_u = 0.5;"
        )
        lines.append("P_ring: sequence, l=16, refer=entry; P_c, at=0.5; P_c, at=8; endsequence;")
    return "\n".join(lines)


@needs_madx
@pytest.mark.slow(2)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(text=lattices())
def test_small_lattices_have_madx_turns_and_tunes(
    text: str, madx: MadxSession, tmp_path_factory: pytest.TempPathFactory
) -> None:
    global _count
    _count += 1
    text = text.replace("P_", f"p{_count}_")
    name = f"p{_count}_ring"
    theirs = madx.turn(text, name)
    file = our_text(tmp_path_factory.getbasetemp(), f"beam, energy=1.7;\n{text}")
    if theirs is None:
        _seen.append("refused")
        with pytest.raises(ExchangeError):
            read_madx(file, name, None)
        return
    length, turn = theirs
    ring = imported(file, "madx", use=name, harmonic_number=10, slices=FINE)
    assert ring.circumference == pytest.approx(length, abs=1e-9)
    beam = Propagator(ring, "orbit", chromatic=False)(ring.nominal)
    if not beam.found:
        _seen.append("unstable")
        ours = turn_matrix(pyat_lattice(ring.nominal), np.zeros(6))
        np.testing.assert_allclose(ours, turn, rtol=0.0, atol=1e-8 * np.max(np.abs(turn)))
        return
    _seen.append("beam")
    np.testing.assert_allclose(beam.one_turn, turn, rtol=0.0, atol=1e-8 * np.max(np.abs(turn)))
    if np.all(turn[:2, 2:] == 0.0):
        fractions = [np.arccos((turn[i, i] + turn[i + 1, i + 1]) / 2.0) / (2.0 * np.pi) for i in (0, 2)]
        expected = [f if turn[i, i + 1] > 0.0 else 1.0 - f for f, i in zip(fractions, (0, 2), strict=True)]
        margin = [1e-8 / max(abs(np.sin(2.0 * np.pi * f)), 1e-3) for f in fractions]
        np.testing.assert_allclose(beam.tune % 1.0, expected, rtol=0.0, atol=max(margin))


@needs_madx
@pytest.mark.slow(1)
def test_many_of_those_lattices_had_a_beam() -> None:
    if not _seen:
        pytest.skip("the lattices were not tried in this process")
    # Sixty are tried; hypothesis draws others as soon as any module has another constant, and 15 to 30 have a beam.
    assert _seen.count("beam") >= 10, {word: _seen.count(word) for word in set(_seen)}


_count = 0
_seen: list[str] = []
