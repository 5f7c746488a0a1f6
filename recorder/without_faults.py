"""A recording as it would be without the faults that were injected: what clients asked for and were told is done."""

import re
from collections.abc import Sequence
from dataclasses import replace

from gnomon.lattice import Lattice, LatticeError, Outcome
from gnomon.recorder.entries import Entry, StoredChange, StoredOutcome
from gnomon.recorder.recorder_errors import ReplayError

#: Protocol of commands and notes that a fault has made, such as duplicates.
BY_FAULT = "fault"
#: Beginning of the reason of an outcome in which a fault acted.
_FAULT = re.compile(r"fault \d+: ")
#: Outcomes that a client is told as done.
_TOLD = (Outcome.APPLIED, Outcome.MODIFIED, Outcome.ABANDONED, Outcome.DELAYED)


def disturbed(entry: Entry) -> bool:
    """Return whether a fault acted on a command, or made it."""
    return entry.client.protocol == BY_FAULT or any(_FAULT.match(outcome.reason) for outcome in entry.outcomes)


def without_faults(entries: Sequence[Entry], start: Lattice) -> tuple[Entry, ...]:
    """Return the entries as if no fault had acted, from the lattice `start` on; the same ones if none has.

    Each command has what it asked for, when its turn came; those that a fault has made are left out, and so are those
    that were refused or have failed. Raises ReplayError for a value that the ring cannot have.
    """
    if not any(map(disturbed, entries)):
        return tuple(entries)
    lattice = start
    asked: list[Entry] = []
    for entry in sorted(entries, key=lambda e: (e.outcomes[0].order if e.outcomes else 0, e.sequence)):
        if entry.client.protocol == BY_FAULT or entry.outcome not in _TOLD or not entry.changes:
            continue
        try:
            after = lattice.updated({(c.device, c.property): c.new for c in entry.changes if c.new is not None})
        except LatticeError as error:
            raise ReplayError(f"command {entry.sequence}: {error}") from error
        asked.append(_done(entry, lattice, after))
        lattice = after
    return tuple(asked)


def _done(entry: Entry, before: Lattice, after: Lattice) -> Entry:
    first = entry.outcomes[0]
    effects = tuple(_effect(change, before, after) for change in entry.changes)
    outcome = StoredOutcome(first.order, Outcome.APPLIED, first.wall_ns, after.id, "", effects)
    return replace(entry, lattice_before=before.id, outcomes=(outcome,))


def _effect(change: StoredChange, before: Lattice, after: Lattice) -> StoredChange:
    key, stored = (change.device, change.property), (change.device, change.setting)
    return replace(change, old=before[key], done=after[key], setting_old=before[stored], setting_done=after[stored])
