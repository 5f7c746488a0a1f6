"""Tasks that are to run until they are cancelled, and what happens when one of them fails."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress

log = logging.getLogger("gnomon.tasks")


def background_task(
    work: Coroutine[None, None, None], name: str, failed: Callable[[str], None] | None = None
) -> "asyncio.Task[None]":
    """Run `work` until it is cancelled. If it fails, the log says so at once, and `failed` gets the reason."""

    def ended(task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("the task %r has failed", name, exc_info=error)
            if failed is not None:
                failed(f"internal error: {type(error).__name__}: {error}")

    task = asyncio.get_running_loop().create_task(work, name=name)
    task.add_done_callback(ended)
    return task


async def cancelled(task: "asyncio.Task[None]") -> None:
    """Cancel a task and wait for its end; how it failed, if it did, has been told."""
    task.cancel()
    with suppress(asyncio.CancelledError, Exception):
        await task
