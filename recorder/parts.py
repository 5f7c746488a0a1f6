"""Archived parts of a journal: files beside it, each with the commands of a range, named `JOURNAL.FIRST-LAST`."""

import re
from dataclasses import dataclass
from pathlib import Path

_RANGE = re.compile(r"([1-9][0-9]{0,17})-([1-9][0-9]{0,17})")


@dataclass(frozen=True, slots=True, order=True)
class Part:
    """A file with the commands `first` to `last`, complete with their outcomes; it never changes again."""

    first: int
    last: int
    path: Path


def part_of(journal: Path, first: int, last: int) -> Part:
    """Name the part of a journal for a range of commands."""
    place = journal.resolve()
    return Part(first, last, place.with_name(f"{place.name}.{first}-{last}"))


def parts_of(journal: Path) -> tuple[Part, ...]:
    """Find the parts of a journal, oldest first."""
    place = journal.resolve()
    found = []
    begin = place.name + "."
    for path in place.parent.iterdir() if place.parent.is_dir() else ():
        if path.name.startswith(begin) and (numbers := _RANGE.fullmatch(path.name.removeprefix(begin))):
            found.append(Part(int(numbers[1]), int(numbers[2]), path))
    return tuple(sorted(found))
