"""The active faults: which of them act on the next command, how often they have acted, and when they end."""

import itertools
import threading
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from gnomon.fault_injection.conditions import ValueOf
from gnomon.fault_injection.decisions import Decision, decide
from gnomon.fault_injection.draws import Draws, Lane
from gnomon.fault_injection.injected_fault import Fault, Phase
from gnomon.fault_injection.kinds.commands import CommandFault, Reorder
from gnomon.fault_injection.kinds.repeated import RepeatedFault
from gnomon.fault_injection.occasions import Look, Occasions
from gnomon.fault_injection.request import FaultError
from gnomon.fault_injection.when import Window
from gnomon.lattice import Lattice, Outcome, Setting


@dataclass(slots=True)
class Running:
    """One fault as it goes on; `passed` counts the commands that it matched, `holding` those that it lets pass.

    It `waits` for `begin`. `under_way` counts what it acts on at this time, if that lasts.
    """

    fault: Fault
    window: Window
    passed: int = 0
    holding: int = 0
    waits: bool = False
    under_way: int = 0
    occasions: Occasions = field(default_factory=Occasions)

    @property
    def used_up(self) -> bool:
        """True if it has acted as often as it was asked to."""
        return self.fault.remaining == 0


class Active(NamedTuple):
    """A fault that acts now: for how long it has [s], and how often before."""

    fault: Fault
    since_s: float
    times: int


class Injector:
    """The set of active faults. Safe to call from any thread, since faults come and go while commands run.

    `value_of` gives the present value of a PV, for conditions. While it is suspended, no fault acts.
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        value_of: ValueOf = lambda name: None,
        clock_s: Callable[[], float] = time.monotonic,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.draws = Draws(seed)
        self._suspended = ""
        self._value_of = value_of
        self._clock_s = clock_s
        self._wall_ns = wall_ns
        self._running: dict[int, Running] = {}
        self._by_key: dict[tuple[str, str], tuple[Running, ...]] = {}
        self._groups: frozenset[str] = frozenset()
        self._version = 0
        self._commands = 0
        self._ids = itertools.count(1)
        self._lock = threading.Lock()

    @property
    def suspended(self) -> str:
        """The reason why no fault acts; empty if they may."""
        return self._suspended

    @suspended.setter
    def suspended(self, reason: str) -> None:
        if reason != self._suspended:
            self._suspended = reason
            self._version += 1

    def add(self, fault: Fault, *, waits: bool = False) -> int:
        """Make a fault active from the next command on; return its id, which is never given twice.

        If it `waits`, it does not act before `begin`. Raises FaultError for a time that has passed, and while the
        injector is suspended.
        """
        with self._lock:
            if self.suspended:
                raise FaultError(f"no fault can be added: {self.suspended}")
            own = isinstance(fault.request, CommandFault)
            commands = 0 if own else self._commands
            window = Window.of(fault.request, self._clock_s(), self._wall_ns(), commands)
            number = next(self._ids)
            self._running[number] = Running(replace(fault, id=number), window, waits=waits)
            self._changed()
            return number

    def begin(self, fault_id: int) -> None:
        """Let a fault act that was added to wait, if it is still there."""
        with self._lock:
            if (each := self._running.get(fault_id)) is not None:
                each.waits = False

    def clear(self, fault_id: int | None = None) -> tuple[Fault, ...]:
        """Remove one fault, or all of them; return the removed ones. Raises FaultError for an id that is not active.

        A command that a fault has already delayed stays delayed.
        """
        with self._lock:
            self._sweep()
            if fault_id is not None and fault_id not in self._running:
                active = ", ".join(map(str, self._running))
                raise FaultError(f"no fault {fault_id} is active; active faults: {active or 'none'}")
            numbers = list(self._running) if fault_id is None else [fault_id]
            return tuple(self._remove(number) for number in numbers)

    def active(self) -> tuple[Fault, ...]:
        """List the faults that act or wait, by id, with their remaining counts; those that are over go."""
        with self._lock:
            self._sweep()
            now_s = self._clock_s()
            return tuple(replace(each.fault, phase=self._phase(each, now_s)) for each in self._running.values())

    def decide(self, sequence: int, lattice: Lattice, settings: tuple[Setting, ...]) -> Decision:
        """Decide about the command with this number, which comes to this lattice.

        It counts against the faults that act; those that are used up go.
        """
        if not self._running or self.suspended or not settings:  # a note of an act without settings
            return Decision(Outcome.APPLIED, settings)
        with self._lock:
            self._commands += 1
            matching = self._matching(settings)
            if not matching:
                return Decision(Outcome.APPLIED, settings)
            now_s = self._clock_s()
            passing: list[int] = []
            acting: list[Fault] = []
            for each in matching:
                begun = each.window.begun(now_s, each.passed)
                each.passed += 1
                if each.holding:
                    each.holding -= 1
                    if not each.holding:
                        passing.append(each.fault.id)
                elif begun and not each.window.over(now_s) and self._is_met(each) and self._drawn(each.fault, sequence):
                    acting.append(each.fault)
            decision = decide(acting, sequence, lattice, settings, self.draws)
            if passing:
                decision = replace(decision, releases=tuple(passing))
            self._count(decision)
            return decision

    def released(self, fault_id: int) -> None:
        """Hear that the command that a fault held acts because its time is over."""
        with self._lock:
            if (each := self._running.get(fault_id)) is not None:
                each.holding = 0
                if each.used_up:
                    self._remove(fault_id)

    @property
    def version(self) -> int:
        """A number that changes whenever faults come or go."""
        return self._version

    def of_group(self, group: str) -> tuple[Fault, ...]:
        """List the faults of a group, whether they act now or not; none while the injector is suspended."""
        if group not in self._groups or self.suspended:
            return ()
        with self._lock:
            return tuple(each.fault for each in self._running.values() if each.fault.request.group == group)

    def acting(self, group: str, number: int, only: Collection[int] | None = None) -> tuple[Active, ...]:
        """List the faults of another group than commands that act now, by id, and count it against them.

        What a lasting one acts on lasts until the caller says `finished`.

        `number` is what their probabilities are drawn for: that of the reading, or a count of the caller's own. With
        `only`, others than these ids are not asked, nor counted.
        """
        if group not in self._groups or self.suspended or (only is not None and not only):
            return ()
        with self._lock:
            now_s = self._clock_s()
            found: list[Active] = []
            for each in [each for each in self._running.values() if each.fault.request.group == group]:
                if each.fault.remaining == 0 or (only is not None and each.fault.id not in only):
                    continue
                if not self._holds(each, now_s) or not self._drawn(each.fault, number):
                    continue
                found.append(Active(each.fault, now_s - each.window.begins_s, each.passed))
                each.passed += 1
                each.under_way += each.fault.request.lasting
                if each.fault.remaining is not None:
                    each.fault = replace(each.fault, remaining=each.fault.remaining - 1)
                    if each.used_up and not each.under_way:
                        self._remove(each.fault.id)
            return tuple(found)

    def lasts(self, fault_id: int) -> bool:
        """Return whether what a lasting fault acts on goes on: until it is cleared, or its time is over."""
        each = self._running.get(fault_id)
        return each is not None and not self.suspended and not each.window.over(self._clock_s())

    def finished(self, fault_id: int) -> None:
        """Hear that something that a lasting fault acted on is over; used up and with nothing under way, it goes."""
        with self._lock:
            if (each := self._running.get(fault_id)) is not None:
                each.under_way -= 1
                if each.used_up and not each.under_way:
                    self._remove(fault_id)

    def on_occasion(self, group: str) -> tuple[Active, ...]:
        """List the faults of a group of `RepeatedFault` that act now, by id; one caller alone asks for a group.

        Each occasion counts once, when it begins, and `times` is its number. A fault that is momentary is listed when
        its occasions begin; any other stays until its last one is over.
        """
        if group not in self._groups or self.suspended:
            return ()
        with self._lock:
            now_s = self._clock_s()
            found: list[Active] = []
            for each in [each for each in self._running.values() if each.fault.request.group == group]:
                request, occasions = each.fault.request, each.occasions
                if not isinstance(request, RepeatedFault):
                    continue
                holds = self._holds(each, now_s)
                look = occasions.look(request, now_s, each.window.begins_s, holds=holds, draw=self._drawn_for(each))
                if look is Look.BEGINS and each.fault.remaining is not None:
                    each.fault = replace(each.fault, remaining=each.fault.remaining - 1)
                if look is Look.BEGINS or (look is Look.GOES_ON and not request.momentary):
                    found.append(Active(each.fault, now_s - occasions.began_s, occasions.number))
                if each.used_up and (look is Look.QUIET or request.momentary):
                    self._remove(each.fault.id)
            return tuple(found)

    def end_occasion(self, fault_id: int) -> None:
        """Let a fault's present occasion be over; without another to come, the fault is."""
        with self._lock:
            if (each := self._running.get(fault_id)) is not None:
                each.occasions.acts = False
                request = each.fault.request
                once = isinstance(request, RepeatedFault) and request.every_s is None and request.condition is None
                if once or each.used_up:
                    self._remove(fault_id)

    def _holds(self, each: Running, now_s: float) -> bool:
        begun = not each.waits and each.window.begun(now_s, self._commands)
        return begun and not each.window.over(now_s) and self._is_met(each)

    def _drawn_for(self, each: Running) -> Callable[[int], bool]:
        return lambda number: not each.used_up and self._drawn(each.fault, number)

    def _is_met(self, each: Running) -> bool:
        condition = each.window.condition
        return condition is None or condition.holds(self._value_of)

    def _drawn(self, fault: Fault, number: int) -> bool:
        probability = fault.request.probability
        return probability >= 1.0 or self.draws.uniform(fault.id, number, Lane.PROBABILITY) < probability

    def _count(self, decision: Decision) -> None:
        for number in decision.fault_ids:
            each = self._running[number]
            if (
                decision.hold is not None
                and decision.hold.fault_id == number
                and isinstance(each.fault.request, Reorder)
            ):
                each.holding = decision.hold.depth
            if each.fault.remaining is not None:
                each.fault = replace(each.fault, remaining=each.fault.remaining - 1)
        for number in {*decision.fault_ids, *decision.releases}:
            if self._running[number].used_up and not self._running[number].holding:
                self._remove(number)

    def _matching(self, settings: Iterable[Setting]) -> list[Running]:
        """Find the faults of commands that match a setting; kept by device and property until faults come or go."""
        found: dict[int, Running] = {}
        for setting in settings:
            key = (setting.device, setting.property)
            known = self._by_key.get(key)
            if known is None:
                known = self._by_key[key] = tuple(
                    each
                    for each in self._running.values()
                    if isinstance(each.fault.request, CommandFault) and each.fault.request.matches(*key)
                )
            if known:
                found |= {each.fault.id: each for each in known}
        return list(found.values())

    def _phase(self, each: Running, now_s: float) -> Phase:
        own = isinstance(each.fault.request, CommandFault)
        begun = each.window.begun(now_s, each.passed if own else self._commands)
        return Phase.ACTIVE if begun else Phase.WAITING

    def _sweep(self) -> None:
        now_s = self._clock_s()
        for number, each in list(self._running.items()):
            if self._phase(each, now_s) is Phase.ACTIVE and each.window.over(now_s) and not each.holding:
                self._remove(number)

    def _remove(self, number: int) -> Fault:
        removed = self._running.pop(number).fault
        self._changed()
        return removed

    def _changed(self) -> None:
        self._by_key.clear()
        self._version += 1
        self._groups = frozenset(each.fault.request.group for each in self._running.values())
