"""Text that people and programs send: one spelling of numbers, and one way to show text that may hold anything."""

import math
import re

from gnomon.lattice._errors import LatticeError

__all__ = ["NotANumberError", "is_port", "parse_number", "printable", "shorten"]

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
#: Longest text that is read as a number [characters]: every float64 fits, in decimal without exponent, too.
MAX_NUMBER_LENGTH = 1100


class NotANumberError(LatticeError, ValueError):
    """A text that is not one finite number."""


def parse_number(text: str) -> float:
    """Read a number written with digits, sign, decimal point and exponent, and nothing else.

    Spaces around it are allowed. Every text that becomes a setting is read here, so that the same spelling means the
    same everywhere: Python's own `1_0`, `nan`, `inf` and digits of other scripts are not numbers.

    Raises:
        NotANumberError: the text is not a number, or too large for a float64.
    """
    stripped = text.strip(" \t\r\n")
    if len(stripped) > MAX_NUMBER_LENGTH or not _NUMBER.fullmatch(stripped):
        raise NotANumberError(f"{shorten(text)} is not a number: use digits, sign, decimal point and exponent")
    number = float(stripped)
    if math.isinf(number):
        raise NotANumberError(f"{shorten(text)} is too large for a number: the limit is 1.797e308")
    return number


def is_port(text: str) -> bool:
    """Return True if a text is the number of a network port, 1 to 65535, in decimal digits."""
    return text.isascii() and text.isdecimal() and len(text) <= len("65535") and 0 < int(text) < 2**16


def printable(text: str) -> str:
    """Return the text with everything that a terminal, a log or a reader could take for more than text escaped.

    Control characters, line breaks, characters that change the direction of writing and lone surrogates are shown as
    `\\x1b`, `\\n`, `\\u202e`, `\\udcff`.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def shorten(text: str, length: int = 60) -> str:
    """Quote a text for a message: escaped, in quotes, and cut at a number of characters."""
    quoted = repr(text[: length + 1])
    return quoted if len(quoted) <= length else quoted[: length - 3] + "..."
