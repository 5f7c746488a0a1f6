"""Copying of one document store into another: every revision, resumed where it was interrupted, verified by hash.

The target itself is the memory of what was done: revisions of a name are added in their order, each whole, so that
after an interruption, of whatever kind, what is there is a beginning of what will be.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from gnomon.db.store import DamagedError, MachineStore, Revision, StoredDocument, TooLargeError

__all__ = ["CopyReport", "copy_store"]

#: Revisions that are read, and added, together.
TOGETHER = 64

#: Is told "copying" or "verifying", how many revisions are done, and of how many.
Progress = Callable[[str, int, int], None]


@dataclass(slots=True)
class CopyReport:
    """Outcome of a copy, in revisions. `problems` names documents that were left out, and why.

    `ahead` names documents of which the target has further revisions.
    """

    copied: int = 0
    there: int = 0
    verified: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    ahead: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Plan:
    """Revisions that the target lacks, and those that it has already."""

    missing: tuple[Revision, ...]
    there: tuple[Revision, ...]


async def copy_store(source: MachineStore, target: MachineStore, tell: Progress = lambda *_: None) -> CopyReport:
    """Copy all revisions that the target lacks, then read all of them back and compare their hashes.

    A document whose revisions in the target are others, or too large for it, is left out, and named. Raises StoreError
    when a store fails; another call goes on where this one ended.
    """
    report = CopyReport()
    missing: list[Revision] = []
    there: list[Revision] = []
    for kind in await source.kinds():
        theirs, ours = await source.revisions(kind), await target.revisions(kind)
        plan = _plan(theirs, ours, report)
        report.kinds[kind] = len(theirs)
        missing += plan.missing
        there += plan.there
    copied = await _copy(source, target, missing, report, tell)
    report.copied, report.there = len(copied), len(there)
    await _verify(target, [*there, *copied], report, tell)
    return report


def _plan(theirs: Iterable[Revision], ours: Iterable[Revision], report: CopyReport) -> _Plan:
    known: dict[str, dict[int, str]] = {}
    for each in ours:
        known.setdefault(each.name, {})[each.revision] = each.digest
    missing: list[Revision] = []
    there: list[Revision] = []
    for name, group in groupby(theirs, key=lambda each: each.name):
        revisions, here = list(group), known.get(name, {})
        kind = revisions[0].kind
        others = [each.revision for each in revisions if here.get(each.revision, each.digest) != each.digest]
        if others:
            report.problems.append(
                f"{kind} '{name}': revision {others[0]} has other content in the target, nothing of it was copied"
            )
            continue
        if len(here) > len(revisions):
            report.ahead.append(f"{kind} '{name}': the target has {len(here)} revisions, the source {len(revisions)}")
        missing += [each for each in revisions if each.revision not in here]
        there += [each for each in revisions if each.revision in here]
    return _Plan(tuple(missing), tuple(there))


async def _copy(
    source: MachineStore, target: MachineStore, missing: Sequence[Revision], report: CopyReport, tell: Progress
) -> list[Revision]:
    done: list[Revision] = []
    broken: set[tuple[str, str]] = set()
    tell("copying", 0, len(missing))
    for number, batch in enumerate(_batches(missing)):
        read = await _read(source, [each for each in batch if (each.kind, each.name) not in broken])
        whole: list[StoredDocument] = []
        for asked, found in read:
            if (asked.kind, asked.name) in broken:
                continue
            if isinstance(found, DamagedError):  # what follows it cannot be added without it
                broken.add((asked.kind, asked.name))
                report.problems.append(f"{found}: it and what follows it were not copied")
            else:
                whole.append(found)
        done += await _adopt(target, whole, broken, report)
        tell("copying", number * TOGETHER + len(batch), len(missing))
    return [Revision(each.kind, each.name, each.revision, each.digest, each.time_ns) for each in done]


async def _adopt(
    target: MachineStore, documents: Sequence[StoredDocument], broken: set[tuple[str, str]], report: CopyReport
) -> Sequence[StoredDocument]:
    """Add revisions but those that the target cannot hold, and what follows these; return what is there."""
    try:
        await target.adopt(documents)
    except TooLargeError as error:
        if len(documents) > 1:  # one by one, for which of them it is is not said
            done: list[StoredDocument] = []
            for each in documents:
                if (each.kind, each.name) not in broken:
                    done += await _adopt(target, [each], broken, report)
            return done
        (one,) = documents
        broken.add((one.kind, one.name))
        report.problems.append(
            f"revision {one.revision} of {one.kind} '{one.name}': {error}: it and what follows it were not copied"
        )
        return ()
    return documents


async def _verify(target: MachineStore, expected: Sequence[Revision], report: CopyReport, tell: Progress) -> None:
    tell("verifying", 0, len(expected))
    for number, batch in enumerate(_batches(expected)):
        for asked, found in await _read(target, batch):
            if isinstance(found, DamagedError) or found.digest != asked.digest:
                report.problems.append(
                    f"revision {asked.revision} of {asked.kind} '{asked.name}': damaged in the target"
                )
            else:
                report.verified += 1
        tell("verifying", number * TOGETHER + len(batch), len(expected))


async def _read(
    store: MachineStore, wanted: Sequence[Revision]
) -> list[tuple[Revision, StoredDocument | DamagedError]]:
    """Read revisions together; a store checks each against its digest."""
    return list(zip(wanted, await store.read(wanted), strict=True))


def _batches(revisions: Sequence[Revision]) -> Iterator[Sequence[Revision]]:
    for begin in range(0, len(revisions), TOGETHER):
        yield revisions[begin : begin + TOGETHER]
