#!/usr/bin/env python3
"""Growth of times with the ring: BESSY II (1093 elements), DIAD (2194) and Diamond-II (3971), in one process.

python tests/bench/propagator_scaling.py [--seconds N] [--json FILE]

One quadrupole changes in each ring with random kicks that make an orbit of 0.1 mm; orbit and coupled optics come out
at all elements. Time per element is given relative to BESSY II's: it should not be above 1. The rings take turns call
by call, so that other work on the machine reaches all alike. DIAD and Diamond-II come from the package atip, imported
as `gnomon machine import` does.
"""

import argparse
import importlib.util
import json
import os
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from rich.console import Console
from rich.table import Table

from gnomon.db import shipped_machine
from gnomon.lattice import Lattice, Ring
from gnomon.lattice.chunks import digest
from gnomon.lattice.elements import Multipole
from gnomon.lattice.exchange import import_machine
from gnomon.propagator import Propagator

ORBIT_M, STEP, US = 1e-4, 1e-4, 1e6
IMPORTED = {"DIAD": "DIAD.mat", "Diamond-II": "48.mat"}
VERSIONS = 100


@dataclass(frozen=True, slots=True)
class Row:
    """One ring: medians of processor time [us] and memory [byte]; `nonlinear` counts magnets from sextupoles up.

    `change_us` is one quadrupole's new version, orbit and optics; `relative` its time per element over BESSY II's.
    `version_us` is the new version alone, and `hash_us` the part of it that names its content; `whole_hash_us` would be
    the price of hashing all settings. `version_bytes` is what one more version keeps.
    """

    ring: str
    elements: int
    nonlinear: int
    settings: int
    change_us: float
    relative: float
    version_us: float
    hash_us: float
    whole_hash_us: float
    version_bytes: float


def rings() -> dict[str, Ring]:
    """BESSY II, and those of atip if it is installed."""
    found = {"BESSY II": shipped_machine("bessy2")}
    spec = importlib.util.find_spec("atip")
    if spec is not None and spec.origin is not None:
        folder = Path(spec.origin).parent / "rings"
        for name, file in IMPORTED.items():
            found[name] = Ring(import_machine(folder / file, "at-mat").parsed(file))
    return found


def with_orbit(ring: Ring) -> Lattice:
    """Random kicks of all steerers, scaled so that the orbit reaches 0.1 mm."""
    rng = np.random.default_rng(1)
    kicks = [key for key in ring.properties if key[1] == "kick"]
    lattice = ring.nominal.updated({key: ring.nominal[key] + 1e-7 * rng.normal() for key in kicks})
    find = Propagator(ring, "orbit", optics=False)
    for _ in range(4):
        beam = find(lattice)
        if not beam.found:
            raise SystemExit(f"{ring.name}: no orbit with random kicks: {beam.reason}")
        largest = float(np.abs(beam.orbit[:, [0, 2]]).max())
        lattice = lattice.updated({key: lattice[key] * ORBIT_M / largest for key in kicks})
    return lattice


class Case:
    """A ring, its orbit, and the quadrupole that changes to and fro: a middle one of those with a strength."""

    def __init__(self, ring: Ring) -> None:
        self.ring, self.lattice = ring, with_orbit(ring)
        quadrupoles = [m.name for m in ring.magnets if m.main == "k1" and ring.nominal[m.name, "k1"] != 0.0]
        self.key = (quadrupoles[len(quadrupoles) // 2], "k1")
        self.k1 = self.lattice[self.key]
        self.propagate = Propagator(ring, "orbit", chromatic=False)
        self.settings = np.concatenate(self.lattice._chunks)
        self.padded = ring.nominal_settings.copy()
        self.padded[~np.isnan(self.padded)] = self.settings

    def version(self, k: int) -> Lattice:
        return self.lattice.updated({self.key: self.k1 * (1.0 + STEP * (k % 2))})

    def change(self, k: int) -> None:
        beam = self.propagate(self.version(k))
        if not beam.found:
            raise SystemExit(f"{self.ring.name}: no beam after a change of {self.key[0]}: {beam.reason}")

    def name(self, _: int) -> Lattice:
        """Hash what an update of one setting hashes: a chunk, and the digests of all."""
        digest(self.lattice._chunks[0])
        return Lattice(self.ring, self.lattice._chunks, self.lattice._digests)

    def whole(self, _: int) -> Lattice:
        return Lattice.of_settings(self.ring, self.padded)

    def memory(self) -> float:
        """Bytes that one more version keeps, over many that differ from each other."""
        changed = [self.k1 * (1.0 + STEP * k / VERSIONS) for k in range(1, VERSIONS + 1)]
        tracemalloc.start()
        try:
            kept = [self.lattice.updated({self.key: k1}) for k1 in changed]
            return tracemalloc.get_traced_memory()[0] / len(kept)
        finally:
            tracemalloc.stop()


def medians_us(actions: dict[str, Callable[[int], object]], seconds: float) -> dict[str, float]:
    """Median processor times [us] of actions that take turns, after three rounds that do not count."""
    times: dict[str, list[float]] = {name: [] for name in actions}
    end, k = time.monotonic() + seconds, -3
    while k < 10 or time.monotonic() < end:
        for name, action in actions.items():
            begin = time.thread_time()
            action(k)
            if k >= 0:
                times[name].append(time.thread_time() - begin)
        k += 1
    return {name: statistics.median(each) * US for name, each in times.items()}


def rows(seconds: float, say: Callable[[str], None] = lambda _: None) -> list[Row]:
    """One line for each ring that there is."""
    say("importing the rings")
    cases = {name: Case(ring) for name, ring in rings().items()}
    measured = []
    for work in ("change", "version", "name", "whole"):
        say(work)
        measured.append(medians_us({name: getattr(case, work) for name, case in cases.items()}, seconds / 4))
    change, version, name_us, whole = measured
    per_element = {name: change[name] / len(case.ring.elements) for name, case in cases.items()}
    return [
        Row(
            ring=name,
            elements=len(case.ring.elements),
            nonlinear=sum(isinstance(e, Multipole) and any(e.b[2:] + e.a[2:]) for e in case.ring.elements),
            settings=len(case.settings),
            change_us=change[name],
            relative=per_element[name] / per_element["BESSY II"],
            version_us=version[name],
            hash_us=name_us[name],
            whole_hash_us=whole[name],
            version_bytes=case.memory(),
        )
        for name, case in cases.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="for the timed calls, about (default %(default)s)")
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    args = parser.parse_args()
    console = Console(emoji=False, highlight=False, width=None if sys.stdout.isatty() else 140)
    with console.status("building the rings") as status:
        measured = rows(args.seconds, status.update)
    table = Table(
        "ring", "elements", "nonlinear", "settings", "one quadrupole [us]", "per element", "new version [us]",
        "its hash [us]", "all hashed [us]", "memory [kB]",
    )  # fmt: skip
    for row in measured:
        table.add_row(
            row.ring, str(row.elements), str(row.nonlinear), str(row.settings), f"{row.change_us:.0f}",
            f"{row.relative:.2f}", f"{row.version_us:.1f}", f"{row.hash_us:.1f}", f"{row.whole_hash_us:.0f}",
            f"{row.version_bytes / 1e3:.2f}",
        )  # fmt: skip
    console.print(table)
    console.print("'per element' is relative to BESSY II: at most 1 when time grows no faster than the element count.")
    if len(measured) < 1 + len(IMPORTED):
        console.print("DIAD and Diamond-II are not measured: the package atip, which has them, is not installed.")
    if args.json:
        args.json.write_text(json.dumps([asdict(row) for row in measured], indent=1) + "\n")


if __name__ == "__main__":
    main()
