"""A number that records the arithmetic done with it, so that a description of physics becomes a graph.

Constants are plain floats and are folded as they come: adding 0, multiplying by 0 or 1, a double sign. What remains is
recorded once, however often it is computed (common subexpressions are the same object), and gives the same value as
the description to the last bit; only the sign of a zero, and 0 times infinity, are not kept.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from types import SimpleNamespace
from typing import Any, cast

from gnomon.propagator.physics.number_types import Functions, register_number

#: A recorded number or a constant.
Value = Any


class Level(IntEnum):
    """Rate at which a number changes.

    PARTICLE is from particle to particle, but not within a slice; the coordinates that a slice changes are LANE.
    """

    CALL = 0
    SLICE = 1
    PARTICLE = 2
    LANE = 3


class Recorded:
    """A number: an operation on other numbers, or an input, whose operation is "input".

    `name` is the input's, or that of the input which the number continues: x + 2 is a later x.
    """

    __slots__ = ("level", "name", "operands", "operation", "tape")

    def __init__(self, tape: "Tape", operation: str, operands: tuple[Value, ...], level: Level, name: str) -> None:
        self.tape, self.operation, self.operands, self.level, self.name = tape, operation, operands, level, name

    def __add__(self, other: Value) -> Value:
        return self.tape.add(self, other)

    def __radd__(self, other: Value) -> Value:
        return self.tape.add(other, self)

    def __sub__(self, other: Value) -> Value:
        return self.tape.subtract(self, other)

    def __rsub__(self, other: Value) -> Value:
        return self.tape.subtract(other, self)

    def __mul__(self, other: Value) -> Value:
        return self.tape.multiply(self, other)

    def __rmul__(self, other: Value) -> Value:
        return self.tape.multiply(other, self)

    def __truediv__(self, other: Value) -> Value:
        return self.tape.divide(self, other)

    def __rtruediv__(self, other: Value) -> Value:
        return self.tape.divide(other, self)

    def __neg__(self) -> Value:
        return self.tape.negate(self)

    def repeat(self, *work: Any) -> Any:
        """Repeat a step as often as this number says (`physics.repetition.repeated`), as its tape knows how."""
        return self.tape.repeat(self, *work)


def level_of(value: Value) -> Level:
    """Return how often a value changes; a constant never does."""
    return value.level if isinstance(value, Recorded) else Level.CALL


def is_operation(value: Value, operation: str) -> bool:
    """Return True for a recorded number that is an operation of this kind."""
    return isinstance(value, Recorded) and value.operation == operation


@dataclass(eq=False)
class Tape:
    """All numbers of a recording.

    `repeat` is what a recorded count does (`Recorded.repeat`); `functions` may have another way to compute a function.
    """

    repeat: Callable[..., Any] = field(default=lambda *_: None)
    functions: dict[str, Callable[[Recorded], Value]] = field(default_factory=dict)
    _known: dict[tuple[Any, ...], Value] = field(default_factory=dict)

    def input(self, name: str, level: Level = Level.CALL) -> Recorded:
        """Return a new input."""
        return Recorded(self, "input", (), level, name)

    def assume(self, number: Recorded, value: Value) -> None:
        """Let `value` stand for a number wherever it is computed from now on."""
        self._known[_key(number.operation, number.operands)] = value

    def record(self, operation: str, *operands: Value) -> Value:
        """Return the number that an operation gives; it is the same object for the same operands."""
        key = _key(operation, operands)
        if key not in self._known:
            continued = next((o.name for o in operands if isinstance(o, Recorded) and o.name), "")
            name = continued if operation in ("+", "-") else ""
            self._known[key] = Recorded(self, operation, operands, max(map(level_of, operands)), name)
        return self._known[key]

    def add(self, a: Value, b: Value) -> Value:
        """Return a + b."""
        if _plain(a, b):
            return a + b
        if _equal(a, 0.0):
            return b
        if _equal(b, 0.0):
            return a
        if a is b:
            return self.multiply(2.0, a)
        if is_operation(b, "neg"):
            return self.subtract(a, b.operands[0])
        if is_operation(a, "neg"):
            return self.subtract(b, a.operands[0])
        return self.record("+", a, b)

    def subtract(self, a: Value, b: Value) -> Value:
        """Return a - b."""
        if _plain(a, b):
            return a - b
        if _equal(b, 0.0):
            return a
        if _equal(a, 0.0):
            return self.negate(b)
        if is_operation(b, "neg"):
            return self.add(a, b.operands[0])
        return 0.0 if a is b else self.record("-", a, b)

    def negate(self, a: Value) -> Value:
        """Return -a."""
        if _plain(a):
            return -a
        return a.operands[0] if a.operation == "neg" else self.record("neg", a)

    def multiply(self, a: Value, b: Value) -> Value:
        """Return a b, a constant or what changes less often in front."""
        if _plain(a, b):
            return a * b
        if level_of(b) < level_of(a) or _plain(b):
            a, b = b, a
        if _equal(a, 0.0):
            return 0.0
        if _equal(a, 1.0):
            return b
        if _equal(a, -1.0):
            return self.negate(b)
        if is_operation(a, "neg"):
            return self.negate(self.multiply(a.operands[0], b))
        if is_operation(b, "neg"):
            return self.negate(self.multiply(a, b.operands[0]))
        return self.record("*", a, b)

    def divide(self, a: Value, b: Value) -> Value:
        """Return a / b; division by a power of 2 becomes a product, which is the same number."""
        if _plain(a, b):
            return a / b
        if _equal(a, 0.0):
            return 0.0
        if _plain(b) and math.frexp(abs(b))[0] == 0.5:
            return self.multiply(1.0 / b, a)
        return self.record("/", a, b)


def _key(operation: str, operands: tuple[Value, ...]) -> tuple[Any, ...]:
    """Return what is the same for the same operation; a sum and a product do not depend on the order."""
    parts = [("", id(o)) if isinstance(o, Recorded) else ("constant", float(o)) for o in operands]
    return (operation, *(sorted(parts) if operation in ("+", "*") else parts))


def _plain(*values: Value) -> bool:
    return not any(isinstance(value, Recorded) for value in values)


def _equal(value: Value, number: float) -> bool:
    return _plain(value) and bool(value == number)


def _function(name: str) -> Callable[[Recorded], Value]:
    def apply(value: Recorded) -> Value:
        own = value.tape.functions.get(name)
        return value.tape.record(name, value) if own is None else own(value)

    return apply


#: Functions of a recorded number, as the physics calls them.
FUNCTIONS = ("sin", "cos", "tan", "sqrt")

register_number(Recorded, cast(Functions, SimpleNamespace(**{name: _function(name) for name in FUNCTIONS})))
