"""From a machine document and its PV document to devices: which PVs each of them has. Pure, without EPICS."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path

from gnomon.db import expand, pv_document, read_pvs, shipped_document, shipped_machine, shipped_machines
from gnomon.db import sources as pv_sources
from gnomon.db.machine_files import find_document
from gnomon.db.pvs import Kind, PvSpec
from gnomon.db.sources import Source
from gnomon.lattice import Ring

__all__ = ["MachinePvs", "SettingPvs", "find_machine_pvs"]

#: A readback is there when it is this close to the setpoint, as a fraction of the setpoint's range; as in a replay.
TOLERANCE = 5e-5
#: Of what is not a supply, whose time-out stands in the machine document [s].
TIMEOUT_S = 2.0

Key = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingPvs:
    """A property of a device that can be set: its PVs, and when it counts as set.

    Without a PV for the readback, the setpoint's is read. `tolerance` is in the setpoint's unit. A readback that has
    not come closer for `timeout_s` is stuck; `settle_s` after it arrived, the beam is what it will be.
    """

    device: str
    property: str
    setpoint: PvSpec
    readback: PvSpec
    tolerance: float
    settle_s: float
    timeout_s: float


@dataclass(frozen=True)
class MachinePvs:
    """A ring and its PVs under a prefix, sorted by what they are for."""

    ring: Ring
    prefix: str
    specs: tuple[PvSpec, ...]

    @cached_property
    def settings(self) -> Mapping[Key, SettingPvs]:
        """All that a client can set, by device and property."""
        found = {key: specs[0] for key, specs in self._by_property(pv_sources.SET).items() if specs[0].kind in _SCALARS}
        readbacks = self._by_property(pv_sources.READBACK)
        return {key: self._setting(spec, readbacks.get(key, ())) for key, spec in found.items()}

    @property
    def independent(self) -> tuple[SettingPvs, ...]:
        """Settings that do not follow from others: no strength of a magnet, no optics that sets many currents."""
        return tuple(
            setting
            for (device, property), setting in self.settings.items()
            if not setting.setpoint.presets and self.ring.strength_of(device, property) is None
        )

    @cached_property
    def supplies(self) -> Mapping[str, SettingPvs]:
        """The currents of the power supplies, in the document's order; the multiplexer's is the last one."""
        mux = self.ring.multiplexer
        names = [supply.name for supply in self.ring.document.supplies] + ([mux.supply] if mux else [])
        return {name: self.settings[name, "current"] for name in names if (name, "current") in self.settings}

    @cached_property
    def magnets(self) -> Mapping[str, tuple[Mapping[str, SettingPvs], Mapping[str, PvSpec]]]:
        """The settings of each magnet, and its values that can only be read, by property."""
        sets: dict[str, dict[str, SettingPvs]] = {}
        reads: dict[str, dict[str, PvSpec]] = {}
        for (device, property), setting in self.settings.items():
            sets.setdefault(device, {})[property] = setting
        for (device, property), specs in self._by_property(pv_sources.READBACK).items():
            if property not in sets.get(device, {}):
                reads.setdefault(device, {})[property] = specs[0]
        names = [m.name for m in self.ring.magnets if m.name in sets.keys() | reads.keys()]
        return {name: (sets.get(name, {}), reads.get(name, {})) for name in names if name not in self.supplies}

    @cached_property
    def others(self) -> Mapping[Key, SettingPvs]:
        """Settings of no supply and no magnet: master clock, voltage, optics, feedbacks."""
        magnets = {magnet.name for magnet in self.ring.magnets}
        return {
            key: setting
            for key, setting in self.settings.items()
            if key[0] not in magnets and not (key[1] == "current" and key[0] in self.supplies)
        }

    def first(self, *wanted: Source) -> PvSpec | None:
        """Find the PV of the first of these sources that has one."""
        return next((self._by_source[source.name][0] for source in wanted if source.name in self._by_source), None)

    def all_of(self, source: Source) -> Sequence[PvSpec]:
        """List the PVs of a source."""
        return self._by_source.get(source.name, ())

    def averaging_s(self, *wanted: Source) -> float:
        """The longest time over which readings of these sources average [s]; 0 if they have no PVs."""
        return max((spec.averaging_s for source in wanted for spec in self.all_of(source)), default=0.0)

    def counter_of(self, positions: PvSpec) -> PvSpec | None:
        """Find the counter of an array of positions: that of the same record, or the first one."""
        record, _, _ = positions.name.rpartition(":")
        counts = self.all_of(pv_sources.MONITOR_COUNT)
        return next((each for each in counts if each.name.startswith(f"{record}:")), next(iter(counts), None))

    def each(self, source: Source) -> Mapping[str, PvSpec]:
        """The PVs of a source that many devices have, by device."""
        return {spec.device: spec for spec in self.all_of(source)}

    @cached_property
    def _by_source(self) -> Mapping[str, Sequence[PvSpec]]:
        found: dict[str, list[PvSpec]] = {}
        for spec in self.specs:
            found.setdefault(spec.source, []).append(spec)
        return found

    def _by_property(self, source: Source) -> Mapping[Key, Sequence[PvSpec]]:
        found: dict[Key, list[PvSpec]] = {}
        for spec in self.all_of(source):
            found.setdefault((spec.device, spec.property), []).append(spec)
        return found

    def _setting(self, setpoint: PvSpec, readbacks: Sequence[PvSpec]) -> SettingPvs:
        """Pair a setpoint with its readback: one in the same unit, without an offset."""
        shown = (setpoint.kind, setpoint.unit, setpoint.scale, 0.0)
        same = (each for each in readbacks if (each.kind, each.unit, each.scale, each.offset) == shown)
        low, high = setpoint.drive or (0.0, 0.0)
        supply = next((s for s in self.ring.document.supplies if s.name == setpoint.device), None)
        return SettingPvs(
            device=setpoint.device,
            property=setpoint.property,
            setpoint=setpoint,
            readback=next(same, setpoint),
            tolerance=TOLERANCE * (high - low) if setpoint.kind is Kind.FLOAT else 0.0,
            settle_s=self.ring.settle_time_s(setpoint.device, setpoint.property),
            timeout_s=supply.timeout_s if supply else TIMEOUT_S,
        )


_SCALARS = (Kind.FLOAT, Kind.INT, Kind.ENUM)


def find_machine_pvs(
    machine: str | PathLike[str] = "bessy2", prefix: str = "", pvs: str | PathLike[str] | None = None
) -> MachinePvs:
    """Find the PVs of a machine: a shipped one by its name, or the file of a machine document.

    `pvs` is another PV document than the one that the machine names: a name, or a file. Raises DocumentError.
    """
    name, beside = str(machine), None
    if name in shipped_machines():
        ring, asked = shipped_machine(name), shipped_document(name).pvs
    else:
        document = find_document(machine)
        ring, asked = Ring(document), document.pvs
        file = Path(name).expanduser()
        beside = file if file.is_dir() else file.parent
    asked = asked if pvs is None else str(pvs)
    own = Path(asked).expanduser()

    def find(other: str) -> Path:
        if own.suffix != ".json":
            return pv_document(other, beside=beside)
        return own if other == asked else pv_document(other, beside=own.parent)

    return MachinePvs(ring, prefix, expand(read_pvs(asked, find), ring, prefix))
