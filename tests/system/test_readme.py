"""The README: its commands, run one after another in a new home, print what stands there."""

from pathlib import Path

import pytest

from tools.tutorials.pages import Command, read_page
from tools.tutorials.play import play
from tools.tutorials.terminal import programs_here

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"


def test_all_outputs_that_the_readme_shows_are_played() -> None:
    played = [step.text for step in read_page(README) if isinstance(step, Command) and not step.hidden]
    assert len(played) == README.read_text(encoding="utf-8").count("$ gnomon ") >= 7


@pytest.mark.network
def test_the_readme_prints_what_it_says() -> None:
    differences = play(README, programs_here(), str(ROOT / "src"))
    assert differences == [], "\n".join(map(str, differences)) + "\nrun: make tutorials"
