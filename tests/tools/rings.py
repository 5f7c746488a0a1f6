"""Import rings that other people wrote and compare their tunes with other codes', `python -m tests.tools.rings`.

Writes the section of docs/accuracy.md between its two marks. Rings of packages that are not installed are told so; all
of them are there after `pip install atip cpymad` and `pip install --no-deps lat2db`.

`python -m tests.tools.accuracy --folder DIR` does the same with all lattice files below a folder and prints the table.
A file `options.json` there may say what a file needs: {"ring.madx": {"format": "madx", "harmonic_number": 10}}, with
the names of `ImportOptions`. Each file has a process and 120 s of its own. MAD-X files are compared with MAD-X, others
with pyAT tracking the file as pyAT itself reads it, or, where it does not, tracking what we export.
"""

import importlib.util
import json
import re
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import at
import numpy as np

from gnomon.db import shipped_machine
from gnomon.lattice import GnomonError, Ring, parse_machine
from gnomon.lattice.exchange import ImportOptions, RefusedLattice, export_machine, import_machine, render
from gnomon.propagator import Propagator

DOCUMENT = Path(__file__).parents[2] / "docs" / "accuracy.md"
BEGIN, END = "<!-- rings: begin, written by tests/tools/rings.py -->", "<!-- rings: end -->"

HEAD = """| ring | from | elements | verdict | tunes | largest difference to pyAT |
|---|---|---|---|---|---|"""

#: Formats by the ending of a file's name, and the longest time for one file of a folder [s].
ENDINGS = {
    ".mat": "at-mat", ".m": "at-m", ".madx": "madx", ".mad": "madx", ".seq": "madx", ".lte": "elegant", ".lat": "tracy",
    ".repr": "at-repr",
}  # fmt: skip
LIMIT_S = 120.0

#: Slices at which integration no longer shows beside MAD-X's matrices.
FINE = 100


@dataclass(frozen=True)
class Case:
    """A file of a package, or of the folder `package`; `options` are those that the file needs."""

    package: str
    path: str
    format: str
    title: str
    options: ImportOptions = field(default_factory=ImportOptions)
    of_folder: bool = False

    def file(self) -> Path | None:
        """Path of the file, None when its package is not installed."""
        if self.of_folder:
            return Path(self.package) / self.path
        spec = importlib.util.find_spec(self.package)
        return None if spec is None or spec.origin is None else Path(spec.origin).parent / self.path


CASES = (
    Case("machine_data", "australian_synchrotron.m", "at-m", "Australian Synchrotron"),
    Case("machine_data", "dba.mat", "at-mat", "double-bend achromat", ImportOptions(harmonic_number=10)),
    Case("machine_data", "esrf.m", "at-m", "ESRF before EBS"),
    Case("machine_data", "hmba.mat", "at-mat", "ESRF-EBS, 32 cells"),
    Case("machine_data", "noenergy.mat", "at-mat", "ESRF-EBS, no energy"),
    Case("machine_data", "noringparam.mat", "at-mat", "ESRF-EBS, no header"),
    Case("machine_data", "err.mat", "at-mat", "ESRF-EBS with errors"),
    Case("machine_data", "errnoclass.mat", "at-mat", "ESRF-EBS with errors, no classes"),
    Case("machine_data", "soleil.m", "at-m", "SOLEIL"),
    Case("machine_data", "thomx.m", "at-m", "ThomX"),
    Case("atip", "rings/DIAD.mat", "at-mat", "Diamond (DIAD)"),
    Case("atip", "rings/DIAD_WIG.mat", "at-mat", "Diamond (DIAD, wigglers)"),
    Case("atip", "rings/I04.mat", "at-mat", "Diamond (I04)"),
    Case("atip", "rings/48.mat", "at-mat", "Diamond-II (48)"),
    Case("atip", "rings/49.mat", "at-mat", "Diamond-II (49)"),
    Case("lat2db", "db/bessyii_lattice_json.json", "lat2db", "BESSY II of lat2db"),
    Case("lat2db", "db/mls_lattice_json.json", "lat2db", "MLS of lat2db"),
)


def tunes_of_pyat(ring: Any) -> np.ndarray:
    """Fractional tunes (2,), sorted, of a ring's whole turn at momentum deviation 0, by fourth-order differences.

    Folded to 0 to 0.5, since eigenvalues do not tell a tune from its mirror image.
    """
    ring = ring.deepcopy()
    ring.disable_6d()
    ring = at.Lattice(list(ring) * int(ring.periodicity), energy=ring.energy, periodicity=1)
    orbit, _ = at.find_orbit4(ring, convergence=1e-15, max_iterations=12, XYStep=1e-7)
    shifts, weights, step = (-2.0, -1.0, 1.0, 2.0), np.array([1.0, -8.0, 8.0, -1.0]) / 12.0, 4e-6
    start = np.asfortranarray(np.repeat(orbit[:, None], 16, axis=1))
    for column in range(4):
        for number, shift in enumerate(shifts):
            start[column, 4 * column + number] += shift * step
    ring.track(start, nturns=1, in_place=True, refpts=None)
    turn = np.column_stack([start[:4, 4 * c : 4 * c + 4] @ weights / step for c in range(4)])
    return folded(np.angle(np.linalg.eigvals(turn)) / (2.0 * np.pi))


def folded(tunes: np.ndarray) -> np.ndarray:
    """Two tunes without integers, mirrored into 0 to 0.5, sorted."""
    every = np.sort(np.abs((np.asarray(tunes) + 0.5) % 1.0 - 0.5))
    return every if every.size == 2 else every[::2]


def tunes_of(ring: Ring) -> tuple[np.ndarray, str]:
    """Tunes with their integers, and why there are none."""
    beam = Propagator(ring, "orbit", chromatic=False)(ring.nominal)
    return beam.tune, beam.reason


def pyat_ring(case: Case, file: Path, ring: Ring) -> tuple[Any, str]:
    """A case as pyAT alone has it, or through our own export where pyAT does not read it, which the words say."""
    if case.format.startswith("at-"):
        return at.load_lattice(file), ""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "ring.json"
        export_machine(ring.nominal, "at-json", out)
        return at.load_json(out), "" if case.format == "lat2db" else " (pyAT, our export)"


def apart(case: Case, file: Path, ring: Ring, tunes: np.ndarray) -> str:
    """The largest difference in tune to the code that the file belongs to, or to pyAT."""
    if case.format == "madx" and importlib.util.find_spec("cpymad") is not None:
        use = case.options.use or ring.name
        try:
            theirs = file_in_madx(file, use)
        except (RuntimeError, ValueError, OSError, AttributeError) as error:
            return f"MAD-X: {str(error).splitlines()[0][:80]}"
        return f"{np.max(np.abs(folded(tunes) - folded(theirs))):.1e} (MAD-X)"
    theirs, words = pyat_ring(case, file, ring)
    return f"{np.max(np.abs(folded(tunes) - tunes_of_pyat(theirs))):.1e}{words}"


def row(case: Case) -> str:
    """One line of the table."""
    origin = "" if case.of_folder else f"`{case.package}`, "
    head = f"| {case.title} | {origin}{Path(case.path).name} |"
    file = case.file()
    if file is None:
        return f"{head} | not run: {case.package} is not installed | | |"
    try:
        imported, verdict = import_machine(file, case.format, case.options), "imported"
    except RefusedLattice as refused:
        verdict = "refused: " + "; ".join(dict.fromkeys(_brief(f.kind, f.attribute, f.why) for f in refused.findings))
        imported = import_machine(file, case.format, replace(case.options, approximate=True))
    except GnomonError as error:
        return f"{head} | not read: {_shortened(error, file)} | | |"
    ring = Ring(imported.parsed(str(file)))
    tunes, reason = tunes_of(ring)
    if reason:
        return f"{head} {len(ring.elements)} | {verdict} | approximated: {reason} | |"
    how = "" if verdict == "imported" else "approximated: "
    difference = apart(case, file, ring, tunes)
    return f"{head} {len(ring.elements)} | {verdict} | {tunes[0]:.6f} {tunes[1]:.6f} | {how}{difference} |"


def _brief(kind: str, attribute: str, why: str) -> str:
    attribute = re.sub(r"\[.*", "", attribute).replace("Entrance", "").replace("Exit", "")
    return f"{kind} {attribute}: {why}"


def _shortened(error: Exception, file: Path) -> str:
    return str(error).replace(str(file), file.name).split(": ", 1)[-1]


def round_trip(name: str) -> Iterator[str]:
    """Lines of a shipped machine that went out and came back."""
    ring = shipped_machine(name)
    tunes, _ = tunes_of(ring)
    with tempfile.TemporaryDirectory() as folder:
        for format, file, load in (
            ("at-json", Path(folder) / "ring.json", at.load_json),
            ("madx", Path(folder) / "ring.seq", at.load_madx),
        ):
            export_machine(ring.nominal, format, file)
            back = Ring(import_machine(file, format, ImportOptions(name=name)).parsed(str(file)))
            ours = np.max(np.abs(tunes_of(back)[0] - tunes))
            pyat = np.max(np.abs(folded(tunes) - tunes_of_pyat(load(file))))
            yield f"| {name} | {format} | {pyat:.1e} | {ours:.1e} |"
        yield from _madx(name, ring, Path(folder))


def _madx(name: str, ring: Ring, folder: Path) -> Iterator[str]:
    if importlib.util.find_spec("cpymad") is None:
        yield f"| {name} | MAD-X's own twiss | not run: cpymad is not installed | |"
        return
    for slices in (None, FINE):
        machine = ring if slices is None else finer(ring, slices)
        tunes, _ = tunes_of(machine)
        difference = np.max(np.abs(madx_tunes(machine, folder / f"{name}.seq") - tunes))
        yield f"| {name}, {slices or 10} slices | MAD-X's own twiss | {difference:.1e} | |"


def madx_tunes(ring: Ring, file: Path) -> np.ndarray:
    """Tunes (2,) with integers of MAD-X itself, cavities off."""
    export_machine(ring.nominal, "madx", file)
    file.write_text(re.sub(r"\bvolt=[^,;]*", "volt=0.0", file.read_text()))
    return file_in_madx(file, "ring")


def file_in_madx(file: Path, use: str) -> np.ndarray:
    """Tunes (2,) with integers that MAD-X finds in a file, cavities off."""
    from cpymad.madx import Madx

    madx = Madx(stdout=False)
    try:
        madx.call(str(file), chdir=True)
        for name in [name for name, each in madx.elements.items() if each.base_type.name == "rfcavity"]:
            madx.input(f"{name}, volt=0;")
        madx.use(sequence=use)
        found = madx.twiss().summary
        return np.array([found.q1, found.q2])
    finally:
        madx.quit()


def of_folder(folder: Path) -> Iterator[Case]:
    """The lattice files below a folder, with what its `options.json` says of them."""
    told = folder / "options.json"
    options = json.loads(told.read_text(encoding="utf-8")) if told.is_file() else {}
    for file in sorted(folder.rglob("*")):
        path = str(file.relative_to(folder))
        given = dict(options.get(path, {}))
        format = given.pop("format", None) or format_of(file)
        if format is not None:
            yield Case(str(folder), path, format, file.stem, ImportOptions(**given), of_folder=True)


def format_of(file: Path) -> str | None:
    """A file's format by its ending and, for JSON, its keys; None for a file that is not a lattice."""
    if file.suffix != ".json":
        return ENDINGS.get(file.suffix.lower())
    if file.name == "options.json":
        return None
    try:
        read = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        return "at-json"  # whose reader says what is wrong
    keys = set(read) if isinstance(read, dict) else set()
    if "schema" in keys:
        return None  # a machine document of our own
    if "elements" in keys:
        return "at-json" if isinstance(read["elements"], list) else "lattice-json"
    return "lat2db"


def print_folder(folder: Path) -> None:
    """Print the table of a folder's files, each worked out by a process of its own within `LIMIT_S`."""
    print(HEAD, flush=True)
    folder, root = folder.resolve(), Path(__file__).resolve().parents[2]
    for case in of_folder(folder):
        command = [sys.executable, "-m", "tests.tools.rings", "--one", str(folder), case.path]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False, cwd=root)
        except subprocess.TimeoutExpired:
            print(f"| {case.title} | {Path(case.path).name} | | no answer within {LIMIT_S:g} s | | |", flush=True)
            continue
        last = (done.stderr.strip().splitlines() or ["nothing"])[-1][:120]
        print(
            done.stdout.strip() or f"| {case.title} | {Path(case.path).name} | | failed: {last} | | |",
            flush=True,
        )


def finer(ring: Ring, slices: int) -> Ring:
    """The ring with all thick magnets integrated in `slices`."""
    document = ring.document.model_dump(by_alias=True, mode="json")
    for part in document["elements"]:
        if part["type"] in ("quadrupole", "sextupole", "octupole", "multipole", "bend"):
            part["slices"] = slices
    return Ring(parse_machine(render(document), ring.name))


def section() -> str:
    """The text between the marks."""
    progress: Callable[[str], Any] = lambda what: print(what, file=sys.stderr, flush=True)  # noqa: E731
    lines = [HEAD]
    for case in CASES:
        progress(case.title)
        lines.append(row(case))
    lines += [
        "",
        "| shipped machine | out and back | pyAT's tunes of the file | our tunes of the file |",
        "|---|---|---|---|",
    ]
    for name in ("bessy2", "mls"):
        progress(name)
        lines += list(round_trip(name))
    return "\n".join([BEGIN, "", *lines, "", END])


def main() -> None:
    """Rewrite the section, or, with `--one FOLDER FILE`, print the line of one file."""
    warnings.simplefilter("ignore")
    if sys.argv[1:2] == ["--one"]:
        folder, path = Path(sys.argv[2]), sys.argv[3]
        print(next(row(case) for case in of_folder(folder) if case.path == path))
        return
    text = DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    DOCUMENT.write_text(before + section() + rest.partition(END)[2], encoding="utf-8")


if __name__ == "__main__":
    main()
