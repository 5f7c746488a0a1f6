"""Limits of a machine as the gate uses them: the content of a limits file, for the PVs of one prefix."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from gnomon.db.store import digest_of
from gnomon.db.yaml_lines import line_of, read_yaml
from gnomon.lattice.files import read_bounded
from gnomon.lattice.text import printable, shorten
from gnomon.recorder.gating.limits_document import NOT_CHECKED, LimitsDocument, SettingLimits
from gnomon.recorder.recorder_errors import LimitsError

__all__ = ["Limits", "parse_limits", "read_limits"]

#: Largest limits file [bytes].
MAX_BYTES = 2**20


@dataclass(frozen=True, eq=False)
class Limits:
    """Limits for PVs with a prefix. `digest` is that of the file's text, for the audit."""

    document: LimitsDocument
    prefix: str
    digest: str = ""
    _rows: dict[str, SettingLimits | None] = field(default_factory=dict, repr=False)

    def row(self, pv: str) -> SettingLimits | None:
        """Find the row of a PV, given with its prefix; None if it may not be written."""
        if pv not in self._rows:
            self._rows[pv] = self._find(pv)
        return self._rows[pv]

    def _find(self, pv: str) -> SettingLimits | None:
        if not pv.startswith(self.prefix):
            return None
        name = pv.removeprefix(self.prefix)
        return next((row for row in self.document.settings if row.matches(name)), None)

    @cached_property
    def not_checked(self) -> tuple[str, ...]:
        """The limits that the file says are not checked, by their keys."""
        return tuple(_not_checked(self.document.model_dump(), ""))


def read_limits(path: Path, prefix: str) -> Limits:
    """Read a limits file. Raises LimitsError with every mistake, each with its line and key."""
    try:
        text = read_bounded(path, MAX_BYTES)
    except (OSError, UnicodeDecodeError) as error:
        raise LimitsError(f"{path}: the limits file cannot be read: {error}") from error
    return parse_limits(text, prefix, str(path))


def parse_limits(text: str, prefix: str, called: str = "limits") -> Limits:
    """Read the text of a limits file, `called` so in messages. Raises LimitsError as `read_limits` does."""
    try:
        root, data, repeated = read_yaml(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise LimitsError(f"{called}: not YAML: {printable(' '.join(str(error).split()))}") from error
    if repeated is not None:
        raise LimitsError(f"{called}:{repeated[1]}: key {shorten(str(repeated[0]))} is given twice")
    try:
        document = LimitsDocument.model_validate(data)
    except ValidationError as error:
        found = error.errors(include_url=False)
        places = [_place(each) for each in found]
        findings = {
            _finding(each, root): None
            for each, place in zip(found, places, strict=True)
            if not any(len(other) > len(place) and other[: len(place)] == place for other in places)  # says it closer
        }
        lines = [f"{called}:{line}: {text}" for line, text in sorted(findings)]
        raise LimitsError("\n".join(map(printable, lines))) from error
    return Limits(document, prefix, digest_of(text))


def _finding(error: Any, root: yaml.Node | None) -> tuple[int, str]:
    location = _place(error)
    key = ".".join(str(part) for part in location)
    line = line_of(root, location)
    missing = error["type"] == "missing" or error["input"] is None
    if missing:
        return line, f"{key or 'the document'}: the limit is missing; limits have no defaults"
    if error["type"] == "extra_forbidden":
        return line, f"{key}: unknown key"
    message = error["msg"].removeprefix("Value error, ")
    return line, f"{key or 'the document'}: {message[:1].lower()}{message[1:]}, got {shorten(repr(error['input']))}"


def _place(error: Any) -> tuple[int | str, ...]:
    return tuple(part for part in error["loc"] if not _is_branch(part))


def _is_branch(part: int | str) -> bool:
    """True for the part of a location that names a branch of a union, not a key."""
    return isinstance(part, str) and (part.startswith(("function-", "literal[")) or part in ("float", "RangeLimits"))


def _not_checked(data: Any, key: str) -> list[str]:
    if isinstance(data, dict):
        return [found for name, part in data.items() for found in _not_checked(part, f"{key}.{name}" if key else name)]
    return [key] if data == NOT_CHECKED else []
