"""Faults of gnomon itself, where real failures come from: the model's thread, the journal's disk, the store's file.

Everything above these places handles them as it does the real ones; it cannot tell them apart.
"""

import itertools
import math
import sqlite3
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from gnomon.db import StorePlace, open_documents
from gnomon.db.store import StoreError
from gnomon.fault_injection import (
    Active,
    Injector,
    JournalFull,
    ModelCrashed,
    ModelHung,
    ModelSlow,
    OwnFault,
    StoreUnreachable,
)
from gnomon.ioc.base.config import Config
from gnomon.lattice import Lattice
from gnomon.propagator import BeamState, Compute, PropagatorService
from gnomon.recorder import open_for_writing

GROUP = "gnomon"
OF_MODEL = (ModelSlow, ModelHung, ModelCrashed)
#: Time between two looks whether a fault that holds a computation has gone [s].
PERIOD_S = 0.02
#: Statements with which the journal's connection writes to the disk.
WRITES = frozenset(("COMMIT", "VACUUM"))


class FailingParts:
    """The parts of one twin that faults make fail. Each is used in a thread of its own, and asks in it which act."""

    def __init__(self, injector: Injector, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._injector = injector
        self._clock_s = clock_s
        self._stopped = threading.Event()
        self._numbers = itertools.count(1)
        self._of_model: set[int] = set()

    def model(self, compute: Compute) -> Compute:
        """Return a model that computes, unless a fault makes it slow, hang or break off."""
        return partial(self._compute, compute)

    def open_journal(self, path: Path) -> sqlite3.Connection:
        """Open a journal for writing, on a disk that a fault can fill."""

        class Disk(sqlite3.Connection):
            def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
                if sql in WRITES and full():
                    raise _full_disk()
                return super().execute(sql, parameters)

        full = partial(self._acts, JournalFull)
        return open_for_writing(path, Disk)

    def open_documents(self, path: str) -> sqlite3.Connection:
        """Open the document store's file, unless a fault has put it out of reach."""
        if self._acts(StoreUnreachable):
            raise sqlite3.OperationalError("unable to open database file")
        return open_documents(path)

    def store_of(self, config: Config) -> StorePlace:
        """The document store of a configuration, unless a fault has put it out of reach."""
        return config.store_place(self.open_documents, self._check_server)

    def _check_server(self) -> None:
        if self._acts(StoreUnreachable):
            raise StoreError("no MongoDB server answers: is it running, and is the address right?")

    def retry(self, service: PropagatorService) -> None:
        """Let the model try again what it has failed, if faults that made it fail have ended."""
        there = {fault.id for fault in self._injector.of_group(GROUP)}
        ended = [number for number in tuple(self._of_model) if number not in there]
        if ended:
            self._of_model.difference_update(ended)
            service.retry()

    def stop(self) -> None:
        """Let computations go on that faults hold, so that their threads can end."""
        self._stopped.set()

    def _compute(self, compute: Compute, lattice: Lattice) -> BeamState:
        acting = self._acting(*OF_MODEL)
        if not acting:
            return compute(lattice)
        try:
            for active in acting:
                self._of_model.add(active.fault.id)
                match active.fault.request:
                    case ModelHung():
                        self._hold(active)
                    case ModelCrashed(message=message):
                        raise RuntimeError(message)
            began_s = self._clock_s()
            beam = compute(lattice)
            took_s = self._clock_s() - began_s
            for active in acting:
                if isinstance(active.fault.request, ModelSlow):
                    self._hold(active, active.fault.request.longer_s(took_s))
            return beam
        finally:
            for active in acting:
                if active.fault.request.lasting:
                    self._injector.finished(active.fault.id)

    def _hold(self, active: Active, at_most_s: float = math.inf) -> None:
        """Wait as long as a fault lasts; a thread cannot be woken from outside, and so it looks."""
        until_s = self._clock_s() + at_most_s
        while self._injector.lasts(active.fault.id) and (left_s := until_s - self._clock_s()) > 0.0:
            if self._stopped.wait(min(PERIOD_S, left_s)):
                return

    def _acts(self, kind: type[OwnFault]) -> bool:
        return bool(self._acting(kind))

    def _acting(self, *kinds: type[OwnFault]) -> tuple[Active, ...]:
        of_group = self._injector.of_group(GROUP)
        if not of_group:
            return ()
        only = [fault.id for fault in of_group if isinstance(fault.request, kinds)]
        return self._injector.acting(GROUP, next(self._numbers), only=only)


def _full_disk() -> sqlite3.OperationalError:
    """Make the error of SQLite on a disk without space."""
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode, error.sqlite_errorname = sqlite3.SQLITE_FULL, "SQLITE_FULL"
    return error
