"""The attributes of a command: what is written after its name."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gnomon.lattice.exchange.madx.classes import TEXTS
from gnomon.lattice.exchange.madx.expressions import Expression, parse_expression
from gnomon.lattice.exchange.madx.madx_error import MadxError
from gnomon.lattice.exchange.madx.tokens import Token, join
from gnomon.lattice.text import shorten

#: A value: a number or a deferred expression, a text, a switch, or a list of numbers and expressions.
Scalar = float | Expression
Value = Scalar | str | bool | tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute as written: no words for a flag, which `flag` gives."""

    name: str
    words: tuple[Token, ...]
    deferred: bool
    flag: bool | None = None


def split_attributes(words: list[Token], place: str) -> list[Attribute]:
    """The attributes of a command, in order. Raises MadxError."""
    return [_attribute(part, place) for part in _parts(words) if part]


def text_of(words: tuple[Token, ...]) -> str:
    """A text as MAD-X takes it, with or without quotes."""
    return "".join(word.text for word in words)


def value_of(attribute: Attribute, evaluate: Callable[[Expression], float], place: str) -> Value:
    """The value of an attribute: evaluated at once, unless it is deferred. Raises MadxError."""
    if attribute.flag is not None:
        return attribute.flag
    words = list(attribute.words)
    if attribute.name in TEXTS or any(word.kind == "string" for word in words):
        return text_of(attribute.words)
    if len(words) == 1 and words[0].text in ("true", "false"):
        return words[0].text == "true"

    def scalar(part: list[Token]) -> Scalar:
        expression = parse_expression(part, place)
        return expression if attribute.deferred else evaluate(expression)

    if words and words[0].text == "{":
        if words[-1].text != "}":
            raise MadxError(place, f"the list {shorten(join(words))} has no '}}'")
        return tuple(scalar(part) for part in _parts(words[1:-1]) if part)
    return scalar(words)


def _attribute(words: list[Token], place: str) -> Attribute:
    sign = words[0].text if words[0].text in ("-", "+") and words[0].kind == "mark" else ""
    name = words[1:2] if sign else words[:1]
    if not name or name[0].kind != "name":
        raise MadxError(place, f"an attribute is expected at {shorten(join(words))}")
    rest = words[2:] if sign else words[1:]
    if not rest:
        return Attribute(name[0].text, (), False, sign != "-")
    if sign or rest[0].text not in ("=", ":=") or len(rest) < 2:
        raise MadxError(place, f"the attribute {name[0].text} is not NAME = VALUE: {shorten(join(words))}")
    return Attribute(name[0].text, tuple(rest[1:]), rest[0].text == ":=")


def _parts(words: list[Token]) -> Iterator[list[Token]]:
    """Words between the commas that stand in no bracket."""
    part: list[Token] = []
    depth = 0
    for word in words:
        if word.kind == "mark":
            if word.text in "({[":
                depth += 1
            elif word.text in ")}]":
                depth -= 1
        if word.text == "," and word.kind == "mark" and depth == 0:
            yield part
            part = []
        else:
            part.append(word)
    yield part
