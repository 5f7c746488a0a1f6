"""Readings of a beam: what each output shows, as the devices would give it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gnomon.db import sources
from gnomon.db.sources import Source
from gnomon.ioc.outputs.packed_waveform import Packed, pack, pack_buffer
from gnomon.ioc.outputs.pickup import BUTTONS, button_signals
from gnomon.ioc.outputs.reference_orbit import ReferenceOrbit, largest, rms
from gnomon.lattice import Lattice, Ring
from gnomon.propagator import BeamState

Floats = NDArray[np.float64]


class Instruments(Protocol):
    """Instruments that are not ideal. `dead` (n,) are the monitors that show nothing; in arrays they read 0."""

    @property
    def dead(self) -> NDArray[np.bool_]:
        """See above."""
        ...

    def positions(self, x: Floats, y: Floats, count: int) -> tuple[Floats, Floats]:
        """Measure the monitors' positions x, y (n,) [m], for the reading with this number."""
        ...

    def tunes(self, tunes: Floats) -> Floats:
        """Measure the tunes (2,)."""
        ...


@dataclass(frozen=True)
class Readings:
    """A beam and what its monitors show [m], in beam order; `count` counts the readings taken so far.

    `reference` is the orbit that they are compared with; `shown`, if given, what the monitors show in place of it [m].
    `instruments` show the beam with errors of their own.
    """

    lattice: Lattice
    beam: BeamState
    count: int
    reference: ReferenceOrbit
    shown: tuple[Floats, Floats] | None = None
    instruments: Instruments | None = None

    @property
    def ring(self) -> Ring:
        """The ring that the beam is in."""
        return self.lattice.ring

    @property
    def x(self) -> Floats:
        """Horizontal readings of the monitors [m]."""
        return self._positions[0]

    @property
    def y(self) -> Floats:
        """Vertical readings of the monitors [m]."""
        return self._positions[1]

    @cached_property
    def _positions(self) -> tuple[Floats, Floats]:
        if self.shown is not None:
            return self.shown
        at = list(self.ring.monitors)
        x, y = self.beam.orbit[at, 0], self.beam.orbit[at, 2]
        if self.instruments is not None:
            x, y = self.instruments.positions(x, y, self.count)
        return self.lattice.monitor_errors().readings(x, y)

    @cached_property
    def tune(self) -> Floats:
        """Tunes (2,) with their integer parts, as they are measured; NaN where there is no measurement."""
        return self.beam.tune if self.instruments is None else self.instruments.tunes(self.beam.tune)

    @cached_property
    def from_reference_x(self) -> Floats:
        """Horizontal readings less the reference orbit's [m]."""
        return self.x - self.reference.x

    @cached_property
    def from_reference_y(self) -> Floats:
        """Vertical readings less the reference orbit's [m]."""
        return self.y - self.reference.y

    @cached_property
    def names(self) -> list[str]:
        """Names of the monitors."""
        return [bpm.name for bpm in self.ring.bpms]

    @cached_property
    def packed(self) -> Packed:
        """The packed waveform."""
        return pack(self.ring.bpms, self.x, self.y)

    @cached_property
    def buttons(self) -> Floats:
        """Signals (monitors, 4) of the buttons A to D, from which the readings would follow."""
        return button_signals(self.ring.document.pickup, self.x, self.y)

    def again(self, count: int) -> "Readings":
        """The same readings, taken once more."""
        return replace(self, count=count)


def _where_largest(readings: Readings, difference: Floats) -> str:
    return readings.names[int(np.abs(difference).argmax())] if readings.names else ""


def revolution_frequency(lattice: Lattice) -> float:
    """Revolution frequency [Hz]."""
    return lattice.rf_frequency / lattice.ring.harmonic_number


def _tune_frequency(readings: Readings, plane: int) -> float:
    return float(readings.tune[plane] % 1.0) * revolution_frequency(readings.lattice)


def _orbit_table(r: Readings) -> dict[str, Any]:
    return {"BPM": r.names, "X": r.x, "Y": r.y} | dict(zip(BUTTONS, r.buttons.T, strict=True))


def _model_table(r: Readings) -> dict[str, Any]:
    at = list(r.ring.monitors)
    beta, phase = r.beam.beta[at], 2.0 * np.pi * r.beam.phase[at]
    return {
        "BPM": r.names,
        "SPos": r.ring.s[at],
        "BetaHor": beta[:, 0],
        "BetaVer": beta[:, 1],
        "PhaseAdvanceHor": phase[:, 0],
        "PhaseAdvanceVer": phase[:, 1],
    }


#: What the orbit differs in from the reference [m]: again whenever one of the two changes.
REFERENCED: Mapping[Source, Callable[[Readings], Any]] = {
    sources.ORBIT_DIFFERENCE.x: lambda r: r.from_reference_x,
    sources.ORBIT_DIFFERENCE.y: lambda r: r.from_reference_y,
    sources.ORBIT_DIFFERENCE_RMS.x: lambda r: rms(r.from_reference_x),
    sources.ORBIT_DIFFERENCE_RMS.y: lambda r: rms(r.from_reference_y),
    sources.ORBIT_DIFFERENCE_LARGEST.x: lambda r: largest(r.from_reference_x),
    sources.ORBIT_DIFFERENCE_LARGEST.y: lambda r: largest(r.from_reference_y),
    sources.ORBIT_DIFFERENCE_WHERE.x: lambda r: _where_largest(r, r.from_reference_x),
    sources.ORBIT_DIFFERENCE_WHERE.y: lambda r: _where_largest(r, r.from_reference_y),
}

#: What feeds the PVs of single monitors [m]: the values of all, in beam order.
MONITORS: Mapping[Source, Callable[[Readings], Floats]] = {
    sources.MONITOR.x: lambda r: r.x,
    sources.MONITOR.y: lambda r: r.y,
    sources.MONITOR_DIFFERENCE.x: lambda r: r.from_reference_x,
    sources.MONITOR_DIFFERENCE.y: lambda r: r.from_reference_y,
}

#: Those of them that follow from the reference orbit too.
MONITORS_REFERENCED = frozenset(sources.MONITOR_DIFFERENCE)

#: What feeds each output that needs a beam, in m, rad, Hz and turns.
BEAM: Mapping[Source, Callable[[Readings], Any]] = {
    sources.MONITOR_POSITIONS: lambda r: np.concatenate([r.x, r.y]),
    sources.MONITOR_POSITIONS_INTERLEAVED: lambda r: np.column_stack([r.x, r.y]).reshape(-1),
    sources.MONITOR_BUTTONS: lambda r: r.buttons.reshape(-1),
    sources.MONITOR_PACKED: lambda r: r.packed.data,
    sources.MONITOR_BUFFER: lambda r: pack_buffer(r.ring.bpms, r.x, r.y),
    sources.MONITOR_TABLE: _orbit_table,
    sources.MONITOR_MODEL: _model_table,
    sources.MONITOR_COUNT: lambda r: r.count,
    **REFERENCED,
    sources.TUNE.x: lambda r: r.tune[0],
    sources.TUNE.y: lambda r: r.tune[1],
    sources.TUNE_FRACTION.x: lambda r: r.tune[0] % 1.0,
    sources.TUNE_FRACTION.y: lambda r: r.tune[1] % 1.0,
    sources.TUNE_FREQUENCY.x: lambda r: _tune_frequency(r, 0),
    sources.TUNE_FREQUENCY.y: lambda r: _tune_frequency(r, 1),
    sources.CHROMATICITY.x: lambda r: r.beam.chromaticity[0],
    sources.CHROMATICITY.y: lambda r: r.beam.chromaticity[1],
    sources.MOMENTUM_COMPACTION: lambda r: r.beam.momentum_compaction,
    sources.MOMENTUM_DEVIATION: lambda r: r.beam.delta,
    sources.ORBIT.x: lambda r: r.beam.orbit[:, 0],
    sources.ORBIT.y: lambda r: r.beam.orbit[:, 2],
    sources.ORBIT_START: lambda r: np.array([*r.beam.orbit[0], r.beam.delta, 0.0]),
    sources.TWISS_BETA.x: lambda r: r.beam.beta[:, 0],
    sources.TWISS_BETA.y: lambda r: r.beam.beta[:, 1],
    sources.TWISS_ALPHA.x: lambda r: r.beam.alpha[:, 0],
    sources.TWISS_ALPHA.y: lambda r: r.beam.alpha[:, 1],
    sources.TWISS_NU.x: lambda r: r.beam.phase[:, 0],
    sources.TWISS_NU.y: lambda r: r.beam.phase[:, 1],
    sources.DISPERSION.x: lambda r: r.beam.dispersion[:, 0],
    sources.DISPERSION.y: lambda r: r.beam.dispersion[:, 2],
}

#: Outputs that clients of the real machine wait for: repeated with a fresh time stamp while there is a beam.
REPEATED = (
    *REFERENCED,
    sources.MONITOR_POSITIONS,
    sources.MONITOR_POSITIONS_INTERLEAVED,
    sources.MONITOR_BUTTONS,
    sources.MONITOR_PACKED,
    sources.MONITOR_BUFFER,
    sources.MONITOR_TABLE,
    sources.MONITOR_MODEL,
    sources.MONITOR_COUNT,
    sources.TUNE.x,
    sources.TUNE.y,
    sources.TUNE_FRACTION.x,
    sources.TUNE_FRACTION.y,
    sources.TUNE_FREQUENCY.x,
    sources.TUNE_FREQUENCY.y,
)
