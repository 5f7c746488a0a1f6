"""Server-sent events: a bounded number of streams, a heartbeat, and back-pressure on whoever produces events."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from fastapi.responses import StreamingResponse
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event

from gnomon.lattice import GnomonError
from gnomon.services.problems import ProblemError, of_error

#: Media type of a stream.
EVENT_STREAM = "text/event-stream"
#: The answer of a route that is a stream, for the OpenAPI document.
STREAM: dict[int | str, dict[str, Any]] = {
    200: {"description": "Server-sent events", "content": {EVENT_STREAM: {"schema": {"type": "string"}}}}
}
#: Time without an event after which a comment is sent, so that proxies and clients see that the stream lives [s].
HEARTBEAT_S = 15.0
#: Number of events that wait for a slow client; whoever produces them waits then.
WAITING = 64
#: Time for which streams are kept open for events that still come when the services end [s].
LAST_S = 0.7
#: Time after which a client should connect again [ms].
RETRY_MS = 2000


@dataclass(frozen=True, slots=True)
class Event:
    """An event: data, ready for JSON, a name, and an id that a client gives back as `Last-Event-ID`."""

    data: Any
    name: str = "message"
    id: str | None = None

    def encode(self) -> bytes:
        """Return the event as a stream has it."""
        text = json.dumps(self.data, allow_nan=False)
        return format_sse_event(data_str=text, event=self.name, id=self.id, retry=None)


#: The last event of a stream whose events have not come to their end.
CLOSING = Event({"message": "the services end; connect again when they run, with the id of the last event"}, "closing")


class EventStreams:
    """Answers that are streams of events; not more than `max_open` at a time."""

    def __init__(self, max_open: int) -> None:
        self._max_open = max_open
        self._ending = asyncio.Event()
        self.open = 0

    def answer(self, events: AsyncIterator[Event]) -> StreamingResponse:
        """Make the answer that sends events until they end or the client leaves. Raises ProblemError (503)."""
        if self.open >= self._max_open:
            raise ProblemError(
                503,
                f"{self.open} streams of events are open",
                limit=f"{self._max_open} streams",
                action="close one, or poll",
                headers={"Retry-After": "10"},
            )
        self.open += 1
        headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        return _CountedStream(self, events, headers)

    def end(self) -> None:
        """End all streams, and those that begin later at once: the services end, and must not wait for clients."""
        self._ending.set()

    @property
    def is_ending(self) -> bool:
        """True once all streams are to end."""
        return self._ending.is_set()

    async def wait_for_end(self) -> None:
        """Return when all streams are to end."""
        await self._ending.wait()

    def closed(self) -> None:
        """Count one stream less."""
        self.open -= 1


class _CountedStream(StreamingResponse):
    """A stream that is counted until it has ended, however it ends."""

    def __init__(self, streams: EventStreams, events: AsyncIterator[Event], headers: dict[str, str]) -> None:
        super().__init__(_encoded(events, streams), 200, headers, EVENT_STREAM)
        self._streams = streams
        self._events = events

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Send the events."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._streams.closed()
            close = getattr(self._events, "aclose", None)
            if close is not None:
                await asyncio.shield(close())


async def _encoded(events: AsyncIterator[Event], streams: EventStreams) -> AsyncIterator[bytes]:
    yield f"retry: {RETRY_MS}\n\n".encode()
    if streams.is_ending:
        yield CLOSING.encode()
        return
    ending = asyncio.ensure_future(streams.wait_for_end())
    try:
        async for each in _with_heartbeat(events, ending):
            yield each
    finally:
        ending.cancel()


async def _with_heartbeat(events: AsyncIterator[Event], ending: "asyncio.Future[None]") -> AsyncIterator[bytes]:
    """Yield encoded events and a comment when there was none for a while, until the events or all streams end.

    When all streams end, events that still come soon, as the end of a job, are sent; then one that says so.
    """
    loop, last = asyncio.get_running_loop(), 0.0
    while True:
        if last and loop.time() >= last:
            yield CLOSING.encode()
            return
        coming = asyncio.ensure_future(anext(events, None))
        awaited: set[asyncio.Future[Any]] = {coming, ending}
        try:
            while not coming.done():
                if ending.done():
                    last = last or loop.time() + LAST_S
                    if not (await asyncio.wait({coming}, timeout=max(0.0, last - loop.time())))[0]:
                        break
                elif not (await asyncio.wait(awaited, timeout=HEARTBEAT_S, return_when="FIRST_COMPLETED"))[0]:
                    yield KEEPALIVE_COMMENT
        finally:
            if not coming.done():
                coming.cancel()
                with suppress(asyncio.CancelledError):
                    await coming
        if last and coming.cancelled():
            continue
        try:
            event = coming.result()
        except GnomonError as error:
            problem = of_error(error).problem.model_dump(exclude_none=True)
            yield Event(problem, "problem").encode()
            return
        if event is None:
            return
        yield event.encode()


#: Gives an event to the stream, waiting while the client is slow; False when the client has left.
Give = Callable[[Event], bool]


async def events_of_thread(produce: Callable[[Give, threading.Event], None], name: str) -> AsyncIterator[Event]:
    """Yield the events that `produce(give, ended)` gives in a thread of its own; `ended` is set when nobody listens.

    An error that `produce` raises is raised here.
    """
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[Event | BaseException | None] = asyncio.Queue(WAITING)
    ended = threading.Event()

    def put(item: Event | BaseException | None) -> bool:
        if ended.is_set():
            return False
        try:
            asyncio.run_coroutine_threadsafe(queue.put(item), loop).result()
        except (RuntimeError, CancelledError):  # the event loop is closed, or the services end
            return False
        return not ended.is_set()

    def work() -> None:
        try:
            produce(put, ended)
            put(None)
        except BaseException as error:  # noqa: BLE001 - raised again in the event loop
            put(error)

    threading.Thread(target=work, name=f"gnomon {name}", daemon=True).start()
    try:
        while (item := await queue.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        ended.set()
        while not queue.empty():  # a producer that waits for room goes on, and sees that it has ended
            queue.get_nowait()
