"""Expressions of MAD-X: its precedence, its functions, and the names in them.

A sign stands only at the beginning of an expression or after a parenthesis: `2*-3` is an error in MAD-X, and here.
`^` groups from the left, so that `2^3^2` is 64, and binds closer than a sign.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gnomon.lattice.exchange.madx.madx_error import MadxError
from gnomon.lattice.exchange.madx.tokens import Token, join
from gnomon.lattice.text import shorten

FUNCTIONS: Mapping[str, Callable[[float], float]] = {
    "sqrt": math.sqrt,
    "log": math.log,
    "log10": math.log10,
    "exp": math.exp,
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "asin": math.asin,
    "acos": math.acos,
    "atan": math.atan,
    "sinh": math.sinh,
    "cosh": math.cosh,
    "tanh": math.tanh,
    "sinc": lambda x: math.sin(x) / x if x else 1.0,
    "abs": abs,
    "erf": math.erf,
    "erfc": math.erfc,
    "floor": lambda x: float(math.floor(x)),
    "ceil": lambda x: float(math.ceil(x)),
    "round": lambda x: float(round(x)),
    "frac": lambda x: x - math.trunc(x),
}

#: Parentheses within each other.
MAX_DEPTH = 60


@dataclass(frozen=True, slots=True)
class Number:
    """A number."""

    value: float


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable, or with `attribute` what an element or beam has."""

    name: str
    attribute: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """A function of one argument, or a negative sign (`-`)."""

    function: str
    argument: "Node"


@dataclass(frozen=True, slots=True)
class Chain:
    """Operands with operators of one rank between them, evaluated from the left."""

    first: "Node"
    rest: tuple[tuple[str, "Node"], ...]


Node = Number | Variable | Call | Chain


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression as read, and where it stands."""

    node: Node
    text: str
    place: str


def parse_expression(words: list[Token], place: str) -> Expression:
    """Read all words as one expression. Raises MadxError."""
    text = join(words)
    parser = _Parser(words, text, place)
    node = parser.sum(0)
    if parser.at < len(words):
        parser.fail(f"{words[parser.at].text!r} is not expected")
    return Expression(node, text, place)


class _Parser:
    def __init__(self, words: list[Token], text: str, place: str) -> None:
        self.words = words
        self.text = text
        self.place = place
        self.at = 0

    def fail(self, why: str) -> None:
        raise MadxError(self.place, f"the expression {shorten(self.text)} is not one of MAD-X: {why}")

    def peek(self) -> str:
        if self.at < len(self.words) and self.words[self.at].kind == "mark":
            return self.words[self.at].text
        return ""

    def sum(self, depth: int) -> Node:
        if depth > MAX_DEPTH:
            self.fail(f"more than {MAX_DEPTH} parentheses within each other")
        sign = self.peek()
        if sign in ("+", "-"):
            self.at += 1
        first = self.product(depth)
        if sign == "-":
            first = Call("-", first)
        return self.chain(first, ("+", "-"), self.product, depth)

    def product(self, depth: int) -> Node:
        return self.chain(self.power(depth), ("*", "/"), self.power, depth)

    def power(self, depth: int) -> Node:
        return self.chain(self.primary(depth), ("^",), self.primary, depth)

    def chain(self, first: Node, marks: tuple[str, ...], operand: Callable[[int], Node], depth: int) -> Node:
        rest = []
        while (mark := self.peek()) in marks:
            self.at += 1
            rest.append((mark, operand(depth)))
        return Chain(first, tuple(rest)) if rest else first

    def primary(self, depth: int) -> Node:
        if self.at >= len(self.words):
            self.fail("it ends too early")
        word = self.words[self.at]
        self.at += 1
        if word.kind == "number":
            return Number(float(word.text.replace("d", "e")))
        if word.kind == "name":
            return self.named(word.text, depth)
        if word.text == "(" and word.kind == "mark":
            node = self.sum(depth + 1)
            self.expect(")")
            return node
        if word.text in ("-", "+"):
            self.fail(f"a sign after an operator needs parentheses: ({word.text}...)")
        self.fail(f"{word.text!r} is not expected")
        raise AssertionError

    def named(self, name: str, depth: int) -> Node:
        if self.peek() == "(":
            if name not in FUNCTIONS:
                known = "not known here: random, or from a table" if name in UNKNOWN else "there is no such function"
                self.fail(f"{name}(): {known}")
            self.at += 1
            argument = self.sum(depth + 1)
            self.expect(")")
            return Call(name, argument)
        if name in FUNCTIONS:
            self.fail(f"the function {name} has no argument")
        if self.peek() == "->":
            self.at += 1
            if self.at >= len(self.words) or self.words[self.at].kind != "name":
                self.fail("a name must follow '->'")
            self.at += 1
            attribute = self.words[self.at - 1].text
            if self.peek() == "[":
                self.fail(f"MAD-X cannot read a single entry of an array, as {name}->{attribute}[...] would be")
            return Variable(name, attribute)
        return Variable(name)

    def expect(self, mark: str) -> None:
        if self.peek() != mark:
            self.fail(f"{mark!r} is missing")
        self.at += 1


#: Functions of MAD-X that depend on more than their argument.
UNKNOWN = frozenset({"ranf", "gauss", "tgauss", "user0", "user1", "user2", "table", "exist"})


def evaluate(expression: Expression, look_up: Callable[[Variable], float]) -> float:
    """The value of an expression; `look_up` gives that of a name. Raises MadxError where it is not a finite number."""
    try:
        value = _value(expression.node, look_up)
    except ZeroDivisionError:
        problem = "division by zero"
    except (ValueError, OverflowError, ArithmeticError):
        problem = "not a real number, or too large"
    else:
        if math.isfinite(value):
            return value
        problem = "not a finite number"
    raise MadxError(expression.place, f"the expression {shorten(expression.text)}: {problem}")


def _value(node: Node, look_up: Callable[[Variable], float]) -> float:
    match node:
        case Number(value):
            return value
        case Variable():
            return look_up(node)
        case Call("-", argument):
            return -_value(argument, look_up)
        case Call(function, argument):
            return FUNCTIONS[function](_value(argument, look_up))
        case Chain(first, rest):
            value = _value(first, look_up)
            for mark, operand in rest:
                other = _value(operand, look_up)
                match mark:
                    case "+":
                        value += other
                    case "-":
                        value -= other
                    case "*":
                        value *= other
                    case "/":
                        value /= other
                    case _:
                        value = math.pow(value, other)
            return value
