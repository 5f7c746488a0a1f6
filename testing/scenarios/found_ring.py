"""The ring as a scenario found it, and the way back: faults cleared, settings restored, the beam in again."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from gnomon.clients.epics_client import EpicsClient
from gnomon.clients.errors import ClientError
from gnomon.clients.reading import Reading
from gnomon.db import sources
from gnomon.db.machine_files import find_document
from gnomon.lattice import DocumentError, Outcome, Ring
from gnomon.recorder import Entry, Filter, JournalError, Reader, ReviewError
from gnomon.recorder.recorded_states import Nominals, state_now
from gnomon.recorder.review import Settings, restoration
from gnomon.testing.faults import Fault, Faults
from gnomon.testing.scenarios.expectations import OWN_NOTE
from gnomon.testing.scenarios.interrupts import deferred
from gnomon.testing.scenarios.references import ALL

#: Time that the server has to take everything back [s].
PATIENCE_S = 15.0
#: Settings that a message names.
MAX_NAMED = 5

Clock = Callable[[], float]


class ServedJournal:
    """The journal that the server writes, read from its file, which must be on this computer."""

    def __init__(self, told: Mapping[str, Any]) -> None:
        """Use what `dt:journal` has told."""
        self.told = told
        self.path = Path(str(told["journal"]))
        self.first = self.last + 1

    @property
    def last(self) -> int:
        """Number of the newest command."""
        with Reader(self.path) as reader:
            return reader.last_sequence()

    def entries(self, first: int) -> list[Entry]:
        """Read all commands from a number on."""
        with Reader(self.path) as reader:
            return list(reader.entries(Filter(first=first)))

    def settings(self) -> Settings:
        """Read the settings in force."""
        with Reader(self.path) as reader:
            return state_now(reader).settings


class FoundRing:
    """Settings, beam and journal as they were; `restore` brings them back, as far as that is possible."""

    def __init__(self, client: EpicsClient, journal: ServedJournal, name: str) -> None:
        self._client = client
        self._journal = journal
        self._note = f"{OWN_NOTE}{name}: the ring as it was found"
        self._settings = journal.settings()
        self._shown = {reading.name: reading.value for reading in self._read_setpoints()}
        self._beam = self._beam_found()
        self._fault = Faults(client.call)
        self._faults: dict[str, Fault] = {}
        self._unnamed: list[Fault] = []
        self._controls: dict[str, Reading] = {}

    def add_fault(self, keys: Mapping[str, Any], label: str | None) -> str:
        """Inject a fault that is to be cleared at the end; returns its text. Raises ClientError."""
        with deferred():  # a fault whose number nobody knows could not be cleared
            fault = self._fault(**keys)
            if label is None:
                self._unnamed.append(fault)
            else:
                self._faults[label] = fault
        return fault.text

    def clear(self, label: str) -> None:
        """Clear a fault of its own, or all of them; one that is over by itself is cleared already."""
        if label == ALL:
            faults = [*self._faults.values(), *self._unnamed]
            self._faults, self._unnamed = {}, []
        else:
            faults = [self._faults.pop(label)]
        for fault in faults:
            fault.clear()

    def keep_control(self, reading: Reading) -> None:
        """Keep the value of something that is not a setting, before the scenario changes it."""
        self._controls.setdefault(reading.name, reading)

    def restore(self, clock: Clock = time.monotonic) -> str:
        """Bring everything back; returns what is not as it was, empty if all is."""
        end = clock() + PATIENCE_S
        trouble = "the server does not answer"
        while clock() < end:
            try:
                self.clear(ALL)
                trouble = "; ".join(self._differences())
                if not trouble:
                    return ""
                self._put_back()
            except (ClientError, JournalError, ReviewError) as error:
                trouble = str(error)
            time.sleep(0.1)
        return trouble

    def _put_back(self) -> None:
        """Restore what the journal says that acted, then what setpoints still show otherwise, controls and beam."""
        with Reader(self._journal.path) as reader:
            now = state_now(reader)
            nominals = Nominals(reader, now.run, self._ring)
            way = restoration(now.settings, self._settings, nominals, reader.units())
        if way:
            arguments = {
                "devices": [each.device for each in way],
                "properties": [each.setting for each in way],
                "values": [each.value for each in way],
                "note": self._note,
            }
            self._client.call("dt:set", arguments)
        setpoints = {r.name: self._shown[r.name] for r in self._read_setpoints() if r.value != self._shown[r.name]}
        if setpoints:
            self._client.set(setpoints, self._note)
        for before in self._changed_controls():
            self._client.put(before.name, before.value if before.index is None else before.index)
        if self._beam and not self._beam_found():
            for info in self._client.find_pvs(source=sources.INJECT.name):
                self._client.put(info.name, 1)

    def _differences(self) -> Iterator[str]:
        """Name what is not as it was."""
        with Reader(self._journal.path) as reader:
            state = state_now(reader)
            now, nominals = state.settings, Nominals(reader, state.run, self._ring)
            changed = [key for key in now.keys() | self._settings.keys() if now.get(key) != self._settings.get(key)]
            wrong = [
                f"{device} {setting}" for device, setting in sorted(changed)
                if now.get((device, setting), nominals.find((device, setting)))
                != self._settings.get((device, setting), nominals.find((device, setting)))
            ]  # fmt: skip
        wrong += [r.name for r in self._read_setpoints() if r.value != self._shown[r.name]]
        wrong += [before.name for before in self._changed_controls()]
        if wrong:
            more = f" and {len(wrong) - MAX_NAMED} more" if len(wrong) > MAX_NAMED else ""
            yield f"{', '.join(wrong[:MAX_NAMED])}{more} not as before"
        waiting = [
            entry.sequence
            for entry in self._journal.entries(self._journal.first)
            if entry.changes and entry.outcome in (None, Outcome.DELAYED)
        ]
        if waiting:
            yield f"command {', '.join(map(str, waiting[:MAX_NAMED]))} has not acted yet, and will"
        if self._beam and not self._beam_found():
            yield "there is no beam, and there was one"

    def _changed_controls(self) -> list[Reading]:
        """Return the readings, from before the scenario, of controls that show something else now."""
        kept = self._controls.values()
        return [before for before in kept if self._client.get(before.name)[0].value != before.value]

    def _read_setpoints(self) -> list[Reading]:
        names = [info.name for info in self._client.pvs.values() if info.source == sources.SET.name]
        return self._client.get(*names)

    def _beam_found(self) -> bool:
        for info in self._client.pvs.values():
            if info.source == sources.BEAM_FOUND.name:
                return self._client.get(info.name)[0].index == 1
        return True

    @cached_property
    def _ring(self) -> Ring | None:
        """Build the machine, for nominal values; None if its document is not here."""
        with suppress(DocumentError, OSError):
            return Ring(find_document(str(self._journal.told["machine"])))
        return None
