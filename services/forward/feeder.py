"""One downstream's supply: what it has not acknowledged, read from the journal, given to it in order, again and again.

It never gives up: a downstream that is away is tried again with growing pauses, and so is one that refuses an item, for
somebody may have changed something. What was delivered is counted in a cursor on the disk, some time after it was
acknowledged and never before; so after a crash some items come twice, with the same key.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from gnomon.ioc.base.forward_config import ForwardConfig
from gnomon.ioc.base.forward_status import BEHIND, DELIVERING, STATES, STOPPED, ForwardStatus
from gnomon.ioc.base.log_limits import SparingLog
from gnomon.lattice import GnomonError
from gnomon.recorder.journal_feed import JournalFeed, MissingCommandsError, Position, ReplacedJournalError
from gnomon.services.forward.cursor_file import Cursor, cursor_path, read_cursor, write_cursor
from gnomon.services.forward.downstream import DeliveryError, Downstream, Parcel, RefusedItemError, Session
from gnomon.services.forward.forward_messages import kind_of, of_journal, of_result
from gnomon.services.forward.journal_news import JournalNews
from gnomon.services.forward.result_feed import ResultFeed

__all__ = ["Feeder", "Source"]

T = TypeVar("T")

#: First and longest pause before the next try [s].
FIRST_PAUSE_S, MAX_PAUSE_S = 0.1, 10.0
#: Time in which a downstream has to acknowledge what it was given [s].
DELIVER_S = 30.0
#: Shortest time between two writings of the cursor, and longest between two looks for results [s].
SAVE_S, LOOK_S = 1.0, 1.0

_log = logging.getLogger("gnomon.forward")


@dataclass(frozen=True, slots=True)
class Source:
    """Origin of items: the file of the journal, and the folder of results."""

    journal: Path
    results: Path


class Feeder:
    """Gives a downstream its items until it is cancelled."""

    def __init__(self, downstream: Downstream, source: Source, limits: ForwardConfig, news: JournalNews) -> None:
        self.downstream = downstream
        self._source, self._limits, self._news = source, limits, news
        self._path = cursor_path(source.journal, downstream.name)
        self._thread = ThreadPoolExecutor(1, f"gnomon forward {downstream.name}")
        self._feed: JournalFeed | None = None
        self._results = ResultFeed(source.results)
        self._cursor: Cursor | None = None
        self._saved: Cursor | None = None
        self._delivered_before = 0
        self._at_end: ForwardStatus | None = None
        self._next_save = self._next_limit = 0.0
        self._saving: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._saving.set_result(None)
        self._refused = False
        self._reason = "not connected yet"
        self._away_since: float | None = time.monotonic()
        self._progress = False
        self._sparing = SparingLog(_log)

    async def run(self) -> None:
        """Feed the downstream until cancelled; the cursor is written at the end, and the status stays as it is then."""
        pause_s = FIRST_PAUSE_S
        try:
            while True:
                self._progress = False
                await self._once()
                pause_s = FIRST_PAUSE_S if self._progress else min(2.0 * pause_s, MAX_PAUSE_S)
                await asyncio.sleep(pause_s * random.uniform(0.8, 1.2))
        finally:
            await asyncio.shield(self._end())

    async def _end(self) -> None:
        await asyncio.gather(self._saving, return_exceptions=True)
        try:
            await self._in_thread(self._save)
        except GnomonError as error:
            self._is_new(f"{error}; what was delivered since it was written comes again")
        self._at_end = await self.status()
        await self._in_thread(self._close)
        self._thread.shutdown(wait=False)

    async def summary(self) -> str:
        """Say what the downstream was given since this process began, and what is left."""
        status = await self.status()
        given = status.delivered - self._delivered_before
        left = f"{status.backlog} left" if self._cursor is not None else "what is left is not known"
        reason = f" ({status.reason})" if status.reason else ""
        return f"{status.name}: {given} delivered, {left}{reason}"

    async def status(self) -> ForwardStatus:
        """Tell how far the downstream is, or was at the end."""
        if self._at_end is not None:
            return self._at_end
        backlog, age_s, trouble = await self._in_thread(self._measure)
        cursor = self._cursor or Cursor()
        away_s = 0.0 if self._away_since is None else time.monotonic() - self._away_since
        reasons = [self._reason if self._away_since is not None else "", trouble]
        if cursor.skipped:
            reasons.append(f"{cursor.skipped} commands were left out; gnomon forward move ends this notice")
        if backlog > self._limits.max_backlog:
            reasons.append(f"more than {self._limits.max_backlog} items wait")
        late = max(age_s, away_s) > self._limits.alarm_s
        behind = late or cursor.skipped or backlog > self._limits.max_backlog
        state = STOPPED if self._refused else BEHIND if behind else DELIVERING
        reason = "; ".join(dict.fromkeys(filter(None, reasons)))
        if state == BEHIND and not reason:
            reason = f"{backlog} items wait, the oldest for {age_s:.0f} s"
        return ForwardStatus(
            self.downstream.name, STATES[state], backlog, round(age_s, 1), cursor.delivered, cursor.skipped, reason
        )

    async def _once(self) -> None:
        """Connect, and deliver until something fails."""
        try:
            prefix, journal = await self._in_thread(self._open)
            async with self.downstream.session(prefix, journal) as session:
                await self._deliver_all(session, prefix)
        except (GnomonError, OSError, TimeoutError) as error:
            reason = str(error) or "no answer in time"
            self._refused = isinstance(error, RefusedItemError | ReplacedJournalError)
            if isinstance(error, ReplacedJournalError):
                reason = f"{reason}; gnomon forward move says where to go on"
            if self._is_new(reason):
                self._sparing.warning("%s: %s", self.downstream.name, reason)
        except Exception as error:  # noqa: BLE001  of gnomon or of a library: the other downstreams go on
            self._refused = False
            if self._is_new(f"{type(error).__name__}: {error} (the log has more; please report it)"):
                _log.exception("%s: an error that was not foreseen; it is tried again", self.downstream.name)
        await self._save_last()

    def _is_new(self, reason: str) -> bool:
        """Note why the downstream is not fed, and return True unless that was known."""
        new = self._away_since is None or reason != self._reason
        self._reason = reason
        self._away_since = self._away_since or time.monotonic()
        return new

    async def _deliver_all(self, session: Session, prefix: str) -> None:
        lost = asyncio.ensure_future(session.lost())
        try:
            while True:
                version = self._news.version
                parcels, after = await self._in_thread(self._next)
                if parcels:
                    await self._deliver(session, parcels)
                self._is_well()
                moved, self._cursor = self._cursor != after, after
                if not moved:
                    news = asyncio.ensure_future(self._news.after(version))
                    try:
                        await asyncio.wait({lost, news}, timeout=LOOK_S, return_when="FIRST_COMPLETED")
                    finally:
                        news.cancel()
                if lost.done():
                    lost.result()
                if time.monotonic() >= self._next_save and self._saving.done():
                    self._saving.result()
                    # Beside the delivery: a busy disk may take a second for it.
                    self._next_save = time.monotonic() + SAVE_S
                    self._saving = asyncio.ensure_future(asyncio.to_thread(self._save))
                    if await self._in_thread(self._newest_prefix) != prefix:
                        return  # the server was started with another one: topics change
        finally:
            lost.cancel()
            with suppress(asyncio.CancelledError, GnomonError):
                await lost

    async def _save_last(self) -> None:
        """Write the cursor as it is now; why that fails is told by the next try."""
        await asyncio.gather(self._saving, return_exceptions=True)
        with suppress(GnomonError):
            await self._in_thread(self._save)

    def _is_well(self) -> None:
        if self._away_since is not None:
            self._away_since, self._refused = None, False
            _log.info("%s: connected", self.downstream.name)

    async def _deliver(self, session: Session, parcels: Sequence[Parcel]) -> None:
        try:
            async with asyncio.timeout(DELIVER_S):
                await session.deliver(parcels)
        except DeliveryError as error:
            if error.acknowledged:
                self._cursor, self._progress = self._after(parcels[: error.acknowledged]), True
            raise
        self._progress = True

    def _after(self, parcels: Sequence[Parcel]) -> Cursor:
        """Return the cursor behind parcels that were acknowledged."""
        assert self._cursor is not None
        last, delivered = parcels[-1], self._cursor.delivered + len(parcels)
        if last.item is not None:
            return replace(self._cursor, position=last.item.position, delivered=delivered)
        cursor = self._cursor.knowing(parcel.place for parcel in parcels if parcel.place is not None)
        return replace(cursor, delivered=delivered)

    # What follows runs in the feeder's own thread.

    def _open(self) -> tuple[str, str]:
        """Open the journal, find the place to go on; return the prefix of the server and the journal's identity."""
        self._close_if_replaced()
        if self._feed is None:
            self._feed = JournalFeed(self._source.journal)
        feed, journal = self._feed, self._feed.identity()
        run = feed.newest_run()
        if self._cursor is None:
            self._cursor = self._saved = read_cursor(self._path)
            self._delivered_before = 0 if self._cursor is None else self._cursor.delivered
        if self._cursor is None:
            self._cursor = Cursor(journal, known=frozenset())
            if not self.downstream.from_oldest:
                self._cursor = Cursor(journal, feed.end(), known=self._results.all_known())
            self._save()
        if self._cursor.journal != journal:
            raise ReplacedJournalError(
                f"{self._source.journal} is journal {journal}, and {self._cursor.journal} was delivered before"
            )
        return run.prefix, journal

    def _close_if_replaced(self) -> None:
        if self._feed is not None and not self._feed.is_current():
            self._close()

    def _close(self) -> None:
        feed, self._feed = self._feed, None
        if feed is not None:
            feed.close()

    def _newest_prefix(self) -> str:
        assert self._feed is not None
        return self._feed.newest_run().prefix

    def _next(self) -> tuple[list[Parcel], Cursor]:
        """Read what comes next, and the cursor behind it."""
        assert self._feed is not None
        assert self._cursor is not None
        cursor, kinds = self._cursor, self.downstream.kinds
        if kinds & {"commands", "outcomes", "faults"}:
            cursor = self._within_limit(self._feed, cursor)
            try:
                items, position = self._feed.read(cursor.position, self.downstream.batch)
            except MissingCommandsError as error:
                _log.error("%s: not delivered, since they are gone: %s", self.downstream.name, error)
                left_out = error.last - error.first + 1
                gone = Position(error.last, cursor.position.outcome)
                return [], replace(cursor, position=gone, skipped=cursor.skipped + left_out)
            wanted = [(kind, item) for item in items if (kind := kind_of(item)) in kinds]
            parcels = [Parcel(kind, of_journal(item, cursor.journal), item) for kind, item in wanted]
            if position != cursor.position:
                return parcels, cursor.behind(position, len(parcels))
        if "results" not in kinds:
            return [], cursor
        if cursor.known is None:  # of an earlier version
            cursor = replace(cursor, known=self._results.known_up_to(cursor.results))
            if cursor.known is None:
                return [], cursor
            self._cursor = cursor
        parcels = []
        found = self._results.read(cursor.known, self.downstream.batch)
        for place, path in found:
            if (loaded := self._results.load(place)) is not None:
                run, digest = loaded
                parcels.append(Parcel("results", of_result(run, digest), None, run, path, place))
        if not found:
            return [], cursor
        cursor = cursor.knowing(place for place, _ in found)
        cursor = replace(cursor, known=self._results.without_gone(cursor.known or frozenset()))
        return parcels, replace(cursor, delivered=cursor.delivered + len(parcels))

    def _within_limit(self, feed: JournalFeed, cursor: Cursor) -> Cursor:
        """Leave the oldest commands out, if too many wait and that is what the configuration says."""
        if self._limits.when_full != "skip" or time.monotonic() < self._next_limit:
            return cursor
        self._next_limit = time.monotonic() + SAVE_S
        first = feed.end().sequence - self._limits.max_backlog + 1
        left_out = first - 1 - cursor.position.sequence
        if left_out <= 0:
            return cursor
        _log.error("%s: %d commands before %d are left out: too many wait", self.downstream.name, left_out, first)
        found = feed.before(first)
        position = replace(found, outcome=max(found.outcome, cursor.position.outcome))
        self._cursor = replace(cursor, position=position, skipped=cursor.skipped + left_out)
        return self._cursor

    def _save(self) -> None:
        if self._cursor is not None and self._cursor != self._saved:
            cursor = self._cursor
            write_cursor(self._path, cursor)
            self._saved = cursor

    def _measure(self) -> tuple[int, float, str]:
        """Return the number of items that wait, the age of the oldest [s], and why that is not known."""
        if self._feed is None or self._cursor is None:
            return 0, 0.0, ""
        kinds, at, backlog, age_s = self.downstream.kinds, self._cursor.position, 0, 0.0
        try:
            if kinds & {"commands", "outcomes", "faults"}:
                end = self._feed.end()
                backlog = max(0, end.sequence - at.sequence)
                came_ns = self._feed.time_after(at) if backlog else None
                if "outcomes" in kinds:
                    backlog += max(0, end.outcome - at.outcome)
                age_s = 0.0 if came_ns is None else max(0.0, (time.time_ns() - came_ns) / 1e9)
            if "results" in kinds and self._cursor.known is not None:
                waiting = self._results.read(self._cursor.known, 1000)
                backlog += len(waiting)
                if waiting:
                    age_s = max(age_s, (time.time_ns() - waiting[0][0].changed_ns) / 1e9)
        except GnomonError as error:
            return backlog, age_s, str(error)
        return backlog, age_s, ""

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
