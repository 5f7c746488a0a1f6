"""The absence of each downstream: it is told, nothing waits, and everything is delivered in order afterwards."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from conftest import free_port
from mongo_servers import substitute_server
from pymongo import AsyncMongoClient

from gnomon.ioc.base.forward_config import ForwardConfig, LogbookConfig, MongodbConfig, MqttConfig
from gnomon.services.forward import feeder as feeder_module
from gnomon.services.forward import move_cursor
from gnomon.services.forward.downstream import Downstream
from gnomon.services.forward.feeder import Feeder, Source
from gnomon.services.forward.journal_news import JournalNews
from gnomon.services.forward.logbook_downstream import LogbookDownstream
from gnomon.services.forward.mongodb_downstream import COMMANDS, MongodbDownstream
from gnomon.services.forward.mqtt_downstream import MqttDownstream
from system.mqtt_broker import Broker, Listener, listening
from unit.services.forward.feeding import add_commands, make_source, until

pytestmark = [pytest.mark.slow(seconds=8), pytest.mark.network]

EXPECTED = [1, 2, 3, 4, 5]


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeder_module, "MAX_PAUSE_S", 0.3)


@asynccontextmanager
async def feeding_while_away(downstream: Downstream, source: Source) -> AsyncIterator[Feeder]:
    """Feed a downstream that is not there until it is told, while commands come; then let the test start it."""
    move_cursor(source, downstream.name, "oldest")
    news = JournalNews(source.journal)
    feeder = Feeder(downstream, source, ForwardConfig(alarm_s=0.01), news)
    tasks = [asyncio.create_task(news.run()), asyncio.create_task(feeder.run())]
    try:
        await until(lambda: "not connected" not in feeder._reason)
        await asyncio.to_thread(add_commands, source, 4, 5)
        status = await feeder.status()
        assert (status.state, status.delivered) == ("behind", 0)
        assert status.backlog == 10 if "outcomes" in downstream.kinds else status.backlog == 5
        assert status.reason
        yield feeder
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_broker(tmp_path: Path) -> None:
    source, listener, broker = make_source(tmp_path, 3), Listener(), Broker(tmp_path, free_port())
    downstream = MqttDownstream(MqttConfig(host="127.0.0.1", port=broker.port))
    async with feeding_while_away(downstream, source):
        with broker:
            async with listening(listener, broker.port):
                # The listener may have come after the first ones: what counts is the order, and the rest.
                await until(lambda: listener.numbers("outcome")[-1:] == EXPECTED[-1:])
    assert listener.numbers("command") == EXPECTED[-len(listener.numbers("command")) :]


async def test_database(tmp_path: Path) -> None:
    source, port = make_source(tmp_path, 3), free_port()
    downstream = MongodbDownstream(MongodbConfig(uri=f"mongodb://127.0.0.1:{port}"))
    async with feeding_while_away(downstream, source) as feeder:
        with substitute_server(tmp_path, port):
            await until(lambda: feeder._cursor is not None and feeder._cursor.position.outcome == EXPECTED[-1])
            client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(f"mongodb://127.0.0.1:{port}")
            found = [each async for each in client["gnomon"][COMMANDS].find().sort("sequence", 1)]
            await client.close()
    assert [each["sequence"] for each in found] == EXPECTED
    assert {each["outcome"] for each in found} == {"applied"}


@contextmanager
def logbook(port: int, entries: list[dict[str, Any]]) -> Any:
    class Book(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            entries.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(201)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", port), Book) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


async def test_logbook(tmp_path: Path) -> None:
    source, port, entries = make_source(tmp_path, 3), free_port(), list[dict[str, Any]]()
    config = LogbookConfig(url=f"http://127.0.0.1:{port}/", what=("commands",))
    async with feeding_while_away(LogbookDownstream(config), source):
        with logbook(port, entries):
            await until(lambda: len(entries) == len(EXPECTED))
    assert [each["command"]["sequence"] for each in entries] == EXPECTED
