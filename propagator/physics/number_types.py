"""The functions that the physics needs besides arithmetic, for each type of number.

Elements are written with +, -, *, / and the four functions of `Functions`. Floats use the module `math`, arrays use
`numpy`; any other type of number registers its functions in the module that defines it.
"""

import math
from typing import Any, Protocol, cast

import numpy as np

#: A float, an array of many particles, a truncated power series, a symbol, or whatever else is registered.
Number = Any


class Functions(Protocol):
    """The functions that a type of number must have."""

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
    """Return the functions for a value. Raises TypeError for a type that is not registered."""
    for kind in type(value).__mro__:
        if kind in _registered:
            return _registered[kind]
    raise TypeError(f"{type(value).__name__} is not a registered number; see number_types.register_number")


def is_plain(value: Number) -> bool:
    """Return True for an ordinary number, which can be compared."""
    return isinstance(value, int | float)


def is_zero(value: Number) -> bool:
    """Return True for the plain number 0. A knob is never one, even while its value is 0."""
    return is_plain(value) and bool(value == 0)
