"""The lattice language of Tracy and thor-scsi: variables, elements and lines of them, each ended by a semicolon.

Names are compared without their case. Comments stand in braces, which may be nested, in `(* *)`, or behind `#`.
"""

import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from gnomon.lattice.exchange.findings import ExchangeError
from gnomon.lattice.text import shorten

#: Expressions, lists and lines that may stand in each other.
MAX_DEPTH = 100

FUNCTIONS: Mapping[str, Callable[[float], float]] = {
    "arctan": math.atan,
    "arcsin": math.asin,
    "arccos": math.acos,
    "sqrt": math.sqrt,
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "exp": math.exp,
    "ln": math.log,
    "abs": abs,
}
OPERATORS: Mapping[str, tuple[int, Callable[[float, float], float]]] = {
    "+": (1, operator.add),
    "-": (1, operator.sub),
    "*": (2, operator.mul),
    "/": (2, operator.truediv),
    "^": (4, math.pow),
}
SIGN = 3

TOKEN = re.compile(
    r"""(?P<space>\s+)|(?P<open>\{|\(\*)|(?P<hash>\#[^\n]*)
    |(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eEdD][+-]?[0-9]+)?(?![A-Za-z0-9_.]))
    |(?P<name>[A-Za-z_][A-Za-z0-9_.]*)|(?P<string>"[^"\n]*"|'[^'\n]*')|(?P<mark>[-+*/^(),:;=])""",
    re.VERBOSE,
)
BRACES = re.compile(r"\{|\}")


@dataclass(frozen=True, slots=True)
class Token:
    """A number, a name in lower case, a string or a mark, with its line."""

    kind: str
    text: str
    line: int


@dataclass(slots=True)
class Reader:
    """The tokens of one statement, read from left to right. `place` names file and line in errors."""

    tokens: list[Token]
    file: str
    at: int = 0

    def place(self) -> str:
        """File and line of the present token."""
        token = self.tokens[min(self.at, len(self.tokens) - 1)]
        return f"{self.file}: line {token.line}"

    def peek(self, ahead: int = 0) -> str:
        """The text of a token, empty behind the last one."""
        return self.tokens[self.at + ahead].text if self.at + ahead < len(self.tokens) else ""

    def take(self, text: str) -> bool:
        """Go on when the token is this one."""
        if self.peek() == text:
            self.at += 1
            return True
        return False

    def expect(self, text: str) -> None:
        """Go on, or raise ExchangeError."""
        if not self.take(text):
            raise ExchangeError(f"{self.place()}: {text!r} is expected, not {shorten(self.peek() or 'the end')}")

    def name(self) -> str:
        """A name. Raises ExchangeError."""
        if self.at >= len(self.tokens) or self.tokens[self.at].kind != "name":
            raise ExchangeError(f"{self.place()}: a name is expected, not {shorten(self.peek() or 'the end')}")
        self.at += 1
        return self.tokens[self.at - 1].text

    def done(self) -> bool:
        """No token is left."""
        return self.at >= len(self.tokens)


@dataclass(slots=True)
class Values:
    """Names that expressions may use: variables, and attributes of elements as `element.attribute`."""

    variables: dict[str, float] = field(default_factory=lambda: {"pi": math.pi})
    attributes: dict[str, Mapping[str, float]] = field(default_factory=dict)

    def __call__(self, name: str) -> float | None:
        """The value of a name; None where it has none."""
        if name in self.variables:
            return self.variables[name]
        element, dot, attribute = name.rpartition(".")
        return self.attributes.get(element, {}).get(attribute) if dot else None


def statements(text: str, file: str) -> Iterator[Reader]:
    """The statements of a text without comments. Raises ExchangeError for what is not a token or does not end."""
    tokens: list[Token] = []
    for token in _tokens(text, file):
        if token.text != ";" or token.kind != "mark":
            tokens.append(token)
        elif tokens:
            yield Reader(tokens, file)
            tokens = []
    if tokens:
        yield Reader(tokens, file)


def _tokens(text: str, file: str) -> Iterator[Token]:
    at, line = 0, 1
    while at < len(text):
        match = TOKEN.match(text, at)
        if match is None:
            raise ExchangeError(f"{file}: line {line}: not Tracy: {shorten(text[at : at + 40].splitlines()[0])}")
        kind = str(match.lastgroup)
        end = match.end()
        if kind == "open":
            end = _comment_end(text, at, match.group(), f"{file}: line {line}")
        elif kind not in ("space", "hash"):
            word = match.group()
            yield Token(kind, word.lower() if kind == "name" else word, line)
        line += text.count("\n", at, end)
        at = end


def _comment_end(text: str, at: int, opening: str, where: str) -> int:
    if opening == "(*":
        end = text.find("*)", at + 2)
        if end < 0:
            raise ExchangeError(f"{where}: the comment that begins here does not end")
        return end + 2
    depth = 0
    for match in BRACES.finditer(text, at):
        depth += 1 if match.group() == "{" else -1
        if depth == 0:
            return match.end()
    raise ExchangeError(f"{where}: the comment that begins here does not end")


def expression(reader: Reader, values: Values, lowest: int = 0, depth: int = 0) -> float:
    """The value of an expression, up to the first token that does not belong to it.

    Raises ExchangeError with the line for an undefined name, an unknown function, or no finite value.
    """
    if depth > MAX_DEPTH:
        raise ExchangeError(f"{reader.place()}: the expression is nested more than {MAX_DEPTH} deep")
    left = _operand(reader, values, depth)
    while reader.peek() in OPERATORS and OPERATORS[reader.peek()][0] > lowest:
        sign, where = reader.peek(), reader.place()
        level, function = OPERATORS[sign]
        reader.at += 1
        right = expression(reader, values, level, depth + 1)
        if sign == "^" and reader.peek() == "^":
            raise ExchangeError(f"{where}: a^b^c: say with parentheses which comes first")
        left = _finite(function, (left, right), where, sign)
    return left


def _operand(reader: Reader, values: Values, depth: int) -> float:
    where = reader.place()
    if reader.take("-"):
        return -expression(reader, values, SIGN, depth + 1)
    if reader.take("+"):
        return expression(reader, values, SIGN, depth + 1)
    if reader.take("("):
        value = expression(reader, values, 0, depth + 1)
        reader.expect(")")
        return value
    if not reader.done() and reader.tokens[reader.at].kind == "number":
        reader.at += 1
        return float(reader.tokens[reader.at - 1].text.lower().replace("d", "e"))
    name = reader.name()
    if reader.take("("):
        if name not in FUNCTIONS:
            raise ExchangeError(f"{where}: the function {shorten(name)} is not known: write its value instead")
        argument = expression(reader, values, 0, depth + 1)
        reader.expect(")")
        return _finite(FUNCTIONS[name], (argument,), where, name)
    value_of = values(name)
    if value_of is None:
        raise ExchangeError(f"{where}: {shorten(name)} is not defined")
    return value_of


def _finite(function: Callable[..., float], arguments: tuple[float, ...], where: str, what: str) -> float:
    try:
        value = function(*arguments)
    except (ArithmeticError, ValueError) as error:
        raise ExchangeError(f"{where}: {what}: {error}") from error
    if not math.isfinite(value):
        raise ExchangeError(f"{where}: {what} gives no finite number")
    return value
