"""The how-to page about tests: its project runs as the page says."""

import re
import subprocess
from pathlib import Path

import pytest

from system.test_pytest_plugin import command, environment

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "test_your_application.md").read_text(encoding="utf-8")
CONFIGURATION = re.findall(r"```toml\n(.*?)```", PAGE, flags=re.DOTALL)[0]
PROGRAM, TESTS, REPAIRED = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)[:3]
SHOWN = re.findall(r"\$ pytest -q\n(.*?)```", PAGE, flags=re.DOTALL)[0]


def without_times(text: str) -> str:
    """Without times, and the number of warnings, which depends on the plugins of others that are installed."""
    return re.sub(r"\d\d:\d\d:\d\d\.\d+|\d+\.\d+s|-{3,}|, \d+ warnings?", "", text)


def pytest_in(folder: Path) -> str:
    done = subprocess.run(
        command("-q"), cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=120, check=False
    )
    return done.stdout + done.stderr


@pytest.mark.network
def test_the_page_s_project_fails_as_it_shows_and_passes_when_it_is_repaired(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    for name, text in {"pyproject.toml": CONFIGURATION, "kicker.py": PROGRAM, "test_kicker.py": TESTS}.items():
        (tmp_path / name).write_text(text)
    said = without_times(pytest_in(tmp_path))
    missing = [line for line in without_times(SHOWN).splitlines() if line.strip(". ") and line not in said]
    assert missing == [], said
    (tmp_path / "kicker.py").write_text(REPAIRED)
    assert "2 passed" in pytest_in(tmp_path)
