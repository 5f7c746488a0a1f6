"""News of a journal: one look, many times a second, on behalf of all downstreams."""

import asyncio
import time
from contextlib import suppress
from pathlib import Path

from gnomon.recorder import JournalError
from gnomon.recorder.journal_feed import JournalFeed

__all__ = ["JournalNews"]

#: Time between two looks while commands come, and when none has come for `ACTIVE_S` [s].
BUSY_S, IDLE_S, ACTIVE_S = 0.005, 0.03, 2.0
#: Time between two looks for a journal that is not there, and between two looks at the file's name [s].
MISSING_S = 0.5


class JournalNews:
    """Counts changes of a journal. For the event loop; a look takes some microseconds."""

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._changed = asyncio.Event()
        self.version = 0

    async def after(self, version: int) -> None:
        """Return when there is a later version than this one."""
        while self.version <= version:
            await self._changed.wait()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            with suppress(JournalError):
                feed = JournalFeed(self._journal)
                try:
                    await self._follow(feed)
                finally:
                    feed.close()
            await asyncio.sleep(MISSING_S)

    async def _follow(self, feed: JournalFeed) -> None:
        """Look at a file until its name leads to another one."""
        known, changed_at, check_at = -1, 0.0, 0.0
        while True:
            now = time.monotonic()
            if (found := feed.data_version()) != known:
                known, changed_at = found, now
                self._tell()
            if now >= check_at:
                check_at = now + MISSING_S
                if not feed.is_current():
                    self._tell()
                    return
            await asyncio.sleep(BUSY_S if now < changed_at + ACTIVE_S else IDLE_S)

    def _tell(self) -> None:
        self.version += 1
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
