"""The ring, everything about a machine that no setpoint changes, and versions of its lattice.

The two stand together because each names the other: a ring has its nominal lattice, a lattice its ring.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from itertools import compress, count
from operator import is_not
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnomon.lattice._errors import LatticeError
from gnomon.lattice.build import build_devices, build_elements
from gnomon.lattice.canonical import canonical_json
from gnomon.lattice.chunks import CHUNK, Chunk, digest, split
from gnomon.lattice.devices import Key, Magnet, PropertySpec, checked
from gnomon.lattice.document import MachineDocument
from gnomon.lattice.elements import ORDERS, PARAMETERS, Cavity, Element, Multipole
from gnomon.lattice.gathering import Gathering, gathering
from gnomon.lattice.monitor_errors import KEPT, MonitorErrors, monitor_errors
from gnomon.lattice.named_optics import named_optics_settings
from gnomon.lattice.operation import ENERGY, OPTICS, VOLTAGE, fundamental_voltages
from gnomon.lattice.tables import unknown_name
from gnomon.lattice.units import FREQUENCY_UNITS, SPEED_OF_LIGHT, VOLTAGE_UNITS

#: Sets of elements whose gathering a ring keeps.
GATHERINGS = 512


class Ring:
    """A machine document, built: elements in beam order, devices, limits and nominal settings.

    `s` (n+1,) is each element's entrance [m] and the end of the ring; `rf_reference` [Hz] is h c / C; `rigidity` is
    p/c [T m] at the nominal energy; `voltages` are the design's [V] of the fundamental cavities, by element; `monitors`
    are the elements of the beam position monitors, in beam order. Their settings fill the chunks from `monitor_chunk`
    on, whose digests are `nominal_monitors` while no monitor was set; those of `operation`, the energy's first, fill
    the chunks from `operation_chunk` on, whose digests are `nominal_operation` while nothing was set.
    `multiplexer_slots` are the settings that act on whatever magnet is connected.
    """

    def __init__(self, document: MachineDocument) -> None:
        self.document = document
        self.name = document.name
        self.digest = hashlib.blake2b(canonical_json(document).encode(), digest_size=16).hexdigest()
        self.energy_ev = document.energy_ev
        self.rigidity = document.momentum_ev() / SPEED_OF_LIGHT
        self.harmonic_number = document.harmonic_number
        self.elements: tuple[Element, ...] = build_elements(document)
        self.index: dict[str, int] = {e.name: i for i, e in enumerate(self.elements)}
        self.s: NDArray[np.float64] = np.concatenate([[0.0], np.cumsum([e.length for e in self.elements])])
        self.s.flags.writeable = False
        self.circumference = float(self.s[-1])
        self.rf_unit = document.rf.unit
        # Through the operators' unit and back, so that the nominal setting is the reference to the last bit.
        rf_nominal = self.harmonic_number * SPEED_OF_LIGHT / self.circumference / FREQUENCY_UNITS[self.rf_unit]
        self.rf_reference = rf_nominal * FREQUENCY_UNITS[self.rf_unit]
        self._devices = devices = build_devices(document, self.elements, self.index, self.rigidity, rf_nominal)
        self.properties: Mapping[Key, PropertySpec] = devices.properties
        self.magnets = devices.magnets
        self.magnets_of = devices.magnets_of
        self.magnets_on = devices.magnets_on
        self.errors_of = devices.errors_of
        self.affects = devices.affects
        self.nominal_settings = devices.nominal
        self.multiplexer = mux = devices.multiplexer
        self.multiplexer_slots = frozenset((mux.current_slot, mux.selected_slot, mux.on_slot) if mux else ())
        self.bpms = devices.bpms
        self.monitors: tuple[int, ...] = tuple(bpm.element for bpm in self.bpms)
        self.monitor_chunk = devices.monitor_slot // CHUNK
        self.operation_chunk = devices.operation_slot // CHUNK
        digests = tuple(digest(chunk) for chunk in split(self.nominal_settings))
        self.nominal_monitors = digests[self.monitor_chunk : self.operation_chunk]
        self.nominal_operation = digests[self.operation_chunk :]
        self.voltages = fundamental_voltages(document, self.elements)
        self._strengths = devices.strengths
        self._gatherings: dict[tuple[int, ...], Gathering] = {}
        self._monitor_errors: dict[tuple[bytes, ...], MonitorErrors] = {}

    def property_spec(self, device: str, property: str) -> PropertySpec:
        """Find the description of a property. Raises LatticeError, with near names, when there is none."""
        try:
            return self.properties[device, property]
        except KeyError:
            pass
        has = sorted(p for d, p in self.properties if d == device)
        if has:
            raise LatticeError(f"{self.name}: device {device!r} has no property {property!r}; it has {', '.join(has)}")
        raise unknown_name(self.name, "device", device, dict.fromkeys(name for name, _ in self.properties))

    def gathering(self, indices: tuple[int, ...], chunk: int) -> Gathering:
        """Find where the parameters of these elements come from, in settings by `chunk`; kept for the next time."""
        known = self._gatherings.get(indices)
        if known is None:
            if len(self._gatherings) >= GATHERINGS:
                self._gatherings.clear()
            known = self._gatherings[indices] = gathering(self.elements, self._devices, indices, chunk)
        return known

    def monitor_errors(self, chunks: tuple[Chunk, ...], digests: tuple[bytes, ...]) -> MonitorErrors:
        """The errors that the monitors' chunks hold, by the chunks' digests; kept for the next time."""
        known = self._monitor_errors.get(digests)
        if known is None:
            if len(self._monitor_errors) >= KEPT:
                self._monitor_errors.clear()
            known = monitor_errors(chunks)
            self._monitor_errors[digests] = known
        return known

    def strength_of(self, device: str, property: str) -> int | None:
        """Index in `magnets` of the magnet whose main strength this property is, or None."""
        return self._strengths.get((device, property))

    def settle_time_s(self, device: str, property: str) -> float:
        """Time [s] after which the field is there, once the readback of a property is: that of the slowest supply.

        Of currents and strengths it is that of their supply, of the optics that of all; of anything else 0.
        """
        times = {supply.name: supply.settle_time_s for supply in self.document.supplies}
        if (device, property) == OPTICS:
            return max(times.values(), default=0.0)
        if (index := self.strength_of(device, property)) is not None:
            return times.get(self.magnets[index].supply, 0.0)
        return times.get(device, 0.0) if property == "current" else 0.0

    @cached_property
    def nominal(self) -> "Lattice":
        """The lattice with every setting at its nominal value."""
        return Lattice.of_settings(self, self.nominal_settings)

    @cached_property
    def optics(self) -> Mapping[str, "Lattice"]:
        """The named optics of the document: other strengths, by their supplies' currents, and energy and voltage."""
        nominal = {magnet.name: self.nominal.strength(magnet) for magnet in self.magnets}
        settings = {
            name: named_optics_settings(self.document, self.magnets, nominal, name) for name in self.document.optics
        }
        return {name: self.nominal.updated(values) for name, values in settings.items()}

    def optics_settings(self, number: int) -> dict[Key, float]:
        """Return what the switch to an optics sets: its number, all supplies' currents, energy and voltage."""
        lattice = self.nominal if number == 0 else self.optics[tuple(self.document.optics)[number - 1]]
        supplies = ((supply.name, "current") for supply in self.document.supplies)
        keys = (OPTICS, ENERGY, VOLTAGE, *supplies)
        return {key: lattice[key] for key in keys}


class Lattice:
    """An immutable state of the whole ring.

    Settings stand in chunks; an updated lattice shares all chunks but those that it changes, and its id is a hash over
    the ring's digest and the chunks' hashes, so that equal content has an equal id however it was reached. Monitors
    without errors, and a nominal operation, are left out of it: ids are those from before a ring had such settings.
    """

    __slots__ = ("_chunks", "_digests", "id", "ring")

    def __init__(self, ring: Ring, chunks: tuple[Chunk, ...], digests: tuple[bytes, ...]) -> None:
        self.ring = ring
        self._chunks = chunks
        self._digests = digests
        counted = digests[: ring.monitor_chunk]
        monitors = digests[ring.monitor_chunk : ring.operation_chunk]
        if monitors != ring.nominal_monitors:
            counted += monitors
        if digests[ring.operation_chunk :] != ring.nominal_operation:
            counted += (b"operation", *digests[ring.operation_chunk :])
        whole = hashlib.blake2b(bytes.fromhex(ring.digest) + b"".join(counted), digest_size=10)
        self.id: str = whole.hexdigest()

    @classmethod
    def of_settings(cls, ring: Ring, settings: NDArray[np.float64]) -> "Lattice":
        """The lattice with these settings, one for each slot of the ring, NaN where nothing uses it."""
        chunks = split(settings)
        return cls(ring, chunks, tuple(digest(c) for c in chunks))

    def __repr__(self) -> str:
        return f"<Lattice {self.ring.name} {self.id}>"

    def __getitem__(self, key: Key) -> float:
        """The value of a device's property, in its unit. Raises LatticeError when there is no such property."""
        spec = self.ring.property_spec(*key)
        strength = self.ring.strength_of(*key)
        if strength is not None:
            return self.strength(self.ring.magnets[strength])
        if spec.slot is None:
            return self.current(self.ring.magnets[self.ring.magnets_of[key[0]][0]])
        return self._setting(spec.slot)

    @property
    def settings(self) -> NDArray[np.float64]:
        """All settings by their slots, as `of_settings` takes them: a copy, NaN in slots that nothing uses."""
        settings = np.full(len(self.ring.nominal_settings), np.nan)
        for number, chunk in enumerate(self._chunks):
            settings[number * CHUNK : number * CHUNK + len(chunk)] = chunk
        return settings

    @property
    def rf_frequency(self) -> float:
        """Frequency of the master clock [Hz]."""
        return self["rf", "frequency"] * FREQUENCY_UNITS[self.ring.rf_unit]

    @property
    def optics_name(self) -> str:
        """Name of the optics in use; empty if the machine has one alone."""
        if OPTICS not in self.ring.properties:
            return ""
        names = self.ring.property_spec(*OPTICS).states
        return names[int(self[OPTICS])] if names else ""

    @property
    def energy_ev(self) -> float:
        """Energy of the beam [eV]."""
        return float(self._chunks[self.ring.operation_chunk][0])

    @property
    def rigidity(self) -> float:
        """p/c [T m] at the beam's energy."""
        return self.ring.document.momentum_ev(self.energy_ev) / SPEED_OF_LIGHT

    @property
    def voltage_v(self) -> float:
        """Total voltage of the fundamental cavities [V]; 0 for a ring that has none."""
        return self[VOLTAGE] * VOLTAGE_UNITS[self.ring.document.rf.voltage_unit]

    def updated(self, values: Mapping[Key, float]) -> "Lattice":
        """Make the lattice with all of `values` set together, each in its property's unit.

        Setting a magnet's main strength stores a trim on top of what its current gives after this update. Raises
        RefusedValue for a value that is not finite or outside its limits and LatticeError for an unknown property;
        then nothing has changed.
        """
        settings: dict[int, float] = {}
        strengths: list[tuple[Magnet, float]] = []
        for key, value in values.items():
            spec = self.ring.property_spec(*key)
            accepted = checked(spec, value)
            index = self.ring.strength_of(*key)
            if index is not None:
                strengths.append((self.ring.magnets[index], accepted))
            elif spec.slot is None:
                raise LatticeError(f"{spec.device} {spec.property} is read-only")
            else:
                settings[spec.slot] = accepted
        lattice = self._with(settings)
        if strengths:
            lattice = lattice._with({m.trim_slot: value - lattice._converted(m) for m, value in strengths})
        for slot in settings:
            for magnet in self.ring.affects[slot].conversions:
                lattice._converted(self.ring.magnets[magnet])  # raises when a current leaves the conversion's range
        return lattice

    def current(self, magnet: Magnet) -> float:
        """Current that a magnet sees [A]: its supply's, and the multiplexer's if that is connected to it."""
        current = self._setting(magnet.supply_slot)
        mux = self.ring.multiplexer
        if mux is not None and magnet.selection is not None and self._setting(mux.selected_slot) == magnet.selection:
            current += mux.factor * self._setting(mux.current_slot) * self._setting(mux.on_slot)
        return current

    def strength(self, magnet: Magnet) -> float:
        """Main strength of a magnet, in physics units: what its current gives, plus its trim."""
        return self._converted(magnet) + self._setting(magnet.trim_slot)

    def slope(self, magnet: Magnet) -> float:
        """Derivative of a magnet's main strength with respect to the current through it, in its unit per A."""
        if magnet.scale_slot is not None:
            slope = self._setting(magnet.scale_slot)
        else:
            slope = magnet.conversion.derivative(self.current(magnet)) / magnet.rigidity
        return slope if self.energy_ev == self.ring.energy_ev else slope * self.ring.rigidity / self.rigidity

    def parameters(self, indices: list[int] | tuple[int, ...]) -> NDArray[np.float64]:
        """Present parameter rows (len(indices), 13) of multipoles and bends, in the order of `PARAMETERS`.

        Raises LatticeError for an element that has none.
        """
        plan = self.ring.gathering(tuple(indices), CHUNK)
        chunks = [self._chunks[number] for number in plan.chunks]
        settings = chunks[0] if len(chunks) == 1 else np.concatenate(chunks) if chunks else plan.base[:0, 0]
        rows = plan.base.copy()
        flat = rows.reshape(-1)
        if plan.magnet_into.size:
            currents = settings[plan.supply]
            mux = self.ring.multiplexer
            if mux is not None:
                selected = self._setting(mux.selected_slot)
                if selected:
                    added = mux.factor * self._setting(mux.current_slot) * self._setting(mux.on_slot)
                    currents[plan.selection == selected] += added
            strengths = settings[plan.scale] * currents + plan.intercept
            if self.energy_ev != self.ring.energy_ev:
                strengths *= self.ring.rigidity / self.rigidity
            np.add.at(flat, plan.magnet_into, strengths + settings[plan.trim])
        for into, magnet in plan.curved:
            flat[into] += self.strength(magnet)
        np.add.at(flat, plan.error_into, settings[plan.error])
        return rows

    def monitor_errors(self) -> MonitorErrors:
        """Present offsets, gains and rolls of the monitors; versions with equal ones share the arrays."""
        theirs = slice(self.ring.monitor_chunk, self.ring.operation_chunk)
        return self.ring.monitor_errors(self._chunks[theirs], self._digests[theirs])

    def element(self, index: int) -> Element:
        """One element with its present parameters; the ring's own object where nothing differs from the design."""
        element = self.ring.elements[index]
        if isinstance(element, Cavity):
            return self._cavity(index, element)
        if not isinstance(element, Multipole):
            return element
        row = self.parameters([index])[0].tolist()
        rest = dict(zip(PARAMETERS[2 * ORDERS :], row[2 * ORDERS :], strict=True))
        present: Element = replace(element, a=tuple(row[:ORDERS]), b=tuple(row[ORDERS : 2 * ORDERS]), **rest)
        return element if present == element else present

    def _cavity(self, index: int, element: Cavity) -> Cavity:
        """A cavity with its present voltage: fundamental ones share the total as the design's do."""
        voltages = self.ring.voltages
        if index not in voltages or self[VOLTAGE] == self.ring.property_spec(*VOLTAGE).nominal:
            return element
        total = sum(voltages.values())
        share = voltages[index] / total if total > 0.0 else 1.0 / len(voltages)
        return replace(element, voltage=self.voltage_v * share)

    def changed_elements(self, other: "Lattice") -> tuple[int, ...]:
        """Elements whose parameters may differ between this lattice and another version of the same ring, sorted."""
        affects, mux_slots = self.ring.affects, self.ring.multiplexer_slots
        slots = self.changed_slots(other)
        if mux_slots.isdisjoint(slots):
            return tuple(sorted({element for slot in slots for element in affects[slot].elements}))
        others = {element for slot in slots if slot not in mux_slots for element in affects[slot].elements}
        return tuple(sorted(others | {self.ring.magnets[n].element for n in self._connected(other)}))

    def _connected(self, other: "Lattice") -> tuple[int, ...]:
        """Magnets that the multiplexer connects in this lattice or the other: all that its settings drive in them."""
        mux = self.ring.multiplexer
        selected = () if mux is None else {int(each._setting(mux.selected_slot)) for each in (self, other)}
        return tuple(n for n, magnet in enumerate(self.ring.magnets) if magnet.selection in selected)

    def driven(self, slot: int, other: "Lattice") -> tuple[int, ...]:
        """Magnets that a setting drives in this lattice or the other."""
        return self._connected(other) if slot in self.ring.multiplexer_slots else self.ring.affects[slot].magnets

    def changed_slots(self, other: "Lattice") -> list[int]:
        """Slots of the settings that differ between this lattice and another version of the same ring."""
        if other.ring is not self.ring:
            raise LatticeError(f"{self.ring.name} and {other.ring.name} are different rings")
        slots: list[int] = []
        for number in compress(count(), map(is_not, self._chunks, other._chunks)):
            unequal = self._chunks[number] != other._chunks[number]
            slots.extend((unequal.nonzero()[0] + number * CHUNK).tolist())
        return slots

    def _setting(self, slot: int) -> float:
        return float(self._chunks[slot // CHUNK][slot % CHUNK])

    def _converted(self, magnet: Magnet) -> float:
        current = self.current(magnet)
        if magnet.scale_slot is not None:
            strength = self._setting(magnet.scale_slot) * current + magnet.intercept
        else:
            strength = magnet.conversion.field(current) / magnet.rigidity
        return strength if self.energy_ev == self.ring.energy_ev else strength * self.ring.rigidity / self.rigidity

    def _with(self, settings: Mapping[int, float]) -> "Lattice":
        chunks = dict[int, Chunk]()
        for slot, value in settings.items():
            number = slot // CHUNK
            if number not in chunks:
                chunks[number] = self._chunks[number].copy()
            chunks[number][slot % CHUNK] = value + 0.0  # -0.0 and 0.0 are one content
        if not chunks:
            return self
        all_chunks: list[Any] = list(self._chunks)
        digests = list(self._digests)
        for number, chunk in chunks.items():
            chunk.flags.writeable = False
            all_chunks[number] = chunk
            digests[number] = digest(chunk)
        return Lattice(self.ring, tuple(all_chunks), tuple(digests))
