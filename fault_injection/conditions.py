"""Conditions on PVs: comparisons with numbers, joined by `and`."""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gnomon.lattice.text import parse_number, shorten

#: The present value of a PV by its name, with or without prefix; None without a valid one.
ValueOf = Callable[[str], float | None]

COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}
_TERM = re.compile(r"\s*(\S+)\s*(<=|>=|==|!=|<|>)\s*(\S+)\s*")


@dataclass(frozen=True, slots=True)
class Comparison:
    """One comparison of a PV with a number."""

    pv: str
    sign: str
    number: float

    def holds(self, value_of: ValueOf) -> bool:
        """Return whether it holds now; it does not while the PV has no valid value."""
        value = value_of(self.pv)
        return value is not None and COMPARISONS[self.sign](value, self.number)


@dataclass(frozen=True, slots=True)
class Condition:
    """Comparisons that must hold together."""

    comparisons: tuple[Comparison, ...]

    @property
    def pvs(self) -> tuple[str, ...]:
        """The PVs that it is about."""
        return tuple(each.pv for each in self.comparisons)

    def holds(self, value_of: ValueOf) -> bool:
        """Return whether all of it holds now."""
        return all(each.holds(value_of) for each in self.comparisons)


def parse_condition(text: str) -> Condition:
    """Read a condition, `beam:current < 100 and dt:queue >= 2`. Raises ValueError with the part that is wrong."""
    return Condition(tuple(_comparison(part) for part in re.split(r"\s+and\s+", text)))


def _comparison(text: str) -> Comparison:
    found = _TERM.fullmatch(text)
    if found is None:
        raise ValueError(
            f"{shorten(text.strip())} is not a comparison; write PV < NUMBER, with {', '.join(COMPARISONS)}"
        )
    pv, sign, number = found.groups()
    try:
        return Comparison(pv, sign, parse_number(number))
    except ValueError as error:
        raise ValueError(f"{shorten(text.strip())}: {shorten(number)} is not a number") from error
