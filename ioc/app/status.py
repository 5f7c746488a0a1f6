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

from gnomon import __version__
from gnomon.ioc.base.memory import resident_bytes
from gnomon.ioc.commands.dispatcher import Dispatcher
from gnomon.ioc.outputs.outputs import Outputs
from gnomon.propagator import PropagatorService
from gnomon.recorder import Journal

PERIOD_S = 1.0

#: What a status PV shows, by its source, asked for at each publication.
Figures = Mapping[str, Callable[[], Any]]


class Status:
    """Publisher of the figures of one twin."""

    def __init__(self, outputs: Outputs, figures: Figures) -> None:
        self._outputs = outputs
        self._figures = figures
        self._beats = 0
        self._began = time.monotonic()

    def begin(self) -> None:
        """Publish what stays as it is while the server runs, the states of a healthy one, and the figures."""
        self._outputs.show_many(
            {
                "status.version": __version__,
                "status.host": socket.gethostname(),
                "status.process": os.getpid(),
                "status.started": datetime.now().astimezone().isoformat(sep=" ", timespec="seconds"),
                "recorder.state": 0,
                "faults.count": 0,
                "faults.active": [],
            }
        )
        self.beat()

    def beat(self) -> None:
        """Publish all figures together."""
        self._beats += 1
        figures: dict[str, Any] = {"status.heartbeat": self._beats, "status.uptime": time.monotonic() - self._began}
        self._outputs.show_many(figures | {source: figure() for source, figure in self._figures.items()})

    async def run(self) -> None:
        """Publish the figures once a second until cancelled."""
        while True:
            await asyncio.sleep(PERIOD_S)
            self.beat()


def figures(
    outputs: Outputs,
    dispatcher: Dispatcher,
    service: PropagatorService,
    journal: Journal,
    clients: Figures,
) -> Figures:
    """The figures of a twin; `clients` are those of the servers."""
    return {
        "status.queue": lambda: dispatcher.waiting,
        "status.put.p50": lambda: dispatcher.put_times.percentile(50.0),
        "status.put.p99": lambda: dispatcher.put_times.percentile(99.0),
        "status.model.p50": lambda: outputs.model_times.percentile(50.0),
        "status.model.p99": lambda: outputs.model_times.percentile(99.0),
        "status.model.hung": lambda: service.hung,
        "status.journal.path": lambda: str(journal.path),
        "status.journal.size": lambda: size(journal.path),
        "status.journal.last": lambda: journal.next_sequence - 1,
        "status.memory": resident_bytes,
        **clients,
    }


def size(journal: Path) -> int:
    """Bytes that a journal takes on the disk, its log included."""
    found = 0
    for part in (journal, journal.with_name(journal.name + "-wal")):
        with suppress(FileNotFoundError):  # the log comes and goes
            found += part.stat().st_size
    return found
