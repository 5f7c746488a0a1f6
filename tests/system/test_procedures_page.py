"""The page of procedures: each line of it works on a server, on gnomon's command line, with `pvcall` and in Python."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import epics_tools
import pytest
from conftest import EpicsPorts

from system.twin_process import TwinProcess

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "procedures.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    \$ (.+)$", PAGE, flags=re.MULTILINE)
#: The first block defines `call`.
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)


def drop_fork(twin: TwinProcess) -> None:
    if "WHATIF" in twin.gnomon("fork", "list").stdout:
        done = twin.gnomon("fork", "drop", "WHATIF")
        assert done.returncode == 0, done.stderr


def fault_of(twin: TwinProcess, line: str) -> str:
    """Run a line of the page; what is wrong with its result, empty if nothing is."""
    words = shlex.split(line)
    if "WHATIF" in line:
        drop_fork(twin)  # the line before has added it
    if words[0] == "gnomon":
        done = twin.gnomon(*words[1:])
        return done.stdout + done.stderr if done.returncode else ""
    printed, errors = epics_tools.run(*words, environment=twin.environment)
    return (
        "" if printed.strip() and "error" not in (printed + errors).lower() else printed + errors or "nothing printed"
    )


@pytest.mark.slow
@pytest.mark.network
def test_each_line_of_the_page_works(epics_ports: EpicsPorts, tmp_path: Path) -> None:
    assert len(COMMANDS) >= 10
    assert len(BLOCKS) >= 6
    with TwinProcess(epics_ports.environment, tmp_path) as twin:
        assert {line: fault for line in COMMANDS if (fault := fault_of(twin, line))} == {}
        drop_fork(twin)
        lines = [f"assert ({line}) not in ('', None)" for block in BLOCKS[1:] for line in block.strip().splitlines()]
        source = "\n".join(["import json", "import gnomon", BLOCKS[0], *lines, "context.close()"])
        done = subprocess.run(
            [sys.executable, "-c", source],
            env=twin.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
