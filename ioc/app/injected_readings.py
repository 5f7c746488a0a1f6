"""Faults of readings, between what the model has and what is published."""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnomon.db.pvs import Kind
from gnomon.fault_injection import (
    OF_VALUES,
    Active,
    Dead,
    Injector,
    Late,
    Memory,
    ReadingFault,
    Swapped,
    WrongLength,
    WrongSeverity,
    WrongTime,
    disturbed,
)
from gnomon.ioc.app.reading_targets import ARRAYS, SCALARS, ReadingTarget, find_target
from gnomon.ioc.outputs.bank import NOTHING, Bank, Severity, Status
from gnomon.ioc.outputs.reading_filter import Published
from gnomon.lattice import Ring

Floats = NDArray[np.float64]
GROUP = "readings"
MM = 1e3
#: Groups of readings that a fault holds back at a time; readings of one group come together, with the last values.
MAX_HELD = 100
_TEXTS = (Kind.STRING, Kind.STRINGS, Kind.TABLE)


@dataclass
class _Changes:
    """A publication while faults change it."""

    values: dict[int, float]
    objects: dict[int, Any]
    alarms: dict[int, tuple[int, int]]
    times: dict[int, int]
    invalid: list[int]

    def holds(self, index: int) -> bool:
        return index in self.values or index in self.objects

    def take_out(self, index: int) -> None:
        self.values.pop(index, None)
        self.objects.pop(index, None)
        self.alarms.pop(index, None)


class InjectedReadings:
    """The filter of readings of a twin (`ReadingFilter`), in the event loop. The model is never touched.

    It keeps the truth about each PV that it disturbs, and publishes it when the fault has ended.
    """

    def __init__(
        self, bank: Bank, ring: Ring, prefix: str, injector: Injector, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._bank = bank
        self._ring = ring
        self._prefix = prefix
        self._injector = injector
        self._clock_s = clock_s
        self._version = -1
        self._targets: dict[int, ReadingTarget] = {}
        self._disturbed = np.zeros(len(bank.specs), dtype=bool)
        self._truth: dict[int, Published] = {}
        self._memory: dict[tuple[int, int], Memory] = {}
        self._frozen: dict[tuple[int, int], int] = {}
        self._of_monitors: tuple[Active, ...] = ()
        self._ended: set[int] = set()
        self._reread = False
        self._count = -1
        self._shown: tuple[Floats, Floats] | None = None
        self._publications = 0
        self._late: dict[tuple[int, int], dict[int, Published]] = {}  # by fault and group: by PV
        self._timers: dict[tuple[int, int], asyncio.TimerHandle] = {}
        self._never_came: set[int] = set()

    @property
    def idle(self) -> bool:
        """See `ReadingFilter`."""
        return self._injector.version == self._version and not self._targets

    def positions(self, count: int, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """See `ReadingFilter`."""
        self._look()
        if count == self._count and self._shown is not None:
            return self._shown
        only = [number for number, target in self._targets.items() if len(target.monitors)]
        self._of_monitors = self._injector.acting(GROUP, count, only=only)
        self._forget(only, self._of_monitors)
        both = np.concatenate([x, y])
        now_s = self._clock_s()
        for active in self._of_monitors:
            request, target = active.fault.request, self._targets[active.fault.id]
            at = target.monitors
            if isinstance(request, Swapped):
                both[np.concatenate([at, target.swapped])] = both[np.concatenate([target.swapped, at])]
            elif isinstance(request, OF_VALUES):
                memory = self._memory.setdefault((active.fault.id, -1), Memory())
                values = disturbed(active, both[at] * MM, at, count, now_s, self._injector.draws, memory)
                both[at] = values / MM
        self._count, self._shown = count, (both[: len(x)], both[len(x) :])
        return self._shown

    def publication(self, published: Published) -> Published:
        """See `ReadingFilter`."""
        self._look()
        changes = self._changes(published)
        touched = [*(i for i in changes.values), *(i for i in changes.objects)]
        touched = [i for i in touched if self._disturbed[i]]
        for i in touched:
            self._truth[i] = _alone(published, changes, i)
        for i in published.invalid.tolist():
            self._truth.pop(i, None)
        self._overtake(published.invalid.tolist())
        if not touched:
            return published
        self._publications += 1
        for active in self._of_monitors:
            for i in self._targets[active.fault.id].monitor_pvs.tolist():
                if changes.holds(i):
                    self._disturb_monitor(active, i, changes, published)
        among = set(touched)
        only = [number for number, target in self._targets.items() if not among.isdisjoint(target.pvs.tolist())]
        acting = self._injector.acting(GROUP, self._publications, only=only)
        self._forget(only, acting)
        for active in acting:
            at = [i for i in self._targets[active.fault.id].pvs.tolist() if changes.holds(i)]
            self._disturb(active, at, changes, published)
        self._overtake([i for i in touched if changes.holds(i)])
        return Published(
            np.fromiter(changes.values, dtype=np.intp, count=len(changes.values)),
            np.fromiter(changes.values.values(), dtype=float, count=len(changes.values)),
            changes.objects,
            changes.alarms,
            np.array([*published.invalid.tolist(), *changes.invalid], dtype=np.intp),
            published.time_ns,
            published.generation,
            changes.times,
        )

    def refresh(self) -> bool:
        """Publish what faults make of readings now, and the truth where they have ended.

        Returns whether monitors are concerned, so that they have to be read again.
        """
        self._look()
        again: set[int] = self._ended | self._never_came
        self._overtake(self._ended)
        late = {fault.id for fault in self._injector.of_group(GROUP) if isinstance(fault.request, Late)}
        for number, target in self._targets.items():
            if number not in late:
                again.update(target.pvs.tolist())
        truths = [self._truth[i] for i in sorted(again) if i in self._truth]
        for i in self._ended:
            self._truth.pop(i, None)
        self._ended.clear()
        self._never_came.clear()
        if truths:
            self._bank.show(_together(truths, time.time_ns()))
        reread, self._reread = self._reread, any(len(target.monitors) for target in self._targets.values())
        return reread or self._reread

    def stop(self) -> None:
        """Give up what was going to be published late."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._late.clear()

    def _look(self) -> bool:
        """Find the targets of the faults, if those have changed; returns whether they had."""
        if self._injector.version == self._version:
            return False
        self._version = self._injector.version
        known, self._targets = self._targets, {}
        before = self._disturbed
        for fault in self._injector.of_group(GROUP):
            if isinstance(fault.request, ReadingFault):
                target = known.get(fault.id)
                target = target or find_target(fault.request, self._ring, self._bank.specs, self._prefix)
                self._targets[fault.id] = target
        self._disturbed = np.zeros(len(self._bank.specs), dtype=bool)
        for target in self._targets.values():
            self._disturbed[target.pvs] = True
            self._disturbed[target.monitor_pvs] = True
        self._ended.update(np.flatnonzero(before & ~self._disturbed).tolist())
        for i in np.flatnonzero(self._disturbed).tolist():
            if i not in self._truth and self._bank.severity[i] != Severity.INVALID:
                self._truth[i] = self._present(i)
        for kept in (self._memory, self._frozen):
            for key in [key for key in kept if key[0] not in self._targets]:
                del kept[key]
        for held_by in [each for each in self._late if each[0] not in self._targets]:
            self._timers.pop(held_by).cancel()
            self._never_came.update(self._late.pop(held_by))
        self._count = -1
        self._reread = self._reread or any(len(target.monitors) for target in known.values())
        self._of_monitors = tuple(a for a in self._of_monitors if a.fault.id in self._targets)
        return True

    def _forget(self, asked: Iterable[int], acting: Sequence[Active]) -> None:
        """Let faults that do not act now forget what they hold."""
        quiet = set(asked) - {active.fault.id for active in acting}
        if quiet:
            for kept in (self._memory, self._frozen):
                for key in [key for key in kept if key[0] in quiet]:
                    del kept[key]

    def _changes(self, published: Published) -> _Changes:
        values = dict(zip(published.indices.tolist(), published.values.tolist(), strict=True))
        return _Changes(values, dict(published.objects), dict(published.alarms), dict(published.times), [])

    def _present(self, index: int) -> Published:
        """Return what a PV shows now, as a publication."""
        bank = self._bank
        alarms = {index: (int(bank.severity[index]), int(bank.status[index]))}
        stands = (int(bank.time_ns[index]), int(bank.generation[index]))
        if bank.specs[index].kind in (*ARRAYS, *_TEXTS):
            return Published(NOTHING, np.zeros(0), {index: bank.objects[index]}, alarms, NOTHING, *stands)
        at = np.array([index], dtype=np.intp)
        return Published(at, bank.values[at].copy(), {}, alarms, NOTHING, *stands)

    def _disturb_monitor(self, active: Active, index: int, changes: _Changes, published: Published) -> None:
        """Disturb the PV of one monitor, whose value is disturbed already."""
        request = active.fault.request
        if isinstance(request, Late):
            changes.times[index] = published.time_ns - int(1e9 * request.delay_s)
        else:
            self._disturb_state(active, index, changes, published)

    def _disturb(self, active: Active, at: Sequence[int], changes: _Changes, published: Published) -> None:
        request, fault = active.fault.request, active.fault.id
        now_s, draws, number = self._clock_s(), self._injector.draws, self._publications
        if isinstance(request, Late):
            self._publish_late(active.fault.id, at, changes, published, request.delay_s)
            return
        places = {i: n for n, i in enumerate(self._targets[fault].pvs.tolist())}
        scalars = [i for i in at if self._bank.specs[i].kind in SCALARS]
        if isinstance(request, OF_VALUES) and not isinstance(request, Dead) and scalars:
            slots = np.array([places[i] for i in scalars], dtype=np.intp)
            memory = self._memory.setdefault((fault, -1), Memory())
            true = np.array([changes.values[i] for i in scalars])
            if not memory.held:  # what is held is what clients have seen last, not what comes now
                memory.held.update({places[i]: float(self._bank.values[i]) for i in places if self._is_scalar(i)})
            shown = disturbed(active, true, slots, number, now_s, draws, memory)
            changes.values.update(zip(scalars, shown.tolist(), strict=True))
        for i in at:
            if self._bank.specs[i].kind in ARRAYS and isinstance(request, OF_VALUES) and not isinstance(request, Dead):
                memory = self._memory.setdefault((fault, i), Memory())
                array = np.asarray(changes.objects[i])
                slots = np.arange(len(array), dtype=np.intp)
                made = disturbed(active, array.astype(float), slots, number, now_s, draws, memory)
                changes.objects[i] = made if array.dtype == float else _whole(made).astype(array.dtype)
            self._disturb_state(active, i, changes, published)

    def _is_scalar(self, index: int) -> bool:
        return self._bank.specs[index].kind in SCALARS

    def _disturb_state(self, active: Active, index: int, changes: _Changes, published: Published) -> None:
        """Disturb what stands beside a value: severity, time stamp, length; or let the device be dead."""
        request, key = active.fault.request, (active.fault.id, index)
        match request:
            case Dead():
                changes.take_out(index)
                changes.invalid.append(index)
            case WrongSeverity():
                severity = Severity[request.severity]
                changes.alarms[index] = (severity, Status.NO_ALARM if severity is Severity.NO_ALARM else Status.STATE)
            case WrongTime() if request.frozen:
                changes.times[index] = self._frozen.setdefault(key, int(self._bank.time_ns[index]))
            case WrongTime():
                changes.times[index] = max(0, published.time_ns + int(1e9 * (request.offset_s or 0.0)))
            case WrongLength():
                array = np.asarray(changes.objects[index])
                made = np.zeros(min(request.length, self._bank.specs[index].length), dtype=array.dtype)
                n = min(len(array), len(made))
                made[:n] = array[:n]
                changes.objects[index] = made

    def _publish_late(
        self, fault: int, at: Iterable[int], changes: _Changes, published: Published, delay_s: float
    ) -> None:
        key = fault, int(self._clock_s() * MAX_HELD / delay_s)
        held = self._late.setdefault(key, {})
        for i in at:
            held[i] = _alone(published, changes, i)
            changes.take_out(i)

        def due() -> None:
            del self._timers[key]
            for each in self._late.pop(key).values():
                self._bank.store(each)

        if key not in self._timers:
            self._timers[key] = asyncio.get_running_loop().call_later(delay_s, due)

    def _overtake(self, indices: Iterable[int]) -> None:
        """Forget what is held back of PVs that show something newer: a reading that is not late, INVALID, the truth."""
        for held in self._late.values():
            for i in indices:
                held.pop(i, None)


def _whole(values: Floats) -> Floats:
    return np.rint(np.nan_to_num(values))


def _alone(published: Published, changes: _Changes, index: int) -> Published:
    """One PV of a publication by itself."""
    alarms = {index: changes.alarms[index]} if index in changes.alarms else {}
    if index in changes.objects:
        indices, values, objects = NOTHING, np.zeros(0), {index: changes.objects[index]}
    else:
        indices, values, objects = np.array([index], dtype=np.intp), np.array([changes.values[index]]), {}
    times = {index: changes.times[index]} if index in changes.times else {}
    return Published(indices, values, objects, alarms, NOTHING, published.time_ns, published.generation, times)


def _together(parts: Sequence[Published], time_ns: int) -> Published:
    """PVs that are published together now."""
    return Published(
        np.concatenate([part.indices for part in parts]),
        np.concatenate([part.values for part in parts]),
        {i: value for part in parts for i, value in part.objects.items()},
        {i: alarm for part in parts for i, alarm in part.alarms.items()},
        NOTHING,
        time_ns,
        max(part.generation for part in parts),
    )
