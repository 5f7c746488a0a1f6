"""The monitors and PVs that a fault of readings is about."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnomon.db import sources
from gnomon.db.pvs import Kind, PvSpec
from gnomon.fault_injection import ReadingFault, Swapped, WrongLength
from gnomon.ioc.outputs.readings import MONITORS
from gnomon.lattice import Ring

Indices = NDArray[np.intp]

#: First words of the sources that are about gnomon itself: they never lie.
OF_GNOMON = frozenset(("set", "control", "faults", "status", "model", "recorder", "machine", "residual", "lattice"))
#: PVs of numbers, and of arrays of numbers.
SCALARS, ARRAYS = (Kind.FLOAT, Kind.INT), (Kind.FLOATS, Kind.INTS)
PLANES = ("x", "y")
#: The sources of single monitors, and the plane of each.
MONITOR_PLANES = {source.name: source.name[-1] for source in MONITORS}


@dataclass(frozen=True)
class ReadingTarget:
    """The targets of one fault: `monitors` are places in (x of all, y of all), `swapped` those of the other ones.

    `monitor_pvs` show one of these monitors by itself; `pvs` are other PVs, meant by themselves.
    """

    monitors: Indices
    swapped: Indices
    monitor_pvs: Indices
    pvs: Indices

    @property
    def nothing(self) -> bool:
        """True if there is nothing of the kind."""
        return not (len(self.monitors) or len(self.pvs))


def is_reading(spec: PvSpec) -> bool:
    """Return whether a PV shows something of the machine, and so can lie."""
    return not spec.writable and spec.source.partition(".")[0] not in OF_GNOMON


def find_target(request: ReadingFault, ring: Ring, specs: Sequence[PvSpec], prefix: str) -> ReadingTarget:
    """Find what a fault of readings is about."""
    names = [bpm.name for bpm in ring.bpms]
    monitors = _places(request, names)
    swapped = np.zeros(0, dtype=np.intp)
    if isinstance(request, Swapped) and request.other in names:
        n, there = len(names), names.index(request.other)
        swapped = np.array([there + n * (place >= n) for place in monitors], dtype=np.intp)
    elif isinstance(request, Swapped):
        monitors = swapped
    own: list[int] = []
    others: list[int] = []
    for i, spec in enumerate(specs):
        plane = MONITOR_PLANES.get(spec.source)
        if plane is not None and request.matches(spec.device, plane):
            own.append(i)
        elif (is_reading(spec) and request.matches_pv(spec.name, prefix)) or (
            spec.source == sources.READBACK.name and request.matches(spec.device, spec.property)
        ):
            others.append(i)
    kinds = ARRAYS if isinstance(request, WrongLength) else (*SCALARS, *ARRAYS, Kind.ENUM, Kind.STRING)
    others = [i for i in others if specs[i].kind in kinds]
    return ReadingTarget(monitors, swapped, np.array(own, dtype=np.intp), np.array(others, dtype=np.intp))


def _places(request: ReadingFault, names: Sequence[str]) -> Indices:
    n = len(names)
    found = [
        i + k * n for k, plane in enumerate(PLANES) for i, name in enumerate(names) if request.matches(name, plane)
    ]
    return np.array(found, dtype=np.intp)
