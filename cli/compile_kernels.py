"""Compile the kernels that are not in the cache yet, and show the progress.

`python -m gnomon.cli.compile_kernels --studies` compiles those of studies, too.
"""

import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as ProgressBar

if TYPE_CHECKING:
    from gnomon.lattice import Ring
    from gnomon.propagator import Progress


def compile_with_progress(console: Console) -> None:
    """Compile the propagator's kernels unless they are cached: up to a minute, once for each version."""
    from gnomon.propagator import compile_kernels, kernels_are_cached

    if not kernels_are_cached():
        _show(console, compile_kernels)


def compile_studies_with_progress(console: Console, ring: "Ring") -> None:
    """Compile the kernels that only studies need, unless they are cached."""
    from gnomon.propagator.studies import compile_study_kernels, study_kernels_are_cached

    if not study_kernels_are_cached():
        _show(console, partial(compile_study_kernels, ring))


def _show(console: Console, compile_all: Callable[["Progress"], None]) -> None:
    if not console.is_terminal:
        console.print("compiling kernels, only this once; this takes about 20 seconds")
    columns = (TextColumn("compiling kernels, once: {task.description}"), BarColumn(), TimeElapsedColumn())
    with ProgressBar(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=None)

        def step(name: str, done: int, total: int) -> None:
            progress.update(task, description=name, completed=done, total=total)

        compile_all(step)


if __name__ == "__main__":
    compile_with_progress(Console())
    if "--studies" in sys.argv[1:]:
        from gnomon.db import shipped_machine

        compile_studies_with_progress(Console(), shipped_machine("mls"))
