"""Feeders on a small journal, run until what they should deliver has come."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from patience import PATIENCE_S

from gnomon.ioc.base.forward_config import ForwardConfig
from gnomon.ioc.base.forward_status import forward_folder
from gnomon.recorder import Journal
from gnomon.services.forward.downstream import Downstream
from gnomon.services.forward.feeder import Feeder, Source
from gnomon.services.forward.journal_news import JournalNews
from unit.recorder.records import applied, begin, write
from unit.services.forward.fake_downstream import FakeDownstream


def make_source(folder: Path, commands: int) -> Source:
    """A journal with so many applied commands."""
    source = Source(folder / "twin.journal", folder / "results")
    with Journal(source.journal) as journal:
        begin(journal)
        if commands:
            write(journal, *(applied(n, "Q1", n - 1.0, float(n)) for n in range(1, commands + 1)))
    forward_folder(source.journal).mkdir()
    return source


def add_commands(source: Source, first: int, last: int) -> None:
    """Write more commands, as a server that was started again."""
    with Journal(source.journal) as journal:
        begin(journal)
        write(journal, *(applied(n, "Q1", n - 1.0, float(n)) for n in range(first, last + 1)))


@asynccontextmanager
async def feeding(downstream: Downstream, source: Source, **limits: Any) -> AsyncIterator[Feeder]:
    """Feed while the context lasts."""
    news = JournalNews(source.journal)
    feeder = Feeder(downstream, source, ForwardConfig(**limits), news)
    tasks = [asyncio.create_task(news.run()), asyncio.create_task(feeder.run())]
    try:
        yield feeder
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(condition: Callable[[], object]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.002)


def numbers(downstream: FakeDownstream, kind: str) -> list[int]:
    """Numbers of the commands, or of the outcomes, in the order in which they came first."""
    place = {"commands": 1, "outcomes": 2}[kind]
    keys = [key.split(":") for key in downstream.first_seen]
    return [int(key[place]) for key in keys if len(key) == place + 1]
