"""The judge of a soak: no value that looks fresh may be stale. Pure; observations and times are passed in.

By docs/reference/behaviour.md, a PV whose source has stopped is INVALID, and keeps its old value and time stamp.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

INVALID = 3
FOUND = "beam:orbit:found"
#: Time after which everything shows that there is no beam, and the longest time between two looks that see it all [s].
NO_BEAM_S, GAP_S = 2.0, 1.0
#: Where the computer is busy, all that a server publishes is old by so much at most [s].
MAX_LATE_S = 60.0


@dataclass(frozen=True, slots=True)
class Seen:
    """One PV as a client sees it: value, severity, and time stamp [s]."""

    value: float
    severity: int
    time_s: float

    @property
    def valid(self) -> bool:
        """True unless it is INVALID."""
        return self.severity < INVALID


def newest(seen: Mapping[str, Seen]) -> float:
    """The newest time stamp of what is valid [s since 1970], 0 without any."""
    return max((one.time_s for one in seen.values() if one.valid), default=0.0)


@dataclass
class Judge:
    """Complaints about what has been seen, line by line.

    `limits` are the PVs that are published again and again as long as they are valid, and how old each may look [s],
    or how much older than the newest of them.
    """

    limits: Mapping[str, float]
    complaints: list[str] = field(default_factory=list)
    looks: int = 0
    _stamps: dict[str, float] = field(default_factory=dict)

    def look(self, seen: Mapping[str, Seen], now_s: float) -> None:
        """Take what a client has read at one moment."""
        self.looks += 1
        judged = {name: one for name, one in seen.items() if name in self.limits}
        late_s = min(max(0.0, now_s - newest(judged)), MAX_LATE_S)
        for name, one in seen.items():
            if not one.valid or name not in self.limits:
                continue
            age_s = now_s - one.time_s
            if age_s > self.limits[name] + late_s:
                self.complain(f"{name} is valid with a time stamp {age_s:.1f} s old")
            if one.time_s < self._stamps.get(name, 0.0):
                self.complain(
                    f"{name} is valid with a time stamp {self._stamps[name] - one.time_s:.3f} s before its last"
                )
            self._stamps[name] = one.time_s

    def stopped(self, seen: Mapping[str, Seen], what: str) -> None:
        """Take what a client has read when the source of all of it has been silent for long enough."""
        for name in sorted(name for name, one in seen.items() if one.valid):
            self.complain(f"{name} is valid although {what}")

    def complain(self, text: str) -> None:
        """Take a complaint."""
        self.complaints.append(text)


@dataclass
class LostBeam:
    """Readings of the beam that are valid although it has been lost for a while.

    PVs are read one by one, and a beam may come and go meanwhile; so they must be valid twice in a row.
    """

    for_long: bool = False
    _since_s: float | None = None
    _looked_s: float = 0.0
    _valid: frozenset[str] = frozenset()

    def still_valid(self, seen: Mapping[str, Seen], now_s: float, server_s: float) -> Mapping[str, Seen]:
        """Take what a client has read, `FOUND` last; the readings that should not be valid.

        `server_s` is when the server published last: it may have no time to do so.
        """
        beam = seen.get(FOUND)
        if beam is None or beam.value or not beam.valid or now_s > self._looked_s + GAP_S:
            self._since_s = None
        self._looked_s = now_s
        if beam is None or beam.value or not beam.valid:
            self.for_long, self._valid = False, frozenset()
            return {}
        self._since_s = server_s if self._since_s is None else self._since_s
        self.for_long = self._since_s + NO_BEAM_S < server_s
        before = self._valid
        self._valid = (
            frozenset(n for n, one in seen.items() if one.valid and n != FOUND) if self.for_long else frozenset()
        )
        return {name: seen[name] for name in self._valid & before}
