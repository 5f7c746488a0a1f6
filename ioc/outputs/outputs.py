"""From one answer of the propagator to one publication of the bank: one time stamp, one generation."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnomon.db import sources
from gnomon.db.sources import Source
from gnomon.ioc.outputs.bank import NOTHING, Bank, Indices, Severity, Status, indices_by_source
from gnomon.ioc.outputs.model_state import ModelState
from gnomon.ioc.outputs.multiplexer_view import MultiplexerView
from gnomon.ioc.outputs.publication import Publication
from gnomon.ioc.outputs.reading_filter import ReadingFilter
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

Alarms = Mapping[Source, tuple[Severity, Status]]


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
    """All PVs of the bank that clients cannot set: readbacks of the lattice, readings of the beam, states of gnomon.

    They are written here and read by servers alone; `state` is what others ask about the beam. A result changes it
    before it is published. `stored_beam` has the current and what takes it away.
    """

    def __init__(
        self,
        bank: Bank,
        ring: Ring,
        state: ModelState,
        clock_ns: Callable[[], int],
        reading_filter: ReadingFilter | None = None,
    ) -> None:
        self._bank = bank
        self._ring = ring
        self._clock_ns = clock_ns
        self._state = state
        self._filter = reading_filter
        self._shown = ring.nominal
        self._generation = 0
        self._renewed: set[int] = set()
        self._unreachable: set[int] = set()  # INVALID since then, and not published since
        self._by_source = indices_by_source(bank.specs)
        bpms = {bpm.name: n for n, bpm in enumerate(ring.bpms)}
        self._monitors = {source: Monitors.of(bank, at, bpms) for source in MONITORS if (at := self._by_source[source])}
        of_beam = [i for source in (*MONITORS, *BEAM) for i in self._by_source[source]]
        self.stored_beam = Equilibrium(bank, ring, lambda: 1e-9 * clock_ns())
        self.multiplexer = MultiplexerView(bank, ring, self.show)
        of_beam += self.stored_beam.of_beam
        self._of_beam: Indices = np.array(of_beam, dtype=np.intp)
        self._by_setting: dict[int, list[int]] = defaultdict(list)
        self._by_magnet: dict[int, list[int]] = defaultdict(list)
        self._sort_readbacks()

    def start(self, lattice: Lattice) -> None:
        """Publish what never changes, the setpoints, and the readbacks of the first lattice."""
        publication = Publication(self._bank)
        constant = {
            sources.ELEMENT_NAMES: [*(e.name for e in self._ring.elements), "END"],
            sources.ELEMENT_POSITIONS: self._ring.s,
            sources.MONITOR_NAMES: [bpm.name for bpm in self._ring.bpms],
            sources.MONITOR_S: self._ring.s[list(self._ring.monitors)],
            sources.REVOLUTION_FREQUENCY: revolution_frequency(lattice),
            sources.MULTIPLEXER_HEALTHY: 1,
            sources.MULTIPLEXER_DISABLED: 0,
            sources.MULTIPLEXER_RELAY: 1,
            sources.INJECT: 0,
        }
        for source, value in constant.items():
            self._put(publication, source, value)
        for i in (*self._by_source[sources.SET], *self._by_source[sources.READBACK]):
            spec = self._bank.specs[i]
            publication.put(i, lattice[spec.device, spec.property])
        self.multiplexer.put(publication, lattice)
        self._shown = lattice
        self._send(publication)

    def publish(self, answer: Answer) -> None:
        """Publish one answer: readbacks of what changed, and the beam's readings, or INVALID and why."""
        publication = Publication(self._bank)
        beam = answer.beam
        found = beam is not None and beam.found
        states = {
            sources.BEAM_FOUND: int(found),
            sources.BEAM_REASON: answer.failure if beam is None else beam.reason,
            sources.MODEL_GENERATION: answer.generation,
            sources.MODEL_COMMAND: answer.sequence,
            sources.MODEL_TIME: answer.seconds,
            sources.MODEL_COMPUTING: int(answer.more),
            sources.LATTICE_ID: answer.lattice.id,
        }
        for source, value in states.items():
            self._put(publication, source, value)
        self._put_readbacks(publication, answer.lattice)
        self.multiplexer.put(publication, answer.lattice)
        self._generation = answer.generation
        readings = self._disturbed(self._state.take(answer))
        if readings is None:
            invalid = self._of_beam
            if beam is None:
                invalid = np.append(invalid, np.array(self.stored_beam.forget(), dtype=np.intp))
            else:
                self.stored_beam.lose(publication)
            self._send(publication, invalid)
            self._shown = answer.lattice
            return
        missing = self.stored_beam.put(publication, readings)  # first: instruments ask for the current
        self._take_monitors(publication, readings, self._monitors)
        self._take(publication, readings, BEAM)
        self._send(publication, np.array(missing, dtype=np.intp))
        self._shown = answer.lattice

    def repeat(self, *, each_monitor: bool = False) -> None:
        """Publish the last orbit and tune readings with a fresh time stamp, and the current; nothing without a beam.

        `each_monitor` is for clients that read the monitors one by one.
        """
        readings = self._disturbed(self._state.read_again())
        if readings is None:
            return
        publication = Publication(self._bank)
        self._take(publication, readings, REPEATED)
        if each_monitor:
            self._take_monitors(publication, readings, self._monitors)
        missing = self.stored_beam.again(publication, readings)
        self._send(publication, np.array(missing, dtype=np.intp))

    def set_reference_orbit(self, reference: ReferenceOrbit) -> None:
        """Compare the orbit with another reference from now on, and publish what follows from it."""
        readings = self._disturbed(self._state.compare_with(reference))
        publication = Publication(self._bank)
        shown = {
            sources.REFERENCE_USE: reference.name,
            sources.REFERENCE_SAVED: reference.saved,
            sources.REFERENCE.x: reference.x,
            sources.REFERENCE.y: reference.y,
        }
        for source, value in shown.items():
            self._put(publication, source, value)
        if readings is not None:
            self._take(publication, readings, REFERENCED)
            self._take_monitors(publication, readings, self._monitors.keys() & MONITORS_REFERENCED)
        self._send(publication)

    def show(self, source: Source, value: Any, alarm: tuple[Severity, Status] | None = None) -> None:
        """Publish a state of gnomon itself: its faults, its recorder."""
        publication = Publication(self._bank)
        self._put(publication, source, value, alarm)
        self._send(publication)

    def show_many(
        self, values: Mapping[Source, Any], *, alarms: Alarms | None = None, time_ns: int | None = None
    ) -> None:
        """Publish several states of gnomon itself together: source -> value, and alarm where there is one."""
        publication = Publication(self._bank)
        for source, value in values.items():
            self._put(publication, source, value, (alarms or {}).get(source))
        self._send(publication, time_ns=time_ns)

    def invalidate(self, lost: Iterable[Source]) -> None:
        """Let these be INVALID, since what they are about cannot be reached; old values and time stamps stay."""
        self.invalidate_setpoints(i for source in lost for i in self._by_source[source])

    def invalidate_setpoints(self, indices: Iterable[int]) -> None:
        """Let these PVs be INVALID until they are shown again, since nobody knows their values."""
        new = [i for i in indices if i not in self._unreachable]
        if new:
            self._unreachable.update(new)
            self._bank.alarm(np.array(new, dtype=np.intp), Severity.INVALID, Status.COMM)

    def validate_setpoints(self, values: Mapping[int, float], time_ns: int) -> None:
        """Publish those of the setpoints that `invalidate_setpoints` made INVALID and that were not shown since."""
        again = {i: value for i, value in values.items() if i in self._unreachable}
        if again:
            self.show_setpoints(again, time_ns)

    def show_setpoints(self, values: Mapping[int, float], time_ns: int, *, computing: bool = False) -> None:
        """Publish setpoints as they were asked for, to the last bit: index -> value in the PV's own unit.

        `computing` says that a result which contains them has been asked for.
        """
        publication = Publication(self._bank)
        if computing:
            self._put(publication, sources.MODEL_COMPUTING, 1)
        for i, value in values.items():
            publication.put_own(i, value)
        self._send(publication, time_ns=time_ns)

    def pretend(self, readbacks: Mapping[int, float]) -> None:
        """Publish readbacks that the lattice does not have, index -> value in the property's unit, until `renew`."""
        publication = Publication(self._bank)
        for i, value in readbacks.items():
            publication.put(i, value)
        self._send(publication)

    def renew(self, readbacks: Iterable[int]) -> None:
        """Let the next result publish these readbacks again, as the lattice has them."""
        self._renewed.update(readbacks)

    def _disturbed(self, readings: Readings | None) -> Readings | None:
        """Return what the monitors show, if a filter lets them show something else."""
        if readings is None or self._filter is None or self._filter.idle:
            return readings
        return replace(readings, shown=self._filter.positions(readings.count, readings.x, readings.y))

    def _put(
        self, publication: Publication, source: Source, value: Any, alarm: tuple[Severity, Status] | None = None
    ) -> None:
        for i in self._by_source[source]:
            publication.put(i, value, alarm)

    def _send(self, publication: Publication, invalid: Indices = NOTHING, *, time_ns: int | None = None) -> None:
        if self._unreachable:
            self._unreachable = {i for i in self._unreachable if not publication.has(i)}
        publication.send(self._clock_ns() if time_ns is None else time_ns, self._generation, invalid=invalid)

    def _take_monitors(self, publication: Publication, readings: Readings, fed: Iterable[Source]) -> None:
        for source in fed:
            monitors = self._monitors[source]
            values = MONITORS[source](readings)[monitors.bpms] * monitors.scales
            if readings.instruments is not None:
                values[readings.instruments.dead[monitors.bpms]] = np.nan
            publication.put_many(monitors.indices, values)

    def _take(self, publication: Publication, readings: Readings, fed: Iterable[Source]) -> None:
        clipped = (Severity.MINOR, Status.HWLIMIT) if readings.packed.clipped else None
        for source in fed:
            if self._by_source[source]:
                alarm = clipped if source is sources.MONITOR_PACKED else None
                self._put(publication, source, BEAM[source](readings), alarm)

    def _put_readbacks(self, publication: Publication, lattice: Lattice) -> None:
        before = self._shown
        slots = lattice.changed_slots(before)
        own = {i for slot in slots for i in self._by_setting[slot]}
        driven = {i for slot in slots for n in lattice.driven(slot, before) for i in self._by_magnet[n]}
        for i in sorted(own | driven | self._renewed):
            spec = self._bank.specs[i]
            publication.put(i, lattice[spec.device, spec.property])
        self._renewed.clear()
        if slots:
            self._put(publication, sources.REVOLUTION_FREQUENCY, revolution_frequency(lattice))

    def _sort_readbacks(self) -> None:
        """Index the PVs that show a property: by the slot of its setting, and by the magnets that it depends on."""
        for i in self._by_source[sources.READBACK]:
            spec = self._bank.specs[i]
            stored = self._ring.property_spec(spec.device, spec.property).slot
            if stored is not None:
                self._by_setting[stored].append(i)
            for magnet in self._ring.magnets_of.get(spec.device, ()):
                self._by_magnet[magnet].append(i)
