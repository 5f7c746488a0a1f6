#!/usr/bin/env python3
"""Six-dimensional orbit and optics next to pyAT, in one process on the same BESSY II with errors.

One quadrupole changes; gnomon's time contains the new lattice version, pyAT's the assignment of the strength. gnomon
gives orbit and optics at all elements, pyAT's linopt6 at the monitors. Both sides are checked to agree first.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import at
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from gnomon.db import shipped_machine
from gnomon.lattice import Lattice, Ring
from gnomon.propagator import Propagator
from gnomon.propagator.six import SixD, envelope
from unit.propagator.errors import with_errors
from unit.propagator.six.pyat_six import pyat_six

QUADRUPOLE, STEP, ORBIT_M, US = "Q1M1D1R", 1e-4, 2e-3, 1e6

#: Work, what it is compared with, median times [us] of gnomon and the other, ratio asked for, stretch.
Line = tuple[str, str, float, float, float, float]


def median_us(action: Callable[[int], object], seconds: float) -> float:
    """Median processor time of action(k), after two calls that do not count."""
    action(-2)
    action(-1)
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < end:
        begin = time.thread_time()
        action(len(times))
        times.append(time.thread_time() - begin)
    return statistics.median(times) * US


def ring_with_orbit(ring: Ring) -> Lattice:
    """Quadrupole and skew errors, and kicks scaled so that the orbit reaches 2 mm."""
    lattice = with_errors(ring.nominal)
    find = Propagator(ring, "orbit", chromatic=False)
    kicks = [key for key in ring.properties if key[1] == "kick"]
    for _ in range(4):
        largest = float(np.abs(find(lattice).orbit[:, [0, 2]]).max())
        lattice = lattice.updated({key: lattice[key] * ORBIT_M / largest for key in kicks})
    return lattice


def measure(lattice: Lattice, radiation: bool, seconds: float) -> list[Line]:
    """Lines of one kind of beam; raises RuntimeError when both sides disagree."""
    ring, six = lattice.ring, SixD(lattice.ring)
    other = pyat_six(six, lattice, six(lattice, radiation))
    magnet = other[ring.index[QUADRUPOLE]]
    monitors = np.array(ring.monitors, dtype=np.uint32)
    k1 = lattice[QUADRUPOLE, "k1"]
    strengths = [k1, k1 * (1.0 + STEP)]

    def ours(k: int) -> np.ndarray:
        return six(lattice.updated({(QUADRUPOLE, "k1"): strengths[k % 2]}), radiation).tunes

    def theirs(k: int) -> np.ndarray:
        magnet.PolynomB[1] = strengths[k % 2]
        at.find_orbit6(other, refpts=monitors)
        return at.linopt6(other, refpts=monitors)[1].tune

    def shared(k: int) -> np.ndarray:
        magnet.PolynomB[1] = strengths[k % 2]
        orbit, _ = at.find_orbit6(other, refpts=monitors)
        return at.linopt6(other, refpts=monitors, orbit=orbit, keep_lattice=True)[1].tune

    apart = float(np.abs(ours(1) % 1.0 - theirs(1)).max())
    if not apart < 1e-8:
        raise RuntimeError(f"gnomon and pyAT disagree by {apart:g} in the 6D tunes: times cannot be compared")
    work = "6D orbit and optics" + (", radiating" if radiation else "")
    own = median_us(ours, seconds)
    found = [
        (work, "set, find_orbit6, linopt6", own, median_us(theirs, seconds), 100.0, 200.0),
        (work, "the same, orbit handed over", own, median_us(shared, seconds), 100.0, 200.0),
    ]
    if radiation:
        own, theirs_us = (
            median_us(lambda _: envelope(six, lattice), seconds),
            median_us(lambda _: at.ohmi_envelope(other, refpts=monitors), seconds),
        )
        found.append(("6D envelope", "ohmi_envelope", own, theirs_us, 1.0, 1.0))
    return found


def rows(seconds: float = 1.0) -> list[Line]:
    """All lines, with at most `seconds` for each side of each."""
    lattice = ring_with_orbit(shipped_machine("bessy2"))
    return [line for radiation in (False, True) for line in measure(lattice, radiation, seconds)]


if __name__ == "__main__":
    for work, against, own, other, least, stretch in rows():
        print(
            f"{work:30} {against:30} {own:8.0f} us {other:8.0f} us {other / own:6.1f}x (asked {least:g}x, {stretch:g}x)"
        )
