"""The text of a MAD-X file as statements: comments blanked, `;` and braces found, lines counted."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from gnomon.lattice.exchange.madx.madx_error import MadxError
from gnomon.lattice.text import shorten

_COMMENT = re.compile(r"""(?P<text>"[^"\n]*"|'[^'\n]*')|/\*.*?(?:\*/|\Z)|(?:!|//)[^\n]*""", re.DOTALL)
_MARK = re.compile(r"""[;{}]|"[^"]*"|'[^']*'""")
_BLOCK = re.compile(r"\s*(?:(?:if|while|elseif)\s*\(.*|else\s*|.*:\s*macro\s*=\s*)\Z", re.DOTALL | re.IGNORECASE)
_NOT_BLANK = re.compile(r"[^\s;]")

#: Longest statement without a block [characters].
MAX_STATEMENT = 10_000_000


class Source:
    """A text with the places of its lines; a macro's text carries the place where it is called."""

    def __init__(self, name: str, text: str, place: str | None = None) -> None:
        self.name = name
        self.text = _COMMENT.sub(_blank, text)
        self._place = place
        self._starts = [0, *(m.end() for m in re.finditer("\n", self.text))]

    def place(self, offset: int) -> str:
        """The place of an offset: file and line."""
        return self._place or f"{self.name}, line {self.line(offset)}"

    def line(self, offset: int) -> int:
        """The line of an offset, counted from 1."""
        return bisect_right(self._starts, offset)


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement: its text and where that begins; of a block, `text` is the head and `body` the range in braces."""

    source: Source
    text: str
    offset: int
    body: tuple[int, int] | None = None

    @property
    def place(self) -> str:
        """File and line."""
        return self.source.place(self.offset)


def statements(source: Source, start: int = 0, end: int | None = None) -> Iterator[Statement]:
    """The statements of a range of a source. Raises MadxError where one does not end."""
    text = source.text
    end = len(text) if end is None else end
    while (found := _NOT_BLANK.search(text, start, end)) is not None:
        start = found.start()
        at, block = _end(source, start, end)
        if block is None:
            yield Statement(source, text[start:at], start)
            start = at + 1
        else:
            yield Statement(source, text[start:at], start, (at + 1, block))
            start = block + 1


def _end(source: Source, start: int, end: int) -> tuple[int, int | None]:
    """Find where a statement ends; of a block, its opening and its closing brace."""
    depth = 0
    text = source.text
    opening = None
    for mark in _MARK.finditer(text, start, end):
        match mark.group():
            case ";" if depth == 0:
                return mark.start(), None
            case "{":
                if depth == 0 and _BLOCK.match(text, start, mark.start()):
                    opening = mark.start()
                depth += 1
            case "}":
                depth -= 1
                if depth < 0:
                    raise MadxError(source.place(mark.start()), "a '}' without its '{'")
                if depth == 0 and opening is not None:
                    return opening, mark.start()
        if opening is None and mark.start() - start > MAX_STATEMENT:
            break
    what = "its '}'" if depth else "';'"
    raise MadxError(source.place(start), f"the statement {shorten(text[start : start + 80].strip(), 40)} has no {what}")


def _blank(match: re.Match[str]) -> str:
    if match["text"] is not None:
        return match.group()
    return "\n" * match.group().count("\n") or " "
