"""Command and environment with which tests run the modules here in processes of their own."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

TESTS = Path(__file__).parents[1]


def python_path() -> str:
    """The search path of a process that imports from tests/ too."""
    return os.pathsep.join([str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])


def command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs `programs.<module>`; it needs `environment`."""
    return [sys.executable, "-m", f"programs.{module}", *arguments]


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of this process, with the search path and `more`."""
    return {**os.environ, **(more or {}), "PYTHONPATH": python_path()}


def run(
    module: str, *arguments: str, more: Mapping[str, str] | None = None, timeout_s: float = 60.0
) -> subprocess.CompletedProcess[str]:
    """Run a module until it ends: its status and what it printed."""
    return subprocess.run(
        command(module, *arguments),
        env=environment(more),
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
