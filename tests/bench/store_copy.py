"""Copy a store of 100 000 documents, kill the copy and go on: `python tests/bench/store_copy.py [TARGET]`.

The target is a file, or the address of a MongoDB server whose database is empty; by default, a temporary file.
"""

import argparse
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from gnomon.db import DocumentFile
from gnomon.db.store import canonical_json, digest_of

DOCUMENTS = 100_000


def fill(path: Path, documents: int) -> float:
    """Fill a store with documents of about 1 kB, as those of results are; returns its size [MB]."""
    with DocumentFile(path) as file:
        file.list("result")

    def row(number: int) -> tuple[str, str, str]:
        document = {"number": number, "procedure": "orm", "data": [number / (each + 1.0) for each in range(50)]}
        return f"orm-{number:06d}", digest_of(canonical_json(document)), json.dumps(document)

    with sqlite3.connect(path) as db:
        db.executemany("INSERT INTO documents VALUES ('result', ?, 1, ?, 1, ?)", map(row, range(documents)))
    db.close()
    return path.stat().st_size / 1e6


def copy(source: Path, target: str, kill_after_s: float | None = None) -> tuple[float, dict[str, dict[str, int]]]:
    """Copy in a process of its own, which is killed after a time; returns the time [s] and what it says."""
    command = [
        sys.executable,
        "-c",
        "from gnomon.cli import main; main()",
        "store",
        "copy",
        str(source),
        target,
        "--json",
    ]
    began = time.monotonic()
    copying = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    if kill_after_s is not None:
        time.sleep(kill_after_s)
        os.kill(copying.pid, signal.SIGKILL)
    out, _ = copying.communicate()
    return time.monotonic() - began, {} if kill_after_s is not None else json.loads(out)


def main() -> None:
    """Measure, and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", nargs="?")
    parser.add_argument("--documents", type=int, default=DOCUMENTS)
    parser.add_argument("--kill-after", type=float, default=10.0, help="time after which the first copy is killed [s]")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "from" / "a.sqlite", asked.target or str(Path(folder) / "to" / "b.sqlite")
        megabytes = fill(source, asked.documents)
        copy(source, target, asked.kill_after)
        rest_s, told = copy(source, target)
        again_s, same = copy(source, target)
    print(f"{asked.documents} documents, {megabytes:.0f} MB, to {target}")
    print(f"killed after {asked.kill_after:g} s; went on: {told['revisions']} in {rest_s:.1f} s")
    print(f"once more, nothing left to copy: {same['revisions']} in {again_s:.1f} s")


if __name__ == "__main__":
    main()
