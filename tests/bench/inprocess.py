"""Cost of the parts without a network: one quadrupole changed, gnomon and pyAT; one command written to the journal.

Runs in a process of its own and prints its samples as JSON; see main.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import at
import numpy as np
from jobs import Samples, encode_answers
from pyat_ring import pyat_ring

from gnomon.db import shipped_machine
from gnomon.lattice import Change, Client, Command, Outcome, Record, Ring, Setting, Settled
from gnomon.propagator import Propagator
from gnomon.recorder import Journal

MS = 1e3
QUADRUPOLE = "Q1M1D1R"
RELATIVE_STEP = 1e-4
PROPAGATIONS, PYAT_RUNS, APPENDS = 300, 8, 200
TUNE_TOLERANCE = 1e-6


def times_ms(action: Callable[[int], object], count: int) -> list[float]:
    """Time of each of `count` calls of action(k), after two that do not count."""
    samples = []
    for k in range(-2, count):
        begin = time.perf_counter()
        action(k)
        samples.append((time.perf_counter() - begin) * MS)
    return samples[2:]


def propagator(ring: Ring) -> Samples:
    """`gnomon`: new lattice id, closed orbit and optics at all elements; `pyat`: set, linopt6 at the monitors only."""
    nominal = ring.nominal
    k1 = nominal[QUADRUPOLE, "k1"]
    strengths = [k1, k1 * (1 + RELATIVE_STEP)]
    propagate = Propagator(ring)
    propagate(nominal)
    tunes = {}

    def one_change(k: int) -> None:
        beam = propagate(nominal.updated({(QUADRUPOLE, "k1"): strengths[k % 2]}))
        tunes["gnomon", k % 2] = np.asarray(beam.tune) % 1.0

    lattice = pyat_ring(ring)
    monitors = np.array(ring.monitors, dtype=np.uint32)
    magnet = lattice[ring.index[QUADRUPOLE]]

    def one_change_pyat(k: int) -> None:
        magnet.PolynomB[1] = strengths[k % 2]
        _, whole, _ = at.linopt6(lattice, refpts=monitors)
        tunes["pyat", k % 2] = whole.tune[:2]

    samples = Samples({"gnomon": times_ms(one_change, PROPAGATIONS), "pyat": times_ms(one_change_pyat, PYAT_RUNS)})
    apart = max(float(np.max(np.abs(tunes["gnomon", i] - tunes["pyat", i]))) for i in (0, 1))
    if apart > TUNE_TOLERANCE:
        raise RuntimeError(f"gnomon and pyAT disagree by {apart:g} in the tunes: their times cannot be compared")
    samples.numbers["tunes_apart"] = apart
    return samples


def journal() -> Samples:
    """One command and its outcome in one durable transaction."""
    with tempfile.TemporaryDirectory() as folder, Journal(Path(folder) / "journal.sqlite") as book:
        book.begin_run(machine="bench", digest="00", prefix="", lattice_id="00", baseline={})

        def one_command(k: int) -> None:
            pv, now = "HS4P1D1R:set", time.time_ns()
            setting = Setting(pv, "HS4P1D1R", "current", 0.01)
            change = Change(pv, "HS4P1D1R", "current", "A", 0.0, 0.01, 0.01, "current", 0.0, 0.01)
            number = book.next_sequence
            command = Command(number, (setting,), Client("bench", "localhost", "ca"), now, time.monotonic_ns())
            book.append([Record(command, (change,), "00")], [Settled(number, Outcome.APPLIED, "00", now, (change,))])

        return Samples({"append": times_ms(one_command, APPENDS)})


def main() -> None:
    """Print the samples of the parts; with `--warm-up`, compile the kernels and print nothing."""
    ring = shipped_machine("bessy2")
    if "--warm-up" in sys.argv:
        Propagator(ring)(ring.nominal)
        return
    print(encode_answers({"propagator": propagator(ring), "journal": journal()}))


if __name__ == "__main__":
    main()
