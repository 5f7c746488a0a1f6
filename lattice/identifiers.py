"""Persistent identifiers of what is kept: `gnomon:KIND/HASH`, where the hash is taken of the content.

The same content has the same identifier on every computer, and content that was changed has another one. An older file
gets its identifier when it is read, since all that counts is in it.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["KINDS", "MIN_DIGITS", "Identifier", "content_digest", "parse_identifier"]

#: Kinds of what has an identifier. A `result` is a run of a measurement, a correction or an analysis.
KINDS = ("result", "study", "recording", "snapshot", "calibration", "machine")
#: Number of digits that select something, at least, and the number that tables show.
MIN_DIGITS, SHOWN = 6, 12

_FORM = re.compile(r"(?:gnomon:)?(?:(?P<kind>[a-z]+)/)?(?P<digits>[0-9a-f]{6,64})")


@dataclass(frozen=True, slots=True, order=True)
class Identifier:
    """An identifier, or the beginning of one: a kind, empty if any will do, and hexadecimal digits."""

    kind: str
    digits: str

    def __str__(self) -> str:
        """The text by which it is cited."""
        return f"gnomon:{self.kind}/{self.digits}"

    @property
    def short(self) -> str:
        """Kind and first digits, for tables; such a text also finds it."""
        return f"{self.kind}/{self.digits[:SHOWN]}"

    def fits(self, other: "Identifier") -> bool:
        """Tell whether this is the beginning of another identifier."""
        return self.kind in ("", other.kind) and other.digits.startswith(self.digits)


def parse_identifier(text: str) -> Identifier | None:
    """Read an identifier or its beginning: `gnomon:result/3f0c...`, `result/3f0c...` or 6 digits and more.

    Capitals do not count. Returns None of what is not one, as a name.
    """
    match = _FORM.fullmatch(text.strip().lower())
    if match is None or (match["kind"] or KINDS[0]) not in KINDS:
        return None
    return Identifier(match["kind"] or "", match["digits"])


def content_digest(document: Mapping[str, Any]) -> str:
    """Calculate the SHA-256 of a document as JSON with sorted keys, 64 hex digits. Raises ValueError for NaN."""
    return hashlib.sha256(json.dumps(document, sort_keys=True, allow_nan=False).encode()).hexdigest()
