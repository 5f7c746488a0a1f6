"""Runs `clients.libca` next to a server in this process."""

import json
from typing import Any

from conftest import EpicsPorts

from programs.running import run


def run_libca(what: str, ports: EpicsPorts) -> Any:
    """Run one of libca's programs and return its findings."""
    done = run("libca", what, more=ports.environment, timeout_s=100.0)
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT")]
    assert lines, done.stdout + done.stderr
    return json.loads(lines[-1].removeprefix("RESULT"))
