"""PVs of its machine that a shadow watches: the setpoints it follows, and the readings it compares with. Pure."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from gnomon.db import sources
from gnomon.db.pvs import PvSpec
from gnomon.db.sources import SETTING, SOURCES, Planes, Source
from gnomon.lattice import Ring

#: Arrays of all positions: x, y of each monitor in turn, or x of all before y of all.
ALL_POSITIONS = (sources.MONITOR_POSITIONS_INTERLEAVED, sources.MONITOR_POSITIONS)

#: Where the tunes are read, the first that the facility's PVs have: what is measured before what a model says.
TUNES: tuple[Planes, ...] = (sources.TUNE_FREQUENCY, sources.TUNE_FRACTION, sources.TUNE)

#: Properties whose setpoints every machine has, or has to show, for its state to be known.
_REQUIRED = ("current", "frequency", "energy")


@dataclass(frozen=True, slots=True)
class Setpoint:
    """A setpoint PV, by its place in our bank; or a reading that tells a setting which has no setpoint.

    `strength` says that a put to it stores a trim, which depends on what was set before. `required` ones every machine
    has; the others are the model's own (misalignments, conversions, trims), or switches, and followed where the machine
    has them.
    """

    index: int
    spec: PvSpec
    required: bool
    strength: bool


@dataclass(frozen=True, slots=True)
class ReadingSource:
    """Subject of a reading: a source, for one monitor its number (else -1), and how many units make one m or 1."""

    source: Source
    monitor: int
    scale: float


@dataclass(frozen=True)
class WatchedPvs:
    """All PVs of the machine that are watched, and what each is for, by its number in `names` (its channel).

    `readbacks` give the strength that a magnet really has, by the channel of its setpoint's value: channel -> channel.
    """

    names: tuple[str, ...]
    setpoints: Mapping[int, Setpoint]
    readbacks: Mapping[int, int]
    readings: Mapping[int, ReadingSource]

    @property
    def required(self) -> frozenset[int]:
        """Channels without which the machine's state, or what it measures, is not known."""
        return frozenset(c for c, s in self.setpoints.items() if s.required) | self.readings.keys()


def choose_watched_pvs(
    specs: Sequence[PvSpec], ring: Ring, prefix: str, machine_prefix: str, left_alone: Sequence[str] = ()
) -> WatchedPvs:
    """Choose the PVs to watch from our own, which have the machine's names but for the prefix.

    `left_alone` are patterns of names, without any prefix, that are not watched.
    """
    index = {spec.name: i for i, spec in enumerate(specs)}
    # A setpoint that is left alone has no other PV that tells it: what it sets is left alone.
    settable = {(s.device, s.property) for s in specs if s.source == sources.SET.name}
    specs = [s for s in specs if not any(fnmatchcase(s.name.removeprefix(prefix), p) for p in left_alone)]
    names: list[str] = []
    channels: dict[str, int] = {}

    def channel(spec: PvSpec) -> int:
        name = machine_prefix + spec.name.removeprefix(prefix)
        if name not in channels:
            channels[name] = len(names)
            names.append(name)
        return channels[name]

    readback_of = {(s.device, s.property): s for s in specs if s.source == sources.READBACK.name}
    setpoints: dict[int, Setpoint] = {}
    readbacks: dict[int, int] = {}
    for one in specs:
        spec = _followed(one, ring, settable)
        if spec is None:
            continue
        key = (spec.device, spec.property)
        strength = one.source == sources.SET.name and ring.strength_of(*key) is not None
        required = spec.property in _REQUIRED
        setpoints[channel(spec)] = Setpoint(index[spec.name], spec, required, strength)
        if strength and (readback := readback_of.get(key)) is not None:
            readbacks[channel(readback)] = channel(spec)
    readings = {channel(spec): reading for spec, reading in _readings(specs, ring)}
    return WatchedPvs(tuple(names), setpoints, readbacks, readings)


def _followed(spec: PvSpec, ring: Ring, settable: Set[tuple[str, str]]) -> PvSpec | None:
    """A PV as the setpoint that it is, or that it tells: a readback, such as the energy's, that has no setpoint."""
    if spec.source in SETTING:
        return spec
    key = (spec.device, spec.property)
    if (
        spec.source == sources.READBACK.name
        and not spec.offset
        and key not in settable
        and ring.property_spec(*key).slot is not None
    ):
        return replace(spec, source=sources.SET.name, writable=True)
    return None


def _readings(specs: Sequence[PvSpec], ring: Ring) -> list[tuple[PvSpec, ReadingSource]]:
    """Positions from the one array if there is one, which is a reading of all at one time; else monitor by monitor."""
    bpms = {bpm.name: n for n, bpm in enumerate(ring.bpms)}
    by_source: dict[Source, list[PvSpec]] = {source: [] for source in SOURCES.values()}
    for spec in specs:
        by_source[SOURCES[spec.source]].append(spec)
    found = [(s, ReadingSource(source, -1, s.scale)) for source in ALL_POSITIONS for s in by_source[source]][:1]
    if not found:
        for source in sources.MONITOR:
            found += [(s, ReadingSource(source, bpms[s.device], s.scale)) for s in by_source[source]]
    for planes in TUNES:
        if all(by_source[source] for source in planes):
            firsts = [(source, by_source[source][0]) for source in planes]
            found += [(s, ReadingSource(source, -1, s.scale)) for source, s in firsts]
            break
    return found
