"""Virtual environments of servers to compare with, which must never get into gnomon's own: kept in the user's cache."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

INSTALL_LIMIT_S = 600


class NotInstalled(Exception):
    """A server to compare with can't be had here; the text says why."""


@dataclass(frozen=True, slots=True)
class Environment:
    """Packages in $XDG_CACHE_HOME/gnomon/bench/NAME (default ~/.cache/...), as their authors published them.

    `check` is a line of Python that fails if they do not work together.
    """

    name: str
    requirements: tuple[str, ...]
    check: str

    @property
    def folder(self) -> Path:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        return cache / "gnomon" / "bench" / self.name

    @property
    def python(self) -> Path:
        return self.folder / "venv" / "bin" / "python"

    def installed_versions(self) -> dict[str, str] | None:
        """Version of each package in it; None if it is missing, unfinished or of other requirements."""
        try:
            stamp = json.loads(self._stamp.read_text())
        except (OSError, ValueError):
            return None
        if stamp.get("requirements") != list(self.requirements) or not self.python.exists():
            return None
        versions: dict[str, str] = stamp["versions"]
        return versions

    def install(self, *, again: bool = False) -> dict[str, str]:
        """Create it unless it is there already; version of each package. Raises NotInstalled."""
        versions = self.installed_versions()
        if versions is not None and not again:
            return versions
        venv, python = self.python.parents[1], str(self.python)
        self._stamp.unlink(missing_ok=True)
        venv.parent.mkdir(parents=True, exist_ok=True)
        self._run([sys.executable, "-m", "venv", "--clear", str(venv)])
        self._run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *self.requirements])
        # A release of a dependency that breaks the server is found here rather than as a server that does not start.
        self._run([python, "-c", self.check])
        listed = json.loads(self._run([python, "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"]))
        versions = {package["name"]: package["version"] for package in listed}
        self._stamp.write_text(json.dumps({"requirements": self.requirements, "versions": versions}, indent=1))
        return versions

    @property
    def _stamp(self) -> Path:
        """Written last: an environment without it was not finished."""
        return self.folder / "installed.json"

    def _run(self, command: list[str]) -> str:
        # Not in the caller's folder: a folder there with a package's name would be imported instead.
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=INSTALL_LIMIT_S, check=True, cwd=self.folder
            )
        except subprocess.CalledProcessError as error:
            raise NotInstalled(f"{' '.join(command)} failed:\n{error.stderr[-2000:]}") from error
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NotInstalled(f"{' '.join(command)} failed: {error}") from error
        return done.stdout
