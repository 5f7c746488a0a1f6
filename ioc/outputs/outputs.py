"""From one answer of the propagator to one publication of the bank: one time stamp, one generation."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnomon.ioc.base.recent_times import RecentTimes
from gnomon.ioc.outputs.bank import Bank, Indices, Severity, Status
from gnomon.ioc.outputs.multiplexer_view import MultiplexerView
from gnomon.ioc.outputs.publication import Publication
from gnomon.ioc.outputs.readings import (
    BEAM,
    MONITORS,
    MONITORS_REFERENCED,
    REFERENCED,
    REPEATED,
    Readings,
    revolution_frequency,
)
from gnomon.ioc.outputs.reference_orbit import ReferenceOrbit
from gnomon.ioc.outputs.stored_beam_outputs import Equilibrium
from gnomon.lattice import Lattice, Ring
from gnomon.propagator import Answer

Alarms = Mapping[str, tuple[Severity, Status]]


@dataclass(frozen=True, slots=True)
class Monitors:
    """The PVs of one reading of each monitor: their places in the bank, their monitors' in the ring, their scales."""

    indices: Indices
    bpms: Indices
    scales: NDArray[np.float64]

    @classmethod
    def of(cls, bank: Bank, indices: list[int], bpms: Mapping[str, int]) -> "Monitors":
        """`bpms` are the monitors' places in the ring by name."""
        specs = [bank.specs[i] for i in indices]
        at = np.array([bpms[spec.device] for spec in specs], dtype=np.intp)
        return cls(np.array(indices, dtype=np.intp), at, np.array([spec.scale for spec in specs]))


class Outputs:
    """All PVs of the bank that clients cannot set: readbacks of the lattice, readings of the beam, states of gnomon."""

    def __init__(self, bank: Bank, ring: Ring, clock_ns: Callable[[], int]) -> None:
        self._bank = bank
        self._ring = ring
        self._clock_ns = clock_ns
        self._shown = ring.nominal
        self.readings: Readings | None = None
        self.reference = ReferenceOrbit.zero(len(ring.bpms))
        self._generation = 0
        self._count = 0
        self.model_times = RecentTimes()
        self._by_source: dict[str, list[int]] = defaultdict(list)
        for i, spec in enumerate(bank.specs):
            self._by_source[spec.source].append(i)
        bpms = {bpm.name: n for n, bpm in enumerate(ring.bpms)}
        self._monitors = {source: Monitors.of(bank, at, bpms) for source in MONITORS if (at := self._by_source[source])}
        of_beam = [i for source in (*MONITORS, *BEAM) for i in self._by_source[source]]
        self._equilibrium = Equilibrium(bank, ring, lambda: 1e-9 * clock_ns())
        self.multiplexer = MultiplexerView(bank, ring, self.show)
        of_beam += self._equilibrium.of_beam
        self._of_beam: Indices = np.array(of_beam, dtype=np.intp)
        self._by_setting: dict[int, list[int]] = defaultdict(list)
        self._by_magnet: dict[int, list[int]] = defaultdict(list)
        self._sort_readbacks()

    def start(self, lattice: Lattice) -> None:
        """Publish what never changes, the setpoints, and the readbacks of the first lattice."""
        publication = Publication(self._bank)
        constant = {
            "element.names": [*(e.name for e in self._ring.elements), "END"],
            "element.positions": self._ring.s,
            "monitor.names": [bpm.name for bpm in self._ring.bpms],
            "monitor.s": self._ring.s[list(self._ring.monitors)],
            "revolution.frequency": revolution_frequency(lattice),
            "multiplexer.healthy": 1,
            "multiplexer.disabled": 0,
            "multiplexer.relay": 1,
        }
        for source, value in constant.items():
            self._put(publication, source, value)
        for i in (*self._by_source["set"], *self._by_source["readback"]):
            spec = self._bank.specs[i]
            publication.put(i, lattice[spec.device, spec.property])
        self.multiplexer.put(publication, lattice)
        self._shown = lattice
        publication.send(self._clock_ns(), 0)

    def publish(self, answer: Answer) -> None:
        """Publish one answer: readbacks of what changed, and the beam's readings, or INVALID and why."""
        publication = Publication(self._bank)
        beam = answer.beam
        found = beam is not None and beam.found
        states = {
            "beam.found": int(found),
            "beam.reason": answer.failure if beam is None else beam.reason,
            "model.generation": answer.generation,
            "model.command": answer.sequence,
            "model.time": answer.seconds,
            "model.computing": int(answer.more),
            "lattice.id": answer.lattice.id,
        }
        for source, value in states.items():
            self._put(publication, source, value)
        self._put_readbacks(publication, answer.lattice)
        self.multiplexer.put(publication, answer.lattice)
        self._generation = answer.generation
        if answer.seconds > 0.0:
            self.model_times.add(answer.seconds)
        if beam is None or not beam.found:
            self.readings = None
            invalid = self._of_beam
            if beam is None:
                invalid = np.append(invalid, np.array(self._equilibrium.forget(), dtype=np.intp))
            else:
                self._equilibrium.lose(publication)
            publication.send(self._clock_ns(), self._generation, invalid=invalid)
            self._shown = answer.lattice
            return
        self._count += 1
        self.readings = readings = Readings(answer.lattice, beam, self._count, self.reference)
        self._take_monitors(publication, readings, self._monitors)
        self._take(publication, readings, BEAM)
        missing = self._equilibrium.put(publication, readings)
        publication.send(self._clock_ns(), self._generation, invalid=np.array(missing, dtype=np.intp))
        self._shown = answer.lattice

    def repeat(self, *, each_monitor: bool = False) -> None:
        """Publish the last orbit and tune readings with a fresh time stamp, and the current; nothing without a beam.

        `each_monitor` is for clients that read the monitors one by one.
        """
        if self.readings is None:
            return
        self._count += 1
        self.readings = self.readings.again(self._count)
        publication = Publication(self._bank)
        self._take(publication, self.readings, REPEATED)
        if each_monitor:
            self._take_monitors(publication, self.readings, self._monitors)
        missing = self._equilibrium.again(publication, self.readings)
        publication.send(self._clock_ns(), self._generation, invalid=np.array(missing, dtype=np.intp))

    def set_reference_orbit(self, reference: ReferenceOrbit) -> None:
        """Compare the orbit with another reference from now on, and publish what follows from it."""
        self.reference = reference
        publication = Publication(self._bank)
        shown = {
            "control.reference.use": reference.name,
            "reference.saved": reference.saved,
            "reference.x": reference.x,
            "reference.y": reference.y,
        }
        for source, value in shown.items():
            self._put(publication, source, value)
        if self.readings is not None:
            self.readings = replace(self.readings, reference=reference)
            self._take(publication, self.readings, REFERENCED)
            self._take_monitors(publication, self.readings, self._monitors.keys() & MONITORS_REFERENCED)
        publication.send(self._clock_ns(), self._generation)

    def show(self, source: str, value: Any, alarm: tuple[Severity, Status] | None = None) -> None:
        """Publish a state of gnomon itself: its faults, its recorder."""
        publication = Publication(self._bank)
        self._put(publication, source, value, alarm)
        publication.send(self._clock_ns(), self._generation)

    def show_many(self, values: Mapping[str, Any], *, alarms: Alarms | None = None, time_ns: int | None = None) -> None:
        """Publish several states of gnomon itself together: source -> value, and alarm where there is one."""
        publication = Publication(self._bank)
        for source, value in values.items():
            self._put(publication, source, value, (alarms or {}).get(source))
        publication.send(self._clock_ns() if time_ns is None else time_ns, self._generation)

    def invalidate(self, sources: Iterable[str]) -> None:
        """Let these be INVALID, since what they are about cannot be reached; old values and time stamps stay."""
        indices = [i for source in sources for i in self._by_source[source]]
        old = [i for i in indices if self._bank.status[i] != Status.COMM]
        if old:
            self._bank.alarm(np.array(old, dtype=np.intp), Severity.INVALID, Status.COMM)

    def show_setpoints(self, values: dict[int, float], time_ns: int, *, computing: bool = False) -> None:
        """Publish setpoints as they were asked for, to the last bit: index -> value in the PV's own unit.

        `computing` says that a result which contains them has been asked for.
        """
        publication = Publication(self._bank)
        if computing:
            self._put(publication, "model.computing", 1)
        for i, value in values.items():
            publication.put_own(i, value)
        publication.send(time_ns, self._generation)

    def _put(
        self, publication: Publication, source: str, value: Any, alarm: tuple[Severity, Status] | None = None
    ) -> None:
        for i in self._by_source[source]:
            publication.put(i, value, alarm)

    def _take_monitors(self, publication: Publication, readings: Readings, sources: Iterable[str]) -> None:
        for source in sources:
            monitors = self._monitors[source]
            publication.put_many(monitors.indices, MONITORS[source](readings)[monitors.bpms] * monitors.scales)

    def _take(self, publication: Publication, readings: Readings, sources: Iterable[str]) -> None:
        clipped = (Severity.MINOR, Status.HWLIMIT) if readings.packed.clipped else None
        for source in sources:
            if self._by_source[source]:
                alarm = clipped if source == "monitor.packed" else None
                self._put(publication, source, BEAM[source](readings), alarm)

    def _put_readbacks(self, publication: Publication, lattice: Lattice) -> None:
        before = self._shown
        slots = lattice.changed_slots(before)
        own = {i for slot in slots for i in self._by_setting[slot]}
        driven = {i for slot in slots for n in lattice.driven(slot, before) for i in self._by_magnet[n]}
        for i in sorted(own | driven):
            spec = self._bank.specs[i]
            publication.put(i, lattice[spec.device, spec.property])
        if slots:
            self._put(publication, "revolution.frequency", revolution_frequency(lattice))

    def _sort_readbacks(self) -> None:
        """Index the PVs that show a property: by the slot of its setting, and by the magnets that it depends on."""
        for i in self._by_source["readback"]:
            spec = self._bank.specs[i]
            stored = self._ring.property_spec(spec.device, spec.property).slot
            if stored is not None:
                self._by_setting[stored].append(i)
            for magnet in self._ring.magnets_of.get(spec.device, ()):
                self._by_magnet[magnet].append(i)
