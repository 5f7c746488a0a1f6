"""Forwarding over an unreliable world: flapping, `kill -9` of either side, a long absence. Nothing lost, order kept."""

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
from conftest import free_port
from patience import PATIENCE_S

from gnomon.ioc.base.forward_status import read_forward_status
from gnomon.recorder import Journal
from gnomon.services.forward.feeder import Source
from gnomon.services.forward.moving import move_cursor
from system.mqtt_broker import Broker, Listener, Relay, listening
from system.services_process import until_ready
from system.twin_process import GNOMON, homes
from unit.recorder.records import applied, begin, write
from unit.services.forward.feeding import make_source, until

pytestmark = [pytest.mark.slow(seconds=20), pytest.mark.network]

#: Commands a second, and the time for which they come [s].
RATE, SECONDS = 100, 5
#: Commands that wait when a downstream is back after a long absence; `--soak`: an hour at `RATE`.
ABSENCE, HOUR = 1_500, 3600 * RATE


class Forwarding:
    """`gnomon forward run` as a process, which is started again after a kill."""

    def __init__(self, folder: Path, source: Source, port: int) -> None:
        config = {"forward": {"mqtt": {"host": "127.0.0.1", "port": port, "state_s": 3600.0}}}
        (folder / "forward.yaml").write_text(json.dumps(config))
        files = ["--config", str(folder / "forward.yaml"), "--journal", str(source.journal)]
        self._command = [*GNOMON, "forward", "run", *files]
        self._environment = os.environ | homes(folder)
        self._log = folder / "forward.log"
        self.said = ""
        self._process: subprocess.Popen[str] | None = None

    async def start(self) -> None:
        with self._log.open("a") as log:
            self._process = subprocess.Popen(
                self._command, env=self._environment, stdout=subprocess.PIPE, stderr=log, text=True
            )
        await asyncio.to_thread(until_ready, self._process)

    def end(self, number: int) -> int:
        assert self._process is not None
        self._process.send_signal(number)
        code = self._process.wait(PATIENCE_S)
        assert self._process.stdout is not None
        self.said = self._process.stdout.read()
        self._process.stdout.close()
        self._process = None
        return code

    async def __aenter__(self) -> "Forwarding":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process is not None:
            self.end(signal.SIGKILL)


def in_order(documents: Sequence[dict]) -> bool:
    """True if pieces that came again have the order in which they had come before, and nothing jumps ahead."""
    keys = [each["key"] for each in documents]
    first = {key: n for n, key in enumerate(dict.fromkeys(keys))}
    seen = -1
    for before, key in zip([None, *keys], keys, strict=False):
        step = first[key]
        if step > seen + 1 or (before is not None and first[before] + 1 < step <= seen):
            return False
        seen = max(seen, step)
    return True


async def write_commands(source: Source) -> None:
    """Write commands at `RATE`, as a server does."""
    with Journal(source.journal) as journal:
        begin(journal)
        began = asyncio.get_running_loop().time()
        for number in range(1, RATE * SECONDS + 1):
            await asyncio.to_thread(write, journal, applied(number, "Q1", number - 1.0, float(number)))
            await asyncio.sleep(max(0.0, began + number / RATE - asyncio.get_running_loop().time()))


async def test_flapping_and_kills_of_either_side_lose_nothing(tmp_path: Path) -> None:
    source, listener, last = make_source(tmp_path, 0), Listener(), RATE * SECONDS
    move_cursor(source, "mqtt", "oldest")
    broker = Broker(tmp_path, free_port())
    with broker:
        async with Relay(broker.port).running() as relay, Forwarding(tmp_path, source, relay.port) as forwarding:
            writing = asyncio.ensure_future(write_commands(source))
            async with listening(listener, broker.port):
                for away in (True, False) * 4:  # a second each
                    relay.open = not away
                    relay.cut()
                    await asyncio.sleep(0.5)
                await until(lambda: len(listener.documents) > 50)
                forwarding.end(signal.SIGKILL)
                await asyncio.sleep(0.5)
                await forwarding.start()
                await until(lambda: len(listener.documents) > 100)
                relay.open = False
                broker.kill()
            await asyncio.sleep(0.3)
            broker.start()
            async with listening(listener, broker.port):  # who listens is there first
                relay.open = True
                await writing
                await until(lambda: len(listener.numbers("outcome")) == last)
                await until(lambda: _backlog(source) == 0)
                assert forwarding.end(signal.SIGTERM) == 0
                assert "ended: mqtt: " in forwarding.said
                assert forwarding.said.endswith(", 0 left\n")
                ended = read_forward_status(source.journal)
                assert ended is not None
                assert not ended.runs
                await until(lambda: listener.newest["gnomon/TWIN:/online"][0] == b"offline")
    expected = list(range(1, last + 1))
    assert listener.numbers("command") == expected
    assert listener.numbers("outcome") == expected
    assert in_order(listener.documents)


async def test_after_a_long_absence_everything_is_delivered_in_order(tmp_path: Path, soak: bool) -> None:
    last = HOUR if soak else ABSENCE
    source, listener = make_source(tmp_path, 0), Listener()
    move_cursor(source, "mqtt", "oldest")
    with Journal(source.journal) as journal:
        begin(journal)
        for first in range(1, last + 1, 1000):
            numbers = range(first, min(first + 1000, last + 1))
            write(journal, *(applied(n, "Q1", n - 1.0, float(n)) for n in numbers))
    with Broker(tmp_path, free_port()) as broker:
        relay = Relay(broker.port)
        relay.open = False
        async with relay.running(), Forwarding(tmp_path, source, relay.port), listening(listener, broker.port):
            await until(lambda: _backlog(source) == 2 * last)
            relay.open = True
            while len(listener.documents) < 2 * last:
                await until(partial(_more_than, listener, len(listener.documents)))
            await until(lambda: _backlog(source) == 0)
    assert listener.numbers("command") == listener.numbers("outcome") == list(range(1, last + 1))
    assert in_order(listener.documents)


def _more_than(listener: Listener, count: int) -> bool:
    return len(listener.documents) > count


def _backlog(source: Source) -> int:
    found = read_forward_status(source.journal)
    return -1 if found is None else found.downstreams[0].backlog
