"""A Run Engine for one plan: Ctrl-C or `kill` ends it after the machine was put back; errors are those of devices."""

import logging
import signal
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from typing import Any, TypeVar

from bluesky import RunEngine
from bluesky.utils import FailedStatus, Msg, RequestAbort, RunEngineInterrupted

from gnomon.procedures.errors import Interrupted

__all__ = ["Interrupted", "run_plan"]

T = TypeVar("T")

#: What ends a plan: Ctrl-C, `kill` and `timeout`, a terminal that is closed.
ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_plan(
    plan: Generator[Msg, Any, T],
    documents: Callable[[str, dict[str, Any]], None] | None = None,
    metadata: dict[str, Any] | None = None,
    notice: Callable[[], None] | None = None,
) -> T:
    """Run a plan and return what it returns; `documents` gets Bluesky's.

    The first Ctrl-C, SIGTERM or SIGHUP ends the plan, which puts the machine back; `notice` is called then, and further
    ones do nothing.
    Raises Interrupted after it, and what the devices raised.
    """
    logging.getLogger("bluesky").setLevel(logging.CRITICAL)  # what it logs is raised
    engine: Any = RunEngine(metadata or {}, call_returns_result=True, context_managers=[])
    if documents is not None:
        engine.subscribe(documents)
    found: list[T] = []

    def kept() -> Generator[Msg, Any, None]:
        found.append((yield from plan))

    with _interrupts(engine, notice) as interrupted:
        try:
            engine(kept())
        except FailedStatus as error:
            raise (error.__cause__ or error) from error
        except (RequestAbort, RunEngineInterrupted) as error:
            raise Interrupted("interrupted; the machine was put back") from error
    if interrupted.is_set() or not found:
        raise Interrupted("interrupted; the machine was put back")
    return found[0]


def _abort(engine: Any) -> None:
    with redirect_stdout(StringIO()):  # it prints
        engine.abort("interrupted")


@contextmanager
def _interrupts(engine: Any, notice: Callable[[], None] | None) -> Iterator[threading.Event]:
    """Abort the engine at the first interrupt; only the main thread gets them."""
    interrupted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield interrupted
        return

    def end(*_: Any) -> None:
        if not interrupted.is_set():
            interrupted.set()
            if notice is not None:
                notice()
            threading.Thread(target=_abort, args=(engine,), daemon=True).start()

    before = {number: signal.signal(number, end) for number in ENDS}
    try:
        yield interrupted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
