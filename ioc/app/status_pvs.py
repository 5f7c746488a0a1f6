"""The PVs about gnomon itself, once a second: heartbeat, queue, times, clients, journal, memory."""

import asyncio
import os
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from gnomon._version import __version__
from gnomon.db import sources
from gnomon.db.sources import Source
from gnomon.ioc.app.active_faults import table_of
from gnomon.ioc.app.document_watch import DocumentState
from gnomon.ioc.base.forward_status import BEHIND, OFF, STOPPED, Forwarding
from gnomon.ioc.base.memory import resident_bytes
from gnomon.ioc.commands.dispatcher import Dispatcher
from gnomon.ioc.outputs.bank import Severity
from gnomon.ioc.outputs.bank import Status as AlarmStatus
from gnomon.ioc.outputs.model_state import ModelState
from gnomon.ioc.outputs.outputs import Outputs
from gnomon.propagator import PropagatorService
from gnomon.recorder import Journal

PERIOD_S = 1.0

#: What a status PV shows, by its source, asked for at each publication.
Figures = Mapping[Source, Callable[[], Any]]


class Status:
    """Publisher of the figures of one twin.

    `forwarding` tells how far copies of its journal elsewhere are, `document` what is known of its machine document in
    the store.
    """

    def __init__(
        self,
        outputs: Outputs,
        figures: Figures,
        forwarding: Callable[[], Forwarding] = lambda: Forwarding(OFF),
        document: Callable[[], DocumentState] = DocumentState,
    ) -> None:
        self._outputs = outputs
        self._figures = figures
        self._forwarding = forwarding
        self._document = document
        self._beats = 0
        self._began = time.monotonic()

    def begin(self) -> None:
        """Publish what stays as it is while the server runs, the states of a healthy one, and the figures."""
        self._outputs.show_many(
            {
                sources.VERSION: __version__,
                sources.HOST: socket.gethostname(),
                sources.PROCESS: os.getpid(),
                sources.STARTED: datetime.now().astimezone().isoformat(sep=" ", timespec="seconds"),
                sources.RECORDER_STATE: 0,
                sources.FAULTS_COUNT: 0,
                sources.FAULTS_ACTIVE: [],
                sources.FAULTS_TABLE: table_of(()),
                sources.FAULTS_CLEAR: 0,
            }
        )
        self.beat()

    def beat(self) -> None:
        """Publish all figures together."""
        self._beats += 1
        figures: dict[Source, Any] = {sources.HEARTBEAT: self._beats, sources.UPTIME: time.monotonic() - self._began}
        forwarding, document = self._forwarding(), self._document()
        figures |= {
            sources.FORWARD_STATE: forwarding.state,
            sources.FORWARD_BACKLOG: forwarding.backlog,
            sources.FORWARD_AGE: forwarding.age_s,
            sources.FORWARD_REASON: forwarding.reason,
            sources.DOCUMENT_STATE: document.state,
            sources.DOCUMENT_REASON: document.reason,
        }
        alarms = {}
        if forwarding.state >= BEHIND:
            severity = Severity.MAJOR if forwarding.state >= STOPPED else Severity.MINOR
            alarms[sources.FORWARD_STATE] = (severity, AlarmStatus.STATE)
        if document.state:
            alarms[sources.DOCUMENT_STATE] = (Severity.MINOR, AlarmStatus.STATE)
        values = figures | {source: figure() for source, figure in self._figures.items()}
        self._outputs.show_many(values, alarms=alarms)

    async def run(self) -> None:
        """Publish the figures once a second until cancelled."""
        while True:
            await asyncio.sleep(PERIOD_S)
            self.beat()


def figures(
    state: ModelState,
    dispatcher: Dispatcher,
    service: PropagatorService,
    journal: Journal,
    clients: Figures,
) -> Figures:
    """The figures of a twin; `clients` are those of the servers."""
    return {
        sources.QUEUE: lambda: dispatcher.waiting,
        sources.PUT_P50: lambda: dispatcher.put_times.percentile(50.0),
        sources.PUT_P99: lambda: dispatcher.put_times.percentile(99.0),
        sources.MODEL_P50: lambda: state.times.percentile(50.0),
        sources.MODEL_P99: lambda: state.times.percentile(99.0),
        sources.MODEL_HUNG: lambda: service.hung,
        sources.JOURNAL_PATH: lambda: str(journal.path),
        sources.JOURNAL_SIZE: lambda: size(journal.path),
        sources.JOURNAL_LAST: lambda: journal.next_sequence - 1,
        sources.MEMORY: resident_bytes,
        **clients,
    }


def size(journal: Path) -> int:
    """Bytes that a journal takes on the disk, its log included."""
    found = 0
    for part in (journal, journal.with_name(journal.name + "-wal")):
        with suppress(FileNotFoundError):  # the log comes and goes
            found += part.stat().st_size
    return found
