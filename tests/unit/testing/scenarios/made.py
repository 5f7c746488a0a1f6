"""Scenarios that tests write."""

from pathlib import Path

from gnomon.testing.scenarios import ScenarioError, check_scenario, read_scenario

HEAD = """\
title: made up
happened: somebody wrote a test for it, and it was long enough
good: it tells what is wrong, with line and key
application: any
steps:
"""


def write(folder: Path, steps: str, head: str = HEAD) -> Path:
    path = folder / "made.yaml"
    path.write_text(head + steps, encoding="utf-8")
    return path


def complaints(path: Path, machine: bool = False) -> list[tuple[int, str, str]]:
    """Line, key and reason of each mistake; the machine's names are looked at only if asked for."""
    try:
        read = read_scenario(path)
        if machine:
            check_scenario(read)
    except ScenarioError as error:
        return [(found.line, found.key, found.reason) for found in error.findings]
    return []
