"""The forwarding process: a feeder for each downstream, one look at the journal for all, and a status for operators."""

import asyncio
import fcntl
import logging
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from gnomon.ioc.base.forward_config import ForwardConfig
from gnomon.ioc.base.forward_status import ForwardStatus, forward_folder, write_forward_status
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


async def forward(
    source: Source, downstreams: Sequence[Downstream], limits: ForwardConfig, ended: asyncio.Event
) -> list[str]:
    """Feed all downstreams until it has ended; return what each was given, and what is left."""
    news = JournalNews(source.journal)
    feeders = [Feeder(each, source, limits, news) for each in downstreams]
    async with asyncio.TaskGroup() as tasks:
        feeding = [tasks.create_task(news.run()), *(tasks.create_task(feeder.run()) for feeder in feeders)]
        tasks.create_task(_tell(source.journal, feeders, ended))
        await ended.wait()
        for task in feeding:
            task.cancel()
    _write(source.journal, [await feeder.status() for feeder in feeders], has_ended=True)
    return [await feeder.summary() for feeder in feeders]


def forward_until_signal(
    source: Source, downstreams: Sequence[Downstream], limits: ForwardConfig, ready: Callable[[], None]
) -> list[str]:
    """Feed all downstreams until SIGINT, SIGTERM or SIGHUP, as `forward` does.

    Raises ForwardError if another process feeds them.
    """

    async def run() -> list[str]:
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, ended.set)
        work = asyncio.ensure_future(forward(source, downstreams, limits, ended))
        ready()
        return await work

    with only_forwarder(source.journal):
        return asyncio.run(run())


async def _tell(journal: Path, feeders: Sequence[Feeder], ended: asyncio.Event) -> None:
    """Write the status again and again until the end; then nothing is still being written."""
    while not ended.is_set():
        statuses = await asyncio.gather(*(feeder.status() for feeder in feeders))
        await asyncio.to_thread(_write, journal, statuses)
        with suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), STATUS_S)


def _write(journal: Path, statuses: Sequence[ForwardStatus], *, has_ended: bool = False) -> None:
    try:
        write_forward_status(journal, statuses, has_ended=has_ended)
    except OSError as error:
        _sparing.warning("the status of forwarding cannot be written: %s", error)
