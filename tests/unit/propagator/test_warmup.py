"""Kernels are compiled once, kept for the user, and leave numba as it was for others."""

from pathlib import Path

import pytest

from gnomon.db import shipped_machine
from gnomon.propagator import compile_kernels, kernels_are_cached
from gnomon.propagator.compiled import SOURCES, cache_folder, settings, usable
from gnomon.propagator.study_warmup import compile_study_kernels, study_kernels_are_cached


def test_progress_goes_through_all_kernels_and_the_cache_then_has_them() -> None:
    seen: list[tuple[str, int, int]] = []
    compile_kernels(lambda name, done, total: seen.append((name, done, total)))
    assert [done for _, done, _ in seen] == list(range(len(seen)))
    assert seen[-1][1] == seen[-1][2] == len(seen) - 1
    assert kernels_are_cached()


def test_studies_have_kernels_and_a_mark_of_their_own() -> None:
    seen: list[tuple[str, int, int]] = []
    compile_study_kernels(shipped_machine("mls"), lambda name, done, total: seen.append((name, done, total)))
    assert [done for _, done, _ in seen] == list(range(len(seen)))
    assert seen[-1][1] == seen[-1][2] == len(seen) - 1
    assert study_kernels_are_cached()


def test_cache_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder().parent == tmp_path / "xdg" / "gnomon"
    assert not kernels_are_cached()
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "numba"))
    assert cache_folder().is_relative_to(tmp_path / "numba")
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder().parent == tmp_path / ".cache" / "gnomon"


def test_a_folder_that_cannot_be_made_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert not usable(tmp_path / "file" / "kernels")
    assert usable(tmp_path / "new" / "kernels")


def test_numba_keeps_its_own_cache_setting_for_others() -> None:
    assert "gnomon" not in str(settings.CACHE_DIR)


def test_every_module_with_compiled_code_decides_the_name_of_the_cache() -> None:
    import gnomon.propagator

    folder = Path(gnomon.propagator.__file__).parent
    marked = {p.stem for p in folder.glob("*.py") if "@compiled" in p.read_text() or "@kernel" in p.read_text()}
    assert marked <= set(SOURCES)
