"""Imports have a direction: no module imports itself, however long the way around."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tools.folders import FOLDERS, ROOT


def name_of(path: Path) -> str:
    """The name that a file is imported by."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(("gnomon", *parts)).removesuffix(".__init__")


FILES = {name_of(path): path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")}


def imported(source: str, files: frozenset[str]) -> Iterator[str]:
    """Modules that a text imports anywhere: on its first level, for types alone, within functions."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in files)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                if (known := name if name in files else node.module) in files:
                    yield known


def circle(sources: dict[str, str]) -> list[str]:
    """The modules of a circle of imports in these texts, empty if there is none."""
    files = frozenset(sources)
    try:
        TopologicalSorter({name: set(imported(source, files)) for name, source in sources.items()}).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_module_imports_itself_around_any_corner() -> None:
    assert len(FILES) > 300
    assert circle({name: path.read_text(encoding="utf-8") for name, path in FILES.items()}) == []


@pytest.mark.parametrize(
    "back",
    [
        "from p.a import A",
        "def late():\n    from p.a import A",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from p import a",
        "import p.a",
    ],
)
def test_a_circle_is_found_wherever_the_import_stands(back: str) -> None:
    assert set(circle({"p": "", "p.a": "from p.b import B", "p.b": back})) == {"p.a", "p.b"}
    assert circle({"p": "", "p.a": "from p.b import B", "p.b": ""}) == []


def test_a_package_and_its_module_are_a_circle_too() -> None:
    assert circle({"p": "from p.a import A", "p.a": "from p import B"})
