"""The archived history of a machine's setpoints, sent to a twin again in its own pace or faster."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from gnomon.db.canonical_name import canonical_name
from gnomon.db.pvs import PvSpec
from gnomon.db.sources import SET
from gnomon.ioc.base.log_limits import SparingLog
from gnomon.ioc.base.protocols import PutSink
from gnomon.lattice import Client, GnomonError, Ring
from gnomon.recorder.archives import Sample, read_archive
from gnomon.recorder.rendering import local_time

__all__ = ["Change", "History", "HistoryError", "HistoryFile", "play", "read_history", "select_changes"]

log = logging.getLogger("gnomon.history")
refusals = SparingLog(log)

#: Shortest time between two turns of puts [s].
TURN_S = 0.05
#: Puts that wait for their completion together: others that use the twin come in between.
MAX_TOGETHER = 64
#: Severity of a value that nobody knows.
INVALID = 3


class HistoryError(GnomonError):
    """A history that has nothing for this machine."""


class HistoryFile(NamedTuple):
    """A file of archived values, and how it is replayed; without a beginning, from when every PV has a value."""

    path: Path
    speed: float = 1.0
    begin_ns: int | None = None


class Change(NamedTuple):
    """A setpoint that changed: time, index of the PV, value."""

    time_ns: int
    pv_index: int
    value: float | str


@dataclass(frozen=True, slots=True)
class History:
    """The setpoints in force at the beginning, and the changes after it in order of time.

    `left_out` counts the PVs of the file that are not followed: no setpoints of this machine, or such that follow from
    others.
    """

    begin_ns: int
    first: Sequence[Change]
    later: Sequence[Change]
    left_out: int = 0

    def __str__(self) -> str:
        end_ns = self.later[-1].time_ns if self.later else self.begin_ns
        return (
            f"{len(self.first)} setpoints of {local_time(self.begin_ns)[:19]}, {len(self.later)} changes until "
            f"{local_time(end_ns)[:19]}, {self.left_out} other PVs left out"
        )


def read_history(file: HistoryFile, specs: Sequence[PvSpec], ring: Ring, prefix: str) -> History:
    """Read a file for a twin with these PVs. Raises ArchiveError, HistoryError."""
    archive = read_archive(file.path)
    for line in archive.unread[:5]:
        log.warning("%s: %s", file.path, line)
    try:
        return select_changes(archive.samples, specs, ring, prefix, file.begin_ns)
    except HistoryError as error:
        raise HistoryError(f"{file.path}: {error}") from error


def select_changes(
    samples: Iterable[Sample], specs: Sequence[PvSpec], ring: Ring, prefix: str, begin_ns: int | None = None
) -> History:
    """Select the changes of setpoints, named with or without prefix. Raises HistoryError if there are none.

    Strengths of magnets and optics are left out, since they follow from currents, and so are values that were INVALID.
    """
    known = {
        canonical_name(spec.name, prefix): index
        for index, spec in enumerate(specs)
        if spec.source == SET.name and not spec.presets and ring.strength_of(spec.device, spec.property) is None
    }
    others: set[str] = set()
    changes: list[Change] = []
    for sample in samples:
        index = known.get(canonical_name(sample.pv, prefix))
        if index is None:
            others.add(sample.pv)
        elif sample.severity < INVALID:
            changes.append(Change(sample.time_ns, index, sample.value))
    if not changes:
        example = f", for example {min(others)}" if others else ""
        raise HistoryError(f"no setpoint of {ring.name!r} has a value in it{example}; check --machine and --prefix")
    changes.sort(key=lambda change: change.time_ns)
    if begin_ns is None:
        begin_ns = max({change.pv_index: change.time_ns for change in reversed(changes)}.values())
    first = {change.pv_index: change for change in changes if change.time_ns <= begin_ns}
    later = [change for change in changes if change.time_ns > begin_ns]
    return History(begin_ns, tuple(first.values()), tuple(later), len(others))


async def play(
    history: History,
    sink: PutSink,
    client: Client,
    speed: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Put what was in force, then each change at its time, `speed` times as fast; then log that it is over.

    A turn waits until its puts are complete: a model that cannot keep up makes the history late, and loses nothing.
    """
    refused = await _put(history.first, sink, client)
    began = clock()
    at, later = 0, history.later
    while at < len(later):
        due_ns = history.begin_ns + (clock() - began) * speed * 1e9
        end = at
        while end < len(later) and later[end].time_ns <= due_ns:
            end += 1
        refused += await _put(later[at:end], sink, client)
        at = end
        if at < len(later):
            ahead_s = (later[at].time_ns - history.begin_ns) / 1e9 / speed - (clock() - began)
            await sleep(max(ahead_s, TURN_S))
    total = len(history.first) + len(later)
    log.info("the history is over: %d puts, %d of them refused", total, refused)


async def _put(changes: Sequence[Change], sink: PutSink, client: Client) -> int:
    """Put all changes, some at a time, wait until they are complete, and count those that were refused."""
    refused = 0
    for begin in range(0, len(changes), MAX_TOGETHER):
        together = changes[begin : begin + MAX_TOGETHER]
        for done in [asyncio.wrap_future(sink.put(change.pv_index, change.value, client)) for change in together]:
            reply = await done
            if not reply.accepted:
                refused += 1
                refusals.warning("a setpoint of the history is refused: %s", reply.message)
    return refused
