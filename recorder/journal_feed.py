"""Items of a journal after a position, in order: commands by number, outcomes by number, each after its command.

For processes that send the journal on. It is only read, and commands are found wherever archiving has moved them.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from gnomon.recorder.entries import Entry, Run, StoredOutcome
from gnomon.recorder.filters import Filter
from gnomon.recorder.reader import Reader
from gnomon.recorder.recorder_errors import JournalError

__all__ = ["JournalFeed", "JournalItem", "MissingCommandsError", "Position", "ReplacedJournalError"]


class ReplacedJournalError(JournalError):
    """A journal that does not have what was read from it before: another file, or an older copy of it."""


class MissingCommandsError(JournalError):
    """Commands `first` to `last` are not in the journal any more: the parts that had them were removed."""

    def __init__(self, path: Path, first: int, last: int) -> None:
        super().__init__(f"{path}: commands {first} to {last} are not in it any more; their parts were removed")
        self.first, self.last = first, last


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a journal, behind all commands up to `sequence` and all outcomes up to `outcome`.

    `times` are the wall and the monotonic time of command `sequence` [ns], by which it is known again.
    """

    sequence: int = 0
    outcome: int = 0
    times: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class JournalItem:
    """A command, or one of its outcomes. `entry` has all outcomes that the command has by now.

    `position` is that behind it.
    """

    entry: Entry
    run: Run
    outcome: StoredOutcome | None
    position: Position


class JournalFeed:
    """A journal, read from a position on. For one thread. Raises JournalError if there is none that can be read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reader = Reader(path)
        self._runs: dict[int, Run] = {}
        self._file = _file_of(path)

    def close(self) -> None:
        """Close the files."""
        self._reader.close()

    def is_current(self) -> bool:
        """Tell whether the journal's name still leads to the file that is read."""
        try:
            return _file_of(self._path) == self._file
        except JournalError:
            return False

    def identity(self) -> str:
        """Return what tells this journal from any other: a digest of the first start of a server in it.

        It stays the same when the journal grows, is archived, moved or copied. Empty before the first start.
        """
        run = self._reader.oldest_run()
        if run is None:
            return ""
        told = f"{run.run} {run.boot_id} {run.wall_ns} {run.machine} {run.digest} {run.prefix}"
        return sha256(told.encode()).hexdigest()[:16]

    def newest_run(self) -> Run:
        """Read the newest start of a server. Raises ReviewError if there is none."""
        return self._reader.newest_run()

    def data_version(self) -> int:
        """Return a number that changes whenever somebody has written to the journal."""
        return self._reader.data_version()

    def end(self) -> Position:
        """Return the position behind everything."""
        sequence, outcome = self._reader.ends()
        return Position(sequence, outcome, self._reader.times_of(sequence))

    def before(self, sequence: int) -> Position:
        """Return the position before a command; outcomes of older commands that came later than it are behind."""
        found = self._reader.entries(Filter(first=max(1, sequence - 100), last=sequence - 1))
        outcome = max((o.order for entry in found for o in entry.outcomes), default=0)
        return Position(sequence - 1, outcome, self._reader.times_of(sequence - 1))

    def time_after(self, position: Position) -> int | None:
        """Return the wall time of the first command behind a position [ns]; None if there is none."""
        found = self._reader.times_of(position.sequence + 1)
        return None if found is None else found[0]

    def read(self, position: Position, count: int) -> tuple[list[JournalItem], Position]:
        """Read what is behind a position, `count` commands and as many outcomes at most, and the position behind that.

        Outcomes of commands that are gone are left out. Raises MissingCommandsError where commands are gone, and
        ReplacedJournalError if the journal is not the one of the position.
        """
        times = self._reader.times_of(position.sequence)
        if times is not None and position.times is not None and times != position.times:
            raise ReplacedJournalError(
                f"{self._path}: command {position.sequence} is not the one that was read before: it is an older copy "
                "that has grown since, or another journal"
            )
        outcomes = self._reader.outcomes_after(position.outcome, count)
        # Read after the outcomes: whatever they are of is there.
        last = position.sequence + count
        coming = deque(self._reader.entries(Filter(first=position.sequence + 1, last=last)))
        if not coming or coming[0].sequence != position.sequence + 1:
            self._check(position)
        known = {entry.sequence: entry for entry in coming}
        earlier = [sequence for _, sequence in outcomes if sequence <= position.sequence]
        known |= {entry.sequence: entry for entry in self._earlier(earlier, count)}
        items: list[JournalItem] = []

        def add_command() -> None:
            nonlocal position
            entry = coming.popleft()
            position = Position(entry.sequence, position.outcome, (entry.wall_ns, entry.monotonic_ns))
            items.append(JournalItem(entry, self._run(entry.run), None, position))

        for order, sequence in outcomes:
            while coming and coming[0].sequence <= sequence:
                add_command()
            if sequence > position.sequence:
                return items, position  # its command comes with the next reading
            position = Position(position.sequence, order, position.times)
            found = known.get(sequence)
            outcome = next((each for each in found.outcomes if each.order == order), None) if found else None
            if found is not None and outcome is not None:
                items.append(JournalItem(found, self._run(found.run), outcome, position))
        if len(outcomes) < count:
            while coming:
                add_command()
        return items, position

    def _check(self, position: Position) -> None:
        sequence, outcome = self._reader.ends()
        if position.sequence > sequence or position.outcome > outcome:
            raise ReplacedJournalError(
                f"{self._path}: it ends at command {sequence}, outcome {outcome}, and command {position.sequence}, "
                f"outcome {position.outcome} was read from it before: it is an older copy, or another journal"
            )
        if position.sequence < sequence and self._reader.times_of(position.sequence + 1) is None:
            raise MissingCommandsError(self._path, position.sequence + 1, self._reader.first_sequence() - 1)

    def _earlier(self, sequences: list[int], count: int) -> Iterable[Entry]:
        if not sequences:
            return
        first, last = min(sequences), max(sequences)
        ranges = [(first, last)] if last - first < 2 * count else [(each, each) for each in dict.fromkeys(sequences)]
        for low, high in ranges:
            yield from self._reader.entries(Filter(first=low, last=high))

    def _run(self, number: int) -> Run:
        if number not in self._runs:
            self._runs[number] = self._reader.run(number)
        return self._runs[number]


def _file_of(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError as error:
        raise JournalError(f"{path}: cannot be read: {error.strerror}") from error
    return found.st_dev, found.st_ino
