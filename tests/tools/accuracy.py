"""Live propagator next to pyAT with the error set of the tests, `python -m tests.tools.accuracy`.

Writes the section of docs/accuracy.md between its two marks: BESSY II, the MLS, and the MLS's four optics. Largest
differences over all elements; what has no beam, on either side, says why. With `--folder DIR` it prints, instead, what
becomes of the lattice files below a folder (`tests.tools.rings`).
"""

import argparse
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import at
import numpy as np

sys.path.extend(str(Path(__file__).resolve().parents[k]) for k in (1, 2))
from gnomon.db import shipped_machine
from gnomon.lattice import Lattice
from gnomon.lattice.elements import Bend
from gnomon.lattice.units import SPEED_OF_LIGHT
from gnomon.propagator import Propagator
from gnomon.propagator.ensembles import Ensemble, track
from gnomon.propagator.six import SixD, envelope, radiation_summary
from tools.rings import DOCUMENT, print_folder
from unit.propagator.errors import with_errors
from unit.propagator.pyat_oracle import TIGHT, pyat_lattice, pyat_turns, turn_matrix
from unit.propagator.six.pyat_six import pyat_six

BEGIN, END = "<!-- live: begin, written by tests/tools/accuracy.py -->", "<!-- live: end -->"

#: Half the momentum step of dispersion and chromaticity, as the propagator has it.
HALF = 5e-6

SPREAD = 0.3 * np.array([1e-3, 1e-4, 1e-3, 1e-4, 1e-2, 1e-3])[:, None]

#: What was compared, and by how much it differs or why not.
Finding = tuple[str, str]


def apart(ours: Any, theirs: Any) -> float:
    """The largest difference."""
    return float(np.abs(np.asarray(ours) - np.asarray(theirs)).max())


def relative(ours: Any, theirs: Any) -> float:
    """The largest difference, relative to the largest number."""
    return apart(ours, theirs) / float(np.abs(np.asarray(theirs)).max())


def each(ours: Any, theirs: Any) -> float:
    """The largest relative difference, number by number."""
    return apart(np.asarray(ours) / np.asarray(theirs), 1.0)


def four(lattice: Lattice) -> Iterator[Finding]:
    """Orbit and optics at fixed momentum."""
    beam = Propagator(lattice.ring, "orbit")(lattice)
    if not beam.found:
        yield "largest orbit [m]", beam.reason
        return
    ring = pyat_lattice(lattice)
    everywhere = range(len(ring) + 1)
    start, orbit = at.find_orbit4(ring, refpts=everywhere, **TIGHT)
    _, data, elements = at.linopt6(
        ring, refpts=everywhere, get_chrom=True, DPStep=2 * HALF, orbit=start, XYStep=1e-6, keep_lattice=True
    )
    above, below = (at.find_orbit4(ring, dp=d, refpts=everywhere, guess=start, **TIGHT)[1] for d in (HALF, -HALF))
    matrix, one = turn_matrix(ring, start), beam.one_turn
    s = np.kron(np.eye(2), [[0.0, 1.0], [-1.0, 0.0]])
    numbers = {
        "largest orbit [m]": np.abs(orbit[:, [0, 2]]).max(),
        "orbit [m, rad]": apart(beam.orbit, orbit[:, :4]),
        "one-turn matrix, fourth-order differences of tracking, relative": relative(one, matrix),
        "symplectic error of the one-turn matrix": apart(one.T @ s @ one, s),
        "tunes": apart(beam.tune % 1.0, data.tune[:2]),
        "beta, relative": each(beam.beta, elements.beta),
        "alpha, relative to the largest": relative(beam.alpha, elements.alpha),
        "phase [turns]": apart(beam.phase, elements.mu / (2.0 * np.pi)),
        "dispersion, differences of orbits, relative to the largest": relative(
            beam.dispersion, (above - below)[:, :4] / (2 * HALF)
        ),
        "chromaticity": apart(beam.chromaticity, data.chromaticity[:2]),
        "momentum compaction, relative": each(beam.momentum_compaction, at.get_mcf(ring, DPStep=2 * HALF)),
    }
    for what, number in numbers.items():
        yield what, f"{number:.1e}"


def six(lattice: Lattice, radiation: bool) -> Iterator[Finding]:
    """Orbit and optics with cavities."""
    words = "6D, radiating, no pole faces" if radiation else "6D"
    find = SixD(lattice.ring, faces=False)
    beam = find(lattice, radiation=radiation)
    if not beam.found:
        yield f"{words}: orbit [m, rad]", beam.reason
        return
    ring = pyat_six(find, lattice, beam)
    everywhere = range(len(ring) + 1)
    options = {"convergence": 1e-14, "max_iterations": 12, "guess": 1.001 * beam.orbit[0]}
    start, orbit = at.find_orbit6(ring, refpts=everywhere, **options)
    matrix, _ = at.find_m66(ring, orbit=start)
    _, data, elements = at.linopt6(ring, refpts=everywhere, orbit=start)
    numbers = {
        "orbit [m, rad]": apart(beam.orbit, orbit),
        "one-turn matrix of find_m66, relative": relative(beam.one_turn, matrix),
        "three tunes": apart(beam.tunes % 1.0, data.tune),
        "beta, relative": each(beam.beta, elements.beta),
        "dispersion, relative to the largest": relative(beam.dispersion, elements.dispersion),
    }
    for what, number in numbers.items():
        yield f"{words}: {what}", f"{number:.1e}"


def emittances(sigma: np.ndarray) -> np.ndarray:
    """The emittances (3,) of second moments, sorted: eigenvalues of sigma S are plus and minus i times them."""
    form = np.kron(np.eye(3), [[0.0, 1.0], [-1.0, 0.0]])
    return np.sort(np.abs(np.linalg.eigvals(sigma @ form).imag))[::2]


def equilibrium(lattice: Lattice) -> Iterator[Finding]:
    """The envelope with errors, without what pole faces radiate."""
    find, words = SixD(lattice.ring, faces=False), "envelope, no pole faces"
    beam, found = envelope(find, lattice)
    if not beam.found:
        yield f"{words}: six sizes, relative", beam.reason
        return
    ring = pyat_six(find, lattice, beam)
    _, data, places = at.ohmi_envelope(ring, refpts=range(len(ring) + 1))
    sizes = np.sqrt(np.diagonal(places.r66, axis1=1, axis2=2))
    ours, theirs = emittances(found.sigma[0]), emittances(places.r66[0])
    yield (
        f"{words}: three emittances, pyAT's `mode_emittances`, relative",
        f"{each(found.emittances_m, data.mode_emittances):.1e}",
    )
    yield f"{words}: the two large ones, eigenvalues of pyAT's sigma, relative", f"{each(ours[1:], theirs[1:]):.1e}"
    yield f"{words}: sigma, relative to its largest entry", f"{relative(found.sigma[0], places.r66[0]):.1e}"
    yield f"{words}: six sizes, relative", f"{each(found.sizes, sizes):.1e}"


def pole_faces(nominal: Lattice) -> Iterator[Finding]:
    """Six dimensions with pole faces next to the radiation integrals and, for parallel ones, the closed formula."""
    ring = nominal.ring
    beam, found = envelope(SixD(ring), nominal)
    if not beam.found:
        yield "no errors, 6D next to our integrals: damping times, relative", beam.reason
        return
    ours = radiation_summary(nominal, Propagator(ring)(nominal))
    times = ring.circumference / SPEED_OF_LIGHT / beam.damping_rates
    words = "no errors, 6D next to our integrals"
    yield f"{words}: damping times, relative", f"{each(times, ours.damping_times_s):.1e}"
    yield f"{words}: emittance, relative", f"{each(found.emittances_m[0], ours.emittance_m):.1e}"
    bends = [e for e in ring.elements if isinstance(e, Bend)]
    parallel = all(e.entrance_angle == e.exit_angle == 0.5 * e.angle and not any(e.b) for e in bends)
    if parallel and len({e.angle for e in bends}) == 1:
        closed = 2.0 * np.tan(0.5 * bends[0].angle) / bends[0].angle
        without = SixD(ring, faces=False)(nominal, radiation=True).damping_rates
        rates = beam.damping_rates
        yield "J_x of the closed formula", f"{closed:.6f}"
        yield "... of our integrals", f"{ours.partition[0]:.6f}"
        yield "... in 6D", f"{rates[0] / rates[1]:.6f}"
        yield "... in 6D, no pole faces, as pyAT", f"{without[0] / without[1]:.6f}"


def integrals(lattice: Lattice) -> Iterator[Finding]:
    """Radiation integrals and what follows from them, without errors."""
    ours, find = radiation_summary(lattice, Propagator(lattice.ring)(lattice)), SixD(lattice.ring, faces=False)
    beam = find(lattice)
    ring = pyat_six(find, lattice, beam)
    ring.disable_6d()
    theirs = ring.radiation_parameters()
    five = [theirs.i1, theirs.i2, theirs.i3, theirs.i4, theirs.i5]
    numbers = {
        "radiation integrals, relative": each(ours.integrals, five),
        "energy loss, relative": each(ours.energy_loss_ev, theirs.U0),
        "damping times, relative": each(ours.damping_times_s, theirs.Tau),
        "emittance of the integrals, relative": each(ours.emittance_m, theirs.emittances[0]),
    }
    for what, number in numbers.items():
        yield f"no errors: {what}", f"{number:.1e}"


def tracking(lattice: Lattice) -> Iterator[Finding]:
    """20 particles of 0.3 mm and 3e-3 rms."""
    start = np.random.default_rng(1).normal(size=(6, 20)) * SPREAD
    ring = pyat_lattice(lattice)
    for turns in (1, 100):
        ours, theirs = track(lattice, Ensemble(start), turns).coordinates, pyat_turns(ring, start, turns)
        alive = np.isfinite(theirs).all(axis=0)
        same = np.array_equal(alive, np.isfinite(ours).all(axis=0))
        difference = f"{apart(ours[:, alive], theirs[:, alive]):.1e}" if alive.any() else "all lost"
        lost = f", {int((~alive).sum())} lost" if not alive.all() else ""
        yield f"tracking, {turns} turns [m, rad]", difference + lost + ("" if same else ", lost others")


def findings(nominal: Lattice) -> dict[str, str]:
    """All comparisons of one lattice."""
    lattice = with_errors(nominal)
    parts = (
        four(lattice), six(lattice, False), six(lattice, True), equilibrium(lattice), integrals(nominal),
        pole_faces(nominal), tracking(lattice),
    )  # fmt: skip
    return {what: value for part in parts for what, value in part}


def section() -> str:
    """The text between the marks."""
    mls = shipped_machine("mls")
    cases = {"BESSY II": shipped_machine("bessy2").nominal, "MLS": mls.nominal}
    cases |= {f"MLS {name}": lattice for name, lattice in mls.optics.items()}
    columns = {}
    for name, lattice in cases.items():
        print(name, file=sys.stderr, flush=True)
        columns[name] = findings(lattice)
    rows = dict.fromkeys(what for column in columns.values() for what in column)
    lines = [f"| | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    lines += [f"| {what} | {' | '.join(c.get(what, '') for c in columns.values())} |" for what in rows]
    return "\n".join([BEGIN, "", *lines, "", END])


def main() -> None:
    """Rewrite the section, or print the table of a folder."""
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="Print the table of the lattice files below this folder.")
    folder: Path | None = parser.parse_args().folder
    if folder is not None:
        if not folder.is_dir():
            raise SystemExit(f"{folder} is not a folder")
        print_folder(folder)
        return
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    if not rest:
        raise SystemExit(f"{DOCUMENT.name} has no mark {BEGIN}")
    DOCUMENT.write_text(before + section() + rest.partition(END)[2], encoding="utf-8")


if __name__ == "__main__":
    main()
