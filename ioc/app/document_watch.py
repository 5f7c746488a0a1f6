"""The watch over the machine document in the store: a revision that somebody else has put is announced, not taken."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from gnomon.db import StorePlace
from gnomon.db.document_difference import Difference, differences
from gnomon.db.store import MachineStore, NotFoundError, StoredDocument
from gnomon.ioc.base.log_limits import SparingLog
from gnomon.ioc.base.machines import plain_document
from gnomon.lattice import DocumentError, GnomonError, MachineDocument, parse_machine
from gnomon.recorder.rendering import local_time

KIND = "machine"
#: States of `dt:document`.
NEWEST, CHANGED, UNKNOWN = range(3)

_log = logging.getLogger("gnomon.machine")
_trouble = SparingLog(_log)


class DocumentState(NamedTuple):
    """The served document, compared with the newest one in the store, and what somebody should know about that."""

    state: int = NEWEST
    reason: str = ""


class DocumentWatch:
    """Looks every `look_s` whether the newest revision in the store is another document than the served one.

    The first look comes after that time: at the start, the store has what is served. A store that fails is tried
    again, and told in the log. `away` says why the store does not have it yet, and `keep` puts it there.
    """

    def __init__(
        self,
        place: StorePlace,
        served: MachineDocument,
        look_s: float,
        *,
        keep: Callable[[], Awaitable[None]] | None = None,
        away: str = "",
    ) -> None:
        self._place = place
        self._served = served
        self._look_s = look_s
        self._seen = 0
        self.waiting: StoredDocument | None = None
        self.document: MachineDocument | None = None  # the one that waits, if it can be used
        self.problem = ""  # why it cannot
        self._keep = keep
        self._away = away

    @property
    def state(self) -> DocumentState:
        """State of the document in the store, as far as it is known; a person decides what to do about it."""
        if self._away:
            return DocumentState(UNKNOWN, self._away)
        if self.waiting is None:
            return DocumentState()
        advice = self.problem or "gnomon machine diff shows it, gnomon machine reload takes it over"
        return DocumentState(CHANGED, f"revision {self.waiting.revision} in the store: {advice}")

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            try:
                if self._keep is not None:
                    await self._keep()
                    self._keep = None
                async with self._place.open() as store:
                    if self._away:
                        await self._look_into(store)
                    while True:
                        await store.wait_for_change(KIND, self._served.name, self._look_s)
                        await self._look_into(store)
            except GnomonError as error:
                self._away = str(error)
                _trouble.warning("the machine document in the store cannot be watched: %s", error)
            await asyncio.sleep(self._look_s)

    async def look(self) -> StoredDocument | None:
        """Look now; return the revision that waits. Raises StoreError."""
        async with self._place.open() as store:
            await self._look_into(store)
        return self.waiting

    def differences(self) -> tuple[Difference, ...]:
        """Differences of the document that waits from the served one; none if nothing waits."""
        if self.waiting is None:
            return ()
        after = self.waiting.document if self.document is None else plain_document(self.document)
        return differences(plain_document(self._served), after)

    async def _look_into(self, store: MachineStore) -> None:
        name = self._served.name
        try:
            newest = (await store.history(KIND, name))[-1].revision
            if self._away:
                _log.info("the document store %s is back", self._place)
            self._away = ""
            if newest == self._seen:
                return
            found = await store.get(KIND, name)
        except NotFoundError:
            self._away = ""
            return
        document, problem = await asyncio.to_thread(_read, found, str(self._place))
        self._seen = found.revision
        if document is not None and await asyncio.to_thread(_same, document, self._served):
            self.waiting, self.document, self.problem = None, None, ""
            return
        self.waiting, self.document, self.problem = found, document, problem
        put = local_time(found.time_ns)[:19]
        if problem:
            _log.warning("machine %s: revision %d in the store, of %s, cannot be used: %s", name, newest, put, problem)
            return
        _log.warning(
            "machine %s: revision %d in the store, of %s, differs from what is served: `gnomon machine diff` shows it, "
            "`gnomon machine reload` takes it over",
            name,
            found.revision,
            put,
        )


def _read(found: StoredDocument, place: str) -> tuple[MachineDocument | None, str]:
    try:
        return parse_machine(
            json.dumps(found.document), f"{place}: {KIND} {found.name!r}, revision {found.revision}"
        ), ""
    except DocumentError as error:
        return None, str(error)


def _same(one: MachineDocument, other: MachineDocument) -> bool:
    """Tell if two documents are stored as the same; the order of keys counts: optics are numbered by it."""
    return json.dumps(plain_document(one)) == json.dumps(plain_document(other))
