"""A tutorial page as what is played of it: commands with the output that the page shows, and pictures of terminals."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

PROMPT = "$ "
#: On a line of its own: the lines that stand there are left out.
LEFT_OUT = "..."
INTERRUPT = "^C"

_HIDDEN = re.compile(r"<!-- play: (.+?) -->")
_PICTURE = re.compile(r"<!-- picture (\d+)x(\d+)(?: keys=(\S+))?: (.+?) -->")
_IMAGE = re.compile(r"!\[[^\]]*\]\(([^)]+)\)")


@dataclass(frozen=True)
class Command:
    """A command and what the page shows of its output.

    `first` and `last` are the lines of the output in the page, `last` not included. A hidden command stands in a
    comment, has no output, and must succeed.
    """

    text: str
    shown: tuple[str, ...]
    first: int
    last: int
    hidden: bool = False

    @property
    def stays(self) -> bool:
        """True if it runs in the background until the page ends."""
        return self.text.endswith(" &")


@dataclass(frozen=True)
class Picture:
    """A picture of what a command shows in a terminal of `columns` by `rows`, after `keys` were pressed."""

    text: str
    columns: int
    rows: int
    keys: tuple[str, ...]
    file: Path


def read_page(page: Path) -> list[Command | Picture]:
    """Read what is played of a page, in order. Raises ValueError where a comment or a block is not understood."""
    return list(_steps(page, page.read_text(encoding="utf-8").splitlines()))


def _steps(page: Path, lines: Sequence[str]) -> Iterator[Command | Picture]:
    number, block = 0, ""
    while number < len(lines):
        line = lines[number]
        number += 1
        if line.startswith("```"):
            block = "" if block else line.removeprefix("```").strip() or "text"
        elif block == "console":
            if not line.startswith(PROMPT):
                raise ValueError(f"{page.name}, line {number}: a console block begins with a command ({PROMPT}...)")
            first = last = number
            while last < len(lines) and not lines[last].startswith((PROMPT, "```")):
                last += 1
            yield Command(line.removeprefix(PROMPT), tuple(lines[first:last]), first, last)
            number = last
        elif not block and (found := _HIDDEN.fullmatch(line)):
            yield Command(found[1], (), number, number, hidden=True)
        elif not block and (found := _PICTURE.fullmatch(line)):
            image = _IMAGE.match(lines[number]) if number < len(lines) else None
            if image is None:
                raise ValueError(f"{page.name}, line {number}: no image follows the comment with its command")
            columns, rows, keys, text = found.groups()
            yield Picture(
                text, int(columns), int(rows), tuple(filter(None, (keys or "").split(","))), page.parent / image[1]
            )
        elif not block and line.startswith(("<!-- play", "<!-- picture")):
            raise ValueError(f"{page.name}, line {number}: cannot read {line!r}")


def with_outputs(text: str, outputs: Sequence[tuple[Command, Sequence[str]]]) -> str:
    """Put what commands printed where a page shows it; what the page leaves out is left out again."""
    lines = text.splitlines()
    for command, real in sorted(outputs, key=lambda pair: pair[0].first, reverse=True):
        if not command.hidden:
            lines[command.first : command.last] = shortened(command.shown, real)
    return "\n".join(lines) + "\n"


def shortened(shown: Sequence[str], real: Sequence[str]) -> list[str]:
    """As many lines of the output before and after `...` as a page shows; all of it where it leaves nothing out."""
    if LEFT_OUT not in shown:
        return list(real)
    before = shown.index(LEFT_OUT)
    after = len(shown) - 1 - before
    if len(real) <= before + after:
        return list(real)
    return [*real[:before], LEFT_OUT, *real[len(real) - after :]]
