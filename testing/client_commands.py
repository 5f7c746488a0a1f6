"""Commands that client programs sent to the ring, as its journal has them: `journal.commands("HS*")`."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import overload

from gnomon.recorder import BY_FAULT, Entry, Filter, Reader

__all__ = ["Command", "Commands", "Journal"]

#: Begins the notes of commands of the test itself: they are not what the program under test did.
OWN_NOTE = "test: "
#: Protocols of commands that no client sent: of the server itself, and of faults that repeat a command.
NOT_CLIENTS = ("internal", BY_FAULT)
#: Commands that a message lists.
MAX_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Command:
    """One setting of one command that a client sent. Several settings sent together have the same `sequence`.

    `value` is what was asked, `done` what the ring was set to (None if nothing was), `old` what was before; `unit` is
    that of all three. `outcome` is applied, delayed, modified, abandoned, rejected or failed, and empty while the
    command is under way; `reason` says why. `client` is `user@host`, `protocol` ca or pva, `time` when it was received.
    """

    sequence: int
    time: datetime
    client: str
    protocol: str
    pv: str
    device: str
    property: str
    old: float | None
    value: float | None
    done: float | None
    unit: str
    outcome: str
    reason: str
    note: str

    def __str__(self) -> str:
        text = f"#{self.sequence} {self.time:%H:%M:%S.%f}"[:-3] + f" {self.pv}: {_number(self.old)} -> "
        text += f"{_number(self.value)} {self.unit} {self.outcome or 'under way'}"
        if self.outcome == "modified" and self.done is not None:
            text += f" as {_number(self.done)} {self.unit}"
        return text + (f" ({self.reason})" if self.reason else "")


class Commands(Sequence[Command]):
    """Commands of a selection, oldest first. Printed, they are a list of lines, for messages of failed assertions."""

    def __init__(self, commands: Iterable[Command], pattern: str, others: int) -> None:
        self._commands = tuple(commands)
        self._pattern = pattern
        self._others = others

    @overload
    def __getitem__(self, index: int) -> Command: ...
    @overload
    def __getitem__(self, index: slice) -> "Commands": ...
    def __getitem__(self, index: int | slice) -> "Command | Commands":
        if isinstance(index, slice):
            return Commands(self._commands[index], self._pattern, self._others)
        return self._commands[index]

    def __len__(self) -> int:
        return len(self._commands)

    def __iter__(self) -> Iterator[Command]:
        return iter(self._commands)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self._commands == tuple(other)

    __hash__ = None  # type: ignore[assignment]

    @property
    def devices(self) -> list[str]:
        """Names of the devices, each once, in the order in which they were first set."""
        return list(dict.fromkeys(command.device for command in self._commands))

    @property
    def values(self) -> list[float | None]:
        """The values that were asked for, in order."""
        return [command.value for command in self._commands]

    def by(self, client: str) -> "Commands":
        """Those of one client: a pattern for `user@host`, its user or its host."""
        names = {name: (name, *name.split("@")) for name in {command.client for command in self._commands}}
        chosen = [c for c in self._commands if any(fnmatchcase(name, client) for name in names[c.client])]
        return Commands(chosen, f"{self._pattern} by {client}", self._others + len(self._commands) - len(chosen))

    def __repr__(self) -> str:
        what = f"to {self._pattern!r}"
        if not self._commands:
            return f"<no command {what}; {self._others or 'no'} other{'s' if self._others != 1 else ''}>"
        lines = [str(command) for command in self._commands[:MAX_SHOWN]]
        if len(self._commands) > MAX_SHOWN:
            lines.append(f"... and {len(self._commands) - MAX_SHOWN} more")
        plural = "s" if len(self._commands) != 1 else ""
        return f"<{len(self._commands)} command{plural} {what}:\n  " + "\n  ".join(lines) + ">"


class Journal:
    """The journal of the ring of one test: it begins empty. `path` is asked for its file each time."""

    def __init__(self, path: Callable[[], Path]) -> None:
        self._path = path
        self._first = 1

    @property
    def path(self) -> Path:
        """The journal's file, as long as the test runs; gnomon.recorder and `gnomon log --offline` read it."""
        return self._path()

    def commands(self, pattern: str = "*", *, own: bool = False) -> Commands:
        """List what clients sent to devices or PVs that fit a pattern (`*`, `?`, `[...]`), refused commands too.

        Settings of the test itself (`ring.set`) are left out unless `own` is true.
        """
        every = [command for entry in self._entries() if own or not _is_own(entry) for command in _commands(entry)]
        chosen = [command for command in every if _fits(command, pattern)]
        return Commands(chosen, pattern, len(every) - len(chosen))

    def notes(self) -> list[str]:
        """List what stands in the journal besides commands: faults that were added, and cleared."""
        return [entry.note for entry in self._entries() if not entry.changes and entry.note]

    def forget(self) -> None:
        """Leave out from now on what is in the journal until now: `commands` begins here."""
        with Reader(self.path) as reader:
            self._first = reader.last_sequence() + 1

    def _entries(self) -> list[Entry]:
        with Reader(self.path) as reader:
            return list(reader.entries(Filter(first=self._first)))

    def __repr__(self) -> str:
        return f"<journal {repr(self.commands())[1:-1]}>"


def _is_own(entry: Entry) -> bool:
    return entry.client.protocol in NOT_CLIENTS or entry.note.startswith(OWN_NOTE)


def _commands(entry: Entry) -> Iterator[Command]:
    applied = entry.applied
    done = {effect.pv: effect.done for effect in applied.effects} if applied is not None else {}
    for change in entry.changes:
        yield Command(
            sequence=entry.sequence,
            time=datetime.fromtimestamp(entry.wall_ns / 1e9).astimezone(),
            client=f"{entry.client.user}@{entry.client.host}",
            protocol=entry.client.protocol,
            pv=change.pv,
            device=change.device,
            property=change.property,
            old=change.old,
            value=change.new,
            done=done.get(change.pv),
            unit=change.unit,
            outcome=entry.outcome.value if entry.outcome else "",
            reason=entry.reason,
            note=entry.note,
        )


def _fits(command: Command, pattern: str) -> bool:
    bare = command.pv.rpartition(":")[0]
    return any(fnmatchcase(name, pattern) for name in (command.device, command.pv, bare))


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:.6g}"
