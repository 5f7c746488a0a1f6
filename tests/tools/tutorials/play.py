"""Play a page: run its commands as a new user would, and compare or keep what they print and show."""

import difflib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.tutorials.comparison import same_output
from tools.tutorials.pages import Command, Picture, read_page, with_outputs
from tools.tutorials.pictures import draw
from tools.tutorials.terminal import Terminal


@dataclass(frozen=True)
class Difference:
    """A command whose output is not what the page shows."""

    page: Path
    command: Command
    real: tuple[str, ...]
    status: int

    def __str__(self) -> str:
        where = f"{self.page.name}, line {self.command.first}: $ {self.command.text}   (exit code {self.status})"
        return "\n".join(
            [where, *difflib.unified_diff(self.command.shown, self.real, "shown", "real", lineterm="", n=99)]
        )


def play(
    page: Path, programs: Path, python_path: str | None = None, *, write: bool = False, pictures: bool = False
) -> list[Difference]:
    """Play a page in a new home; the commands that printed something else than what the page shows.

    With `write`, the page gets what was printed; with `pictures`, they are drawn again. Raises RuntimeError when a
    hidden command fails, TimeoutError when a command does not end.
    """
    outputs: list[tuple[Command, Sequence[str]]] = []
    differences = []
    with (
        tempfile.TemporaryDirectory(prefix="gnomon-tutorial-", ignore_cleanup_errors=True) as folder,
        Terminal(home := Path(folder) / "home", programs, python_path, TUTORIALS=str(page.parent)) as terminal,
    ):
        for step in read_page(page):
            if isinstance(step, Picture):
                if pictures:
                    step.file.parent.mkdir(exist_ok=True)
                    svg = draw(step, terminal.environment, home, terminal.as_shown)
                    step.file.write_text(svg, encoding="utf-8")
                continue
            real, status = terminal.run(step)
            if step.hidden:
                if status:
                    raise RuntimeError(f"{page.name}, line {step.first}: {step.text}: exit code {status}: {real}")
                continue
            outputs.append((step, real))
            if not same_output(step.shown, real):
                differences.append(Difference(page, step, tuple(real), status))
    if write and differences:
        page.write_text(with_outputs(page.read_text(encoding="utf-8"), outputs), encoding="utf-8")
    return differences
