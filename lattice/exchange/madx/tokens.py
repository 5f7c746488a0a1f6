"""The words of a MAD-X statement."""

import re
from dataclasses import dataclass

from gnomon.lattice.exchange.madx.madx_error import MadxError
from gnomon.lattice.text import shorten

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eEdD][+-]?\d+)?)
    |(?P<name>[A-Za-z_][A-Za-z0-9_.$%]*)
    |(?P<string>"[^"]*"|'[^']*')
    |(?P<mark>->|:=|&&|\|\||<>|<=|>=|==|!=|[-+*/^(),={}<>:;\[\]\#])
    )""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Token:
    """A word: `kind` is number, name, string or mark; names are in lower case, strings without their quotes."""

    kind: str
    text: str


def tokens(text: str, place: str) -> list[Token]:
    """The words of a text. Raises MadxError at a character that no word of MAD-X begins with."""
    found = []
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            raise MadxError(place, f"not a word of MAD-X: {shorten(text[at:].strip()[:60], 40)}")
        kind = match.lastgroup or ""
        word = match[kind]
        found.append(Token(kind, word[1:-1] if kind == "string" else word.lower()))
        at = match.end()
    return found


def join(words: list[Token]) -> str:
    """Words as a text for messages."""
    return " ".join(word.text for word in words)
