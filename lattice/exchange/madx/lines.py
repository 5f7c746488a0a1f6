"""Lines: elements and lines one after the other, with signs, counts, groups and arguments.

A negative sign turns the order round, also that of what is within; the faces of a bend stay as they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gnomon.lattice.exchange.madx.madx_error import MadxError
from gnomon.lattice.exchange.madx.tokens import Token, join
from gnomon.lattice.text import shorten

#: Lines and groups within each other.
MAX_DEPTH = 60


@dataclass(frozen=True, slots=True)
class Item:
    """A member of a line: a name with its arguments, or a group (`name` is empty), `count` times, maybe reversed."""

    name: str
    group: tuple["Item", ...]
    count: int
    reverse: bool


@dataclass(frozen=True, slots=True)
class Line:
    """A line as defined: `parameters` are replaced by the arguments where it is used."""

    name: str
    parameters: tuple[str, ...]
    items: tuple[Item, ...]
    place: str


def parse_line(name: str, parameters: Sequence[str], words: list[Token], place: str) -> Line:
    """A line from the words after `line =`. Raises MadxError."""
    parser = _Parser(words, place)
    items = parser.items("", 0)
    if len(items) == 1 and not items[0].name and items[0].count == 1 and not items[0].reverse:
        items = items[0].group
    return Line(name, tuple(parameters), items, place)


class _Parser:
    def __init__(self, words: list[Token], place: str) -> None:
        self.words = words
        self.place = place
        self.at = 0

    def items(self, closing: str, depth: int) -> tuple[Item, ...]:
        if depth > MAX_DEPTH:
            raise MadxError(self.place, f"a line with more than {MAX_DEPTH} groups within each other")
        found: list[Item] = []
        while self.at < len(self.words):
            if self.words[self.at].text == ",":
                self.at += 1
            elif closing and self.words[self.at].text == closing:
                self.at += 1
                return tuple(found)
            else:
                found.append(self.item(depth))
        if closing:
            raise MadxError(self.place, "a line without its ')'")
        return tuple(found)

    def item(self, depth: int) -> Item:
        reverse, count = self.sign(), 1
        if self.kind() == "number":
            text = self.words[self.at].text
            if not text.isdigit() or int(text[:10]) < 1 or self.ahead() != "*":
                raise MadxError(self.place, f"{shorten(text)}: WHOLE NUMBER * MEMBER is expected")
            count = int(text)
            self.at += 2
            reverse ^= self.sign()
        if self.at >= len(self.words):
            raise MadxError(self.place, "a line that ends too early")
        word = self.words[self.at]
        self.at += 1
        if word.text == "(" and word.kind == "mark":
            return Item("", self.items(")", depth + 1), count, reverse)
        if word.kind not in ("name", "string"):
            raise MadxError(self.place, f"a line with {shorten(join(self.words[self.at - 1 : self.at + 9]))}")
        group: tuple[Item, ...] = ()
        if self.at < len(self.words) and self.words[self.at].text == "(":
            self.at += 1
            group = self.items(")", depth + 1)
        return Item(word.text.lower(), group, count, reverse)

    def sign(self) -> bool:
        reverse = False
        while self.at < len(self.words) and self.words[self.at].text in ("-", "+"):
            reverse ^= self.words[self.at].text == "-"
            self.at += 1
        return reverse

    def kind(self) -> str:
        return self.words[self.at].kind if self.at < len(self.words) else ""

    def ahead(self) -> str:
        return self.words[self.at + 1].text if self.at + 1 < len(self.words) else ""


def expand_line(line: Line, lines: Mapping[str, Line], known: Mapping[str, object], max_elements: int) -> list[str]:
    """Expand a line into the names of its elements, in order.

    Raises MadxError for a name that is not `known`, or for more than `max_elements`.
    """
    return _Expansion(lines, known, max_elements).line(line, (), 0)


class _Expansion:
    def __init__(self, lines: Mapping[str, Line], known: Mapping[str, object], max_elements: int) -> None:
        self.lines = lines
        self.known = known
        self.max_elements = max_elements
        self.done: dict[str, list[str]] = {}
        self.steps = 0

    def line(self, line: Line, arguments: tuple[Item, ...], depth: int) -> list[str]:
        if depth > MAX_DEPTH:
            raise MadxError(line.place, f"the line {line.name} contains itself, or too many others")
        if len(arguments) != len(line.parameters):
            why = f"the line {line.name} takes {len(line.parameters)} arguments, not {len(arguments)}"
            raise MadxError(line.place, why)
        if not arguments and line.name in self.done:
            return self.done[line.name]
        names = self.items(line.items, dict(zip(line.parameters, arguments, strict=True)), line, depth)
        if not arguments:
            self.done[line.name] = names
        return names

    def items(self, items: tuple[Item, ...], arguments: dict[str, Item], line: Line, depth: int) -> list[str]:
        names: list[str] = []
        for item in items:
            part = self.item(item, arguments, line, depth + 1)
            if len(names) + item.count * len(part) > self.max_elements:
                raise MadxError(line.place, f"the line {line.name} has more than {self.max_elements} elements")
            names += (part[::-1] if item.reverse else part) * item.count
        return names

    def item(self, item: Item, arguments: dict[str, Item], line: Line, depth: int) -> list[str]:
        self.steps += 1
        if depth > MAX_DEPTH or self.steps > self.max_elements:
            raise MadxError(
                line.place,
                f"the line {line.name} has too many parts, or too many within each other",
            )
        if not item.name:
            return self.items(item.group, arguments, line, depth)
        if item.name in arguments:
            return self.items((arguments[item.name],), {}, line, depth)
        if item.name in self.lines:
            given = tuple(_replaced(part, arguments) for part in item.group)
            return self.line(self.lines[item.name], given, depth)
        if item.name not in self.known:
            raise MadxError(line.place, f"the line {line.name} contains {item.name}, which is not defined")
        return [item.name]


def _replaced(item: Item, arguments: dict[str, Item]) -> Item:
    """An argument that is handed on, with the arguments of the line that hands it on."""
    if item.name in arguments:
        return Item("", (arguments[item.name],), item.count, item.reverse)
    return Item(item.name, tuple(_replaced(part, arguments) for part in item.group), item.count, item.reverse)
