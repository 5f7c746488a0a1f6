"""Compile the kernels with progress, where they have not been compiled yet."""

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn


def compile_with_progress(console: Console) -> None:
    """Compile the propagator's kernels unless they are cached; a minute at most, once for each version."""
    from gnomon.propagator.warmup import compile_kernels, kernels_are_cached

    if kernels_are_cached():
        return
    if not console.is_terminal:
        console.print("compiling kernels, once; this takes some 20 seconds")
    columns = (TextColumn("compiling kernels, once: {task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=None)

        def step(name: str, done: int, total: int) -> None:
            progress.update(task, description=name, completed=done, total=total)

        compile_kernels(step)


if __name__ == "__main__":
    compile_with_progress(Console())
