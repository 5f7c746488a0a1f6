"""Damaged lattice files of every format: each import must end in time and memory, with a document or our own message.

The imports run in a worker that has the limits of `gnomon machine import`, one after the other; `make fuzz` tries
10 000, the tests 500. The same seed gives the same files.
"""

import argparse
import json
import multiprocessing
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from unit.lattice.exchange.rings import MADX, small_ring
from unit.lattice.exchange.test_elegant import EDGES_OFF, RING
from unit.lattice.exchange.test_tracy import TRACY

LATTICES = Path(__file__).parents[1] / "unit" / "lattice" / "exchange" / "lattices"
SUFFIXES = {".madx": "madx", ".seq": "madx", ".lte": "elegant", ".lat": "tracy"}
#: Longest time for one file [s], and memory of the worker [bytes].
MAX_SECONDS = 60.0
MAX_MEMORY = 1_000_000_000
#: Words that turn a file into another one.
WORDS = (
    *b"""0 -1 1e308 1e-308 999999999 ( ) { } ; , ' " * ^ : := = -> - & /* nan inf while(1<2){ line=( 99*""".split(),
    b"\n",
    b"\0",
    b"\xff",
)


@dataclass(frozen=True, slots=True)
class Sample:
    """A sound file to damage."""

    format: str
    content: bytes


@dataclass(slots=True)
class Verdict:
    """Counts of how the imports ended, and those that did not end as they must."""

    outcomes: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    slowest: float = 0.0


def corpus(folder: Path) -> list[Sample]:
    """Sound files of every format."""
    import at

    found = [Sample("madx", MADX.encode()), Sample("tracy", TRACY.encode())]
    found += [Sample("elegant", text.encode()) for text in (EDGES_OFF, RING)]
    for file in sorted(LATTICES.iterdir()):
        if file.suffix in SUFFIXES:
            found.append(Sample(SUFFIXES[file.suffix], file.read_bytes()))
    ring = small_ring()
    saves = {"at-json": at.save_json, "at-mat": at.save_mat, "at-m": at.save_m, "at-repr": at.save_repr}
    for format, save in saves.items():
        file = folder / f"ring.{format.removeprefix('at-')}"
        save(ring, file)
        found.append(Sample(format, file.read_bytes()))
    drift, cavity = {"type": "Drift", "name": "D", "length": 1.0}, {"type": "RFCavity", "name": "C", "length": 0.0}
    sequence = [drift | {"index": 0}, cavity | {"frequency": 5e8, "harmonic_number": 50, "index": 1}]
    found.append(Sample("lat2db", json.dumps([{"name": "R", "sequences": sequence}]).encode()))
    elements = {"D": ["Drift", {"length": 1.0}], "Q": ["Quadrupole", {"length": 0.2, "k1": 1.5}]}
    lattice = {
        "version": "2.0",
        "root": "RING",
        "elements": elements,
        "lattices": {"C": ["Q", "D"], "RING": ["C", "-C"]},
    }
    found.append(Sample("lattice-json", json.dumps(lattice).encode()))
    return found


def damage(sample: Sample, chance: random.Random) -> bytes:
    """A file with one to four damages: flipped bits, cuts, pieces lost, doubled, moved, and words put in."""
    content = bytearray(sample.content)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        at = chance.randrange(len(content) + 1)
        end = min(at + int(chance.expovariate(1 / chance.choice((1, 5, 60)))) + 1, len(content))
        match chance.randrange(7):
            case 0 if at < len(content):
                content[at] ^= 1 << chance.randrange(8)
            case 1 if chance.random() < 0.3:
                del content[at:]
            case 2:
                del content[at:end]
            case 3:
                content[at:at] = content[at:end] * chance.choice((1, 2, 50))
            case 4:
                piece = content[at:end]
                del content[at:end]
                there = chance.randrange(len(content) + 1)
                content[there:there] = piece
            case 5:
                content[at:end] = chance.choice(WORDS)
            case _:
                content[at:at] = chance.choice(WORDS) * chance.choice((1, 1, 1, 2, 300))
    return bytes(content)


def cases(samples: Sequence[Sample], seed: int, count: int) -> Iterator[tuple[str, bytes]]:
    """Format and content of damaged files, all formats in turn."""
    formats = sorted({sample.format for sample in samples})
    for number in range(count):
        chance = random.Random(f"{seed} {number}")
        format = formats[number % len(formats)]
        sample = chance.choice([s for s in samples if s.format == format])
        yield format, damage(sample, chance)


def _serve(pipe: Connection) -> None:
    """The worker: imports what it is asked to, within the memory of an import."""
    import os

    import at  # noqa: F401 before the limit

    from gnomon.lattice.exchange.import_worker import answer, limit_memory

    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115 until the process ends
    limit_memory(MAX_MEMORY)
    while True:
        found = answer(pipe.recv())
        pipe.send((found["outcome"], found.get("message", "")))


class Worker:
    """A process that imports; it is restarted when it does not answer."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=_serve, args=(other,), daemon=True)
        self.process.start()
        other.close()

    def ask(self, request: dict[str, Any]) -> tuple[str, str]:
        """Outcome and message; `silent` when there is no answer in time, `ended` when the process is gone."""
        self.pipe.send(request)
        if not self.pipe.poll(MAX_SECONDS):
            return "silent", ""
        try:
            outcome, message = self.pipe.recv()
        except EOFError:
            return "ended", ""
        return outcome, message

    def stop(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.join()
        self.pipe.close()


def run(samples: Sequence[Sample], seed: int, count: int, folder: Path, tell: bool = False) -> Verdict:
    """Import damaged files; those at fault are kept in the folder."""
    verdict = Verdict()
    options: dict[str, Any] = {"name": None, "use": None, "energy_ev": 1.7e9, "harmonic_number": 80, "bare": False,
               "approximate": False, "drop": [], "slices": None}  # fmt: skip
    worker = Worker()
    try:
        for number, (format, content) in enumerate(cases(samples, seed, count)):
            file = folder / f"case-{seed}-{number}.{format}"
            file.write_bytes(content)
            begun = time.monotonic()
            outcome, message = worker.ask({"file": str(file), "format": format, "options": options})
            verdict.slowest = max(verdict.slowest, time.monotonic() - begun)
            verdict.outcomes[f"{format} {outcome}"] += 1
            if outcome in ("silent", "ended"):
                worker.stop()
                worker = Worker()
            if outcome == "ended":  # a library brought the process down: the command must still say so
                message = _import_message(file, format)
            bad = outcome == "silent" or "its reader failed" in message or "Traceback" in message
            if bad or (outcome in ("error", "ended") and str(file) not in message):
                verdict.faults.append(f"{file.name}: {outcome}: {message}")
            else:
                file.unlink()
            if tell and (number + 1) % 1000 == 0:
                print(f"{time.strftime('%H:%M:%S')} {number + 1} damaged lattice files", flush=True)
    finally:
        worker.stop()
    return verdict


def _import_message(file: Path, format: str) -> str:
    """Import a file in a child process and return the message."""
    from gnomon.lattice.exchange import ExchangeError, ImportOptions, import_isolated

    try:
        import_isolated(file, format, ImportOptions(energy_ev=1.7e9, harmonic_number=80))
    except ExchangeError as error:
        return str(error)
    return "imported in a process of its own"


def main() -> int:
    """Exit status 0 when all is as it should be."""
    parser = argparse.ArgumentParser(prog="python -m fuzz.lattice_files", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same files")
    parser.add_argument("--cases", type=int, default=10_000, help="how many")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="gnomon-fuzz-"))
    verdict = run(corpus(folder), options.seed, options.cases, folder, tell=True)
    for outcome, count in sorted(verdict.outcomes.items()):
        print(f"{count:6} {outcome}")
    print(f"slowest: {verdict.slowest:.1f} s")
    for fault in verdict.faults:
        print("FAULT:", fault)
    if verdict.faults:
        print(f"the files are in {folder}")
    return int(bool(verdict.faults))


if __name__ == "__main__":
    sys.exit(main())
