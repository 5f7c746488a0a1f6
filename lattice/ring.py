"""The ring: everything about a machine that no setpoint changes, shared by all versions of its lattice."""

import hashlib
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gnomon.lattice._errors import LatticeError
from gnomon.lattice.build import build_devices, build_elements, optics_stiffness
from gnomon.lattice.canonical import canonical_json
from gnomon.lattice.chunks import CHUNK, Chunk, digest, split
from gnomon.lattice.devices import Key, PropertySpec
from gnomon.lattice.document import MachineDocument
from gnomon.lattice.elements import Element
from gnomon.lattice.gathering import Gathering, gathering
from gnomon.lattice.monitors import KEPT, MonitorErrors, monitor_errors
from gnomon.lattice.operation import ENERGY, OPTICS, VOLTAGE, VOLTAGE_UNITS, fundamental_voltages

if TYPE_CHECKING:
    from gnomon.lattice.lattice import Lattice

#: [m/s], exact.
SPEED_OF_LIGHT = 299_792_458.0

FREQUENCY_UNITS = {"Hz": 1.0, "kHz": 1e3}

#: Sets of elements whose gathering a ring keeps.
GATHERINGS = 512


class Ring:
    """A machine document, built: elements in beam order, devices, limits and nominal settings.

    `s` (n+1,) is each element's entrance [m] and the end of the ring; `rf_reference` [Hz] is h c / C; `rigidity` is
    p/c [T m] at the nominal energy; `voltages` are the design's [V] of the fundamental cavities, by element; `monitors`
    are the elements of the beam position monitors, in beam order. Their settings fill the chunks from `monitor_chunk`
    on, whose digests are `ideal_monitors` when no monitor has an error; those of `operation`, the energy's first, fill
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
        devices = build_devices(document, self.elements, self.index, self.rigidity, rf_nominal)
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
        self.ideal_monitors = digests[self.monitor_chunk : self.operation_chunk]
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
        raise LatticeError(f"{self.name}: there is no device {device!r}")

    def gathering(self, indices: tuple[int, ...], chunk: int) -> Gathering:
        """Find where the parameters of these elements come from, in settings by `chunk`; kept for the next time."""
        known = self._gatherings.get(indices)
        if known is None:
            if len(self._gatherings) >= GATHERINGS:
                self._gatherings.clear()
            known = self._gatherings[indices] = gathering(self, indices, chunk)
        return known

    def monitor_errors(self, chunks: tuple[Chunk, ...], digests: tuple[bytes, ...]) -> MonitorErrors:
        """The errors that the monitors' chunks hold, by the chunks' digests; kept for the next time."""
        known = self._monitor_errors.get(digests)
        if known is None:
            if len(self._monitor_errors) >= KEPT:
                self._monitor_errors.clear()
            known = monitor_errors(chunks, ideal=digests == self.ideal_monitors)
            self._monitor_errors[digests] = known
        return known

    def strength_of(self, device: str, property: str) -> int | None:
        """Index in `magnets` of the magnet whose main strength this property is, or None."""
        return self._strengths.get((device, property))

    @cached_property
    def nominal(self) -> "Lattice":
        """The lattice with every setting at its nominal value."""
        from gnomon.lattice.lattice import Lattice

        return Lattice.of_settings(self, self.nominal_settings)

    @cached_property
    def optics(self) -> Mapping[str, "Lattice"]:
        """The named optics of the document: other strengths, by their supplies' currents, and energy and voltage."""
        return {name: self._optics(name, number) for number, name in enumerate(self.document.optics, 1)}

    def optics_settings(self, number: int) -> dict[Key, float]:
        """Return what the switch to an optics sets: its number, all supplies' currents, energy and voltage."""
        lattice = self.nominal if number == 0 else self.optics[tuple(self.document.optics)[number - 1]]
        supplies = ((supply.name, "current") for supply in self.document.supplies)
        keys = (OPTICS, ENERGY, VOLTAGE, *supplies)
        return {key: lattice[key] for key in keys}

    def _optics(self, optics: str, number: int) -> "Lattice":
        strengths = dict(self.document.optics[optics])
        stiffness = optics_stiffness(self.document, optics)
        if stiffness != 1.0:  # what the optics does not name keeps its strength
            strengths = {m.name: self.nominal.strength(m) for m in self.magnets} | strengths
        settings: dict[Key, float] = {}
        by_name = {m.name: m for m in self.magnets}
        for name, strength in strengths.items():
            magnet = by_name[name]
            current = magnet.conversion.current(strength * magnet.rigidity * stiffness)
            known = settings.setdefault((magnet.supply, "current"), current)
            if abs(known - current) > 1e-9 * max(abs(known), 1.0):
                raise LatticeError(
                    f"{self.name}: optics {optics!r} asks supply {magnet.supply!r} for {known:g} A and, "
                    f"at {name!r}, for {current:g} A"
                )
        settings[OPTICS] = float(number)
        part = self.document.operating.get(optics)
        if part is not None and part.energy_ev is not None:
            settings[ENERGY] = part.energy_ev
        if part is not None and part.voltage_v is not None:
            settings[VOLTAGE] = part.voltage_v / VOLTAGE_UNITS[self.document.rf.voltage_unit]
        return self.nominal.updated(settings)
