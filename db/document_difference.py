"""Differences of two documents, place by place: named parts are compared by their names, wherever they stand."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Difference", "differences"]

#: Longest value that is shown [characters].
MAX_TEXT = 60


@dataclass(frozen=True, slots=True)
class Difference:
    """A place, as `elements.Q1.k1`, with the values as short JSON; empty: it is not there."""

    place: str
    before: str
    after: str


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Difference, ...]:
    """All places where two documents differ. An order of names that changed is a difference of its own."""
    return tuple(_compare("", before, after))


def _compare(place: str, before: Any, after: Any) -> Iterator[Difference]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        yield from _compare_parts(place, before, after)
        if place and list(before) != list(after) and set(before) == set(after):
            yield Difference(f"{place} (order)", _short(list(before)), _short(list(after)))
    elif isinstance(before, list) and isinstance(after, list):
        if (named := _by_name(before)) is not None and (named_after := _by_name(after)) is not None:
            yield from _compare_parts(place, named, named_after)
            both = [name for name in named if name in named_after]
            if both != [name for name in named_after if name in named]:
                yield Difference(f"{place} (order)", _short(list(named)), _short(list(named_after)))
        elif len(before) == len(after) and any(isinstance(each, Mapping | list) for each in before):
            for number, (one, other) in enumerate(zip(before, after, strict=True)):
                yield from _compare(f"{place}[{number}]", one, other)
        elif before != after:
            yield Difference(place, _short(before), _short(after))
    elif before != after or isinstance(before, bool) != isinstance(after, bool):
        yield Difference(place, _short(before), _short(after))


def _compare_parts(place: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Difference]:
    for name in dict.fromkeys((*before, *after)):
        inner = f"{place}.{name}" if place else str(name)
        if name not in after:
            yield Difference(inner, _short(before[name]), "")
        elif name not in before:
            yield Difference(inner, "", _short(after[name]))
        else:
            yield from _compare(inner, before[name], after[name])


def _by_name(parts: Sequence[Any]) -> dict[str, Any] | None:
    """Parts by their names; None if one has none, or two have the same."""
    names = [part.get("name") if isinstance(part, Mapping) else None for part in parts]
    if any(not isinstance(name, str) for name in names) or len(set(names)) != len(names):
        return None
    return dict(zip(map(str, names), parts, strict=True))


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 3] + "..."
