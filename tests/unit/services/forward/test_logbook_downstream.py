"""The logbook: an entry for each item by POST, with key and token; what its answers mean. A real server of HTTP."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from gnomon.ioc.base.forward_config import LogbookConfig
from gnomon.recorder.journal_feed import JournalFeed, Position
from gnomon.services.forward.downstream import DeliveryError, Parcel, RefusedItemError
from gnomon.services.forward.forward_messages import kind_of, of_journal
from gnomon.services.forward.logbook_downstream import LogbookDownstream
from unit.recorder.records import small_journal


class Logbook(BaseHTTPRequestHandler):
    """Keeps what it gets; answers the statuses that it is told, 201 by default."""

    protocol_version = "HTTP/1.1"
    entries: ClassVar[list[tuple[str, dict[str, str], Any]]] = []
    statuses: ClassVar[list[int]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.entries.append((self.path, dict(self.headers), json.loads(body)))
        status = self.statuses.pop(0) if self.statuses else 201
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "http://127.0.0.1:9/elsewhere")
        text = b"because"
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    Logbook.entries.clear()
    Logbook.statuses.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Logbook) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/entries?book=shift"
        server.shutdown()
        thread.join()


@pytest.fixture
def parcels(tmp_path: Path) -> list[Parcel]:
    items, _ = JournalFeed(small_journal(tmp_path / "journal")).read(Position(), 2)
    return [Parcel(kind_of(item), of_journal(item, "j"), item) for item in items]


async def deliver(url: str, parcels: list[Parcel], token: str | None = None) -> None:
    async with LogbookDownstream(LogbookConfig(url=url), token).session("TWIN:", "j") as session:
        await session.deliver(parcels)


async def test_each_item_is_an_entry_with_its_key(url: str, parcels: list[Parcel]) -> None:
    await deliver(url, parcels, "secret")
    assert [entry[2]["kind"] for entry in Logbook.entries] == ["command", "outcome", "command", "outcome"]
    path, headers, entry = Logbook.entries[0]
    assert path == "/entries?book=shift"
    assert headers["Idempotency-Key"] == entry["key"] == "j:1"
    assert headers["Authorization"] == "Bearer secret"
    assert entry["text"].startswith("#1 alice@console1: ")


async def test_entries_that_are_there_already_count_as_delivered(url: str, parcels: list[Parcel]) -> None:
    Logbook.statuses[:] = [201, 409]
    await deliver(url, parcels)
    assert len(Logbook.entries) == len(parcels)
    assert "Authorization" not in Logbook.entries[0][1]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (503, DeliveryError),
        (429, DeliveryError),
        (400, RefusedItemError),
        (401, RefusedItemError),
        (302, RefusedItemError),
    ],
)
async def test_later_and_never_are_told_apart(
    url: str, parcels: list[Parcel], status: int, error: type[DeliveryError]
) -> None:
    Logbook.statuses[:] = [200, status]
    with pytest.raises(DeliveryError, match=f"answers {status} to j:1:1: 'because'") as caught:
        await deliver(url, parcels)
    assert type(caught.value) is error
    assert caught.value.acknowledged == 1
    assert len(Logbook.entries) == 2


async def test_nobody_there_is_told(parcels: list[Parcel]) -> None:
    with pytest.raises(DeliveryError, match="cannot be reached"):
        await deliver("http://127.0.0.1:9/", parcels)
