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


def change_rows() -> list[tuple[str, str]]:
    """Both cells of each row of the tables "Where to change what"."""
    tables = PAGE.read_text(encoding="utf-8").split("## Where to change what")[1]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in tables.splitlines() if line.startswith("| ")]
    return [(asked, answer) for asked, answer in rows]


@pytest.mark.parametrize(
    ("words", "module", "found_there"),
    [
        ("default noise", "ioc/base/dynamics_config.py", "class TuneMeterConfig"),
        ("PV words states", "db/machines/beam.pvs.json", '"cannot write"'),
        ("PV description", "db/machines/beam.pvs.json", '"description": "state of the journal"'),
        ("unit RF frequency", "lattice/units.py", '"kHz"'),
        ("limit bump", "procedures/procedure_options.py", "class BumpOptions"),
        ("downstream MQTT tried again", "services/forward/feeder.py", "MAX_PAUSE_S"),
        ("review shows", "recorder/recordings/review_tables.py", '"beating", "marks"'),
        ("reading beam is lost", "procedures/plans/stored_beam.py", "samples.lost = True"),
        ("reading beam is lost", "clients/bluesky_devices/measurement.py", "raise NoBeamError"),
        ("route over HTTP", "services/snapshot_routes.py", "/v1/snapshots"),
        ("silent machine out of reach", "ioc/base/config.py", "counts as out of reach"),
    ],
)
def test_a_question_of_a_newcomer_leads_to_the_file_with_its_answer(words: str, module: str, found_there: str) -> None:
    answers = [answer for asked, answer in change_rows() if all(word in asked for word in words.split())]
    assert answers
    assert [answer for answer in answers if f"`{module}`" not in answer] == []
    assert found_there in (ROOT / module).read_text(encoding="utf-8")
