"""Imports have a direction: no module imports itself, however long the way around."""

import ast
import re
from collections.abc import Container, Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tools.folders import FOLDERS, ROOT
from tools.syntax import Import, imports, imports_of


def name_of(path: Path) -> str:
    """The name that a file is imported by."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(("gnomon", *parts)).removesuffix(".__init__")


FILES = {name_of(path): path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")}


def imported(statements: Iterable[Import], files: Container[str]) -> Iterator[str]:
    """Modules among `files` that statements import."""
    for node in statements:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in files)
        elif node.module:
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                if (known := name if name in files else node.module) in files:
                    yield known


def circle(statements: Mapping[str, Iterable[Import]]) -> list[str]:
    """The modules of a circle of imports, given those of each module; empty if there is none."""
    try:
        TopologicalSorter({name: set(imported(those, statements)) for name, those in statements.items()}).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def circle_of_texts(**sources: str) -> list[str]:
    return circle({name.replace("__", "."): tuple(imports_of(source)) for name, source in sources.items()})


@pytest.mark.slow(1)
def test_no_module_imports_itself_around_any_corner() -> None:
    assert len(FILES) > 300
    assert circle({name: imports(path) for name, path in FILES.items()}) == []


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
    assert set(circle_of_texts(p="", p__a="from p.b import B", p__b=back)) == {"p.a", "p.b"}
    assert circle_of_texts(p="", p__a="from p.b import B", p__b="") == []


def test_a_package_and_its_module_are_a_circle_too() -> None:
    assert circle_of_texts(p="from p.a import A", p__a="from p import B")


def test_nothing_loads_pymongo_before_a_store_in_mongodb_is_used() -> None:
    texts = {name: path.read_text(encoding="utf-8") for name, path in FILES.items()}
    at_once = re.compile(r"^(from|import) (pymongo|bson)\b", re.MULTILINE)
    assert [name for name, text in texts.items() if at_once.search(text)] == []
    assert sorted(name for name, text in texts.items() if "gnomon.db.mongo_store import" in text) == [
        "gnomon.db.lat2db_collection",
        "gnomon.db.store_place",
        "gnomon.services.forward.mongodb_downstream",
    ]
