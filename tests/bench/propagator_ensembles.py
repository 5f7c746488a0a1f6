#!/usr/bin/env python3
"""Tracking of 1e4 particles for 100 turns next to pyAT's `lattice_track`, in one process on the same BESSY II.

python tests/bench/propagator_ensembles.py

The ring has errors and an orbit of millimetres. pyAT runs a part of the particles, since it takes them one by one and
its time grows as their number. Both sides are checked to agree before they are timed, in turn; each one's best round
counts, since whatever else runs on the machine takes a core from the two threads.
"""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import at
import numpy as np
from propagator_row import Row

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from gnomon.db import shipped_machine
from gnomon.propagator.ensembles import Ensemble, track
from unit.propagator.errors import with_errors
from unit.propagator.pyat_oracle import pyat_lattice, pyat_turns

PARTICLES, TURNS, PYAT_PARTICLES = 10_000, 100, 100
ROUNDS = 5


def rows() -> list[Row]:
    """Best times per particle and turn, with one and two threads. Raises AssertionError when the codes disagree."""
    lattice = with_errors(shipped_machine("bessy2").nominal)
    ring = pyat_lattice(lattice)
    spread = np.array([5e-4, 2e-5, 5e-4, 2e-5, 1e-3, 1e-3])[:, None]
    particles = np.random.default_rng(3).normal(size=(6, PARTICLES)) * spread
    few = np.asfortranarray(particles[:, :PYAT_PARTICLES])
    whole = Ensemble(particles)
    theirs = pyat_turns(ring, few, TURNS)
    apart = np.abs(track(lattice, whole, TURNS).coordinates[:, :PYAT_PARTICLES] - theirs).max()
    assert apart < 1e-11, f"the codes disagree by {apart:.2g}"

    def pyat() -> Any:
        return at.lattice_track(ring, few, nturns=TURNS, refpts=None)

    times: dict[int, list[float]] = {0: [], 1: [], 2: []}
    for _ in range(ROUNDS):
        times[0].append(_seconds(pyat) / (PYAT_PARTICLES * TURNS))
        for threads in (1, 2):
            seconds = _seconds(lambda threads=threads: track(lattice, whole, TURNS, threads=threads))
            times[threads].append(seconds / (PARTICLES * TURNS))
    best = {key: 1e6 * min(values) for key, values in times.items()}
    work, against = "tracking 1e4 particles 100 turns", "pyAT lattice_track"
    return [
        Row(f"{work}, 1 thread", against, best[1], best[0], 15.0, 20.0),
        Row(f"{work}, 2 threads", against, best[2], best[0], 28.0, 40.0),
    ]


def _seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


if __name__ == "__main__":
    for row in rows():
        verdict = "" if row.ratio >= row.least else ", too slow"
        print(
            f"{row.work}: {row.ours_us:.2f} us per particle and turn, {row.against} {row.theirs_us:.0f} us: "
            f"{row.ratio:.0f}x (at least {row.least:.0f}x, stretch {row.stretch:.0f}x){verdict}"
        )
