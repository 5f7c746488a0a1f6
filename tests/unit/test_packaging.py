"""The folders at the root are one package named gnomon, whose layers hold and which can be taken apart again."""

import importlib
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import gnomon
from tools.folders import FOLDERS, ROOT

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_folder_at_the_root_imports_under_gnomon_by_a_relative_link(folder: str) -> None:
    link = ROOT / "src" / "gnomon" / folder
    assert link.is_symlink()
    assert link.readlink() == Path("../..") / folder
    module = importlib.import_module(f"gnomon.{folder}")
    assert module.__file__ is not None
    assert Path(module.__file__).resolve() == ROOT / folder / "__init__.py"


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_folder_with_modules_is_a_package_so_that_the_wheel_has_it(folder: str) -> None:
    holders = {path.parent for path in (ROOT / folder).rglob("*.py")}
    assert ROOT / folder in holders
    assert [str(holder) for holder in holders if not (holder / "__init__.py").is_file()] == []


def test_the_configuration_ships_inside_the_package() -> None:
    assert (ROOT / "src" / "gnomon" / "ioc_config.yaml").resolve() == ROOT / "ioc_config.yaml"
    assert (ROOT / "ioc_config.yaml").is_file()


def test_the_version_stands_in_one_place_and_is_cited() -> None:
    assert "version" not in PYPROJECT["project"]
    assert PYPROJECT["project"]["dynamic"] == ["version"]
    assert PYPROJECT["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "gnomon._version.__version__"}
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == gnomon.__version__


def test_the_changes_begin_with_what_is_not_released_and_know_this_version() -> None:
    titles = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert titles[0] == "Unreleased"
    assert all(re.fullmatch(r"\d+\.\d+\.\d+ - \d{4}-\d\d-\d\d", title) for title in titles[1:])


def test_the_short_names_are_banned_for_all_folders() -> None:
    banned = PYPROJECT["tool"]["ruff"]["lint"]["flake8-tidy-imports"]["banned-api"]
    assert sorted(banned) == sorted(FOLDERS)


def test_no_module_is_imported_by_its_short_name() -> None:
    short = re.compile(rf"^\s*(?:import|from) (?:{'|'.join(FOLDERS)})(?:[ .]|\s*$)", re.MULTILINE)
    assert short.search("x = 1\nfrom lattice.ring import Ring")
    found = {
        str(path.relative_to(ROOT)): match.group()
        for folder in (*FOLDERS, "tests")
        for path in (ROOT / folder).rglob("*.py")
        if (match := short.search(path.read_text()))
    }
    assert found == {}


def modules_after(code: str) -> set[str]:
    """Top modules and gnomon's own that a fresh interpreter has loaded after running `code`."""
    code += "\nimport json, sys; print('\\n' + json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_lattice_loads_no_epics_no_event_loop_and_no_compiler() -> None:
    assert not modules_after("import gnomon.lattice") & {"caproto", "p4p", "epics", "numba", "asyncio"}


@pytest.mark.slow(2)
def test_the_recorder_never_loads_fault_injection() -> None:
    code = "import pkgutil, importlib, gnomon.recorder as r\n"
    code += "for m in pkgutil.walk_packages(r.__path__, 'gnomon.recorder.'): importlib.import_module(m.name)"
    assert not {name for name in modules_after(code) if name.startswith("gnomon.fault_injection")}


def test_the_replay_command_never_loads_fault_injection() -> None:
    code = "import sys; sys.argv = ['gnomon', 'replay', '--help']\nfrom gnomon.cli import main\n"
    code += "try: main()\nexcept SystemExit as end: assert not end.code, end.code"
    loaded = modules_after(code)
    assert "gnomon.cli" in loaded
    assert not {name for name in loaded if name.startswith("gnomon.fault_injection")}


def test_source_files_stay_short_enough_to_read() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*.py")
    }
    assert lengths
    assert {name: lines for name, lines in lengths.items() if lines > 500} == {}
