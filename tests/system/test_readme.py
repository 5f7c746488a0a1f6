"""The first screen of the README: its commands, run one after another on a fresh server, print what stands there."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from conftest import EpicsPorts

from system.twin_process import GNOMON, TwinProcess

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}")


def first_screen() -> list[tuple[list[str], str]]:
    """Commands of gnomon up to the second heading, and what each prints."""
    block = README.partition("\n## ")[0]
    lines = [line[4:] for line in block.splitlines() if line.startswith("    ")]
    found: list[tuple[list[str], list[str]]] = []
    for line in lines:
        if line.startswith("$ "):
            found.append((shlex.split(line[2:]), []))
        elif found:
            found[-1][1].append(line)
    return [(words[1:], "\n".join(output)) for words, output in found if words[0] == "gnomon"]


@pytest.mark.network
def test_the_first_screen_prints_what_it_says(epics_ports: EpicsPorts, tmp_path: Path) -> None:
    assert len(first_screen()) == 4 == README.partition("\n## ")[0].count("$ gnomon")
    with TwinProcess(epics_ports.environment, tmp_path) as twin:
        user = {name: value for name, value in twin.environment.items() if not name.startswith("EPICS_")}
        for words, shown in first_screen():
            done = subprocess.run([*GNOMON, *words], env=user, capture_output=True, text=True, timeout=60, check=False)
            assert TIME.sub("TIME", (done.stdout + done.stderr).strip()) == TIME.sub("TIME", shown.strip())
