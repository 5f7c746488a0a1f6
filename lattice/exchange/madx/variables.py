"""Variables: values and deferred expressions; a name without a definition is 0, as in MAD-X, and listed."""

from collections.abc import Callable
from dataclasses import dataclass

from gnomon.lattice.exchange.madx.expressions import Expression, Variable, evaluate
from gnomon.lattice.exchange.madx.madx_error import MadxError

#: Constants of MAD-X 5.09: lengths in m, masses in GeV.
CONSTANTS = {
    "pi": 3.141592653589793,
    "twopi": 6.283185307179586,
    "degrad": 57.29577951308232,
    "raddeg": 0.017453292519943295,
    "e": 2.718281828459045,
    "amu0": 1.2566370614359173e-06,
    "emass": 0.00051099895,
    "mumass": 0.1056583755,
    "nmass": 0.93956542052,
    "umass": 0.93149410242,
    "pmass": 0.93827208816,
    "clight": 299792458.0,
    "qelect": 1.602176634e-19,
    "hbar": 6.582119569e-25,
    "erad": 2.8179403262e-15,
    "prad": 1.5346982671888944e-18,
}

#: Deferred variables that refer to each other, one within the other.
MAX_DEPTH = 40


@dataclass(frozen=True, slots=True)
class Undefined:
    """A name that is used and not defined, and where it is first used."""

    name: str
    place: str


class Variables:
    """All variables of a run; `attribute` gives those of elements and beams."""

    def __init__(self, attribute: Callable[[Variable, str], float]) -> None:
        self.values: dict[str, float | Expression] = dict(CONSTANTS)
        self.constants = set(CONSTANTS)
        self.undefined: dict[str, Undefined] = {}
        self._attribute = attribute
        self._known: dict[str, float] = {}
        self._open: list[str] = []

    def set(self, name: str, value: float | Expression) -> None:
        """Give a variable a value, or an expression that is evaluated whenever it is used."""
        self.values[name] = value
        self.changed()

    def changed(self) -> None:
        """Forget what deferred expressions were worth."""
        self._known.clear()

    def evaluate(self, expression: Expression) -> float:
        """The present value of an expression. Raises MadxError."""
        return evaluate(expression, lambda variable: self._look_up(variable, expression.place))

    def settle_undefined(self) -> None:
        """Keep of the undefined names those that are still so: a deferred expression may come before its variables."""
        self.undefined = {name: found for name, found in self.undefined.items() if name not in self.values}

    def _look_up(self, variable: Variable, place: str) -> float:
        if variable.attribute:
            return self._attribute(variable, place)
        name = variable.name
        value = self.values.get(name)
        if value is None:
            self.undefined.setdefault(name, Undefined(name, place))
            return 0.0
        if isinstance(value, float):
            return value
        known = self._known.get(name)
        if known is not None:
            return known
        if name in self._open:
            raise MadxError(value.place, f"the variable {name} is defined by itself")
        if len(self._open) >= MAX_DEPTH:
            raise MadxError(value.place, f"more than {MAX_DEPTH} deferred variables within each other")
        self._open.append(name)
        try:
            found = self.evaluate(value)
        finally:
            self._open.pop()
        self._known[name] = found
        return found
