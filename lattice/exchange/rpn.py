"""The reverse Polish calculator of elegant's lattice files: a stack, a memory, and the words that are known here.

Names are compared with their case, as elegant does. A word that is neither a number, nor in memory, nor known here is
an error: elegant's own list is longer, and reads definitions from a file of its user.
"""

import math
import operator
from collections.abc import Callable, Mapping

from gnomon.lattice.exchange.findings import ExchangeError
from gnomon.lattice.text import NotANumberError, parse_number, shorten
from gnomon.lattice.units import SPEED_OF_LIGHT

#: Numbers that a stack may hold.
MAX_DEPTH = 1000

CONSTANTS: Mapping[str, float] = {
    "pi": math.pi,
    "c_mks": SPEED_OF_LIGHT,
    "c_cgs": 100.0 * SPEED_OF_LIGHT,
    "e_mks": 1.602176634e-19,
    "me_mks": 9.1093837015e-31,
    "mev": 0.51099895069,
    "hbar_mks": 1.054571817e-34,
}

ONE: Mapping[str, Callable[[float], float]] = {
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "asin": math.asin,
    "acos": math.acos,
    "atan": math.atan,
    "dsin": lambda x: math.sin(math.radians(x)),
    "dcos": lambda x: math.cos(math.radians(x)),
    "dtan": lambda x: math.tan(math.radians(x)),
    "dasin": lambda x: math.degrees(math.asin(x)),
    "dacos": lambda x: math.degrees(math.acos(x)),
    "datan": lambda x: math.degrees(math.atan(x)),
    "dtor": math.radians,
    "rtod": math.degrees,
    "sqr": lambda x: x * x,
    "sqrt": math.sqrt,
    "exp": math.exp,
    "ln": math.log,
    "abs": abs,
    "chs": operator.neg,
    "rec": lambda x: 1.0 / x,
    "int": lambda x: float(math.trunc(x)),
    "ceil": lambda x: float(math.ceil(x)),
    "floor": lambda x: float(math.floor(x)),
}

TWO: Mapping[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "add": operator.add,
    "mult": operator.mul,
    "pow": math.pow,
    "hypot": math.hypot,
    "max2": max,
    "min2": min,
}

#: How many numbers of the top of the stack a word takes, and which of them it leaves, the first of them being 0.
MOVES: Mapping[str, tuple[int, tuple[int, ...]]] = {
    "swap": (2, (1, 0)),
    "exch": (2, (1, 0)),
    "dup": (1, (0, 0)),
    "pop": (1, ()),
}

#: Words that are followed by a name.
STORE, RECALL = "sto", "rcl"


class Rpn:
    """A calculator whose memory lasts; `memory` maps names to numbers."""

    def __init__(self) -> None:
        self.memory: dict[str, float] = {}
        self._stack: list[float] = []

    def run(self, text: str) -> None:
        """Carry out a line of the file that begins with `%`. What it leaves on the stack is there for the next line.

        Raises ExchangeError without a place, as `value` does.
        """
        self._carry_out(text, self._stack)

    def value(self, text: str) -> float:
        """The number that an expression gives, worked out on a stack of its own.

        Raises ExchangeError for an unknown word, too few numbers, more than one number left, or no finite number.
        """
        stack: list[float] = []
        self._carry_out(text, stack)
        if len(stack) != 1:
            raise ExchangeError(f"the expression {shorten(text)} leaves {len(stack)} numbers; it must leave one")
        return stack[0]

    def _carry_out(self, text: str, stack: list[float]) -> None:
        words = iter(text.split())
        for word in words:
            if word in (STORE, RECALL):
                name = next(words, None)
                if name is None:
                    raise ExchangeError(f"{word} at the end of {shorten(text)}: the name is missing")
                self._remember(word, name, stack, text)
            else:
                self._step(word, stack, text)
            if len(stack) > MAX_DEPTH:
                raise ExchangeError(f"more than {MAX_DEPTH} numbers on the stack of {shorten(text)}")

    def _remember(self, word: str, name: str, stack: list[float], text: str) -> None:
        if word == RECALL:
            if name not in self.memory:
                raise ExchangeError(f"rcl {shorten(name)} in {shorten(text)}: nothing is stored under that name")
            stack.append(self.memory[name])
            return
        if _number(name) is not None or name in CONSTANTS or name in ONE or name in TWO or name in MOVES:
            raise ExchangeError(f"sto {shorten(name)} in {shorten(text)}: that name is taken")
        (self.memory[name],) = _top(stack, 1, word, text)

    def _step(self, word: str, stack: list[float], text: str) -> None:
        number = _number(word)
        if number is None:
            number = self.memory.get(word, CONSTANTS.get(word))
        if number is not None:
            stack.append(number)
            return
        if word in MOVES:
            count, left = MOVES[word]
            taken = _top(stack, count, word, text)
            stack[len(stack) - count :] = [taken[i] for i in left]
            return
        count = 1 if word in ONE else 2
        if word not in ONE and word not in TWO:
            raise ExchangeError(f"the word {shorten(word)} in {shorten(text)} is not known: write its value instead")
        taken = _top(stack, count, word, text)
        try:
            result = ONE[word](*taken) if word in ONE else TWO[word](*taken)
        except (ArithmeticError, ValueError) as error:
            raise ExchangeError(f"{word} in {shorten(text)}: {error}") from error
        if not math.isfinite(result):
            raise ExchangeError(f"{word} in {shorten(text)} gives no finite number")
        stack[len(stack) - count :] = [result]


def _number(word: str) -> float | None:
    try:
        return parse_number(word)
    except NotANumberError:
        return None


def _top(stack: list[float], count: int, word: str, text: str) -> tuple[float, ...]:
    if len(stack) < count:
        raise ExchangeError(f"{word} in {shorten(text)} needs {count} numbers, but there are {len(stack)}")
    return tuple(stack[len(stack) - count :])
