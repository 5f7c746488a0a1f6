"""Archiving the older commands of a journal: into a part beside it, then out of the file that is written.

The commands are copied to a file of another name, which is synced and then renamed to the part; only after that are
they discarded, some at a time, between the commands of clients. So at each moment every command is in one of the
files, and a process that is killed anywhere leaves something that the next call finishes.
"""

import os
import sqlite3
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from gnomon.recorder.journal import Journal, sync_folder
from gnomon.recorder.parts import Part, part_of, parts_of
from gnomon.recorder.recorder_errors import JournalError
from gnomon.recorder.schema import create_part, open_for_reading

__all__ = ["Rotation", "archive", "due"]

#: Number of commands that a server discards at once; clients' commands wait as long as that takes.
CHUNK = 1000
#: Commands of this age have all of their outcomes, besides delayed ones [ns].
SETTLED_NS = 600 * 1_000_000_000

_COPIES = (
    "INSERT INTO run SELECT * FROM live.run",
    "INSERT INTO command SELECT * FROM live.command WHERE sequence BETWEEN :first AND :last",
    "INSERT INTO change SELECT * FROM live.change WHERE sequence BETWEEN :first AND :last",
    "INSERT INTO outcome SELECT * FROM live.outcome WHERE sequence BETWEEN :first AND :last",
    "INSERT INTO effect SELECT * FROM live.effect WHERE outcome IN"
    " (SELECT id FROM live.outcome WHERE sequence BETWEEN :first AND :last)",
)


@dataclass(frozen=True, slots=True)
class Rotation:
    """Limits above which to archive: size in use [bytes], and age of the oldest command [ns]; None means no limit."""

    size: int | None = None
    age_ns: int | None = None


def due(path: Path, rotation: Rotation, now_ns: int | None = None) -> bool:
    """Tell whether a journal has grown beyond its limits. Raises JournalError if it cannot be read."""
    with closing(open_for_reading(path)) as connection:
        try:
            pages, free, page = (
                int(connection.execute(f"PRAGMA {name}").fetchone()[0])
                for name in ("page_count", "freelist_count", "page_size")
            )
            oldest = connection.execute("SELECT wall_ns FROM command ORDER BY sequence LIMIT 1").fetchone()
        except sqlite3.Error as error:
            raise JournalError(f"{path}: cannot be read: {error}") from error
    if rotation.size is not None and (pages - free) * page > rotation.size:
        return True
    now_ns = time.time_ns() if now_ns is None else now_ns
    return rotation.age_ns is not None and oldest is not None and int(oldest[0]) < now_ns - rotation.age_ns


def archive(journal: Journal, *, settled_ns: int | None = None, chunk: int | None = None) -> Part | None:
    """Move the older commands of a journal to a part; None if there are none that can be moved.

    The newest command stays, and with it whatever has not acted yet, or is younger than `settled_ns` (ten minutes).
    `chunk` commands are discarded at once; whoever appends waits as long. May be called from any thread. Raises
    JournalError; nothing is lost then, and the next call goes on.
    """
    if not journal.archiving.acquire(blocking=False):
        raise JournalError(f"{journal.path}: commands are being archived already; wait until that is done")
    try:
        _discard(journal, chunk or CHUNK)  # what an earlier call has left
        part = _make_part(journal, time.time_ns() - (SETTLED_NS if settled_ns is None else settled_ns))
        if part is not None:
            _discard(journal, chunk or CHUNK)
        return part
    finally:
        journal.archiving.release()


def _make_part(journal: Journal, before_ns: int) -> Part | None:
    draft = journal.path.resolve().with_name(f"{journal.path.resolve().name}.archiving")
    try:
        draft.unlink(missing_ok=True)
        found = _range(journal.path, journal.run, before_ns)
        if found is None:
            return None
        part = part_of(journal.path, *found)
        _copy(journal.path, draft, part)
        os.chmod(draft, 0o444)
        os.rename(draft, part.path)
        sync_folder(part.path)
    except (sqlite3.Error, OSError) as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise JournalError(
            f"{journal.path}: commands cannot be archived: {error}; all of them are still in it"
        ) from error
    return part


def _range(path: Path, run: int, before_ns: int) -> tuple[int, int] | None:
    """Find the commands that can be moved: first and last number; None if there are none."""
    with closing(open_for_reading(path)) as connection:
        first, newest = connection.execute("SELECT min(sequence), max(sequence) FROM command").fetchone()
        if first is None:
            return None
        # Numbers go on from the newest command and the newest outcome.
        acted = connection.execute("SELECT sequence FROM outcome ORDER BY id DESC LIMIT 1").fetchone()
        young = connection.execute("SELECT min(sequence) FROM command WHERE wall_ns > ?", (before_ns,)).fetchone()[0]
        last_outcome = "(SELECT outcome FROM outcome WHERE sequence = command.sequence ORDER BY id DESC LIMIT 1)"
        waiting = connection.execute(
            f"SELECT min(sequence) FROM command WHERE run = ? AND coalesce({last_outcome}, 'delayed') = 'delayed'",
            (run,),
        ).fetchone()[0]
    last = min(n for n in (newest, acted and acted[0], young, waiting) if n is not None) - 1
    return (int(first), int(last)) if last >= first else None


def _copy(path: Path, draft: Path, part: Part) -> None:
    """Copy the commands of a part to a new file, and compare."""
    with closing(create_part(draft)) as connection:
        connection.execute("ATTACH ? AS live", (f"{path.resolve().as_uri()}?mode=ro",))
        connection.execute("BEGIN")
        for copy in _COPIES:
            connection.execute(copy, {"first": part.first, "last": part.last} if ":first" in copy else {})
        connection.execute("COMMIT")
        (count,) = connection.execute("SELECT count(*) FROM command").fetchone()
        (state,) = connection.execute("PRAGMA main.quick_check").fetchone()
        broken = connection.execute("PRAGMA main.foreign_key_check").fetchone()
    if count != part.last - part.first + 1 or state != "ok" or broken:
        raise OSError(f"the copy of commands {part.first} to {part.last} is not whole ({count} commands, {state})")


def _discard(journal: Journal, chunk: int) -> None:
    """Take commands out of the journal that are in a part."""
    parts = parts_of(journal.path)
    if not parts:
        return
    with closing(open_for_reading(parts[-1].path)) as connection:
        outcome = connection.execute("SELECT coalesce(max(id), 0) FROM outcome").fetchone()[0]
    while journal.discard(parts[-1].last, chunk, int(outcome)):
        time.sleep(0.005)  # clients' commands come first
