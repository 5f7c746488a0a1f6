"""Recorded commands as documents, the settings between two of them, and the settings that take commands back."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gnomon.lattice import Ring
from gnomon.recorder import Entry, Filter, Reader, ReviewError, Run
from gnomon.recorder.export import documents
from gnomon.recorder.recorded_states import Nominals, RecordedState, same_machine, state_at, state_now
from gnomon.recorder.rendering import difference_texts, local_time
from gnomon.recorder.review import Assignment, Clash, Difference, differences, restoration, undoing

__all__ = [
    "UNDO",
    "FindRing",
    "Page",
    "WayBack",
    "command_document",
    "commands_to_undo",
    "compare_settings",
    "page_document",
    "plan_restore",
    "plan_undo",
    "read_page",
]

#: What the note of an undo begins with; the numbers of the commands follow.
UNDO = "undo "
#: Number of settings that are named in a refusal.
MAX_NAMED = 5
#: Largest number of changes in a page of commands; a command with more is a page of its own.
MAX_CHANGES = 20_000

#: Builds the ring of a run; None if its machine document is no longer available.
FindRing = Callable[[Run], Ring | None]


@dataclass(frozen=True, slots=True)
class Page:
    """Commands in the order of their numbers. `following` is the number with which the next page begins or ends.

    It is None when there are no more in the direction in which they are read.
    """

    entries: tuple[Entry, ...]
    following: int | None
    last: int  # number of the newest command of the journal, 0 if there is none


def read_page(reader: Reader, which: Filter, count: int, *, oldest: bool = False) -> Page:
    """Read at most `count` commands: the newest that match the filter, or the oldest."""
    last = reader.last_sequence()
    if not oldest:
        found = reader.newest(count + 1, which)
        kept = _within(found[::-1], count)[::-1]
        more = len(found) > len(kept)
        return Page(tuple(kept), kept[0].sequence - 1 if more else None, last)
    gathered: list[Entry] = []
    for entry in reader.entries(which):
        gathered.append(entry)
        if len(gathered) > count or len(_within(gathered, count)) < len(gathered):
            break
    kept = _within(gathered, count)
    more = len(gathered) > len(kept)
    return Page(tuple(kept), kept[-1].sequence + 1 if more else None, last)


def page_document(reader: Reader, page: Page) -> dict[str, Any]:
    """Make plain data of a page: commands as documents (schema gnomon.command/1), `following` and `last`."""
    return {
        "commands": documents(page.entries, _runs(reader)),
        "following": page.following,
        "last": page.last,
    }


def command_document(reader: Reader, sequence: int) -> dict[str, Any]:
    """Make the document of one command. Raises ReviewError if it is not in the journal."""
    return documents([reader.entry(sequence)], reader.run)[0]


def compare_settings(
    reader: Reader, first: int, second: int | None, find_ring: FindRing
) -> tuple[Run, tuple[Difference, ...]]:
    """Compare the settings after command `first` with those after `second`, or with the present ones.

    Returns the run of `first`, and the differences. Raises ReviewError, also for settings of different machines.
    """
    a = state_at(reader, first)
    b = state_now(reader) if second is None else state_at(reader, second)
    same_machine(a.run, b.run)
    nominals = Nominals(reader, a.run, find_ring(a.run))
    return a.run, differences(a.settings, b.settings, nominals.find, reader.units())


@dataclass(frozen=True, slots=True)
class WayBack:
    """Settings that take a running server back: its run, the note of the command, and the settings to make.

    `entries` are the commands that are undone, in the order of undoing.
    """

    run: Run
    note: str
    assignments: tuple[Assignment, ...]
    entries: tuple[Entry, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        settings = [asdict(assignment) for assignment in self.assignments]
        return {"prefix": self.run.prefix, "note": self.note, "settings": settings}


def commands_to_undo(reader: Reader, sequences: Sequence[int], last: int | None) -> tuple[Entry, ...]:
    """Find the commands of these numbers, or the `last` ones that changed a setting. Raises ReviewError."""
    if last is not None:
        return reader.newest_changes(last)
    return tuple(reader.entry(number) for number in dict.fromkeys(sequences))


def plan_undo(
    path: Path, entries: Sequence[Entry], find_ring: FindRing, *, force: bool = False, how_to_force: str = "`force`"
) -> WayBack:
    """Find the settings that undo commands, newest first, from the present ones.

    Raises ReviewError, unless it is forced, if a setting no longer has the value that a command left.
    """
    with Reader(path) as reader:
        now = state_now(reader)
        for entry in entries:
            same_machine(reader.run(entry.run), now.run)
        nominals = Nominals(reader, now.run, find_ring(now.run))
        way = undoing(entries, now.settings, nominals)
        if way.clashes and not force:
            raise ReviewError(_clash_text(way.clashes, reader, now, how_to_force))
        assignments = restoration(now.settings, way.settings, nominals, way.units)
    note = f"{UNDO}{' '.join(str(entry.sequence) for entry in way.entries)}"
    return WayBack(now.run, note, assignments, way.entries)


def plan_restore(path: Path, to: int, find_ring: FindRing) -> WayBack:
    """Find the settings that take the server back to those after a command; 0: before the first. Raises ReviewError."""
    with Reader(path) as reader:
        then, now = state_at(reader, to), state_now(reader)
        same_machine(then.run, now.run)
        nominals = Nominals(reader, now.run, find_ring(now.run))
        assignments = restoration(now.settings, then.settings, nominals, reader.units())
    return WayBack(now.run, f"restore --to {to}", assignments)


def _within(entries: Sequence[Entry], count: int) -> Sequence[Entry]:
    """Take the first `count` commands, and no more than have `MAX_CHANGES` changes together, but one at least."""
    changes = 0
    for number, entry in enumerate(entries[:count]):
        changes += len(entry.changes) + sum(len(outcome.effects) for outcome in entry.outcomes)
        if changes > MAX_CHANGES and number:
            return entries[:number]
    return entries[:count]


def _runs(reader: Reader) -> Callable[[int], Run]:
    """Find runs by number, each read once."""
    known: dict[int, Run] = {}

    def find(number: int) -> Run:
        if number not in known:
            known[number] = reader.run(number)
        return known[number]

    return find


def _clash_text(clashes: Sequence[Clash], reader: Reader, now: RecordedState, how_to_force: str) -> str:
    """Name the settings that stand in the way of an undo, and who changed them."""
    last = {effect.key: effect.sequence for effect in reader.effects(run=now.run.run)}
    lines = []
    for clash in clashes[:MAX_NAMED]:
        if (sequence := last.get(clash.key)) is not None:
            by = reader.entry(sequence)
            who = f"changed by {by.client.user}@{by.client.host}, command {sequence}, {local_time(by.wall_ns)}"
        else:
            who = f"since the server was restarted, {local_time(now.run.wall_ns)}"
        left, present = difference_texts(clash.left, clash.now)
        lines.append(
            f"  {clash.key[0]} {clash.key[1]}: command {clash.sequence} left {left} {clash.unit}, now {present} "
            f"{clash.unit}, {who}"
        )
    if len(clashes) > MAX_NAMED:
        lines.append(f"  and {len(clashes) - MAX_NAMED} more settings")
    numbers = ", ".join(dict.fromkeys(str(clash.sequence) for clash in clashes))
    return (
        f"not undone, since settings no longer have the values that command {numbers} left; use {how_to_force} to undo "
        "it nevertheless\n" + "\n".join(lines)
    )
