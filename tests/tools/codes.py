"""Tunes, chromaticity, beta and dispersion of gnomon, pyAT, MAD-X and xtrack, `python -m tests.tools.codes`.

Writes the section of docs/accuracy.md between its two marks. cpymad and xtrack are optional: a code that is not
installed is named in the table. xtrack takes the sequence from MAD-X, and MAD-X our own export.
"""

import importlib.util
import re
import sys
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import at
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from gnomon.db import shipped_machine
from gnomon.lattice import Ring, parse_machine
from gnomon.lattice.exchange import export_machine, render
from gnomon.propagator import Propagator
from tools.rings import DOCUMENT, FINE, finer
from unit.propagator.pyat_oracle import pyat_lattice

BEGIN, END = "<!-- codes: begin, written by tests/tools/codes.py -->", "<!-- codes: end -->"

LINEAR, SECOND = "BndMPoleSymplectic4Pass", "BndMPoleSymplectic4E2Pass"
KICKS = {"integrator": "yoshida4", "num_multipole_kicks": 70}

#: xtrack's bends: core, edge, integration, words. A line keeps its integration, so that its default comes first.
XTRACK: tuple[tuple[str, str, dict[str, Any], str], ...] = (
    ("expanded", "linear", {}, "default integration"),
    ("expanded", "linear", KICKS, "70 kicks"),
    ("drift-kick-drift-expanded", "linear", KICKS, "70 kicks"),
    ("drift-kick-drift-expanded", "full", KICKS, "70 kicks"),
    ("rot-kick-rot", "linear", KICKS, "70 kicks"),
    ("rot-kick-rot", "full", KICKS, "70 kicks"),
)


@dataclass(frozen=True)
class Optics:
    """Optics by one code; beta (n+1, 2) and dispersion (n+1,) in x at the entrance of every element and the end."""

    code: str
    bend: str
    tune: np.ndarray
    chromaticity: np.ndarray
    beta: np.ndarray
    dispersion: np.ndarray


def of_gnomon(ring: Ring, slices: int) -> Optics:
    beam = Propagator(ring)(ring.nominal)
    if not beam.found:
        raise SystemExit(f"{ring.name}: {beam.reason}")
    words = f"{slices} slices, linear edges"
    return Optics("gnomon", words, beam.tune, beam.chromaticity, beam.beta, beam.dispersion[:, 0])


def of_pyat(ring: Ring, slices: int, bends: str = LINEAR) -> Optics:
    lattice = pyat_lattice(ring.nominal)
    for element in lattice:
        if isinstance(element, at.Dipole):
            element.PassMethod = bends
    _, data, elements = at.linopt6(lattice, refpts=range(len(lattice) + 1), get_chrom=True)
    tune = elements.mu[-1] / (2.0 * np.pi)
    words = f"{slices} slices, {'linear edges' if bends == LINEAR else 'second order'}"
    return Optics("pyAT", words, tune[:2], data.chromaticity[:2], elements.beta, elements.dispersion[:, 0])


def of_others(ring: Ring) -> Iterator[Optics | str]:
    """MAD-X and xtrack, or what is missing."""
    if importlib.util.find_spec("cpymad") is None:
        yield "MAD-X and xtrack: cpymad is not installed"
        return
    from cpymad.madx import Madx

    madx = Madx(stdout=False)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "ring.seq"
        export_machine(ring.nominal, "madx", file)
        file.write_text(re.sub(r"\bvolt=[^,;]*", "volt=0.0", file.read_text()))
        madx.call(str(file))
    madx.use(sequence="ring")
    table, count = madx.twiss(), len(ring.elements) + 1
    found = table.summary
    yield Optics(
        "MAD-X", "thick maps, second order", np.array([found.q1, found.q2]), np.array([found.dq1, found.dq2]),
        np.column_stack([table.betx, table.bety])[:count], np.array(table.dx)[:count],
    )  # fmt: skip
    if importlib.util.find_spec("xtrack") is None:
        yield "xtrack is not installed"
    else:
        yield from _of_xtrack(madx.sequence.ring, ring)
    madx.quit()


def _of_xtrack(sequence: Any, ring: Ring) -> Iterator[Optics]:
    import xtrack

    line = xtrack.Line.from_madx_sequence(sequence)
    line.particle_ref = xtrack.Particles(mass0=xtrack.ELECTRON_MASS_EV, p0c=ring.energy_ev)
    places = slice(1, len(ring.elements) + 2)  # after the sequence's own start
    for core, edge, integration, words in XTRACK:
        line.configure_bend_model(core=core, edge=edge, **integration)
        twiss = line.twiss4d()
        yield Optics(
            "xtrack", f"`{core}`, edges `{edge}`, {words}",
            np.array([twiss.qx, twiss.qy]), np.array([twiss.dqx, twiss.dqy]),
            np.column_stack([twiss.betx, twiss.bety])[places], np.array(twiss.dx)[places],
        )  # fmt: skip


def without_gaps(ring: Ring) -> Ring:
    """The ring with the gaps of its bends 0, so that the edges have no fringe term."""
    document = ring.document.model_dump(by_alias=True, mode="json")
    for part in document["elements"]:
        if part["type"] == "bend":
            part["gap"] = 0.0
    return Ring(parse_machine(render(document), ring.name))


def table(name: str) -> Iterator[str]:
    """All codes on one ring, each next to gnomon's 100 slices, or 10 where it has 10 itself."""
    ring = shipped_machine(name)
    fine = finer(ring, FINE)
    coarse, reference = of_gnomon(ring, 10), of_gnomon(fine, FINE)
    yield f"| {name} | bend | tunes | chromaticities | start: beta x, y; dispersion [m] | tunes | beta | dispersion |"
    yield "|---|---|---|---|---|---|---|---|"
    yield line(coarse, reference)
    yield line(of_pyat(ring, 10), coarse, " (to gnomon, 10)")
    yield line(reference, None)
    yield line(of_pyat(fine, FINE), reference)
    yield line(of_pyat(fine, FINE, SECOND), reference)
    for other in of_others(ring):
        yield line(other, reference) if isinstance(other, Optics) else f"| not run: {other} | | | | | | | |"
    yield ""


def line(one: Optics, other: Optics | None, words: str = "") -> str:
    (qx, qy), (cx, cy), (bx, by) = one.tune, one.chromaticity, one.beta[0]
    start = f"{bx:.6f} {by:.6f}; {one.dispersion[0]:.7f}"
    head = f"| {one.code} | {one.bend} | {qx:.8f} {qy:.8f} | {cx:.5f} {cy:.5f} | {start} |"
    if other is None:
        return f"{head} | | |"
    tune = np.abs(one.tune - other.tune).max()
    beta = np.abs(one.beta / other.beta - 1.0).max()
    dispersion = np.abs(one.dispersion - other.dispersion).max() / np.abs(other.dispersion).max()
    return f"{head} {tune:.1e}{words} | {beta:.1e} | {dispersion:.1e} |"


def gapless(name: str) -> Iterator[str]:
    """Chromaticities without the edges' fringe term."""
    ring = without_gaps(shipped_machine(name))
    fine = finer(ring, FINE)
    for found in (of_gnomon(fine, FINE), of_pyat(fine, FINE), of_pyat(fine, FINE, SECOND), *of_others(ring)):
        if isinstance(found, str):
            yield f"| {name} | not run: {found} | | |"
        else:
            x, y = found.chromaticity
            yield f"| {name} | {found.code} | {found.bend} | {x:.6f} {y:.6f} |"


def convergence(name: str) -> Iterator[str]:
    """Tunes by slices next to MAD-X's."""
    ring = shipped_machine(name)
    madx = next(of_others(ring))
    if isinstance(madx, str):
        yield f"| {name} | not run: {madx} | |"
        return
    for slices in (10, 20, 40, FINE):
        found = of_gnomon(finer(ring, slices), slices)
        beta = np.abs(found.beta / madx.beta - 1.0).max()
        yield f"| {name} | {slices} | {np.abs(found.tune - madx.tune).max():.1e} | {beta:.1e} |"


def section() -> str:
    """The text between the marks."""
    names = ("bessy2", "mls")
    lines = [row for name in names for row in table(name)]
    lines += ["| slices of every magnet, gnomon next to MAD-X | slices | tunes | beta |", "|---|---|---|---|"]
    lines += [row for name in names for row in convergence(name)]
    lines += ["", "| gaps of the bends 0 | code | bend | chromaticities |", "|---|---|---|---|"]
    lines += [row for name in names for row in gapless(name)]
    return "\n".join([BEGIN, "", *lines, "", END])


def main() -> None:
    """Rewrite the section."""
    warnings.simplefilter("ignore")
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    if not rest:
        raise SystemExit(f"{DOCUMENT.name} has no mark {BEGIN}")
    DOCUMENT.write_text(before + section() + rest.partition(END)[2], encoding="utf-8")


if __name__ == "__main__":
    main()
