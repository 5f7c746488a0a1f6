"""Tutorials and how-to pages print what they say: played from the first command to the last in a new home."""

from pathlib import Path

import pytest

from tools.tutorials.__main__ import PAGES
from tools.tutorials.play import play
from tools.tutorials.terminal import programs_here

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", [page for page in PAGES if ROOT / "docs" in page.parents], ids=lambda page: page.stem)
def test_a_page_prints_what_it_shows(page: Path) -> None:
    differences = play(page, programs_here(), str(ROOT / "src"))
    assert differences == [], "\n".join(map(str, differences)) + "\nrun: make tutorials"
