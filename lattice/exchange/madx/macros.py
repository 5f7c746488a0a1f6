"""Macros: a text in which the arguments take the place of the parameters, wherever those letters stand, as in MAD-X."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from gnomon.lattice.exchange.madx.madx_error import MadxError
from gnomon.lattice.text import shorten

#: Longest text of a macro with its arguments [characters].
MAX_LENGTH = 200_000

_CALL = re.compile(r"\s*exec\s*,\s*([A-Za-z_][\w.$]*)\s*(?:\((.*)\))?\s*\Z", re.DOTALL | re.IGNORECASE)

#: What MAD-X takes whole as an argument; of anything longer it takes the first word and drops the rest without a word.
_WORD = re.compile(
    r"\$?[A-Za-z_][\w.$]*(?:->[A-Za-z_][\w.]*)?|(?:\d+\.?\d*|\.\d+)(?:[edED][+-]?\d+)?|\"[^\"]*\"|#[A-Za-z]\w*"
)


@dataclass(frozen=True, slots=True)
class Macro:
    """A macro as defined."""

    name: str
    parameters: tuple[str, ...]
    body: str
    place: str


def parse_exec(text: str, place: str) -> tuple[str, list[str]]:
    """The macro's name and the arguments of `exec, name(arguments)`. Raises MadxError."""
    match = _CALL.match(text)
    if match is None:
        raise MadxError(place, f"{shorten(text.strip())} is not exec, MACRO(ARGUMENTS)")
    arguments = [argument.strip() for argument in (match[2] or "").split(",")]
    return match[1].lower(), arguments if arguments != [""] else []


def expand_macro(macro: Macro, arguments: list[str], number: Callable[[str], float], place: str) -> str:
    """The macro's text with its arguments; `$name` stands for the whole number that `number(name)` gives.

    Raises MadxError for another number of arguments, and for a text that grows too long.
    """
    if len(arguments) != len(macro.parameters):
        raise MadxError(place, f"the macro {macro.name} takes {len(macro.parameters)} arguments, not {len(arguments)}")
    for argument in arguments:
        if not _WORD.fullmatch(argument):
            why = "MAD-X takes the first word of an argument alone: give a variable that has this value"
            raise MadxError(place, f"the argument {shorten(argument)} of the macro {macro.name}: {why}")
    body = macro.body
    for parameter, argument in zip(macro.parameters, arguments, strict=True):
        value = str(int(number(argument[1:].strip().lower()))) if argument.startswith("$") else argument
        if len(body) + body.count(parameter) * len(value) > MAX_LENGTH:
            raise MadxError(place, f"the macro {macro.name} with its arguments is longer than {MAX_LENGTH} characters")
        body = body.replace(parameter, value)
    return body
