"""Imports run in a child with limits: whatever the file, a document or a message comes in bounded time and memory."""

import resource
import time
from pathlib import Path

import pytest
from patience import PATIENCE_S

from gnomon.lattice.exchange import (
    ExchangeError,
    ImportOptions,
    RefusedLattice,
    import_isolated,
    import_machine,
    render,
)
from unit.lattice.exchange.rings import MADX, saved, small_ring

REPOSITORY = Path(__file__).parents[4]
LARGE = "beam, energy=1; d: drift, l=1; q: quadrupole, l=1, k1=0.1; ring: line=(200000*(q,d));"


def written(folder: Path, text: str) -> Path:
    file = folder / "ring.madx"
    file.write_text(text)
    return file


def test_an_isolated_import_gives_the_same_document(tmp_path: Path) -> None:
    file = written(tmp_path, MADX)
    options = ImportOptions(name="mine", slices=12)
    here, there = import_machine(file, "madx", options), import_isolated(file, "madx", options)
    assert render(there.document) == render(here.document)
    assert there.findings == here.findings


@pytest.mark.slow  # two seconds to load that library
def test_a_reader_of_another_library_has_the_same_limits(tmp_path: Path) -> None:
    file = saved(small_ring(), tmp_path)
    assert render(import_isolated(file, "at-json").document) == render(import_machine(file, "at-json").document)


@pytest.mark.slow(1)  # a process
def test_a_refusal_comes_with_its_findings(tmp_path: Path) -> None:
    file = written(tmp_path, MADX.replace("d: drift", "d: solenoid, ks=0.1"))
    with pytest.raises(RefusedLattice, match=r"solenoid ks: acts on the beam .*: d \(line 13\)") as refused:
        import_isolated(file, "madx")
    assert [f.attribute for f in refused.value.findings] == ["ks"]
    assert "--drop NAME" in str(refused.value)


def test_time_is_limited(tmp_path: Path) -> None:
    begun = time.monotonic()
    with pytest.raises(ExchangeError, match=r"ring\.madx: not read as madx within 1 s"):
        import_isolated(written(tmp_path, LARGE), "madx", ImportOptions(harmonic_number=10), max_seconds=1.0)
    assert time.monotonic() - begun < PATIENCE_S


@pytest.mark.slow(1)  # a process
def test_memory_is_limited(tmp_path: Path) -> None:
    options, said = ImportOptions(harmonic_number=10), r"ring\.madx: not read as madx: more than 80 MB of memory"
    with pytest.raises(ExchangeError, match=said):
        import_isolated(written(tmp_path, LARGE), "madx", options, max_memory=80_000_000)


@pytest.mark.slow(1)  # a process
def test_a_text_that_is_not_a_lattice_is_refused_within_a_second_and_200_mb() -> None:
    begun = resource.getrusage(resource.RUSAGE_CHILDREN)
    with pytest.raises(ExchangeError, match=r"README\.md: not MAD-X: "):
        import_isolated(REPOSITORY / "README.md", "madx")
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert ended.ru_utime + ended.ru_stime - begun.ru_utime - begun.ru_stime < 1.0
    with pytest.raises(ExchangeError, match=r"README\.md: not MAD-X: "):
        import_isolated(REPOSITORY / "README.md", "madx", max_memory=200_000_000)


@pytest.mark.slow(1)  # a process
def test_modules_in_the_present_folder_are_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("json", "numpy", "at", "gnomon"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    assert import_isolated(written(tmp_path, MADX), "madx").document["elements"]


def test_a_child_process_that_ends_by_itself_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(ExchangeError, match=r"its reader ended by itself \(exit code 1\)"):
        import_isolated(written(tmp_path, MADX), "madx")
