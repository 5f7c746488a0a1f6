"""The registry of sources: all that can feed a PV, or be set by a put to it, each described once.

Whoever publishes a value names it by its entry here. A template of a PV document, and so a `PvSpec`, has the entry's
name. Panels and the reference of all PVs take titles, units and columns from the entry. Nothing is added at run time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from gnomon.db.pvs import Kind, PvSpec
from gnomon.lattice import Lattice, Ring

# Besides these, every entry of SOURCES is public under its name in capitals.
__all__ = [
    "BUFFER_ROWS",
    "BUFFER_SLOTS",
    "MAX_LISTED",
    "PACKED_LENGTH",
    "SETTING",
    "SOURCES",
    "Column",
    "Length",
    "Planes",
    "Source",
    "in_force",
    "is_control",
]

FLOAT, INT, ENUM, STRING = Kind.FLOAT, Kind.INT, Kind.ENUM, Kind.STRING
FLOATS, INTS, STRINGS, TABLE = Kind.FLOATS, Kind.INTS, Kind.STRINGS, Kind.TABLE

#: The array `monitor.buffer`: rows, and the slots of each. The waveform `monitor.packed`: its number of values.
BUFFER_ROWS, BUFFER_SLOTS = 8, 32
PACKED_LENGTH = 2048
#: Largest number of texts in a list that grows.
MAX_LISTED = 64

#: Times over which readings of a machine average: those of monitors, and those of tunes and of the current [s].
_MONITOR_S, _METER_S = 0.1, 1.0

#: A table's column: name in the structure, label, type ("float" or "string").
Column = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Length:
    """Largest number of values: `fixed`, and so many for each monitor and each element of the ring."""

    fixed: int = 0
    per_monitor: int = 0
    per_element: int = 0

    def of(self, ring: Ring) -> int:
        """The number for a ring."""
        return self.fixed + self.per_monitor * len(ring.bpms) + self.per_element * len(ring.elements)

    def __str__(self) -> str:
        counted = ((self.per_monitor, "monitors"), (self.per_element, "elements"))
        parts = [f"{n} x {what}" if n > 1 else what for n, what in counted if n]
        return " + ".join([*parts, *([str(self.fixed)] if self.fixed else [])])


_ONE_VALUE = Length(fixed=1)
_EACH_MONITOR = Length(per_monitor=1)
_EACH_ELEMENT = Length(fixed=1, per_element=1)
_LIST = Length(fixed=MAX_LISTED)


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """One source. Entries are compared and hashed as objects: there is one of each.

    `unit` is that of its values before a template's scale, empty for numbers without one, for columns that have
    several, and for `set` and `readback`, whose property has it. `label` is a short name on panels, empty where the
    PV's description is better. `scaled` are the columns of a table that a template's scale is about; empty, all numbers
    are. A put to a PV of a `setting` sets something of the lattice; to that of a control (`is_control`), of gnomon.
    `averaging_s` is the time [s] over which a machine's reading averages where its PV document does not say.
    """

    name: str
    kind: Kind
    unit: str
    title: str
    label: str = ""
    length: Length = _ONE_VALUE
    columns: tuple[Column, ...] = ()
    scaled: tuple[str, ...] = ()
    setting: bool = False
    averaging_s: float = 0.0


class Planes(NamedTuple):
    """The sources of both planes."""

    x: Source
    y: Source


_entries: list[Source] = []


def _one(
    name: str,
    kind: Kind,
    unit: str,
    title: str,
    label: str = "",
    length: Length = _ONE_VALUE,
    columns: tuple[Column, ...] = (),
    scaled: tuple[str, ...] = (),
    *,
    setting: bool = False,
    averaging_s: float = 0.0,
) -> Source:
    source = Source(name, kind, unit, title, label, length, columns, scaled, setting, averaging_s)
    _entries.append(source)
    return source


def _planes(
    name: str,
    kind: Kind,
    unit: str,
    title: str,
    label: str = "",
    length: Length = _ONE_VALUE,
    *,
    averaging_s: float = 0.0,
) -> Planes:
    """Sources NAME.x and NAME.y; in texts, `{plane}` stands for "horizontal" and "vertical", `{x}` for "x" and "y"."""

    def one(x: str, plane: str) -> Source:
        words = {"x": x, "plane": plane, "Plane": plane.capitalize()}
        texts = title.format(**words), label.format(**words)
        return _one(f"{name}.{x}", kind, unit, *texts, length, averaging_s=averaging_s)

    return Planes(one("x", "horizontal"), one("y", "vertical"))


def _columns(*names: str) -> tuple[Column, ...]:
    return (("BPM", "BPM", "string"), *((name, name, "float") for name in names))


# Properties of devices.
SET = _one("set", FLOAT, "", "a property of a device, as it was asked for; a put sets it", setting=True)
READBACK = _one("readback", FLOAT, "", "a property of a device, as it is")

# Monitors.
MONITOR = _planes("monitor", FLOAT, "m", "{plane} reading of a monitor", averaging_s=_MONITOR_S)
MONITOR_DIFFERENCE = _planes(
    "monitor.difference", FLOAT, "m", "one monitor's {plane} reading less the reference orbit", averaging_s=_MONITOR_S
)
MONITOR_POSITIONS = _one(
    "monitor.positions", FLOATS, "m", "all horizontal, then all vertical positions in beam order",
    length=Length(per_monitor=2), averaging_s=_MONITOR_S,
)  # fmt: skip
MONITOR_POSITIONS_INTERLEAVED = _one(
    "monitor.positions.interleaved", FLOATS, "m", "x and y of each monitor in turn, in beam order",
    length=Length(per_monitor=2), averaging_s=_MONITOR_S,
)  # fmt: skip
MONITOR_BUTTONS = _one(
    "monitor.buttons", FLOATS, "",
    "signals A, B, C, D of each monitor's buttons in turn, in beam order; 1 for a centred beam",
    length=Length(per_monitor=4),
)  # fmt: skip
MONITOR_NAMES = _one("monitor.names", STRINGS, "", "names of the monitors, in beam order", length=_EACH_MONITOR)
MONITOR_S = _one("monitor.s", FLOATS, "m", "positions of the monitors, in beam order", length=_EACH_MONITOR)
MONITOR_PACKED = _one(
    "monitor.packed", FLOATS, "", "packed monitor data, 8 rows of 128; 10 mm is 2^15 counts",
    length=Length(fixed=PACKED_LENGTH),
)  # fmt: skip
MONITOR_TABLE = _one(
    "monitor.table", TABLE, "m", "orbit as one table: X and Y, and the signals of buttons A to D, which have no unit",
    length=_EACH_MONITOR, columns=_columns("X", "Y", "A", "B", "C", "D"), scaled=("X", "Y"),
)  # fmt: skip
MONITOR_MODEL = _one(
    "monitor.model", TABLE, "", "model optics at the monitors [m, rad]",
    length=_EACH_MONITOR, columns=_columns("SPos", "BetaHor", "BetaVer", "PhaseAdvanceHor", "PhaseAdvanceVer"),
)  # fmt: skip
MONITOR_COUNT = _one("monitor.count", INT, "", "counter of packed data sets")
MONITOR_BUFFER = _one(
    "monitor.buffer", INTS, "m", "packed monitor data, 8 rows of 32: x, y; all else is 0",
    length=Length(fixed=BUFFER_ROWS * BUFFER_SLOTS),
)  # fmt: skip

# The beam as a whole.
TUNE = _planes("tune", FLOAT, "", "{plane} tune with its integer part", "{Plane} tune", averaging_s=_METER_S)
TUNE_FRACTION = _planes(
    "tune.fraction", FLOAT, "", "{plane} tune, its fractional part", "{Plane}, fraction", averaging_s=_METER_S
)
TUNE_FREQUENCY = _planes(
    "tune.frequency", FLOAT, "Hz", "{plane} betatron frequency", "{Plane} frequency", averaging_s=_METER_S
)
CHROMATICITY = _planes("chromaticity", FLOAT, "", "{plane} chromaticity dQ/ddelta", "{Plane} chromaticity")
MOMENTUM_COMPACTION = _one("momentum.compaction", FLOAT, "", "momentum compaction")
MOMENTUM_DEVIATION = _one("momentum.deviation", FLOAT, "", "momentum deviation")
REVOLUTION_FREQUENCY = _one("revolution.frequency", FLOAT, "Hz", "revolution frequency")

# Closed orbit, and the reference that it is compared with.
ORBIT = _planes(
    "orbit", FLOATS, "m", "{plane} closed orbit at the entrance of each element and at the end", length=_EACH_ELEMENT
)
ORBIT_START = _one(
    "orbit.start", FLOATS, "", "closed orbit at the start: x, px, y, py, delta, ct [m, rad]", length=Length(fixed=6)
)
ORBIT_DIFFERENCE = _planes(
    "orbit.difference", FLOATS, "m", "{plane} readings less the reference orbit, in beam order", length=_EACH_MONITOR
)
ORBIT_DIFFERENCE_RMS = _planes(
    "orbit.difference.rms", FLOAT, "m", "root mean square of the {plane} difference to the reference orbit",
    "Rms difference {x}",
)  # fmt: skip
ORBIT_DIFFERENCE_LARGEST = _planes(
    "orbit.difference.largest", FLOAT, "m", "largest {plane} distance from the reference orbit",
    "Largest difference {x}",
)  # fmt: skip
ORBIT_DIFFERENCE_WHERE = _planes(
    "orbit.difference.where", STRING, "", "monitor with the largest {plane} distance from the reference orbit",
    "  at monitor",
)  # fmt: skip
REFERENCE = _planes("reference", FLOATS, "m", "{plane} reference orbit at the monitors", length=_EACH_MONITOR)
REFERENCE_SAVED = _one(
    "reference.saved", STRING, "", "when the reference orbit in use was saved, and on which lattice", "Saved"
)
REFERENCE_NAMES = _one("reference.names", STRINGS, "", "names of the reference orbits", "There are", _LIST)
REFERENCE_SAVE = _one(
    "control.reference.save", STRING, "", "save the present orbit as a reference: put its name", "Save present orbit as"
)
FAULTS_CLEAR = _one(
    "control.faults.clear", ENUM, "", "clear all injected faults: put 1; it always works", "Clear faults"
)
INJECT = _one(
    "control.inject", ENUM, "",
    "inject a beam that was dumped or lost, or the part of it that is missing: put 1", "Inject",
)  # fmt: skip
REFERENCE_USE = _one(
    "control.reference.use", STRING, "",
    "reference orbit that is compared with: put its name; zero is the design orbit", "Compare with",
)  # fmt: skip

# Optics and elements around the ring.
TWISS_BETA = _planes("twiss.beta", FLOATS, "m", "{plane} beta function at each element", length=_EACH_ELEMENT)
TWISS_ALPHA = _planes("twiss.alpha", FLOATS, "", "{plane} alpha function at each element", length=_EACH_ELEMENT)
TWISS_NU = _planes("twiss.nu", FLOATS, "turns", "{plane} phase advance from the start", length=_EACH_ELEMENT)
DISPERSION = _planes("dispersion", FLOATS, "m", "{plane} dispersion at each element", length=_EACH_ELEMENT)
ELEMENT_NAMES = _one("element.names", STRINGS, "", "names of the elements, and END", length=_EACH_ELEMENT)
ELEMENT_POSITIONS = _one(
    "element.positions", FLOATS, "m", "position of each element's entrance, and of the end", length=_EACH_ELEMENT
)

# The model's results.
BEAM_FOUND = _one("beam.found", ENUM, "", "a stable closed orbit exists", "Stable beam")
BEAM_REASON = _one("beam.reason", STRING, "", "why there is no beam, or what failed; empty when all is well", "Reason")
MODEL_GENERATION = _one("model.generation", INT, "", "number of the model result that the outputs show", "Generation")
MODEL_COMMAND = _one(
    "model.command", INT, "", "sequence number of the last command that the outputs contain", "Last command shown"
)
MODEL_TIME = _one("model.time", FLOAT, "s", "time that the model took for this result", "Time of last result")
MODEL_COMPUTING = _one(
    "model.computing", ENUM, "", "a result has been asked for and is not out yet", "Result under way"
)
ACTIVE = _one(
    "control.active", ENUM, "",
    "whether the model computes; while paused, outputs of the beam are INVALID and setpoints are taken and recorded",
    "Model",
)  # fmt: skip
LATTICE_ID = _one("lattice.id", STRING, "", "id of the lattice that the outputs show", "Lattice")

# The machine that a shadow follows.
MODE = _one("control.mode", ENUM, "", "twin: independent, clients set it; shadow: follows the machine", "Mode")
MACHINE_ROLE = _one(
    "machine.role", ENUM, "",
    "role of this gnomon. twin: independent; shadow: follows the machine; machine: stands in for the real machine",
    "Role",
)  # fmt: skip
MACHINE_CONNECTED = _one("machine.connected", ENUM, "", "whether the machine is followed", "Machine")
MACHINE_REASON = _one(
    "machine.reason", STRING, "", "what is missing of the machine, or not followed; empty when all is well",
    "  what is missing",
)  # fmt: skip
MACHINE_PVS = _one("machine.pvs", INT, "", "PVs of the machine that are connected", "PVs connected")
MACHINE_REFUSED = _one(
    "machine.refused", INT, "", "setpoints of the machine whose values cannot be followed", "Setpoints not followed"
)
MACHINE_AGE = _one("machine.age", FLOAT, "s", "age of the machine's newest reading", "Age of newest reading")
RESIDUAL_FRESH = _one(
    "residual.fresh",
    FLOATS,
    "",
    "by monitor, in beam order: 1 when the machine's readings are fresh",
    length=_EACH_MONITOR,
)
RESIDUAL = _planes(
    "residual", FLOATS, "m", "{plane} readings of the machine less those predicted, in beam order", length=_EACH_MONITOR
)
RESIDUAL_RMS = _planes("residual.rms", FLOAT, "m", "root mean square of the {plane} residuals", "Rms residual {x}")
RESIDUAL_LARGEST = _planes(
    "residual.largest", FLOAT, "m", "{plane} residual that is furthest from 0", "Largest residual {x}"
)
RESIDUAL_WHERE = _planes(
    "residual.where", STRING, "", "monitor with the {plane} residual that is furthest from 0", "  at monitor"
)
RESIDUAL_Z = _planes(
    "residual.z", FLOATS, "", "{plane} residuals in standard deviations of each monitor's noise", length=_EACH_MONITOR
)
RESIDUAL_Z_LARGEST = _planes(
    "residual.z.largest", FLOAT, "", "{plane} residual with the most standard deviations", "Most deviations {x}"
)
RESIDUAL_TUNE = _planes(
    "residual.tune", FLOAT, "", "{plane} tune of the machine less that predicted", "Residual of tune {x}"
)
RESIDUAL_TUNE_Z = _planes(
    "residual.tune.z", FLOAT, "", "residual of the {plane} tune in standard deviations of its noise", "  in deviations"
)

# The band of the machine's next reading, of a shadow that has a calibration.
BOUND_LOWER = _planes(
    "bound.lower", FLOATS, "m", "lower bounds of the next {plane} readings, in beam order", length=_EACH_MONITOR
)
BOUND_UPPER = _planes(
    "bound.upper", FLOATS, "m", "upper bounds of the next {plane} readings, in beam order", length=_EACH_MONITOR
)
BOUND_MEASURED = _planes(
    "bound.measured", FLOATS, "m", "{plane} readings that were compared with the bounds", length=_EACH_MONITOR
)
BOUND_TUNE_LOWER = _planes(
    "bound.tune.lower", FLOAT, "", "lower bound of the next {plane} tune, its fractional part", "Tune {x}, from"
)
BOUND_TUNE_UPPER = _planes(
    "bound.tune.upper", FLOAT, "", "upper bound of the next {plane} tune, its fractional part", "  to"
)
BOUND_TUNE_MEASURED = _planes(
    "bound.tune.measured", FLOAT, "", "{plane} tune that was compared with the bounds", "  measured"
)
BOUND_OUTSIDE = _one(
    "bound.outside", INT, "", "readings of monitors and tunes that are outside their bounds", "Readings outside"
)
BOUND_KIND = _one(
    "bound.kind", ENUM, "", "what the band is of: readings after the last change of a setting, or without a change",
    "Band",
)  # fmt: skip
BOUND_COVERAGE = _one(
    "bound.coverage", FLOAT, "", "probability with which all are inside their bounds at once", "Coverage"
)
BOUND_CALIBRATION = _one("bound.calibration", STRING, "", "id of the calibration", "Calibration")
BOUND_REASON = _one(
    "bound.reason", STRING, "", "why there is no band that can be relied on; empty when there is one", "  why no band"
)

# Faults and journal.
FAULTS_COUNT = _one("faults.count", INT, "", "injected faults that are active", "Faults injected")
FAULTS_ACTIVE = _one("faults.active", STRINGS, "", "the injected faults, one line each", "  which", _LIST)
FAULTS_TABLE = _one(
    "faults.table", TABLE, "", "the injected faults as a table: number, state, uses left, what it does, who added it",
    length=_LIST,
    columns=tuple(
        (name, label, "string")
        for name, label in (
            ("number", "Number"), ("state", "State"), ("left", "Left"), ("fault", "Fault"), ("by", "Added by")
        )
    ),
)  # fmt: skip
RECORDER_STATE = _one("recorder.state", ENUM, "", "state of the journal", "Journal")

# The stored beam.
SYNCHROTRON_FREQUENCY = _one("synchrotron.frequency", FLOAT, "Hz", "synchrotron frequency")
BEAM_SIZE = _planes("beam.size", FLOAT, "m", "{plane} beam size at a source point, which is the template's device")
BEAM_CURRENT = _one("beam.current", FLOAT, "mA", "beam current", averaging_s=_METER_S)
BEAM_LIFETIME_10S = _one("beam.lifetime.10s", FLOAT, "h", "lifetime averaged over 10 s", "Lifetime over 10 s")
BEAM_LIFETIME_100S = _one("beam.lifetime.100s", FLOAT, "h", "lifetime averaged over 100 s", "Lifetime over 100 s")
BEAM_CURRENT_LIFETIME = _one(
    "beam.current.lifetime", FLOAT, "A h", "current x lifetime averaged over 10 s", "Current x lifetime"
)
TOPUP_COUNTDOWN = _one("topup.countdown", FLOAT, "s", "time to the next top-up injection")
TOPUP_GATE = _one("topup.gate", ENUM, "", "injection gate: on around a top-up injection")

# The multiplexer.
MULTIPLEXER_SELECT = _one(
    "multiplexer.select", ENUM, "", "a put of 1 connects the device, a magnet; 1 while it is connected", setting=True
)
MULTIPLEXER_OFF = _one(
    "multiplexer.off", ENUM, "", "a put of 1 disconnects the multiplexer; 1 while no magnet is connected", setting=True
)
MULTIPLEXER_NAME = _one(
    "multiplexer.name", STRING, "", "magnet now connected, or the machine document's name for none", "Connected"
)
MULTIPLEXER_HEALTHY = _one("multiplexer.healthy", ENUM, "", "the multiplexer's supply has no error", "Supply")
MULTIPLEXER_DISABLED = _one("multiplexer.disabled", ENUM, "", "the multiplexer is disabled")
MULTIPLEXER_RELAY = _one("multiplexer.relay", ENUM, "", "the supply of the multiplexer's relays is on")

# gnomon itself.
HEARTBEAT = _one("status.heartbeat", INT, "", "counts the seconds that the server runs", "Heartbeat")
UPTIME = _one("status.uptime", FLOAT, "s", "time since the server was started", "Up time")
STARTED = _one("status.started", STRING, "", "when the server was started", "Started")
VERSION = _one("status.version", STRING, "", "version of gnomon", "Version")
HOST = _one("status.host", STRING, "", "computer that the server runs on", "Computer")
PROCESS = _one("status.process", INT, "", "number of the server's process", "Process")
MEMORY = _one("status.memory", FLOAT, "B", "memory of the server's process", "Memory")
QUEUE = _one("status.queue", INT, "", "commands that wait to be worked off", "Commands waiting")
PUT_P50 = _one(
    "status.put.p50", FLOAT, "s", "half of the last 1000 puts took no longer, from arrival to completion",
    "Put, half within",
)  # fmt: skip
PUT_P99 = _one(
    "status.put.p99", FLOAT, "s", "99 of 100 of the last 1000 puts took no longer, from arrival to completion",
    "Put, 99 % within",
)  # fmt: skip
MODEL_P50 = _one(
    "status.model.p50", FLOAT, "s", "half of the last 1000 results took no longer to compute", "Model, half within"
)
MODEL_P99 = _one(
    "status.model.p99", FLOAT, "s", "99 of 100 of the last 1000 results took no longer to compute", "Model, 99 % within"
)
MODEL_HUNG = _one(
    "status.model.hung", INT, "",
    "computations that were left behind since they took too long, and have not returned; at 4 nothing more is computed",
    "Computations hung",
)  # fmt: skip
CA_CLIENTS = _one("status.ca.clients", INT, "", "clients connected over Channel Access", "CA clients")
PVA_CLIENTS = _one("status.pva.clients", INT, "", "clients connected over PV Access", "PVA clients")
PVA_CHANNELS = _one("status.pva.channels", INT, "", "PVs that clients have connected over PV Access", "PVA channels")
JOURNAL_PATH = _one("status.journal.path", STRING, "", "file of the journal", "Journal file")
JOURNAL_SIZE = _one("status.journal.size", FLOAT, "B", "size of the journal", "Journal size")
JOURNAL_LAST = _one(
    "status.journal.last", INT, "", "number of the last command in the journal", "Last command in journal"
)
FORWARD_STATE = _one("status.forward.state", ENUM, "", "copies of the journal elsewhere", "Forwarding")
FORWARD_BACKLOG = _one(
    "status.forward.backlog", INT, "", "items that wait for the downstream that has most of them", "  waiting items"
)
FORWARD_AGE = _one("status.forward.age", FLOAT, "s", "age of the oldest item that waits", "  oldest item")
FORWARD_REASON = _one(
    "status.forward.reason", STRING, "", "what is wrong with forwarding; empty when all is well", "  what is wrong"
)

DOCUMENT_STATE = _one(
    "status.document.state", ENUM, "", "the served machine document beside that in the store", "Machine document"
)
DOCUMENT_REASON = _one(
    "status.document.reason", STRING, "", "what changed, or why the store cannot be read; else empty", "  reason"
)

#: All of them by name.
SOURCES: Mapping[str, Source] = MappingProxyType({source.name: source for source in _entries})

#: Names of the sources whose PVs set something of the lattice.
SETTING = frozenset(source.name for source in _entries if source.setting)


def is_control(source: str) -> bool:
    """Tell whether a put to a PV of this source is about gnomon itself, not a command to the lattice."""
    return source.startswith("control.")


def in_force(spec: PvSpec, lattice: Lattice) -> float:
    """Value of a setpoint in a lattice, in its property's unit; a button is 1 while what it sets is so."""
    if spec.source == SET.name:
        return lattice[spec.device, spec.property]
    return float(all(lattice[device, name] == value for device, name, value in spec.presets[1]))


#: What `.RTYP` answers when the PV's template does not say: for PVs to read, and for those to write.
RECORD_TYPES = {
    Kind.FLOAT: "ai",
    Kind.INT: "longin",
    Kind.ENUM: "bi",
    Kind.STRING: "stringin",
    Kind.FLOATS: "waveform",
    Kind.INTS: "waveform",
    Kind.STRINGS: "waveform",
    Kind.TABLE: "table",
}
OUT_TYPES = {Kind.FLOAT: "ao", Kind.INT: "longout", Kind.ENUM: "bo", Kind.STRING: "stringout"}
