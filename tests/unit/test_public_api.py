"""Public modules say what they offer, each stands on a reference page, and a contract keeps the others private."""

import ast
import importlib
import re
import tomllib
from functools import cache
from pathlib import Path

import pytest
from each_case import each_case

from tools.syntax import imports

ROOT = Path(__file__).parents[2]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
PROTECTED = {c["protected_modules"][0].split(".")[1]: c for c in CONTRACTS if c["type"] == "protected"}
#: Folders from which other folders import. Nobody imports the command line.
FOLDERS = sorted(
    path.name
    for path in (ROOT / "src" / "gnomon").iterdir()
    if path.is_dir() and path.name not in ("cli", "__pycache__")
)
PUBLIC = sorted(
    {f"gnomon.{folder}" for folder in PROTECTED}
    | {line.split(" -> ")[1] for contract in PROTECTED.values() for line in contract.get("ignore_imports", ())}
)


@pytest.mark.parametrize("folder", sorted(PROTECTED))
def test_a_contract_keeps_the_private_modules_of_a_folder_private(folder: str) -> None:
    contract = PROTECTED[folder]
    assert contract["protected_modules"] == [f"gnomon.{folder}.**"]
    assert contract["allowed_importers"] == [f"gnomon.{folder}"]
    importers = {line.split(f" -> gnomon.{folder}.")[0] for line in contract.get("ignore_imports", ())}
    assert importers <= {"gnomon", "gnomon.**"}  # the package itself, and everything in it


def test_every_folder_has_such_a_contract() -> None:
    assert len(FOLDERS) >= 6
    assert [folder for folder in FOLDERS if folder not in PROTECTED] == []


@each_case(PUBLIC)
def test_a_public_module_has_all_the_names_that_it_lists(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__
    assert [item for item in module.__all__ if not hasattr(module, item)] == []
    assert [item for item in module.__all__ if item.startswith("_")] == []


def test_reference_pages_show_the_public_modules_and_no_others() -> None:
    pages = (ROOT / "docs" / "reference" / "api").glob("*.md")
    shown = [name for page in pages for name in re.findall(r"^.. automodule:: (\S+)", page.read_text(), re.MULTILINE)]
    assert sorted(shown) == sorted({"gnomon", *PUBLIC})


@cache
def listed(name: str) -> set[str]:
    """Names that other folders may import from a module."""
    module = importlib.import_module(name)
    names = {*module.__all__, *(item.removeprefix(f"{name}.") for item in PUBLIC)}
    return names | {item for item in vars(module) if item.isupper()} if name == "gnomon.db.sources" else names


@pytest.mark.slow(1)
def test_folders_import_names_that_public_modules_list() -> None:
    unlisted = []
    for folder in (*PROTECTED, "cli"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in imports(path):
                if not isinstance(node, ast.ImportFrom):
                    continue
                name = node.module or ""
                if name not in PUBLIC or name.split(".")[1] == folder:
                    continue
                unlisted += [f"{path}: {name}.{a.name}" for a in node.names if a.name not in listed(name)]
    assert unlisted == []
