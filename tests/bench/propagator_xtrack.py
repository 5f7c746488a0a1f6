#!/usr/bin/env python3
"""One quadrupole changed on BESSY II: gnomon's orbit and coupled optics next to xtrack's 4d twiss, in one process.

No chromatic quantities on either side. Two rows: xtrack is handed the closed orbit (`particle_on_co`), which spares it
the search that gnomon does, or it searches too, from that orbit (`co_guess`).
Both rings are the design, without an orbit: our MAD-X export, from which xtrack has its ring, refuses kicks in thick
magnets. gnomon's time contains the new lattice version, xtrack's the assignment.
"""

import importlib.util
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from bench.propagator import QUADRUPOLE, STEP, Row, medians_us

from gnomon.db import shipped_machine
from gnomon.lattice import Lattice, Ring
from gnomon.lattice.exchange import export_machine
from gnomon.propagator import Propagator

#: Time [s] that both sides may take together, the building of the rings left out.
MAX_LENGTH = 60.0


def missing() -> str:
    """Name of a package that is not installed, or nothing."""
    return ", ".join(name for name in ("cpymad", "xtrack") if importlib.util.find_spec(name) is None)


def xtrack_line(ring: Ring) -> Any:
    """The ring in xtrack, through MAD-X, with linear edges and the expanded bend."""
    import xtrack
    from cpymad.madx import Madx

    madx = Madx(stdout=False)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "ring.seq"
        export_machine(ring.nominal, "madx", file)
        file.write_text(re.sub(r"\bvolt=[^,;]*", "volt=0.0", file.read_text()))
        madx.call(str(file))
    madx.use(sequence="ring")
    line = xtrack.Line.from_madx_sequence(madx.sequence.ring)
    madx.quit()
    line.particle_ref = xtrack.Particles(mass0=xtrack.ELECTRON_MASS_EV, p0c=ring.energy_ev)
    line.configure_bend_model(core="expanded", edge="linear")
    return line


def rows(seconds: float = 40.0) -> list[Row]:
    """Both rows; raises RuntimeError when both sides disagree on what the change does."""
    ring = shipped_machine("bessy2")
    line, nominal, find = xtrack_line(ring), ring.nominal, Propagator(ring, "orbit", chromatic=False)
    k1, magnet = nominal[QUADRUPOLE, "k1"], line[QUADRUPOLE.lower()]
    if abs(magnet.k1 - k1) > 1e-12 * abs(k1):
        raise RuntimeError(f"{QUADRUPOLE} k1: gnomon has {k1:g} 1/m^2 and xtrack {magnet.k1:g}")
    start = line.twiss4d().particle_on_co

    def changed(k: int) -> Lattice:
        return nominal.updated({(QUADRUPOLE, "k1"): k1 * (1.0 + STEP * (k % 2))})

    def ours(k: int) -> Any:
        return find(changed(k))

    def theirs(k: int) -> Any:
        magnet.k1 = k1 * (1.0 + STEP * (k % 2))
        return line.twiss4d(particle_on_co=start, chrom=False)

    def searching(k: int) -> Any:
        magnet.k1 = k1 * (1.0 + STEP * (k % 2))
        return line.twiss4d(co_guess=start, chrom=False)

    shift = ours(1).tune - ours(0).tune
    one, none = theirs(1), theirs(0)
    other = np.array([one.qx - none.qx, one.qy - none.qy])
    if not np.abs(shift - other).max() < 1e-3 * np.abs(shift).max():
        raise RuntimeError(f"the change moves gnomon's tunes by {shift} and xtrack's by {other}: times do not compare")
    work, half = "one quadrupole: orbit, coupled optics, no orbit errors", min(seconds, MAX_LENGTH) / 2.0
    return [
        Row(work, "xtrack twiss4d, particle_on_co", *medians_us(ours, theirs, half), 150, 400),
        Row(work, "xtrack twiss4d, co_guess", *medians_us(ours, searching, half), 150, 400),
    ]


def main() -> None:
    absent = missing()
    if absent:
        print(f"not measured: {absent} is not installed")
        return
    for row in rows():
        print(
            f"{row.work}; {row.against}: {row.ours_us:.0f} us, {row.theirs_us:.0f} us, {row.ratio:.0f}x "
            f"(asked {row.least:g}x, {row.stretch:g}x)"
        )


if __name__ == "__main__":
    main()
