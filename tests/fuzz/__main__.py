"""Fuzz a server of gnomon by hand: `make fuzz`, or `python -m fuzz` with tests/ on the path."""

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from conftest import EpicsPorts, QuietRepeater, free_port

from fuzz.campaign import run
from fuzz.cases import Case, Corpus, make

PROGRESS = 50_000


def main() -> int:
    """Exit status 0 when all is as it should be."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same cases")
    parser.add_argument("--cases", type=int, default=1_000_000, help="how many")
    parser.add_argument("--case", type=int, help="this one alone, from --seed")
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    options = parser.parse_args()
    numbers = range(options.first, options.first + options.cases) if options.case is None else [options.case]
    for name in [name for name in os.environ if name.startswith("EPICS_")]:
        del os.environ[name]
    repeater = QuietRepeater()
    os.environ["EPICS_CA_REPEATER_PORT"] = str(repeater.port)
    corpus = Corpus()
    ports = EpicsPorts(ca=free_port(), pva_tcp=free_port(), pva_udp=free_port())
    folder = Path(tempfile.mkdtemp(prefix="gnomon-fuzz-"))
    try:
        verdict = run(_with_progress(make(options.seed, number, corpus) for number in numbers), ports, folder)
    finally:
        repeater.stop()
    print(verdict)
    faults = verdict.faults()
    for fault in faults:
        print("FAULT:", fault)
    if faults:
        print(f"the server's log and journal are in {folder}")
        return 1
    shutil.rmtree(folder)
    print("all is as it should be")
    return 0


def _with_progress(cases: Iterator[Case]) -> Iterator[Case]:
    """Yield the cases, and print a line after every `PROGRESS` of them."""
    for count, case in enumerate(cases, 1):
        yield case
        if count % PROGRESS == 0:
            print(f"{time.strftime('%H:%M:%S')} {count} cases", flush=True)


if __name__ == "__main__":
    sys.exit(main())
