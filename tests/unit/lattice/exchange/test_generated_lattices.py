"""Small lattices, made up and written out in each language: all of them are one ring, and that of pyAT."""

import json
import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import at
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gnomon.lattice import Ring
from gnomon.lattice.exchange.slicing import choose_slices
from unit.lattice.exchange.rings import imported, turn_of
from unit.propagator.pyat_oracle import turn_matrix

ENERGY = 1.7e9
BUDGET = settings(
    max_examples=settings().max_examples // 8,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)


@dataclass(frozen=True)
class Magnet:
    """An element of a made up cell; `angle`, `k1`, `k2` are those of the magnet's kind."""

    kind: str
    length: float
    strength: float = 0.0
    angle: float = 0.0
    e1: float = 0.0
    e2: float = 0.0

    @property
    def slices(self) -> int:
        """Return as many slices as our readers choose."""
        return choose_slices({"length": self.length, "k1": self.strength, "angle": self.angle})


@dataclass(frozen=True)
class Cell:
    """A cell, how often it stands in the ring, and whether every second one is reversed."""

    magnets: tuple[Magnet, ...]
    count: int
    mirrored: bool

    def ring(self) -> list[Magnet]:
        """All magnets in beam order."""
        back = tuple(Magnet(m.kind, m.length, m.strength, m.angle, m.e2, m.e1) for m in reversed(self.magnets))
        one = (*self.magnets, *back) if self.mirrored else self.magnets
        return [*one] * self.count


@st.composite
def cells(draw: st.DrawFn) -> Cell:
    """Cells that focus alternately, so that most of them are stable."""

    def number(low: float, high: float) -> float:
        return round(draw(st.floats(low, high)), 6)

    count = draw(st.integers(3, 8))
    mirrored = draw(st.booleans())
    bends = draw(st.integers(1, 2))
    angle = 2.0 * math.pi / (count * bends * (2 if mirrored else 1))
    magnets = [Magnet("quad", number(0.1, 0.4), number(0.8, 3.0)), Magnet("drift", number(0.2, 0.8))]
    for _ in range(bends):
        edges = number(-0.2, 0.2), number(-0.2, 0.2)
        magnets.append(Magnet("bend", number(0.8, 2.0), number(-0.3, 0.3), angle, *edges))
        magnets.append(Magnet("drift", number(0.2, 0.8)))
        if draw(st.booleans()):
            magnets.append(Magnet("sext", number(0.05, 0.2), number(-10.0, 10.0)))
    magnets += [Magnet("quad", number(0.1, 0.4), number(-3.0, -0.8)), Magnet("drift", number(0.2, 0.8))]
    return Cell(tuple(magnets), count, mirrored)


def elegant(cell: Cell) -> str:
    """In elegant's words: numbers in reverse Polish, long and short names of types, continued lines, reversed lines."""
    lines = ["% 180 dtor pi / sto one"]
    for i, m in enumerate(cell.magnets):
        match m.kind:
            case "drift":
                lines.append(f'd{i}: DRIFT, L="{m.length!r} one *"')
            case "quad":
                lines.append(f'D{i}: QUADRUPOLE, L={m.length!r}, & ! a magnet\n  K1="{-m.strength!r} chs"')
            case "sext":
                lines.append(f'"D{i}": KSEXT, L={m.length!r}, K2="{m.strength!r} 2 mult"')
            case _:
                edges = f"E1={m.e1!r}, E2={m.e2!r}"
                lines.append(f"D{i}: CSBEN, L={m.length!r}, ANGLE={m.angle!r}, {edges}, K1={m.strength!r}, N_KICKS=8")
    names = ", ".join(f"D{i}" for i in range(len(cell.magnets)))
    lines.append(f"CELL: LINE=({names})")
    lines.append(f"RING: LINE=({cell.count}*(CELL{', -CELL' if cell.mirrored else ''}))")
    return "\n".join([*lines, ""])


def tracy(cell: Cell) -> str:
    """In Tracy's words: angles in degrees, fine slices, inv."""
    lines = ["define lattice;", "energy = 1.7;", f"n_cell = {cell.count};"]
    for i, m in enumerate(cell.magnets):
        match m.kind:
            case "drift":
                lines.append(f"D{i}: Drift, L={m.length!r};")
            case "quad":
                lines.append(f"D{i}: Quadrupole, L={m.length!r}, K={m.strength!r}, N={m.slices}, Method=4;")
            case "sext":
                lines.append(f"D{i}: Sextupole, L={m.length!r}, K={m.strength!r}, N=10, Method=4;")
            case _:
                angles = [math.degrees(a) for a in (m.angle, m.e1, m.e2)]
                t, t1, t2 = angles
                rest = f"K={m.strength!r}, N={m.slices}, Method=4"
                lines.append(f"D{i}: Bending, L={m.length!r}, T={t!r}, T1={t1!r}, T2={t2!r}, {rest};")
    names = ", ".join(f"D{i}" for i in range(len(cell.magnets)))
    lines.append(f"part: {names};")
    lines.append(f"cell: n_cell*(part{', inv(part)' if cell.mirrored else ''});")
    return "\n".join([*lines, "end;", ""])


def lattice_json(cell: Cell) -> str:
    """As LatticeJSON."""
    elements = {}
    for i, m in enumerate(cell.magnets):
        given: dict[str, float] = {"length": m.length}
        kind = {"drift": "Drift", "quad": "Quadrupole", "sext": "Sextupole", "bend": "Dipole"}[m.kind]
        if m.kind in ("quad", "bend"):
            given["k1"] = m.strength
        if m.kind == "sext":
            given["k2"] = 2.0 * m.strength
        if m.kind == "bend":
            given |= {"angle": m.angle, "e1": m.e1, "e2": m.e2}
        elements[f"D{i}"] = [kind, given]
    lattices = {"CELL": list(elements), "RING": ["CELL", *(["-CELL"] if cell.mirrored else [])] * cell.count}
    return json.dumps({"version": "2.0", "root": "RING", "energy": 1.7, "elements": elements, "lattices": lattices})


def pyat(cell: Cell) -> at.Lattice:
    """In pyAT, with the slices that our readers choose."""
    made = []
    for i, m in enumerate(cell.ring()):
        match m.kind:
            case "drift":
                made.append(at.Drift(f"D{i}", m.length))
            case "quad":
                made.append(at.Quadrupole(f"Q{i}", m.length, m.strength, NumIntSteps=m.slices))
            case "sext":
                made.append(at.Sextupole(f"S{i}", m.length, m.strength))
            case _:
                made.append(
                    at.Dipole(f"B{i}", m.length, m.angle, m.strength, EntranceAngle=m.e1, ExitAngle=m.e2,
                              NumIntSteps=m.slices, PassMethod="BndMPoleSymplectic4Pass")
                )  # fmt: skip
    return at.Lattice(made, energy=ENERGY, periodicity=1)


def at_json(cell: Cell) -> str:
    """As AT's JSON."""
    with tempfile.TemporaryDirectory() as folder:
        at.save_json(pyat(cell), Path(folder) / "ring.json")
        return (Path(folder) / "ring.json").read_text()


def read(text: str, format: str) -> Ring:
    """The ring that our reader makes of a text."""
    options = {"energy_ev": ENERGY} if format == "elegant" else {}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "ring"
        file.write_text(text)
        return imported(file, format, harmonic_number=10, **options)


def tunes(turn: np.ndarray) -> np.ndarray:
    """Fractional tunes below a half, from an uncoupled matrix of one turn."""
    cosines = np.array([0.5 * (turn[0, 0] + turn[1, 1]), 0.5 * (turn[2, 2] + turn[3, 3])])
    return np.asarray(np.arccos(cosines) / (2.0 * np.pi))


def stable(cell: Cell) -> np.ndarray:
    """pyAT's matrix of a turn, of a cell that is well within the stable region."""
    turn = np.asarray(turn_matrix(pyat(cell), np.zeros(6)))
    assume(well_within(turn))
    return turn


def well_within(turn: np.ndarray) -> bool:
    """Both planes are stable, and no particle of the differences was lost."""
    traces = turn[0, 0] + turn[1, 1], turn[2, 2] + turn[3, 3]
    return bool(np.all(np.abs(traces) < 1.9)) and abs(np.linalg.det(turn) - 1.0) < 1e-3


@pytest.mark.parametrize(
    ("format", "write"),
    [("elegant", elegant), ("tracy", tracy), ("lattice-json", lattice_json), ("at-json", at_json)],
)
def test_a_generated_lattice_agrees_with_pyat(format: str, write: Callable[[Cell], str]) -> None:
    @BUDGET
    @given(cells())
    def check(cell: Cell) -> None:
        expected = stable(cell)
        ring = read(write(cell), format)
        np.testing.assert_allclose(tunes(turn_of(ring)[1]), tunes(expected), rtol=0.0, atol=1e-8)
        assert ring.circumference == pytest.approx(sum(m.length for m in cell.ring()), abs=1e-9)

    check()


def test_pyat_reads_what_is_written_as_we_do() -> None:
    @BUDGET
    @given(cells())
    def check(cell: Cell) -> None:
        stable(cell)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "ring.lat"
            plain = tracy(Cell(cell.magnets, cell.count, False))
            file.write_text(plain.replace("n_cell*(part)", ", ".join(["part"] * cell.count)).replace("n_cell", "nc"))
            theirs = at.load_tracy(file, harmonic_number=10)
            turn = np.asarray(turn_matrix(theirs, np.zeros(6)))
            assume(well_within(turn))
            ours = turn_of(imported(file, "tracy", harmonic_number=10))[1]
        np.testing.assert_allclose(tunes(ours), tunes(turn), rtol=0.0, atol=1e-8)

    check()
