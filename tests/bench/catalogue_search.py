"""Search in a catalogue of 100 000 results: medians by kind of question."""

import random
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from gnomon.ioc.base.config import Config
from gnomon.services.catalogue import Catalogue, CatalogueEntry, CataloguePlaces, CatalogueQuery
from gnomon.services.catalogue.catalogue_index import CatalogueIndex

PROCEDURES = ("orm", "dispersion", "chromaticity", "bba", "lifetime")
BEGAN = datetime(2024, 1, 1, tzinfo=UTC)

#: Questions, by what they ask for.
QUESTIONS = {
    "newest": CatalogueQuery(),
    "a word of all": CatalogueQuery("bessy2"),
    "a word of few": CatalogueQuery("HS4P17D1R"),
    "beginnings of words": CatalogueQuery("chro machine"),
    "fields": CatalogueQuery(kind="result", machine="mls", user="anna"),
    "words and fields": CatalogueQuery("shift note", procedure="bba", user="bert", since_us=1_720_000_000_000_000),
    "two common words that never meet": CatalogueQuery("orm dispersion"),
    "nothing": CatalogueQuery("quetzalcoatl"),
}


def fill(places: CataloguePlaces, count: int) -> None:
    """Put entries into the index, and files of their names into the folder, which are not read."""
    draw = random.Random(1)
    places.results.mkdir()
    rows = []
    for n in range(count):
        procedure, at = draw.choice(PROCEDURES), BEGAN + timedelta(seconds=900 * n)
        name = f"{procedure}-{at:%Y%m%dT%H%M%S}.{n % 1000:03d}"
        entry = CatalogueEntry(
            identifier=f"gnomon:result/{draw.getrandbits(256):064x}", kind="result", name=name, procedure=procedure,
            made=at.isoformat(), machine="mls" if n % 10 == 0 else "bessy2",
            user=draw.choice(("anna", "bert", "carla")), note=f"shift {n // 30}, a note about the machine",
            file=f"{name}.h5",
        )  # fmt: skip
        devices = " ".join(f"HS4P{draw.randint(1, 32)}D{draw.randint(1, 8)}R" for _ in range(20))
        words = f"{name} {entry.note} {entry.machine} {entry.user} {devices}"
        rows.append(("results", f"{name}.h5", "", True, entry, words))
        (places.results / f"{name}.h5").touch()
    with CatalogueIndex(places.index()) as index:
        index.change("results", rows=rows)


def timed(call: Callable[[], Any], repeat: int = 7) -> float:
    """Time a call: the median [ms]."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        call()
        times.append(1e3 * (time.perf_counter() - start))
    return median(times)


def main(count: int = 100_000) -> None:
    """Print a table."""
    with tempfile.TemporaryDirectory() as folder:
        places = CataloguePlaces(Path(folder) / "results", Config(store={"path": Path(folder) / "documents.sqlite"}))
        start = time.perf_counter()
        fill(places, count)
        print(f"{count} entries, {places.index().stat().st_size / 2**20:.0f} MiB: {time.perf_counter() - start:.1f} s")
        start = time.perf_counter()
        with Catalogue(places) as catalogue:
            print(f"opened, folder listed: {1e3 * (time.perf_counter() - start):.0f} ms")
            time.sleep(2.5)
            catalogue.update()
            print(f"update, nothing new: {timed(catalogue.update):.1f} ms")
            for what, query in QUESTIONS.items():
                found = len(catalogue.find(query))
                print(f"{what}: {timed(lambda query=query: catalogue.find(query)):.1f} ms, {found} found")  # type: ignore[misc]
            some = catalogue.find(CatalogueQuery(skip=count // 2, count=1))[0].identifier
            print(f"identifier: {timed(lambda: catalogue.resolve(some[:24])):.1f} ms")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
