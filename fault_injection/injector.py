"""The active faults, and their effect on the next command."""

import itertools
import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace

from gnomon.fault_injection.faults import Action, Fault, FaultError
from gnomon.lattice import Outcome, Setting


@dataclass(frozen=True, slots=True)
class Decision:
    """The decision about a command: all of its settings together.

    `settings` are to be applied after `delay_s` [s]; an abandoned command has none. `fault_ids` are the faults that
    acted, `reason` describes them for the journal.
    """

    outcome: Outcome
    settings: tuple[Setting, ...]
    delay_s: float = 0.0
    fault_ids: tuple[int, ...] = ()
    reason: str = ""


def decide(faults: Iterable[Fault], settings: tuple[Setting, ...]) -> Decision:
    """Apply the active faults to one command; pure. A fault acts if it matches any of the command's settings.

    - All or none: if one setting is abandoned or delayed, so is the whole command, since it is never half applied.
    - Abandon wins: the abandoning fault with the lowest id acts, and no other fault does.
    - Delays add up; a fault that matches several settings of the command delays it once.
    - Modifies change the settings that they match, in the order of their ids, each starting from the previous result.

    The outcome is abandoned, else modified if any value was modified, else delayed, else applied.
    """
    matching = sorted((f for f in faults if any(map(f.matches, settings))), key=lambda fault: fault.id)
    for fault in matching:
        if fault.action is Action.ABANDON:
            return Decision(Outcome.ABANDONED, (), fault_ids=(fault.id,), reason=fault.describe())
    outcome, delay_s = Outcome.APPLIED, 0.0
    for fault in matching:
        if fault.action is Action.MODIFY:
            settings = tuple(replace(s, value=fault.modified(s.value)) if fault.matches(s) else s for s in settings)
            outcome = Outcome.MODIFIED
        else:
            delay_s += fault.delay_s
            outcome = Outcome.DELAYED if outcome is Outcome.APPLIED else outcome
    return Decision(
        outcome,
        settings,
        delay_s,
        fault_ids=tuple(fault.id for fault in matching),
        reason="; ".join(fault.describe() for fault in matching),
    )


class Injector:
    """The set of active faults. Safe to call from any thread, since faults come and go while commands run."""

    def __init__(self) -> None:
        self._faults: tuple[Fault, ...] = ()
        self._ids = itertools.count(1)
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> int:
        """Make a fault active from the next command on; return its id, which is never given twice."""
        with self._lock:
            added = replace(fault, id=next(self._ids))
            self._faults += (added,)
            return added.id

    def clear(self, fault_id: int | None = None) -> tuple[Fault, ...]:
        """Remove one fault, or all of them; return the removed ones. Raises FaultError for an id that is not active.

        A command that a fault has already delayed stays delayed.
        """
        with self._lock:
            removed = tuple(f for f in self._faults if fault_id is None or f.id == fault_id)
            if fault_id is not None and not removed:
                active = ", ".join(str(f.id) for f in self._faults)
                raise FaultError(f"no fault {fault_id} is active; active faults: {active or 'none'}")
            self._faults = tuple(f for f in self._faults if f not in removed)
            return removed

    def active(self) -> tuple[Fault, ...]:
        """List the active faults by id, with their remaining counts."""
        return self._faults

    def decide(self, settings: tuple[Setting, ...]) -> Decision:
        """Decide about a command; count it against the faults that act, and drop those that are used up."""
        with self._lock:
            decision = decide(self._faults, settings)
            if decision.fault_ids:
                counted = (_counted(f) if f.id in decision.fault_ids else f for f in self._faults)
                self._faults = tuple(f for f in counted if f.remaining != 0)
            return decision


def _counted(fault: Fault) -> Fault:
    return fault if fault.remaining is None else replace(fault, remaining=fault.remaining - 1)
