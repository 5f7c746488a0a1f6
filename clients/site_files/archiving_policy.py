"""Requests to the Archiver Appliance (`archivePV`): which PVs are archived, by which method, with which period.

Format: a JSON array of objects with `pv`, `samplingmethod` (MONITOR or SCAN) and `samplingperiod` (a text, in seconds).
With MONITOR every change is kept, and the period is the shortest time between two for which the archiver has room; with
SCAN the newest value is kept once a period.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from gnomon.db import sources
from gnomon.db.pvs import Kind, PvSpec

__all__ = ["Policy", "archiver_list", "policy_of"]

#: Setpoints, readbacks and readings of the beam change with each put: room for ten a second.
FASTEST_S = 0.1
#: Figures of the server itself change once a second and are looked at over hours.
FIGURES_S = 10.0
#: Values of an array that are kept in a second at most; 512 of them are 350 MB a day.
VALUES_PER_S = 512
#: Figures that change all the time.
TICKING = frozenset(
    source.name
    for source in (
        sources.HEARTBEAT,
        sources.UPTIME,
        sources.MEMORY,
        sources.QUEUE,
        sources.PUT_P50,
        sources.PUT_P99,
        sources.MODEL_P50,
        sources.MODEL_P99,
        sources.MODEL_TIME,
        sources.JOURNAL_SIZE,
        sources.JOURNAL_LAST,
        sources.MODEL_GENERATION,
        sources.MODEL_COMPUTING,
    )
)


@dataclass(frozen=True, slots=True)
class Policy:
    """Method and period by which a PV is archived, as the archiver means them."""

    method: Literal["MONITOR", "SCAN"]
    period_s: float

    @property
    def short(self) -> str:
        """The form of a ChannelFinder property `archive`: `monitor@0.1`."""
        return f"{self.method.lower()}@{self.period_s:g}"


def policy_of(spec: PvSpec) -> Policy | None:
    """Choose how a PV is archived; None for tables, whose columns are other PVs too."""
    if spec.kind is Kind.TABLE:
        return None
    if spec.kind in (Kind.FLOATS, Kind.INTS):
        return Policy("SCAN", float(-(-max(spec.length, 1) // VALUES_PER_S)))
    if spec.source in TICKING:
        return Policy("SCAN", FIGURES_S)
    return Policy("MONITOR", FASTEST_S)


def archiver_list(specs: Iterable[PvSpec]) -> str:
    """Write the requests for all PVs that can be archived (JSON), in the order of the PV document."""
    chosen = [(spec.name, policy) for spec in specs if (policy := policy_of(spec)) is not None]
    rows = [
        json.dumps({"pv": name, "samplingmethod": policy.method, "samplingperiod": f"{policy.period_s:.1f}"})
        for name, policy in chosen
    ]
    return "[\n" + ",\n".join(rows) + "\n]\n"
