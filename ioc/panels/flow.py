"""Rows of widgets into cards, cards into columns, columns into pages: nothing overlaps, nothing leaves the page."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from math import ceil

from gnomon.ioc.panels.widgets import CARD_BAR, Box, Widget, card

GAP = 12
PADDING = 10
ROW = 28

#: Puts one row's widgets into a box that is as wide as a card's inside and `ROW` high.
Row = Callable[[Box], list[Widget]]


@dataclass(frozen=True)
class Section:
    """Rows that belong together under a title; `head` is repeated where they go on in another column."""

    title: str
    rows: Sequence[Row]
    head: Row | None = None

    def height(self, rows: int) -> int:
        """Height of a card with this many rows."""
        return CARD_BAR + 2 * PADDING + ROW * (rows + (self.head is not None))


def make_card(section: Section, rows: Sequence[Row], box: Box, title: str) -> Widget:
    """A card with these rows of a section, from its top."""
    shown = [*([section.head] if section.head else []), *rows]
    inside = box.width - 2 * PADDING
    children: list[Widget] = []
    for number, row in enumerate(shown):
        children += row(Box(PADDING, PADDING + ROW * number, inside, ROW))
    return card(title, box._replace(height=section.height(len(rows))), children)


def pages(sections: Sequence[Section], box: Box, columns: int) -> list[list[Widget]]:
    """Cards of all sections, column by column, in as many pages as they need.

    A section that does not fit below the others begins a new column; one that fits in none is divided.
    """
    width = (box.width - GAP * (columns - 1)) // columns
    made: list[list[Widget]] = [[]]
    column, y = 0, box.y
    for section in sections:
        rows, title = iter(section.rows), section.title
        left = len(section.rows)
        longest = (box.height - section.height(0)) // ROW
        longest = ceil(left / max(1, ceil(left / longest)))  # parts of one length
        while left:
            room = (box.y + box.height - y - section.height(0)) // ROW
            if room < min(left, longest):
                column, y, room = column + 1, box.y, longest
            if column == columns:
                column = 0
                made.append([])
            part = list(islice(rows, min(room, longest)))
            left -= len(part)
            place = Box(box.x + column * (width + GAP), y, width, 0)
            made[-1].append(make_card(section, part, place, title))
            y += section.height(len(part)) + GAP
            title = f"{section.title}, continued"
    return made


def balanced(sections: Sequence[Section], box: Box, columns: int) -> list[Widget]:
    """Cards of the sections that one page has room for, from the first on, in columns of about the same height."""
    total = sum(section.height(len(section.rows)) + GAP for section in sections)
    for height in range(total // columns, box.height, ROW):
        found = pages(sections, box._replace(height=height), columns)
        if len(found) == 1:
            return found[0]
    return pages(sections, box, columns)[0]
