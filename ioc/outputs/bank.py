"""The one place where the values of all PVs stand; the servers of both protocols read it and nothing else.

Values that belong together are published together: with one time stamp, one generation, one call of each listener.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnomon.db.pvs import Kind, PvSpec
from gnomon.db.sources import SOURCES, Source
from gnomon.ioc.outputs.reading_filter import Published, ReadingFilter

Indices = NDArray[np.intp]
Listener = Callable[[Indices], None]
NOTHING: Indices = np.zeros(0, dtype=np.intp)


class Severity(IntEnum):
    """Severity of an alarm; the numbers are EPICS's own."""

    NO_ALARM = 0
    MINOR = 1
    MAJOR = 2
    INVALID = 3


class Status(IntEnum):
    """Reason why a PV is in alarm; the numbers are EPICS's own (`epicsAlarmCondition`)."""

    NO_ALARM = 0
    WRITE = 2
    HIHI = 3
    HIGH = 4
    LOLO = 5
    LOW = 6
    STATE = 7
    COMM = 9
    TIMEOUT = 10
    HWLIMIT = 11
    CALC = 12
    UDF = 17


@dataclass(frozen=True, slots=True)
class Reading:
    """One PV's state at one moment: what a get answers. `value` is a float, int, str, array, list or dict by kind."""

    value: Any
    severity: Severity
    status: Status
    time_ns: int
    generation: int


class Bank:
    """The values, severities, time stamps and generations of all PVs, by index.

    Numeric scalars (FLOAT, INT, ENUM) stand in `values`, all else in `objects` at the same index. Only the thread that
    runs the event loop publishes; other threads may read, one PV at a time, with `reading`.
    """

    def __init__(self, specs: Iterable[PvSpec], time_ns: int) -> None:
        self.specs: tuple[PvSpec, ...] = tuple(specs)
        self.index: dict[str, int] = {spec.name: i for i, spec in enumerate(self.specs)}
        n = len(self.specs)
        self.values = np.zeros(n)
        self.objects: list[Any] = [None] * n
        self.severity = np.zeros(n, dtype=np.uint8)
        self.status = np.zeros(n, dtype=np.uint8)
        self.time_ns = np.zeros(n, dtype=np.int64)
        self.generation = np.zeros(n, dtype=np.int64)
        self._limits = _alarm_limits(self.specs)
        self._listeners: list[Listener] = []
        self._filter: ReadingFilter | None = None
        self._lock = Lock()  # held while arrays are written or one PV is read, never while listeners run
        self.forget(time_ns)

    def forget(self, time_ns: int) -> None:
        """Be as a new bank: no PV has a value, and no filter changes anything. Listeners stay, and are told nothing."""
        self._filter = None
        with self._lock:
            self.values[:] = 0.0
            self.objects[:] = [_empty(spec) for spec in self.specs]
            self.severity[:], self.status[:] = Severity.INVALID, Status.UDF
            self.time_ns[:] = time_ns
            self.generation[:] = 0

    def tell_what_is_empty(self) -> None:
        """Tell the listeners of the PVs that have no value yet."""
        self._tell(np.flatnonzero(self.status == Status.UDF))

    def disturb(self, reading_filter: ReadingFilter) -> None:
        """Let a filter change everything that is published from now on."""
        self._filter = reading_filter

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Have `listener` called, in the publishing thread and in order of registration, with the indices published.

        Calling what is returned ends that.
        """
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def publish(
        self,
        scalars: tuple[Indices, NDArray[np.float64]],
        objects: Mapping[int, Any],
        *,
        time_ns: int,
        generation: int,
        alarms: Mapping[int, tuple[Severity, Status]] | None = None,
        invalid: Indices = NOTHING,
    ) -> None:
        """Store new values and tell the listeners once.

        `scalars` are indices and as many values; `objects` index -> value for the PVs that are not numeric scalars.
        Severities follow from the alarm limits, except where `alarms` says otherwise. PVs in `invalid` become INVALID;
        their values, time stamps and generations stay, so that old numbers look old.
        """
        indices, values = scalars
        self.show(Published(indices, values, objects, alarms or {}, invalid, time_ns, generation))

    def show(self, published: Published) -> None:
        """Publish what the filter makes of a publication, if there is one that is not idle."""
        if self._filter is not None and not self._filter.idle:
            published = self._filter.publication(published)
        self.store(published)

    def store(self, published: Published) -> None:
        """Store new values as they are, and tell the listeners once."""
        indices, objects, invalid = published.indices, published.objects, published.invalid
        every = np.concatenate([indices, np.fromiter(objects, dtype=np.intp, count=len(objects))])
        with self._lock:
            self.values[indices] = published.values
            self.severity[indices], self.status[indices] = self._alarms(indices, published.values)
            for i, value in objects.items():
                self.objects[i] = value
                self.severity[i], self.status[i] = Severity.NO_ALARM, Status.NO_ALARM
            for i, (severity, status) in published.alarms.items():
                self.severity[i], self.status[i] = severity, status
            self.time_ns[every] = published.time_ns
            for i, time_ns in published.times.items():
                self.time_ns[i] = time_ns
            self.generation[every] = published.generation
            self.severity[invalid], self.status[invalid] = Severity.INVALID, Status.CALC
        self._tell(np.concatenate([every, invalid]))

    def alarm(self, indices: Indices, severity: Severity, status: Status) -> None:
        """Put PVs into alarm; values, time stamps and generations stay, so that old numbers look old."""
        with self._lock:
            self.severity[indices] = severity
            self.status[indices] = status
        self._tell(indices)

    def process(self, index: int, time_ns: int) -> None:
        """Publish a PV once more as it is, with a fresh time stamp unless it is INVALID, and so its value old."""
        with self._lock:
            if self.severity[index] != Severity.INVALID:
                self.time_ns[index] = time_ns
        self._tell(np.array([index], dtype=np.intp))

    def reading(self, index: int) -> Reading:
        """The present state of one PV; all of it from the same publication, whichever thread asks."""
        spec = self.specs[index]
        with self._lock:
            value: Any = self.objects[index]
            if spec.kind is Kind.FLOAT:
                value = float(self.values[index])
            elif spec.kind in (Kind.INT, Kind.ENUM):
                number = float(self.values[index])
                value = int(number) if np.isfinite(number) else 0
            return Reading(
                value=value,
                severity=Severity(int(self.severity[index])),
                status=Status(int(self.status[index])),
                time_ns=int(self.time_ns[index]),
                generation=int(self.generation[index]),
            )

    def _tell(self, indices: Indices) -> None:
        for listener in tuple(self._listeners):
            listener(indices)

    def _alarms(self, indices: Indices, values: NDArray[np.float64]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        lolo, low, high, hihi = self._limits[:, indices]
        severity = np.zeros(len(indices), dtype=np.uint8)
        status = np.zeros(len(indices), dtype=np.uint8)
        # Later rules win, as in an ai record: HIHI and LOLO over HIGH and LOW, NaN over all.
        for where, level, reason in (
            (values <= low, Severity.MINOR, Status.LOW),
            (values >= high, Severity.MINOR, Status.HIGH),
            (values <= lolo, Severity.MAJOR, Status.LOLO),
            (values >= hihi, Severity.MAJOR, Status.HIHI),
            (np.isnan(values), Severity.INVALID, Status.UDF),
        ):
            severity[where] = level
            status[where] = reason
        return severity, status


def indices_by_source(specs: Iterable[PvSpec]) -> Mapping[Source, list[int]]:
    """The places of PVs by the source that feeds them, of every source there is. Raises KeyError for another one."""
    indices: dict[Source, list[int]] = {source: [] for source in SOURCES.values()}
    for i, spec in enumerate(specs):
        indices[SOURCES[spec.source]].append(i)
    return indices


def _empty(spec: PvSpec) -> Any:
    match spec.kind:
        case Kind.STRING:
            return ""
        case Kind.FLOATS:
            return np.zeros(0)
        case Kind.INTS:
            return np.zeros(0, dtype=np.int32)
        case Kind.STRINGS:
            return []
        case Kind.TABLE:
            return {name: [] for name, _, _ in spec.columns}
        case _:
            return None


def _alarm_limits(specs: Sequence[PvSpec]) -> NDArray[np.float64]:
    """Rows lolo, low, high, hihi; NaN where there is no limit, so that no comparison holds."""
    rows = [(s.alarm.lolo, s.alarm.low, s.alarm.high, s.alarm.hihi) for s in specs]
    return np.array([[np.nan if v is None else v for v in row] for row in rows], dtype=float).reshape(-1, 4).T
