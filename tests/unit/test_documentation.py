"""The documentation holds: links lead somewhere, commands exist, examples work, and every page is listed."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main
from each_case import each_case

from gnomon.cli import app
from gnomon.cli.default_command import ShowByDefault
from gnomon.ioc.base.config import Config
from gnomon.ioc.base.machines import find_machine, pvs_of
from tools.pv_reference import PAGE, render

ROOT = Path(__file__).parents[2]
PAGES = [
    page
    for pattern in ("*.md", "docs/**/*.md", "tests/**/README.md")
    for page in sorted(ROOT.glob(pattern))
    if not page.is_symlink()  # how the site gets at pages outside docs/
]
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def links(page: Path) -> Iterator[str]:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    yield from (link for link in LINK.findall(text) if "://" not in link)


@each_case(PAGES, name)
def test_links_lead_to_files_that_are_there(page: Path) -> None:
    missing = [link for link in links(page) if not (page.parent / link.partition("#")[0]).exists()]
    assert missing == []


@each_case(PAGES, name)
def test_blocks_of_code_are_closed_before_the_next_begins(page: Path) -> None:
    fences = [
        line.lstrip() for line in page.read_text(encoding="utf-8").splitlines() if line.lstrip().startswith("```")
    ]
    assert len(fences) % 2 == 0
    assert {fence.rstrip() for fence in fences[1::2]} <= {"```"}


def test_lists_lead_from_the_first_page_to_every_page_and_name_it_once() -> None:
    ahead, listed = [ROOT / "docs" / "README.md"], []
    while ahead:
        page = ahead.pop()
        items = re.findall(r"^(?:- |\| )\[[^\]]*\]\(([^)#\s]+\.md)\)", page.read_text(), flags=re.MULTILINE)
        found = [(page.parent / item).resolve() for item in items]
        listed += found
        ahead += [item for item in found if item.name == "README.md" and ROOT / "docs" in item.parents]
    pages = [page for page in PAGES if ROOT / "docs" in page.parents and page != ROOT / "docs" / "README.md"]
    assert [name(page) for page in pages if page not in listed] == []
    assert [name(page) for page in set(listed) if listed.count(page) > 1] == []
    assert "docs/README.md" in set(links(ROOT / "README.md"))


def test_pages_outside_docs_that_lists_name_have_a_link_for_the_site() -> None:
    linked = {page.resolve() for page in ROOT.glob("docs/**/*.md") if page.is_symlink()}
    assert {name(page) for page in linked} == {
        "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "tests/README.md", "tests/bench/README.md"
    }  # fmt: skip
    assert all(page.is_file() for page in linked)


def commands() -> Iterator[tuple[str, str]]:
    """Every line of a code block, and every piece of code in a line, that starts gnomon."""
    for page in PAGES:
        if ROOT / "docs" / "decisions" in page.parents:
            continue  # these say what was so then
        text = page.read_text(encoding="utf-8")
        for line in re.findall(r"^(?: {4}|\t)(?:\$ )?(?:\S*/)?(gnomon [a-z][^\n#]*)", text, flags=re.MULTILINE):
            yield name(page), line
        for piece in re.findall(r"`(gnomon [a-z][^`]*)`", text):
            yield name(page), piece


@each_case(sorted({*commands()}))
def test_commands_and_their_options_exist(page: str, line: str) -> None:
    command: Any = typer.main.get_command(app)
    words = shlex.split(line.partition("&&")[0].partition(" | ")[0])[1:]
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        if isinstance(command, ShowByDefault) and words[0] not in command.commands:
            words = ["show", *words]
        _, found, _ = command.resolve_command(typer.Context(command), [words[0].split("|")[0]])
        command, words = found, words[1:]
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    given = {word.partition("=")[0] for word in words if re.fullmatch(r"--?[a-z][a-z-]*(=.*)?", word)}
    assert given - known - {"--help"} == set(), f"{page}: {line}"


def test_the_example_of_a_naming_names_what_the_page_says(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "how-to" / "name_pvs_for_a_facility.md").read_text(encoding="utf-8")
    file = tmp_path / "slashes.pvs.json"
    file.write_text(json.dumps(json.loads(text.split("```json")[1].split("```")[0])))
    pvs = {spec.name: spec.device for spec in pvs_of(find_machine(Config(machine="mls", pvs=str(file))), "")}
    told = re.findall(r"`(\w+)` is (?:now )?`(sr\S+)`", text)
    assert len(told) == 2
    for device, pv in told:
        assert pvs[pv] == device


def test_the_reference_of_pvs_is_that_of_the_documents() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), "run: python -m tests.tools.pv_reference"
