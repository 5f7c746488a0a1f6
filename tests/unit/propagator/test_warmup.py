"""Kernels are compiled once, kept for the user, and leave numba as it was for others."""

import os
import shutil
import sys
from pathlib import Path

import pytest

import gnomon.propagator
from gnomon.db import shipped_machine
from gnomon.propagator import compile_kernels, kernels_are_cached
from gnomon.propagator.compiled import cache_folder, settings, source_digest, usable
from gnomon.propagator.studies.study_warmup import compile_study_kernels, study_kernels_are_cached


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


def test_without_a_home_that_can_be_written_the_cache_is_beside_the_installation(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/dev/null")
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))
    assert cache_folder().parent == tmp_path / "venv" / "var" / "cache" / "gnomon"
    monkeypatch.setattr(sys, "prefix", "/dev/null")
    assert cache_folder().parent == Path("/dev/null/.cache/gnomon")


def test_a_folder_that_cannot_be_made_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert not usable(tmp_path / "file" / "kernels")
    assert usable(tmp_path / "new" / "kernels")


def test_numba_keeps_its_own_cache_setting_for_others() -> None:
    assert "gnomon" not in str(settings.CACHE_DIR)


PROPAGATOR = Path(gnomon.propagator.__file__).parent
MODULES = sorted(path.relative_to(PROPAGATOR).as_posix() for path in PROPAGATOR.rglob("*.py"))


@pytest.fixture(scope="module")
def copy_of_sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the propagator's modules that tests may damage."""
    copy = tmp_path_factory.mktemp("sources") / "propagator"
    shutil.copytree(PROPAGATOR, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def test_a_change_of_any_module_changes_the_name_of_the_cache(copy_of_sources: Path) -> None:
    digest = source_digest.__wrapped__
    names = [digest(copy_of_sources)]
    for module in MODULES:
        with (copy_of_sources / module).open("a") as file:
            file.write("\nCHANGED = 1.0\n")
        names.append(digest(copy_of_sources))
    assert [module for module, name, before in zip(MODULES, names[1:], names, strict=False) if name == before] == []


def test_a_module_that_comes_goes_or_moves_changes_the_name_of_the_cache(tmp_path: Path) -> None:
    digest = source_digest.__wrapped__
    (tmp_path / "six").mkdir()
    (tmp_path / "steps.py").write_text("STEP = 1.0\n")
    alone = digest(tmp_path)
    (tmp_path / "six" / "steps.py").write_text("STEP = 2.0\n")
    both = digest(tmp_path)
    (tmp_path / "steps.py").unlink()
    (tmp_path / "six" / "steps.py").write_text("STEP = 1.0\n")
    assert len({alone, both, digest(tmp_path)}) == 3


def test_an_entry_point_that_only_got_a_new_time_changes_the_name_of_the_cache(tmp_path: Path) -> None:
    digest = source_digest.__wrapped__
    entry, other = tmp_path / "entry.py", tmp_path / "other.py"
    entry.write_text("\n@kernel\ndef find(): ...\n")
    other.write_text("STEP = 1.0\n")
    before = digest(tmp_path)
    os.utime(other, ns=(0, 0))
    assert digest(tmp_path) == before
    os.utime(entry, ns=(0, 0))
    assert digest(tmp_path) != before


def test_the_modules_of_this_installation_name_its_cache() -> None:
    assert source_digest.__wrapped__(PROPAGATOR) == source_digest()
    assert {"six/six_elements.py", "ensembles/lanes.py", "derivatives/body_variations.py"} <= set(MODULES)
