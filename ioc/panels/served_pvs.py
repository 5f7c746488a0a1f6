"""PVs that are served, by what feeds them: the panels ask for sources and show what there is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from gnomon.db import sources
from gnomon.db.pvs import Kind, PvSpec
from gnomon.db.sources import Source
from gnomon.lattice import Ring, family_of

#: Kinds that a line of a card can show, and lists that are short enough for one.
LINES = (Kind.FLOAT, Kind.INT, Kind.ENUM, Kind.STRING)
LISTS = {source.name for source in (sources.FAULTS_ACTIVE, sources.REFERENCE_NAMES)}

#: Sources about one property of one device; they have panels of their own.
OWN = {source.name for source in (sources.SET, sources.READBACK, *sources.MONITOR)}

#: As many devices of one source are shown line by line among other things.
FEW = 8

#: What supplies drive, and the title of their panel.
FAMILIES = {
    "k1": "Quadrupoles",
    "k1s": "Skew quadrupoles",
    "b3": "Sextupoles",
    "b4": "Octupoles",
    "kick_x": "Horizontal steerers",
    "kick_y": "Vertical steerers",
}


@dataclass(frozen=True)
class Supply:
    """A supply as a line of its panel: its setpoint and, where there is one, its readback."""

    name: str
    family: str
    setpoint: PvSpec
    readback: PvSpec | None


@dataclass(frozen=True)
class Monitor:
    """A beam position monitor as a line of its panel."""

    name: str
    x: PvSpec
    y: PvSpec


class ServedPvs:
    """The PVs of a machine, ordered for panels. What is not served is not shown."""

    def __init__(self, ring: Ring, specs: Sequence[PvSpec]) -> None:
        self.ring = ring
        self.specs = specs
        self._by_source: dict[str, list[PvSpec]] = {}
        for spec in specs:
            self._by_source.setdefault(spec.source, []).append(spec)
        self._readbacks = {(s.device, s.property): s for s in reversed(self.each(sources.READBACK))}

    def one(self, source: Source) -> PvSpec | None:
        """The first PV that a source feeds."""
        return next(iter(self.each(source)), None)

    def some(self, *wanted: Source | str) -> list[PvSpec]:
        """A PV for each wanted source, or pattern of names, and device, in that order, if a line can show it.

        Sources with many devices have panels of their own and are left out.
        """
        found: dict[tuple[str, str], PvSpec] = {}
        for one in wanted:
            pattern = one.name if isinstance(one, Source) else one
            for source, specs in self._by_source.items():
                if fnmatchcase(source, pattern) and source not in OWN and len({s.device for s in specs}) <= FEW:
                    for spec in specs:
                        if spec.kind in LINES or source in LISTS:
                            found.setdefault((source, spec.device), spec)
        return list(found.values())

    def each(self, source: Source) -> list[PvSpec]:
        """All PVs that a source feeds."""
        return self._by_source.get(source.name, [])

    def readback(self, spec: PvSpec) -> PvSpec | None:
        """The PV that shows what a setpoint asked for."""
        return self._readbacks.get((spec.device, spec.property))

    def supplies(self) -> Mapping[str, list[Supply]]:
        """Supplies by the title of their panel, in the order of `FAMILIES`."""
        drives: dict[str, tuple[str, str]] = {}
        for magnet, part in zip(self.ring.magnets, self.ring.document.magnets, strict=True):
            family = family_of(self.ring.elements[magnet.element].name)
            drives.setdefault(part.supply, (part.property, family))
        panels: dict[str, list[Supply]] = {title: [] for title in FAMILIES.values()}
        for spec in self.each(sources.SET):
            if spec.property == "current" and spec.device in drives:
                drive, family = drives[spec.device]
                panels[FAMILIES[drive]].append(Supply(spec.device, family, spec, self.readback(spec)))
        return {title: supplies for title, supplies in panels.items() if supplies}

    def monitors(self) -> list[Monitor]:
        """Monitors with a PV for each plane, in beam order."""
        planes = [{s.device: s for s in self.each(source)} for source in sources.MONITOR]
        names = (bpm.name for bpm in self.ring.bpms)
        return [Monitor(name, planes[0][name], planes[1][name]) for name in names if all(name in p for p in planes)]
