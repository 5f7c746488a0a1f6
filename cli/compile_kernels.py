"""Compile the kernels that are not in the cache yet, and show the progress.

`python -m gnomon.cli.compile_kernels` compiles all, in two processes, for `make setup`; a server and a study compile
what they need themselves, should it be missing.
"""

import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as ProgressBar

if TYPE_CHECKING:
    from gnomon.lattice import Ring
    from gnomon.propagator import Progress

#: The ring with which kernels of studies are compiled: the smallest that is shipped.
SMALL_RING = "mls"
#: The argument that makes this module the second of the two processes.
SECOND = "--second"
#: Number of steps of both processes together, for the bar; a test counts them.
STEPS = 9


def compile_with_progress(console: Console) -> None:
    """Compile the propagator's kernels unless they are cached: up to a minute, once for each version."""
    from gnomon.propagator import compile_kernels, kernels_are_cached

    if not kernels_are_cached():
        _show(console, compile_kernels)


def compile_studies_with_progress(console: Console, ring: "Ring") -> None:
    """Compile the kernels that studies need, those of the propagator among them, unless they are cached."""
    from gnomon.propagator import compile_kernels, kernels_are_cached
    from gnomon.propagator.studies import compile_study_kernels, study_kernels_are_cached

    live, more = not kernels_are_cached(), not study_kernels_are_cached()

    def compile_missing(progress: "Progress") -> None:
        if live:
            compile_kernels(progress)
        if more:
            compile_study_kernels(ring, progress)

    if live or more:
        _show(console, compile_missing)


def compile_all_with_progress(console: Console) -> None:
    """Compile the kernels of the live beam and of studies unless they are cached, in two processes at a time."""
    from gnomon.propagator import kernels_are_cached
    from gnomon.propagator.studies import study_kernels_are_cached

    if not (kernels_are_cached() and study_kernels_are_cached()):
        _show(console, _compile_in_two_processes)


def _compile_in_two_processes(progress: "Progress") -> None:
    """Compile all: here, the live beam and what needs it; in a second process, tracking and six dimensions."""
    from gnomon.db import shipped_machine
    from gnomon.propagator import compile_kernels
    from gnomon.propagator.studies import compile_response_kernels, mark_study_kernels_cached

    steps, lock = {"": 0}, threading.Lock()  # number of steps done, by process

    def step(process: str, name: str, done: int, total: int) -> None:
        with lock:
            steps[process] = done
            progress(name, sum(steps.values()), STEPS)

    command = [sys.executable, "-m", "gnomon.cli.compile_kernels", SECOND]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as second:

        def listen() -> None:
            assert second.stdout is not None
            for number, line in enumerate(second.stdout):
                step("second", line.strip(), number, STEPS)

        listening = threading.Thread(target=listen)
        listening.start()
        compile_kernels(partial(step, "live"))
        ring = shipped_machine(SMALL_RING)
        complete = compile_response_kernels(ring, partial(step, "responses"))
        listening.join()
    if complete and second.returncode == 0:
        mark_study_kernels_cached()


def _second_process() -> int:
    """Compile tracking and six dimensions, a line for each step; 0 if all could be compiled."""
    from gnomon.db import shipped_machine
    from gnomon.propagator.studies import compile_tracking_kernels

    def say(name: str, done: int, total: int) -> None:
        print(name, flush=True)  # noqa: T201  the first process reads it

    return 0 if compile_tracking_kernels(shipped_machine(SMALL_RING), say) else 1


def _show(console: Console, compile_all: Callable[["Progress"], None]) -> None:
    if not console.is_terminal:
        console.print("compiling kernels, only this once; this takes up to a minute")
    columns = (TextColumn("compiling kernels, once: {task.description}"), BarColumn(), TimeElapsedColumn())
    with ProgressBar(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=None)

        def step(name: str, done: int, total: int) -> None:
            progress.update(task, description=name, completed=done, total=total)

        compile_all(step)


if __name__ == "__main__":
    if SECOND in sys.argv[1:]:
        sys.exit(_second_process())
    compile_all_with_progress(Console(emoji=False))
