"""What the physics asks of a number besides plain arithmetic, for each type of number.

Elements are written with +, -, *, / and the four functions of `Functions`. The module `math` serves floats, `numpy`
arrays; a further type of number registers the functions that it has, in the module that defines it.
"""

import math
from typing import Any, Protocol, cast

import numpy as np

#: A float, an array of many particles, a truncated power series, a symbol, or whatever else is registered.
Number = Any


class Functions(Protocol):
    """The functions that a type of number brings along."""

    def sin(self, value: Any, /) -> Any:
        """Sine of an angle [rad]."""

    def cos(self, value: Any, /) -> Any:
        """Cosine of an angle [rad]."""

    def tan(self, value: Any, /) -> Any:
        """Tangent of an angle [rad]."""

    def sqrt(self, value: Any, /) -> Any:
        """Square root."""


_registered: dict[type, Functions] = {
    int: cast(Functions, math),
    float: cast(Functions, math),
    np.ndarray: cast(Functions, np),
}


def register_number(kind: type, functions: Functions) -> None:
    """Let values of `kind` and its subclasses pass through all elements; `functions` may be a module."""
    _registered[kind] = functions


def functions_of(value: Number) -> Functions:
    """The functions for a value. Raises TypeError for a type that nobody registered."""
    for kind in type(value).__mro__:
        if kind in _registered:
            return _registered[kind]
    raise TypeError(f"{type(value).__name__} is not a registered number; see number_types.register_number")


def is_plain(value: Number) -> bool:
    """Whether a value is an ordinary number, so that it can be compared."""
    return isinstance(value, int | float)


def is_zero(value: Number) -> bool:
    """Whether a value is the plain number 0. A knob never is, even while its value is 0."""
    return is_plain(value) and bool(value == 0)
