"""The table of all devices of a ring while it is built: properties, settings, and what each setting reaches."""

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gnomon.lattice._errors import LatticeError
from gnomon.lattice.chunks import CHUNK
from gnomon.lattice.devices import BeamPositionMonitor, Key, Magnet, Multiplexer, PropertySpec


@dataclass(frozen=True, slots=True)
class Affected:
    """Parts that a setting reaches: elements, magnets, and those magnets whose conversion has a range to leave."""

    elements: tuple[int, ...] = ()
    magnets: tuple[int, ...] = ()
    conversions: tuple[int, ...] = ()


@dataclass(slots=True)
class DeviceTable:
    """Everything of a ring that commands can name; see `Ring` for what the parts mean."""

    properties: dict[Key, PropertySpec] = field(default_factory=dict)
    strengths: dict[Key, int] = field(default_factory=dict)
    magnets: list[Magnet] = field(default_factory=list)
    magnets_of: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    magnets_on: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    errors_of: dict[int, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    affects: list[Affected] = field(default_factory=list)
    nominals: list[float] = field(default_factory=list)
    multiplexer: Multiplexer | None = None
    bpms: tuple[BeamPositionMonitor, ...] = ()
    monitor_slot: int = 0
    operation_slot: int = 0

    @property
    def nominal(self) -> NDArray[np.float64]:
        """Nominal value of each setting, NaN in slots that nothing uses."""
        return np.array(self.nominals)

    def stored(self, spec: PropertySpec) -> int:
        """Give a property a setting of its own, at its nominal value; returns the slot."""
        slot = len(self.nominals)
        self.nominals.append(spec.nominal)
        self.affects.append(Affected())
        self._add(spec, slot, spec.property)
        return slot

    def align(self) -> int:
        """Leave slots unused up to the next chunk's first, and return that."""
        unused = -len(self.nominals) % CHUNK
        self.nominals += [np.nan] * unused
        self.affects += [Affected()] * unused
        return len(self.nominals)

    def derived(self, spec: PropertySpec, slot: int | None, setting: str) -> None:
        """Add a property that has no setting of its own: read only (`slot` None), or set through another one."""
        self._add(spec, slot, setting)

    def _add(self, spec: PropertySpec, slot: int | None, setting: str) -> None:
        key = (spec.device, spec.property)
        if key in self.properties:
            raise LatticeError(f"{spec.device}: property {spec.property!r} is given twice")
        # Nobody else has this one yet. To copy thousands of them took a quarter of the time in which a ring is built.
        object.__setattr__(spec, "slot", slot)
        object.__setattr__(spec, "setting", setting)
        self.properties[key] = spec
