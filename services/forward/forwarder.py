"""The forwarding process: a feeder for each downstream, one look at the journal for all, and a status for operators."""

import asyncio
import fcntl
import logging
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from gnomon.ioc.base.forward_config import ForwardConfig
from gnomon.ioc.base.forward_status import forward_folder, write_forward_status
from gnomon.ioc.base.log_limits import SparingLog
from gnomon.lattice import GnomonError
from gnomon.services.forward.downstream import Downstream
from gnomon.services.forward.feeder import Feeder, Source
from gnomon.services.forward.journal_news import JournalNews

__all__ = ["ForwardError", "forward", "forward_until_signal", "only_forwarder"]

#: Time between two writings of the status [s].
STATUS_S = 1.0

_log = logging.getLogger("gnomon.forward")
_sparing = SparingLog(_log)


class ForwardError(GnomonError):
    """Forwarding that cannot begin, or a change that cannot be made while it runs."""


@contextmanager
def only_forwarder(journal: Path) -> Iterator[None]:
    """Hold the right to feed the downstreams of a journal. Raises ForwardError if another process has it."""
    folder = forward_folder(journal)
    try:
        folder.mkdir(exist_ok=True)
        file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise ForwardError(f"{folder}: cannot be written: {error.strerror}") from error
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(file, 32, 0).decode(errors="replace").strip() or "unknown"
            raise ForwardError(
                f"{journal}: process {holder} forwards this journal already (gnomon forward run); stop it first"
            ) from error
        os.ftruncate(file, 0)
        os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(file)


async def forward(source: Source, downstreams: Sequence[Downstream], limits: ForwardConfig) -> None:
    """Feed all downstreams until cancelled."""
    news = JournalNews(source.journal)
    feeders = [Feeder(each, source, limits, news) for each in downstreams]
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(news.run())
        for feeder in feeders:
            tasks.create_task(feeder.run())
        tasks.create_task(_tell(source.journal, feeders))


def forward_until_signal(
    source: Source, downstreams: Sequence[Downstream], limits: ForwardConfig, ready: Callable[[], None]
) -> None:
    """Feed all downstreams until SIGINT or SIGTERM. Raises ForwardError if another process does."""

    async def run() -> None:
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, ended.set)
        work = asyncio.ensure_future(forward(source, downstreams, limits))
        ready()
        waiting = asyncio.ensure_future(ended.wait())
        await asyncio.wait({work, waiting}, return_when="FIRST_COMPLETED")
        waiting.cancel()
        work.cancel()
        try:
            await work
        except asyncio.CancelledError:
            return

    with only_forwarder(source.journal):
        asyncio.run(run())


async def _tell(journal: Path, feeders: Sequence[Feeder]) -> None:
    """Write the status again and again."""
    while True:
        statuses = await asyncio.gather(*(feeder.status() for feeder in feeders))
        try:
            await asyncio.to_thread(write_forward_status, journal, statuses)
        except OSError as error:
            _sparing.warning("the status of forwarding cannot be written: %s", error)
        await asyncio.sleep(STATUS_S)
