#!/usr/bin/env python3
"""Install dt4acc, the digital twin that gnomon is compared with, into a virtual environment of its own.

    python tests/bench/dt4acc/install.py [--again]

It goes to $XDG_CACHE_HOME/gnomon/bench/dt4acc (default ~/.cache/...), used as its authors published it: nothing is
patched. It never gets into gnomon's own environment: it pulls in a web framework and a database client.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

# dt4acc-lib 0.9.0, which pip would take, is an empty wheel: hence 0.4.2. The extra `epics` brings softioc and p4p,
# `bessyii` lat2db, whose factory builds the ring from the JSON file in dt4acc's wheel; no database is contacted.
REQUIREMENTS = ("dt4acc[epics,bessyii]==0.9.1", "dt4acc-lib==0.4.2")
SERVER_MODULE = "dt4acc.custom_facility.bessyii.run_bessyii_twin"
# The console script dt4acc_bessyii calls a coroutine function without awaiting it and ends at once: hence the module.

INSTALL_LIMIT_S = 600


class NotInstalled(Exception):
    """dt4acc can't be had here; the text says why."""


def folder() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "gnomon" / "bench" / "dt4acc"


def python() -> Path:
    return folder() / "venv" / "bin" / "python"


def server_command() -> list[str]:
    """Starts its BESSY II. It ends in a Python console: it serves as long as its standard input is open."""
    return [str(python()), "-m", SERVER_MODULE]


def installed_versions() -> dict[str, str] | None:
    """Version of each package in the environment; None if it is missing, unfinished or of other requirements."""
    try:
        stamp = json.loads(_stamp().read_text())
    except (OSError, ValueError):
        return None
    if stamp.get("requirements") != list(REQUIREMENTS) or not python().exists():
        return None
    versions: dict[str, str] = stamp["versions"]
    return versions


def install(*, again: bool = False) -> dict[str, str]:
    """Create the environment unless it is there already; version of each package. Raises NotInstalled."""
    versions = installed_versions()
    if versions is not None and not again:
        return versions
    venv = python().parents[1]
    _stamp().unlink(missing_ok=True)
    venv.parent.mkdir(parents=True, exist_ok=True)
    _run([sys.executable, "-m", "venv", "--clear", str(venv)])
    _run([str(python()), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *REQUIREMENTS])
    # A release of a dependency that breaks the server is found here rather than as a server that does not start.
    _run([str(python()), "-c", "import at, lat2db, p4p, softioc, dt4acc.custom_facility, dt4acc_lib.pyat_simulator"])
    listed = json.loads(_run([str(python()), "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"]))
    versions = {package["name"]: package["version"] for package in listed}
    _stamp().write_text(json.dumps({"requirements": REQUIREMENTS, "versions": versions}, indent=1))
    return versions


def _stamp() -> Path:
    """Written last: an environment without it was not finished."""
    return folder() / "installed.json"


def _run(command: list[str]) -> str:
    # Not in the caller's folder: a folder named dt4acc there would be imported instead.
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=INSTALL_LIMIT_S, check=True, cwd=folder()
        )
    except subprocess.CalledProcessError as error:
        raise NotInstalled(f"{' '.join(command)} failed:\n{error.stderr[-2000:]}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotInstalled(f"{' '.join(command)} failed: {error}") from error
    return done.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--again", action="store_true", help="even if it is installed already")
    try:
        versions = install(again=parser.parse_args().again)
    except NotInstalled as error:
        sys.exit(str(error))
    print(f"dt4acc {versions['dt4acc']}, dt4acc-lib {versions['dt4acc-lib']} in {folder()}")
    print(f"serve with: DT4ACC_PREFIX=DT {' '.join(server_command())}")


if __name__ == "__main__":
    main()
