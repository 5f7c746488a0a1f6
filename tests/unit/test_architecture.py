"""The architecture page is true: what it names exists, and what it says to search for is found once."""

import re
from functools import cache

import pytest
from each_case import each_case

from tools.folders import FOLDERS, ROOT

PAGE = ROOT / "docs" / "explanations" / "architecture.md"


def named() -> list[str]:
    """Every file or folder of the repository that the page names."""
    pieces = re.findall(r"`([\w.]+/[\w/.]*)`", PAGE.read_text(encoding="utf-8"))
    return sorted(
        {piece for piece in pieces if piece.split("/")[0] in (*FOLDERS, "tests", "docs", "src", ".ci", ".github")}
    )


def concepts() -> list[tuple[str, str]]:
    """The words to search for and the module, of each row of the table "Where things are"."""
    table = PAGE.read_text(encoding="utf-8").split("## Where things are")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines() if line.startswith("|")]
    return [(words, module.strip("`")) for _, words, module in rows[2:]]


def places() -> list[str]:
    """Every module and package, as a path; a package stands for itself, not for each of its modules."""
    files = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py") if path.name != "__init__.py"]
    packages = {path.parent for path in files}
    return [str(path.relative_to(ROOT)) for path in files] + [f"{path.relative_to(ROOT)}/" for path in packages]


@cache
def words_of_places() -> dict[str, set[str]]:
    return {place: set(re.split(r"[_/.]", place.rstrip("/").split("/")[-1])) for place in places()}


def matches(words: str) -> list[str]:
    """Modules and packages whose own name has all of the words."""
    wanted = set(words.split())
    return [place for place, names in words_of_places().items() if wanted <= names]


def test_every_module_that_the_page_names_exists() -> None:
    assert len(named()) > 30
    assert [name for name in named() if not (ROOT / name).exists()] == []


def test_the_page_leads_to_every_folder_with_modules() -> None:
    parents = {parent for name in named() for parent in (ROOT / name, *(ROOT / name).parents)}
    folders = {path.parent for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")}
    assert sorted(str(folder.relative_to(ROOT)) for folder in folders - parents) == []


@each_case(concepts())
def test_a_concept_is_found_by_its_words_once(words: str, module: str) -> None:
    assert matches(words) == [module]


@pytest.mark.parametrize(
    "concept",
    ["drive limits", "duplicate pvs", "initial state", "address lists", "connection limits", "multiplexer", "lifetime",
     "momentum from rf", "rpc"],
)  # fmt: skip
def test_the_table_has_the_concepts_that_newcomers_ask_for(concept: str) -> None:
    assert concept in {words for words, _ in concepts()}
