"""The state of a running twin at a glance: figures of beam, model, journal and clients, and what needs attention."""

import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from gnomon.clients.epics_client import EpicsClient
from gnomon.clients.errors import ClientError, NoAnswerError
from gnomon.clients.reading import Reading, jsonable
from gnomon.clients.server_choice import Target
from gnomon.db import sources
from gnomon.db.sources import Source
from gnomon.recorder import Entry, JournalError
from gnomon.recorder import Reader as JournalReader

__all__ = ["FIGURES", "INVALID", "Notice", "Overview", "last_commands", "pvs_of_sources", "read_overview"]

#: Severity of a value that must not be taken for a fresh one.
INVALID = 3
#: A heartbeat, which counts the seconds, of this age means that the server hangs [s].
OLD_S = 10.0

#: What is read, as far as the twin has a PV for it.
FIGURES: tuple[Source, ...] = (
    *(sources.BEAM_FOUND, sources.BEAM_REASON, sources.BEAM_CURRENT, sources.BEAM_LIFETIME_10S),
    *(*sources.TUNE, *sources.TUNE_FRACTION, *sources.TUNE_FREQUENCY, *sources.CHROMATICITY),
    *(*sources.ORBIT_DIFFERENCE_RMS, *sources.ORBIT_DIFFERENCE_LARGEST, *sources.ORBIT_DIFFERENCE_WHERE),
    *(sources.REFERENCE_USE, sources.ACTIVE, sources.LATTICE_ID, sources.MODEL_TIME),
    *(sources.MODEL_P50, sources.MODEL_P99, sources.MODEL_HUNG, sources.QUEUE),
    *(sources.MACHINE_ROLE, sources.MACHINE_CONNECTED, sources.MACHINE_REASON, sources.MACHINE_PVS),
    *(sources.MACHINE_REFUSED, sources.MACHINE_AGE, *sources.RESIDUAL_RMS),
    *(sources.FAULTS_COUNT, sources.FAULTS_ACTIVE, sources.RECORDER_STATE),
    *(sources.JOURNAL_PATH, sources.JOURNAL_SIZE, sources.JOURNAL_LAST),
    *(sources.FORWARD_STATE, sources.FORWARD_BACKLOG, sources.FORWARD_AGE, sources.FORWARD_REASON),
    *(sources.DOCUMENT_STATE, sources.DOCUMENT_REASON),
    *(sources.HEARTBEAT, sources.UPTIME, sources.VERSION, sources.HOST, sources.PROCESS, sources.MEMORY),
    *(sources.CA_CLIENTS, sources.PVA_CLIENTS, sources.PVA_CHANNELS),
)


class Notice(NamedTuple):
    """Something that needs attention, in a few words, and what is known about it."""

    what: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.what}: {self.detail}" if self.detail else self.what


@dataclass(frozen=True, slots=True)
class Overview:
    """A twin at one moment. `readings` are by source; `commands` None where its journal cannot be read from here."""

    target: Target
    readings: Mapping[str, Reading]
    forks: tuple[Mapping[str, Any], ...] = ()
    commands: tuple[Entry, ...] | None = None
    trouble: str = ""  # why nothing could be read
    starting: str = ""  # why there are no readings yet
    time_ns: int = 0

    def reading(self, source: Source) -> Reading | None:
        """Return the twin's reading of a source; None if it has no PV for it."""
        return self.readings.get(source.name)

    def value(self, source: Source) -> Any:
        """Value of a source; None if there is none, or it is INVALID."""
        reading = self.reading(source)
        return None if reading is None or reading.severity >= INVALID else reading.value

    @property
    def reason(self) -> str:
        """The reason why there is no beam, or the failure; empty when all is well."""
        return str(self.value(sources.BEAM_REASON) or "")

    @property
    def has_beam(self) -> bool:
        """Tell whether a stable closed orbit is shown, and is of now."""
        found = self.reading(sources.BEAM_FOUND)
        return found is not None and found.severity < INVALID and found.index == 1

    @property
    def is_paused(self) -> bool:
        """Tell whether the model was told not to compute."""
        active = self.reading(sources.ACTIVE)
        return active is not None and active.index == 0

    def attention(self) -> list["Notice"]:
        """List what somebody should look at; empty when all is well."""
        if self.trouble:
            return [Notice("no answer", self.trouble)]
        found = []
        if self.is_paused:
            found.append(Notice("the model is paused"))
        elif not self.has_beam:
            found.append(Notice("no beam", self.reason or "no reason is given"))
        if hung := self.value(sources.MODEL_HUNG):
            found.append(Notice(f"{hung} computations hang", "at 4 nothing more is computed: restart the server"))
        recorder = self.reading(sources.RECORDER_STATE)
        if recorder is not None and recorder.index:
            found.append(Notice("the journal is not written", "commands are refused until it is"))
        forward = self.reading(sources.FORWARD_STATE)
        if forward is not None and forward.severity:
            found.append(Notice(f"forwarding is {forward.value}", str(self.value(sources.FORWARD_REASON) or "")))
        if faults := self.value(sources.FAULTS_COUNT):
            which = self.value(sources.FAULTS_ACTIVE) or []
            found.append(Notice(f"{faults} injected fault{'s' if faults > 1 else ''}", "; ".join(map(str, which))))
        document = self.reading(sources.DOCUMENT_STATE)
        if document is not None and document.severity:
            reason = str(self.value(sources.DOCUMENT_REASON) or "")
            found.append(Notice(f"machine document in the store: {document.value}", reason))
        return found + self._machine() + self._age()

    def _machine(self) -> list["Notice"]:
        role, connected = self.reading(sources.MACHINE_ROLE), self.reading(sources.MACHINE_CONNECTED)
        found = []
        if role is not None and role.value == "shadow" and connected is not None and connected.value != "followed":
            found.append(Notice(f"machine {connected.value}", str(self.value(sources.MACHINE_REASON) or "")))
        if refused := self.value(sources.MACHINE_REFUSED):
            found.append(Notice(f"{refused} setpoints of the machine are not followed"))
        return found

    def _age(self) -> list["Notice"]:
        heartbeat = self.reading(sources.HEARTBEAT)
        age_s = 0.0 if heartbeat is None else (self.time_ns - heartbeat.time_ns) / 1e9
        if age_s <= OLD_S:
            return []
        return [Notice(f"heartbeat {age_s:.0f} s old", "the server hangs, or its clock differs from that here")]

    def to_json(self) -> dict[str, Any]:
        """Return all of it, ready for json.dumps; readings by source."""
        server = self.target.server
        about = {} if server is None else {"machine": server.machine, "process": server.pid, "fork": server.fork}
        about |= {} if server is None else {"ca_address": server.ca_address, "pva_address": server.pva_address}
        told: dict[str, Any] = {
            "prefix": self.target.prefix,
            **about,
            "attention": [str(notice) for notice in self.attention()],
        }
        told["readings"] = {name: reading.to_json() for name, reading in self.readings.items()}
        told["forks"] = [jsonable(fork) for fork in self.forks]
        told["commands"] = None if self.commands is None else [_command(entry) for entry in self.commands]
        return told


def read_overview(client: EpicsClient, commands: int = 5) -> Overview:
    """Read all figures of a twin, and the newest commands of its journal if that lies on this computer.

    Raises NoAnswerError if a twin that is searched for by the EPICS variables does not answer; one that is known to
    run is shown with that trouble.
    """
    try:
        readings = read_sources(client, FIGURES)
    except NoAnswerError as error:
        if client.target.server is None:
            raise
        return Overview(client.target, {}, trouble=f"it runs, and does not answer: {error}", time_ns=time.time_ns())
    try:
        forks = client.call("dt:fork", {"do": "list"})
    except ClientError:  # access rules may keep procedures from us
        forks = []
    journal = readings.get(sources.JOURNAL_PATH.name)
    host = readings.get(sources.HOST.name)
    here = journal is not None and host is not None and host.value == socket.gethostname()
    newest = last_commands(Path(journal.value), commands) if journal is not None and here else None
    return Overview(client.target, readings, tuple(forks), newest, time_ns=time.time_ns())


def read_sources(client: EpicsClient, wanted: Sequence[Source]) -> dict[str, Reading]:
    """Read one PV of each source that the twin has one for, by source."""
    names = pvs_of_sources(client, wanted)
    return dict(zip(names, client.get(*names.values()), strict=True)) if names else {}


def pvs_of_sources(client: EpicsClient, wanted: Sequence[Source]) -> dict[str, str]:
    """Find the first PV of each source, by source."""
    first: dict[str, str] = {}
    for info in client.pvs.values():
        first.setdefault(info.source, info.name)
    return {source.name: first[source.name] for source in wanted if source.name in first}


def last_commands(journal: Path, count: int) -> tuple[Entry, ...] | None:
    """Read the newest commands of a journal, oldest first; None if it cannot be read."""
    try:
        with JournalReader(journal) as reader:
            return reader.newest(count)
    except JournalError:
        return None


def _command(entry: Entry) -> dict[str, Any]:
    changes = [{"pv": c.pv, "device": c.device, "unit": c.unit, "old": c.old, "new": c.new} for c in entry.changes]
    return {
        "sequence": entry.sequence,
        "time_ns": entry.wall_ns,
        "client": f"{entry.client.user}@{entry.client.host}",
        "changes": jsonable(changes),
        "outcome": entry.outcome,
        "reason": entry.reason,
        "note": entry.note,
    }
