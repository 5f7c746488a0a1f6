"""Values of a running twin, kept up to date in the background, and the steps that are sent to it."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from gnomon.cli.watch.supply_steps import Step, setpoints, stepped, undo_refusal
from gnomon.clients.epics_client import EpicsClient, PvInfo
from gnomon.clients.errors import ClientError
from gnomon.clients.overview import Overview, last_commands, pvs_of_sources
from gnomon.clients.reading import Reading
from gnomon.clients.server_choice import Target
from gnomon.db import sources
from gnomon.db.sources import Source
from gnomon.recorder import Entry

__all__ = ["WATCHED", "Feed"]

#: What is watched, as far as the twin has a PV for it.
WATCHED: tuple[Source, ...] = (
    *(sources.BEAM_FOUND, sources.BEAM_REASON, sources.BEAM_CURRENT),
    *(*sources.ORBIT_DIFFERENCE, *sources.ORBIT_DIFFERENCE_RMS, sources.MONITOR_S, sources.REFERENCE_USE),
    *(*sources.TUNE, *sources.TUNE_FRACTION, *sources.CHROMATICITY),
    *(sources.ACTIVE, sources.MODEL_HUNG, sources.MODEL_COMMAND, sources.MACHINE_ROLE, sources.MACHINE_CONNECTED),
    *(sources.MACHINE_REASON, sources.MACHINE_REFUSED, sources.FAULTS_COUNT, sources.FAULTS_ACTIVE),
    *(sources.RECORDER_STATE, sources.JOURNAL_PATH, sources.JOURNAL_LAST, sources.HOST, sources.HEARTBEAT),
)
#: Time without a heartbeat after which a server that is connected is shown as hanging, and for which first readings
#: are waited for [s].
SILENT_S = 5.0
#: Time between tries to find the server [s].
RETRY_S = 2.0
COMMANDS = 8

#: Makes a client; fails as long as the server is not there.
Connect = Callable[[Target], EpicsClient]
#: Finds a twin that has come back at other addresses; None if it has not.
FindAgain = Callable[[Target], Target | None]


class Feed:
    """The newest readings by source. Its threads write, the screen reads: `version` counts the changes."""

    def __init__(self, target: Target, connect: Connect, host: str, find_again: FindAgain = lambda _: None) -> None:
        self._target = target
        self._find_again = find_again
        self._connect = connect
        self._host = host
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._stops: list[Callable[[], None]] = []
        self._stop_chosen: Callable[[], None] | None = None
        self._readings: dict[str, Reading] = {}
        self._gone: set[str] = set()
        self._awaited: set[str] | None = None  # sources without a first reading; None: not connected
        self._beat_at = self._began_at = time.monotonic()
        self._commands_of: object = None
        self.client: EpicsClient | None = None
        self.version = 0
        self.trouble = ""
        self.setpoints: Sequence[PvInfo] = ()
        self.commands: tuple[Entry, ...] | None = ()
        self.chosen: Reading | None = None
        self.steps: list[Step] = []

    def run(self) -> None:
        """Connect, however long that takes, then read the journal when it grows; ends with `close`."""
        while not self._closed.is_set():
            try:
                if self.client is None or sources.HEARTBEAT.name in self._gone:
                    self._look_again()
                if self.client is None:
                    self._begin()
                    self._choose_again()
                self._read_journal()
                self._closed.wait(0.5)
            except ClientError as error:
                self._tell(str(error))
                self._closed.wait(RETRY_S)

    def _begin(self) -> None:
        client = self._connect(self._target)
        try:
            names = pvs_of_sources(client, WATCHED)
            self.setpoints = setpoints(list(client.pvs.values()))
        except ClientError:
            client.close()
            raise
        with self._lock:
            self._awaited = set(names)
            self._beat_at = self._began_at = time.monotonic()
        self.client = client
        self._tell("")
        self._stops = [client.monitor(name, partial(self._take, source)) for source, name in names.items()]

    def _look_again(self) -> None:
        """Leave the server if it now runs at other addresses."""
        found = self._find_again(self._target)
        if found is None:
            return
        self._disconnect()
        with self._lock:
            self._target, self.client, self._stops, self._stop_chosen = found, None, [], None
            self._readings.clear()
            self._gone.clear()
            self._awaited = None
            self._commands_of = None
            self._beat_at = time.monotonic()
            self.version += 1

    def _choose_again(self) -> None:
        if self.chosen is not None and self._stop_chosen is None:
            self.choose(self.chosen.name)

    def _take(self, source: str, reading: Reading | None) -> None:
        with self._lock:
            if self._awaited:
                self._awaited.discard(source)
            if reading is None:
                self._gone.add(source)
            else:
                self._gone.discard(source)
                self._readings[source] = reading
                if source == sources.HEARTBEAT.name:
                    self._beat_at = time.monotonic()
                    return  # nothing on the screen counts it
            self.version += 1

    def _tell(self, trouble: str) -> None:
        with self._lock:
            self.trouble = trouble
            self.version += 1

    @property
    def starting(self) -> str:
        """The reason why there is nothing to show yet; empty once the first readings are there."""
        if self._awaited is None:
            return f"waiting: {self.trouble or 'looking for the server'}"
        patient = time.monotonic() - self._began_at < SILENT_S
        return "waiting for the first readings" if self._awaited and patient else ""

    @property
    def lost(self) -> str:
        """The reason why all values shown are out of date; empty while the server answers."""
        if self.trouble:
            return self.trouble
        if sources.HEARTBEAT.name in self._gone:
            return "the server is gone; waiting for it"
        silent = time.monotonic() - self._beat_at
        return f"no heartbeat for {silent:.0f} s: the server hangs" if silent > SILENT_S else ""

    def overview(self) -> Overview:
        """The twin as it is known now."""
        with self._lock:
            known = {name: reading for name, reading in self._readings.items() if name not in self._gone}
        known.pop(sources.HEARTBEAT.name, None)
        starting = self.starting
        trouble = "" if starting else self.lost
        return Overview(
            self._target, known, commands=self.commands, trouble=trouble, starting=starting, time_ns=time.time_ns()
        )

    def _read_journal(self) -> None:
        readings: Mapping[str, Reading] = self._readings
        path, host = readings.get(sources.JOURNAL_PATH.name), readings.get(sources.HOST.name)
        counts = (sources.JOURNAL_LAST, sources.MODEL_COMMAND)
        seen = [readings[each.name].value for each in counts if each.name in readings]
        if path is None or host is None or seen == self._commands_of:
            return
        found = last_commands(Path(path.value), COMMANDS) if host.value == self._host else None
        self._commands_of = seen
        with self._lock:
            self.commands = found
            self.version += 1

    def choose(self, name: str) -> None:
        """Follow a setpoint. Raises ClientError."""
        client = self._server()
        if self._stop_chosen is not None:
            self._stop_chosen()
        (self.chosen,) = client.get(name)
        self._stop_chosen = client.monitor(name, self._take_chosen)

    def _take_chosen(self, reading: Reading | None) -> None:
        with self._lock:
            if reading is not None:
                self.chosen = reading
            self.version += 1

    def step(self, name: str, size: float, direction: int) -> Step:
        """Step a setpoint from where it is now, and wait for the result. Raises ClientError with the server's text."""
        client = self._server()
        (present,) = client.get(name)
        if not isinstance(present.value, float | int) or isinstance(present.value, bool):
            raise ClientError(f"{name}: {present.value!r} is not a number")
        made = Step(name, float(present.value), stepped(float(present.value), size, direction), present.unit)
        client.put(name, made.new)
        self.steps.append(made)
        return made

    def undo(self) -> Step:
        """Put back the value before the last step. Raises ClientError if there is none, or the value has changed."""
        client = self._server()
        if not self.steps:
            raise ClientError("there is no step to undo")
        last = self.steps[-1]
        (present,) = client.get(last.name)
        if refusal := undo_refusal(last, present):
            self.steps.pop()
            raise ClientError(refusal)
        client.put(last.name, last.old)
        self.steps.pop()
        return last

    def _server(self) -> EpicsClient:
        if self.client is None or self.lost:
            raise ClientError(f"not possible: {self.lost or self.starting}")
        return self.client

    def close(self) -> None:
        """End the subscriptions and disconnect."""
        self._closed.set()
        self._disconnect()

    def _disconnect(self) -> None:
        for stop in [*self._stops, *([self._stop_chosen] if self._stop_chosen else [])]:
            with suppress(ClientError):
                stop()
        if self.client is not None:
            self.client.close()
