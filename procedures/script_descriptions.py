"""Descriptions of user scripts, made in a process of their own: a script is never executed in the services' process.

`python -m gnomon.procedures.script_descriptions FILE` prints one, as JSON.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gnomon.procedures.user_scripts import BrokenScriptError, load_script, script_files

__all__ = ["DescribedScript", "ScriptCatalogue"]

#: Time in which a script has to be loaded [s], and number of them at the same time.
TIME_S, TOGETHER = 60.0, 2
#: Longest description, and longest reason [bytes].
MAX_BYTES, MAX_REASON = 256 * 2**10, 2000
#: Begins the line of standard output that has the description.
MARK = "gnomon-script: "


@dataclass(frozen=True)
class DescribedScript:
    """A script: its procedure with title and schema of the options, or the reason why it cannot be used."""

    file: Path
    name: str = ""
    title: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""


@dataclass
class ScriptCatalogue:
    """The scripts of a folder, described again when their files change."""

    folder: Path | None
    _known: dict[tuple[str, int, int], DescribedScript] = field(default_factory=dict, init=False)

    def described(self) -> list[DescribedScript]:
        """Describe all scripts of the folder. Takes seconds for new ones: not for an event loop."""
        files = script_files(self.folder) if self.folder is not None and self.folder.is_dir() else []
        keys = {file: key for file in files if (key := _key(file)) is not None}
        new = [file for file, key in keys.items() if key not in self._known]
        with ThreadPoolExecutor(TOGETHER) as pool:
            found = dict(zip(new, pool.map(_describe, new), strict=True))
        self._known = {key: self._known[key] if key in self._known else found[file] for file, key in keys.items()}
        return list(self._known.values())


def _key(file: Path) -> tuple[str, int, int] | None:
    try:
        about = file.stat()
    except OSError:
        return None
    return str(file), about.st_mtime_ns, about.st_size


def _describe(file: Path) -> DescribedScript:
    """Load a script in another process."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "gnomon.procedures.script_descriptions", str(file)],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=TIME_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return DescribedScript(file, reason=f"{file}: it was not loaded within {TIME_S:g} s; wait for nothing in it")
    except OSError as error:
        return DescribedScript(file, reason=f"{file}: it cannot be loaded: {error}")
    lines = [line for line in done.stdout[-MAX_BYTES:].decode(errors="replace").splitlines() if line.startswith(MARK)]
    if not lines:
        return DescribedScript(file, reason=f"{file}: it ended the process that loaded it, with {done.returncode}")
    told = json.loads(lines[-1].removeprefix(MARK))
    return DescribedScript(file, **told)


def main(arguments: list[str]) -> None:
    """Print the description of a script."""
    file = Path(arguments[0])
    told: dict[str, Any]
    try:
        loaded = load_script(file)
        told = {"name": loaded.name, "title": loaded.title, "options": loaded.options.model_json_schema()}
    except BrokenScriptError as error:
        told = {"reason": str(error)[:MAX_REASON]}
    sys.stdout.write(f"\n{MARK}{json.dumps(told)}\n")
    sys.stdout.flush()
    os._exit(0)  # whatever threads a script has started


if __name__ == "__main__":
    main(sys.argv[1:])
