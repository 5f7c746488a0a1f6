"""elegant's lattice language: definitions of elements, beam lines, and the calculator's lines between them.

A statement is a line; `&` at its end goes on with the next one, `!` begins a comment. Names and words count in upper
case unless they are quoted. Lines are expanded as elegant does it: a minus sign reverses a line and exchanges the ends
of its bends, a number and `*` repeat what follows.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gnomon.lattice.exchange.findings import ExchangeError
from gnomon.lattice.exchange.foreign import MAX_ELEMENTS
from gnomon.lattice.exchange.rpn import Rpn
from gnomon.lattice.exchange.source_files import read_text
from gnomon.lattice.text import NotANumberError, parse_number, shorten

#: Files that may include each other, one below the other, and lines that may contain each other.
MAX_FILE_DEPTH, MAX_LINE_DEPTH = 10, 100

#: Statements that say nothing about the ring.
PASSED_OVER = frozenset({"TITLE", "RETURN"})

REMEDY_REVERSED_LIST = "elegant does not reverse a list in parentheses: give it a name with LINE, and reverse that"


@dataclass(frozen=True, slots=True)
class Value:
    """An attribute's value as written: the text without its quotes, and whether it had any."""

    text: str
    quoted: bool


@dataclass(frozen=True, slots=True)
class Definition:
    """An element as defined: its name, its type as written (in upper case), its attributes, and where that is.

    `numbers` has what each attribute gives when it is read as a number, or the error that it gives then.
    """

    name: str
    type: str
    attributes: Mapping[str, Value]
    numbers: Mapping[str, float | str]
    place: str


@dataclass(slots=True)
class ElegantFile:
    """All definitions by name, beam lines by name as (place, text within the parentheses), and the line of USE."""

    elements: dict[str, Definition] = field(default_factory=dict)
    lines: dict[str, tuple[str, str]] = field(default_factory=dict)
    use: str | None = None


def read_elegant_text(file: Path) -> ElegantFile:
    """Read a file and what it includes. Raises ExchangeError with file, line and construct."""
    found = ElegantFile()
    _read(file, found, Rpn(), 0)
    return found


def expand(found: ElegantFile, name: str, where: str) -> list[tuple[Definition, bool]]:
    """The elements of a beam line in beam order, each with whether it is reversed.

    Raises ExchangeError for what is not defined, lines that contain themselves and rings beyond the limit.
    """
    made: list[tuple[Definition, bool]] = []
    _place(found, name, False, made, where, ())
    return made


def split(text: str, where: str) -> list[str]:
    """Split at commas outside quotes and parentheses. Raises ExchangeError when one of those is not closed."""
    parts, depth, quoted, start = [], 0, False, 0
    for i, character in enumerate(text):
        if character == '"':
            quoted = not quoted
        elif not quoted and character in "()":
            depth += 1 if character == "(" else -1
            if depth < 0:
                break
        elif character == "," and not quoted and depth == 0:
            parts.append(text[start:i].strip())
            start = i + 1
    if quoted or depth != 0:
        raise ExchangeError(f"{where}: quotes or parentheses are not closed in {shorten(text)}")
    return [*parts, text[start:].strip()]


def _read(file: Path, found: ElegantFile, rpn: Rpn, depth: int) -> None:
    if depth > MAX_FILE_DEPTH:
        raise ExchangeError(f"{file}: files include each other more than {MAX_FILE_DEPTH} deep")
    for number, statement in _statements(read_text(file, "elegant"), str(file)):
        where = f"{file}: line {number}"
        if statement.startswith("%"):
            try:
                rpn.run(statement[1:])
            except ExchangeError as error:
                raise ExchangeError(f"{where}: {error}") from error
            continue
        head = statement.split(":", 1)
        if head[0].strip().upper() == "#INCLUDE" and len(head) == 2:
            _read(_included(file, head[1].strip().strip('"'), where), found, rpn, depth + 1)
            continue
        name, rest = _label(statement, where)
        if name is None:
            words = [w.strip() for w in rest.upper().split(",")]
            if words[0] == "RETURN":
                return
            if words[0] == "USE" and len(words) == 2:
                found.use = words[1].strip('"')
            elif words[0] not in PASSED_OVER:
                raise ExchangeError(
                    f"{where}: not elegant: {shorten(statement)} is neither NAME: TYPE, ... nor USE, TITLE, RETURN"
                )
            continue
        _define(found, name, rest, f"line {number}" + ("" if depth == 0 else f" of {file.name}"), where, rpn)


def _included(file: Path, name: str, where: str) -> Path:
    path = Path(name)
    path = path if path.is_absolute() else file.parent / path
    if not path.is_file():
        raise ExchangeError(f"{where}: the included file {shorten(name)} is not there")
    return path


def _statements(text: str, where: str) -> Iterator[tuple[int, str]]:
    """Statements with the number of their first line, without comments."""
    begun, parts = 0, list[str]()
    for number, line in enumerate(text.splitlines(), 1):
        line = _without_comment(line) if not line.lstrip().startswith("%") else line.split("!", 1)[0]
        line = line.strip()
        begun = begun if parts else number
        if line.endswith("&"):
            parts.append(line[:-1].strip())
            continue
        whole = " ".join([*parts, line]).strip()
        parts = []
        if whole:
            yield begun, whole
    if any(parts):
        raise ExchangeError(f"{where}: line {begun}: the statement does not end: there is nothing after its last &")


def _without_comment(line: str) -> str:
    quoted = False
    for i, character in enumerate(line):
        if character == '"':
            quoted = not quoted
        elif character == "!" and not quoted:
            return line[:i]
    return line


def _label(statement: str, where: str) -> tuple[str | None, str]:
    """The name before the colon, and what follows; None without one."""
    if statement.startswith('"'):
        end = statement.find('"', 1)
        rest = statement[end + 1 :].lstrip()
        if end < 0 or not rest.startswith(":"):
            raise ExchangeError(f"{where}: {shorten(statement)}: a quoted name must be closed and followed by a colon")
        return statement[1:end], rest[1:].strip()
    head, colon, rest = statement.partition(":")
    if not colon or any(c in head for c in '",='):
        return None, statement
    return head.strip().upper(), rest.strip()


def _define(found: ElegantFile, name: str, rest: str, place: str, where: str, rpn: Rpn) -> None:
    if name in found.elements or name in found.lines:
        raise ExchangeError(f"{where}: {name} is defined twice")
    head, equals, body = rest.partition("=")
    if (equals and head.replace(",", " ").split()[-1:] == ["LINE"]) or head.strip().upper() == "LINE":
        body = body.strip()
        if not (body.startswith("(") and body.endswith(")")):
            raise ExchangeError(f"{where}: the line {name} is not in parentheses")
        found.lines[name] = (place, body[1:-1])
        return
    kind, *parts = split(rest, where)
    kind = kind.strip('"').upper() if not kind.startswith('"') else kind.strip('"')
    attributes: dict[str, Value] = {}
    numbers: dict[str, float | str] = {}
    copied = found.elements.get(kind)
    if copied is not None:
        kind, attributes, numbers = copied.type, dict(copied.attributes), dict(copied.numbers)
    for part in parts:
        if not part:
            continue
        attribute, equals, text = part.partition("=")
        attribute, text = attribute.strip().upper(), text.strip()
        if not equals or not text or not attribute:
            raise ExchangeError(f"{where}: {name}: {shorten(part)} is not ATTRIBUTE=value")
        value = Value(text.strip('"') if text.startswith('"') else text.upper(), text.startswith('"'))
        attributes[attribute] = value
        numbers[attribute] = _numeric(value, rpn)
    found.elements[name] = Definition(name, kind.upper(), attributes, numbers, place)


def _numeric(value: Value, rpn: Rpn) -> float | str:
    try:
        return parse_number(value.text)
    except NotANumberError:
        try:
            return rpn.value(value.text)
        except ExchangeError as error:
            return str(error)


def _place(
    found: ElegantFile,
    name: str,
    reverse: bool,
    made: list[tuple[Definition, bool]],
    where: str,
    within: tuple[str, ...],
) -> None:
    key = _known(found, name)
    if key in found.elements:
        made.append((found.elements[key], reverse))
        if len(made) > MAX_ELEMENTS:
            raise ExchangeError(f"{where}: more than {MAX_ELEMENTS} elements")
        return
    if key not in found.lines:
        raise ExchangeError(f"{where}: {shorten(name)} is neither an element nor a line")
    if key in within or len(within) > MAX_LINE_DEPTH:
        raise ExchangeError(f"{where}: the line {key} contains itself")
    place, body = found.lines[key]
    _items(found, body, reverse, made, f"{where.split(': ')[0]}: {place}: line {key}", (*within, key))


def _items(
    found: ElegantFile,
    body: str,
    reverse: bool,
    made: list[tuple[Definition, bool]],
    where: str,
    within: tuple[str, ...],
) -> None:
    items = split(body, where)
    for item in reversed(items) if reverse else items:
        _item(found, item, reverse, made, where, within)


def _item(
    found: ElegantFile,
    item: str,
    reverse: bool,
    made: list[tuple[Definition, bool]],
    where: str,
    within: tuple[str, ...],
) -> None:
    count, inverted, text = _multiplied(item, where)
    if not text or text == '""':
        raise ExchangeError(f"{where}: an item is empty")
    if text.startswith("("):
        inner = text[1:-1] if text.endswith(")") else ""
        if len(split(inner, where)) == 1:
            again, inner_inverted, single = _multiplied(inner, where)
            count, inverted, text = count * again, inverted ^ inner_inverted, single
        elif inverted:
            raise ExchangeError(f"{where}: {shorten(item)}: {REMEDY_REVERSED_LIST}")
    once: list[tuple[Definition, bool]] = []
    if text.startswith("("):
        if not text.endswith(")"):
            raise ExchangeError(f"{where}: {shorten(item)}: a list must end with its parenthesis")
        _items(found, text[1:-1], reverse, once, where, within)
    else:
        _place(
            found, text.strip('"') if text.startswith('"') else text.upper(), reverse ^ inverted, once, where, within
        )
    if len(made) + count * len(once) > MAX_ELEMENTS:
        raise ExchangeError(f"{where}: more than {MAX_ELEMENTS} elements")
    made.extend(once * count)


def _multiplied(item: str, where: str) -> tuple[int, bool, str]:
    """Split an item into its number of repetitions, whether it is reversed, and the rest."""
    count, inverted, text = 1, False, item.strip()
    if text.startswith('"') and text.endswith('"') and text[1:2] == "-":
        text = "-" + text[2:-1]  # elegant looks for the sign behind the quotation mark, too
    while True:
        if text.startswith("-"):
            inverted, text = not inverted, text[1:].strip()
            continue
        head, star, rest = text.partition("*")
        if star and head.strip().isdigit() and head.isascii():
            if len(head) > 7 or int(head) == 0:
                raise ExchangeError(
                    f"{where}: {shorten(item)}: repeat an item at least once, at most {MAX_ELEMENTS} times"
                )
            count, text = count * int(head), rest.strip()
            continue
        return count, inverted, text


def _known(found: ElegantFile, name: str) -> str:
    """The name as defined: with its case, or else the only one that differs by case alone."""
    if name in found.elements or name in found.lines:
        return name
    others = [n for n in (*found.elements, *found.lines) if n.upper() == name.upper()]
    return others[0] if len(others) == 1 else name
