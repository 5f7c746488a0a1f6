#!/usr/bin/env python3
"""Cost of the path length that the RF frequency fixes: `frequency` next to `orbit`, call by call in one process.

python tests/bench/propagator_momentum.py [--seconds N]

Median processor times of a put's whole model (orbit, optics, chromatic functions) that goes to and fro between two
settings of one magnet: a quadrupole that moves the momentum deviation by less than 1e-9, and a steerer (or, in a ring
without steerers, a quadrupole's offset) where the dispersion is largest that moves it by 1e-5 to 1e-4. All steerers
have kicks of 0.1 urad (rms). The third ring is ESRF-EBS as pyAT's tests have it, 32 cells, without fringe fields.
"""

import argparse
import importlib.util
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from propagator_row import Row

from gnomon.db import shipped_machine
from gnomon.lattice import Lattice, Ring
from gnomon.lattice.exchange import ImportOptions, import_machine
from gnomon.propagator import Propagator

US = 1e6
STILL, SHARE_STILL, SHARE_MOVING = 1e-9, 1.3, 2.0

#: By how much the moving setting moves the momentum deviation, about.
MOVE = 5e-5


def rings() -> Iterator[tuple[str, Lattice]]:
    """The lattices that are measured; EBS if pyAT's test files are installed."""
    bessy2, mls = shipped_machine("bessy2"), shipped_machine("mls")
    yield "BESSY II", bessy2.nominal
    yield "MLS low alpha", mls.optics["low_alpha"]
    spec = importlib.util.find_spec("machine_data")
    if spec is not None and spec.origin is not None:
        file = Path(spec.origin).parent / "hmba.mat"
        found = import_machine(file, "at-mat", ImportOptions(approximate=True))
        yield "EBS", Ring(found.parsed(str(file))).nominal


def with_kicks(lattice: Lattice) -> Lattice:
    rng = np.random.default_rng(0)
    kicks = [key for key in lattice.ring.properties if key[1] == "kick"]
    return lattice.updated({key: lattice[key] + 1e-7 * rng.normal() for key in kicks})


def pair(lattice: Lattice, key: tuple[str, str], step: float, wanted: float) -> tuple[list[Lattice], float]:
    """Two settings that far apart in momentum, or less, and how far they are."""
    propagate = Propagator(lattice.ring)
    begin = propagate(lattice).delta
    for _ in range(6):
        other = lattice.updated({key: lattice[key] + step})
        beam = propagate(other)
        apart = abs(beam.delta - begin) if beam.found else np.inf
        if apart <= 1.5 * wanted:
            break
        step *= 0.1 if not np.isfinite(apart) else wanted / apart
    return [lattice, other], apart


def settings(lattice: Lattice) -> Iterator[tuple[str, list[Lattice], float, float]]:
    """Changes to measure: words, the two lattices, how far delta moves, and the largest ratio that is allowed."""
    ring = lattice.ring
    eta = Propagator(ring)(lattice).dispersion
    quadrupoles = [m for m in ring.magnets if m.main == "k1" and lattice[m.name, "k1"] != 0.0]
    middle = quadrupoles[7 % len(quadrupoles)]
    two, apart = pair(lattice, (middle.name, "k1"), 1e-5 * lattice[middle.name, "k1"], 0.5 * STILL)
    yield "quadrupole", two, apart, SHARE_STILL
    steerers = [m for m in ring.magnets if m.main == "kick" and m.column == 8]
    moving = max(steerers or quadrupoles, key=lambda m: abs(eta[m.element, 0]))
    two, apart = pair(lattice, (moving.name, "kick" if steerers else "dx"), 2e-5, MOVE)
    yield "steerer at dispersion" if steerers else "offset at dispersion", two, apart, SHARE_MOVING


def rows(seconds: float) -> list[Row]:
    """One row for each ring and setting; `theirs` is `orbit`."""
    found = []
    for name, lattice in rings():
        for words, two, apart, share in settings(with_kicks(lattice)):
            ours, theirs = Propagator(lattice.ring), Propagator(lattice.ring, "orbit")
            times: dict[Propagator, list[float]] = {ours: [], theirs: []}
            end, k = time.monotonic() + seconds / 6, -3
            while k < 20 or time.monotonic() < end:
                for propagate in (ours, theirs):
                    begin = time.thread_time()
                    beam = propagate(two[k % 2])
                    if k >= 0:
                        times[propagate].append(time.thread_time() - begin)
                    if not beam.found:
                        raise SystemExit(f"{name}: no beam after a change of a {words}: {beam.reason}")
                k += 1
            work = f"{name}: {words}, delta moves by {apart:.0e}"
            medians = [statistics.median(times[propagate]) * US for propagate in (ours, theirs)]
            found.append(Row(work, "ours with `orbit`", *medians, 1.0 / share, 1.0 / share))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="for the timed calls, about (default %(default)s)")
    for row in rows(parser.parse_args().seconds):
        asked = "met" if row.ratio >= row.least else "not met"
        print(
            f"{row.work}: frequency {row.ours_us:.0f} us, orbit {row.theirs_us:.0f} us: {1.0 / row.ratio:.2f} times, ",
            end="",
        )
        print(f"at most {1.0 / row.least:.2g}: {asked}")


if __name__ == "__main__":
    main()
