"""Names near to one that is not there: what a person meant who wrote it in other letters, in part, or with a slip."""

from collections.abc import Iterable
from difflib import get_close_matches
from fnmatch import fnmatchcase

__all__ = ["near_names", "near_names_hint"]


def near_names(asked: str, names: Iterable[str], count: int = 3) -> list[str]:
    """Choose at most `count` of the names, the nearest first; `asked` may be a pattern.

    First the same name, or what the pattern fits, in other letters; then names that begin with the text, those that
    contain it, and those that differ from it by little.
    """
    text = asked.upper()
    spelled: dict[str, str] = {}
    for name in names:
        spelled.setdefault(name.upper(), name)
    fits = [name for name in spelled if name == text or fnmatchcase(name, text)]
    part = text.strip("*?")
    parts = sorted((name for name in spelled if len(part) > 1 and part in name), key=lambda name: name.find(part) > 0)
    close = get_close_matches(text, spelled, n=count, cutoff=0.6)
    return [spelled[name] for name in dict.fromkeys([*fits, *parts, *close])][:count]


def near_names_hint(asked: str, names: Iterable[str], count: int = 3) -> str:
    """Return the end of a message, `; near names: ...`; empty if no name is near."""
    near = near_names(asked, names, count)
    return f"; near names: {', '.join(near)}" if near else ""
