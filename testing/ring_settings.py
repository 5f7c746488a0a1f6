"""Settings of a served ring: from the project's options, and from the marker of a test."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

__all__ = ["RingSettings", "SettingsError"]

#: Readings are repeated ten times a second with a new time stamp, of each monitor too, where no configuration says
#: otherwise: programs wait for fresh readings, as they do at a real machine.
PUBLISH = {"repeat_hz": 10.0, "each_monitor": True}


class SettingsError(ValueError):
    """Options that cannot be used; the text says which are known."""


@dataclass(frozen=True)
class RingSettings:
    """A ring to be served: machine (name or file), role, prefix, seed of all that is random, and further settings.

    `config` is a configuration file, or sections of one: `{"imperfections": {"scale": 2.0}}`.
    """

    machine: str = "bessy2"
    role: str = "twin"
    prefix: str | None = None
    seed: int = 1
    config: Mapping[str, Any] | str = field(default_factory=dict)
    #: Folder to which file names are relative: that of the file that names them.
    folder: Path = Path()

    def with_marker(self, given: Mapping[str, Any], folder: Path) -> "RingSettings":
        """Take what a marker says in place of what there is. Raises SettingsError for an unknown word."""
        known = [each.name for each in fields(self) if each.name != "folder"]
        if unknown := sorted(set(given) - set(known)):
            raise SettingsError(f"gnomon({unknown[0]}=...): unknown; known are {', '.join(known)}")
        if given.get("role", "twin") not in ("twin", "machine"):
            raise SettingsError(f"gnomon(role={given['role']!r}): it must be 'twin' or 'machine'")
        try:
            seed = int(given.get("seed", self.seed))
        except (TypeError, ValueError) as error:
            raise SettingsError(f"gnomon(seed={given['seed']!r}): it must be a whole number") from error
        own = {"folder": folder} if {"machine", "config"} & given.keys() else {}
        return replace(self, **{**given, "seed": seed, **own})

    @property
    def served_prefix(self) -> str:
        """Prefix of the PVs: by default `TWIN:`, and none for a machine, which has the names of the real one."""
        if self.prefix is not None:
            return self.prefix
        return "" if self.role == "machine" else "TWIN:"

    def request(self, network: Mapping[str, Any]) -> dict[str, Any]:
        """Make the request to the server's process; `network` has its ports."""
        sections = {} if isinstance(self.config, str) else dict(self.config)
        changes: dict[str, Any] = {"publish": PUBLISH} if not isinstance(self.config, str) else {}
        for key, value in sections.items():
            changes[key] = {**changes.get(key, {}), **value} if isinstance(value, Mapping) else value
        changes["network"] = {**changes.get("network", {}), **network, "check_names": False}
        changes["faults"] = {"seed": self.seed, **changes.get("faults", {})}
        changes["imperfections"] = {"seed": self.seed, **changes.get("imperfections", {})}
        changes |= {"machine": self._file(self.machine), "role": self.role, "prefix": self.served_prefix}
        return {"file": self._file(self.config) if isinstance(self.config, str) else None, "changes": changes}

    def _file(self, name: str) -> str:
        """Complete the name of a file; the name of a shipped machine stays."""
        path = Path(name).expanduser()
        return str((self.folder / path).absolute()) if path.suffix else name
