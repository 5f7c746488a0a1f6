"""Streams of events: encoded, counted, ended with their client, and never ahead of a slow one."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator

import pytest
from starlette.types import Message

from gnomon.lattice import GnomonError
from gnomon.services import event_stream
from gnomon.services.event_stream import WAITING, Event, EventStreams, Give, events_of_thread
from gnomon.services.problems import ProblemError


async def sent(streams: EventStreams, events: AsyncIterator[Event], most: int = 10**6) -> bytes:
    """Take an answer as a server does; the client leaves after `most` messages."""
    told: list[bytes] = []

    async def receive() -> dict[str, str]:
        await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if len(told) >= most:
            raise OSError("the client has left")
        told.append(message.get("body", b""))

    answer = streams.answer(events)
    try:
        await answer({"type": "http", "asgi": {"spec_version": "2.4"}}, receive, send)
    except Exception:  # noqa: BLE001 - as the server does: the client has left
        assert len(told) >= most
    return b"".join(told)


def counting(count: int, ended: list[bool]) -> AsyncIterator[Event]:
    def produce(give: Give, end: threading.Event) -> None:
        for number in range(count):
            if not give(Event({"n": number}, "count", str(number))):
                break
        ended.append(end.is_set())

    return events_of_thread(produce, "test")


async def test_events_have_names_ids_and_data_as_json() -> None:
    streams = EventStreams(1)
    text = (await sent(streams, counting(2, []))).decode()
    first, *events = [dict(line.split(": ", 1) for line in each.split("\n")) for each in text.strip().split("\n\n")]
    assert first == {"retry": "2000"}
    assert [(e["event"], e["id"], json.loads(e["data"])) for e in events] == [
        ("count", "0", {"n": 0}),
        ("count", "1", {"n": 1}),
    ]
    assert streams.open == 0


async def test_an_error_after_the_beginning_is_an_event() -> None:
    def produce(give: Give, end: threading.Event) -> None:
        raise GnomonError("the journal is gone")

    text = (await sent(EventStreams(1), events_of_thread(produce, "test"))).decode()
    assert "event: problem" in text
    assert "the journal is gone" in text


async def test_a_thread_ends_when_its_client_leaves() -> None:
    ended: list[bool] = []
    streams = EventStreams(1)
    await sent(streams, counting(10**9, ended), most=5)
    assert streams.open == 0
    while not ended:
        await asyncio.sleep(0.001)
    assert ended == [True]


async def test_a_thread_waits_for_a_slow_client() -> None:
    given: list[int] = []

    def produce(give: Give, end: threading.Event) -> None:
        for number in range(10 * WAITING):
            given.append(number)
            give(Event(number))

    events = events_of_thread(produce, "test")
    await anext(events)
    for _ in range(50):
        await asyncio.sleep(0.001)
    assert len(given) <= WAITING + 3
    await events.aclose()  # type: ignore[attr-defined]


async def test_a_quiet_stream_has_a_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "HEARTBEAT_S", 0.001)
    ready = asyncio.Event()

    async def quiet() -> AsyncIterator[Event]:
        await ready.wait()
        yield Event(1)

    asyncio.get_running_loop().call_later(0.02, ready.set)
    text = await sent(EventStreams(1), quiet())
    assert b": ping" in text
    assert text.endswith(b"event: message\ndata: 1\n\n")


async def test_all_streams_end_with_the_services() -> None:
    streams, ended = EventStreams(2), list[bool]()

    def produce(give: Give, end: threading.Event) -> None:
        give(Event(1))
        end.wait()
        ended.append(True)

    asyncio.get_running_loop().call_later(0.02, streams.end)
    text = await sent(streams, events_of_thread(produce, "test"))
    first, last = text.split(b"\n\n")[-3:-1]
    assert first.endswith(b"data: 1")
    assert last.startswith(b'event: closing\ndata: {"message": "the services end')
    while not ended:
        await asyncio.sleep(0.001)
    assert b'data: {"n"' not in await sent(streams, counting(10**9, []))


async def test_the_end_of_a_job_is_sent_though_the_services_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "LAST_S", 60.0)
    streams = EventStreams(1)

    async def ends_soon() -> AsyncIterator[Event]:
        yield Event(1)
        streams.end()
        await asyncio.sleep(0.02)
        yield Event(2, "end")

    assert (await sent(streams, ends_soon())).endswith(b"event: end\ndata: 2\n\n")


async def test_an_endless_stream_ends_with_the_services(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "LAST_S", 0.02)
    streams = EventStreams(1)

    async def endless() -> AsyncIterator[Event]:
        while True:
            yield Event(1)
            await asyncio.sleep(0.001)

    asyncio.get_running_loop().call_later(0.02, streams.end)
    assert b"event: closing" in await sent(streams, endless())


async def test_too_many_streams_are_refused() -> None:
    streams = EventStreams(0)
    with pytest.raises(ProblemError, match="streams of events"):
        streams.answer(counting(1, []))
