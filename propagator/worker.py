"""A thread that computes for an event loop and can be abandoned when it hangs."""

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

Done = Callable[[R | None, BaseException | None], None]


class Worker(Generic[T, R]):
    """Runs one task after the other in a thread of its own, outside the event loop.

    A daemon thread, not an executor: at exit the interpreter waits for an executor's threads, so one that hangs would
    hang the exit.
    """

    def __init__(self, make: Callable[[], Callable[[T], R]], loop: asyncio.AbstractEventLoop, name: str) -> None:
        """`make` returns the function that computes; it is called in the thread, before the first task."""
        self._make = make
        self._loop = loop
        self._tasks: SimpleQueue[tuple[T, Done[R]] | None] = SimpleQueue()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def start(self, task: T, done: Done[R]) -> None:
        """Compute `task`; `done` is called in the event loop with the result or the exception."""
        self._tasks.put((task, done))

    def leave(self) -> None:
        """Let the thread end after its present task; results still reach their `done`."""
        self._tasks.put(None)

    def _run(self) -> None:
        compute: Callable[[T], R] | None = None
        while (item := self._tasks.get()) is not None:
            task, done = item
            result: R | None = None
            raised: BaseException | None = None
            try:
                compute = compute or self._make()
                result = compute(task)
            except BaseException as error:  # noqa: BLE001 - `done` turns it into a failure
                raised = error
            try:
                self._loop.call_soon_threadsafe(done, result, raised)
            except RuntimeError:  # the event loop is closed: nothing waits for the result
                return
            del task, done, item, result, raised
