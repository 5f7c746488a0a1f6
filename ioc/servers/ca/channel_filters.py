"""Server-side filters that a client puts behind a name: `NAME{"dbnd":{"abs":0.5}}`, or `NAME[0:9]` for a part."""

import json
import math
import re
import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gnomon.ioc.servers.ca.dbr import State

SHORTHAND = re.compile(r"\[(-?[0-9]*)(?::(-?[0-9]*))?(?::(-?[0-9]*))?\]")


@dataclass(frozen=True, slots=True)
class Filters:
    """Filters of a channel's values: a part of the array, a deadband, the server's time for the record's."""

    part: tuple[int, int, int] | None = None  # first, last (both count from the end when negative), step
    deadband: tuple[str, float] | None = None  # abs or rel [percent], and how much
    now: bool = False

    def length(self, length: int) -> int:
        """Return how many of `length` values are left at most."""
        return length if self.part is None or length <= 1 else len(_chosen(length, *self.part))

    def apply(self, state: State) -> State:
        """The state as the client is to see it."""
        value = state.value if self.part is None else _part(state.value, *self.part)
        return replace(state, value=value, time_ns=time.time_ns() if self.now else state.time_ns)

    def passes(self, old: Any, new: Any) -> bool:
        """Tell whether a change from the value sent last is worth sending."""
        if self.deadband is None or isinstance(new, str | list | bytes | np.ndarray) or old is None:
            return True
        kind, limit = self.deadband
        if not (math.isfinite(old) and math.isfinite(new)):
            return True
        change = abs(new - old)
        return bool(change > limit if kind == "abs" else change > limit / 100.0 * abs(old))


def parse(source: str) -> Filters:
    """The filters of a name from their text. Raises ValueError for what no filter has."""
    if source.startswith("["):
        match = SHORTHAND.fullmatch(source)
        if match is None:
            raise ValueError(source)
        first, second, third = match.groups()
        if second is None:
            return Filters(part=(int(first), int(first), 1))
        step, last = (second, third) if third is not None else ("", second)
        return Filters(part=_checked(int(first or 0), int(last or -1), int(step or 1)))
    wanted = json.loads(source, parse_constant=_not_json)
    if not isinstance(wanted, dict):
        raise ValueError(source)
    found = Filters()
    for name, options in wanted.items():
        if not isinstance(options, dict):
            raise ValueError(f"{name} needs options in braces")
        found = replace(found, **_one(name, options))
    return found


def _one(name: str, options: dict[str, Any]) -> dict[str, Any]:
    match name:
        case "arr" if options.keys() <= {"s", "i", "e"}:
            numbers = (options.get("s", 0), options.get("e", -1), options.get("i", 1))
            if not all(isinstance(number, int) for number in numbers):
                raise ValueError(f"arr takes whole numbers, not {numbers}")
            return {"part": _checked(*numbers)}
        case "dbnd" if options.keys() <= {"abs", "rel", "m", "d"}:
            kind = "rel" if "rel" in options else options.get("m", "abs")
            limit = options.get("abs", options.get("rel", options.get("d", 0.0)))
            if kind not in ("abs", "rel") or isinstance(limit, bool) or not isinstance(limit, int | float):
                raise ValueError(f"dbnd takes a number, abs or rel, not {options}")
            try:
                return {"deadband": (kind, float(limit))}
            except OverflowError as error:
                raise ValueError(f"dbnd takes no number as large as {limit}") from error
        case "ts" if not options:
            return {"now": True}
        case _:
            raise ValueError(f"unknown filter {name} with {', '.join(options) or 'no options'}")


def _not_json(word: str) -> float:
    raise ValueError(f"{word} is not a number in JSON")


def _checked(first: int, last: int, step: int) -> tuple[int, int, int]:
    if step < 1:
        raise ValueError(f"a step of {step} is not possible: use 1 or more")
    return first, last, step


def _part(value: Any, first: int, last: int, step: int) -> Any:
    """A part of an array; a single value has no parts and stays as it is."""
    if not isinstance(value, np.ndarray | list | bytes):
        return value
    chosen = _chosen(len(value), first, last, step)
    return value[chosen.start : chosen.stop : step]


def _chosen(length: int, first: int, last: int, step: int) -> range:
    begin = max(first + length if first < 0 else first, 0)
    end = min(last + length if last < 0 else last, length - 1)
    return range(begin, max(end + 1, begin), step)
