"""A ring with its settings, for scripts and notebooks: set by name; get orbit, optics and responses."""

import sys
from collections.abc import Callable, Mapping
from functools import cached_property
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, TypeVar

import numpy as np

from gnomon.lattice import Key, Lattice, LatticeError
from gnomon.lattice.tables import MatrixTable, Planes, Table
from gnomon.lattice.text import printable
from gnomon.propagator.beam import BeamState
from gnomon.propagator.facade import ring_tables as tables
from gnomon.propagator.facade.named_settings import NOMINAL, SettingName, key_of, updated
from gnomon.propagator.facade.ring_tables import Hold
from gnomon.propagator.facade.saved_picture import SavedPicture
from gnomon.propagator.propagator import Propagator
from gnomon.propagator.warmup import compile_kernels, kernels_are_cached

#: Knobs of a response: power supplies in A, or magnets in physics units.
By = Literal["supply", "magnet"]
T = TypeVar("T")


class NoBeamError(LatticeError):
    """The settings store no beam; the text gives the reason."""


class RingModel:
    """A ring with its settings. It never changes: `set` returns a new one, which remembers the changes.

    Results are computed on first use and kept; they depend only on the settings, not on earlier calls. Without a beam
    they raise NoBeamError with the reason; check `has_beam` and `reason` beforehand.
    """

    def __init__(self, lattice: Lattice, origin: Lattice | None = None) -> None:
        self._lattice = lattice
        self._origin = lattice if origin is None else origin

    # settings

    @property
    def name(self) -> str:
        """Name of the machine."""
        return self._lattice.ring.name

    @property
    def lattice(self) -> Lattice:
        """The lattice, for other functions of gnomon."""
        return self._lattice

    @property
    def id(self) -> str:
        """Id of the settings, as in the journal: equal settings have equal ids."""
        return self._lattice.id

    def set(
        self,
        settings: Mapping[str, Any] | Mapping[Key, Any] | Mapping[SettingName, Any] | None = None,
        /,
        **by_name: Any,
    ) -> "RingModel":
        """Return a new ring with these settings, each in its unit; this ring stays unchanged.

        `ring.set(Q1PDR=218.8)` sets the current of a supply [A]. Use a dict for names that cannot be keywords in
        Python, `ring.set({"Q1M1D1R.dx": 1e-4, "BPMZ6D1R.gain_x": 1.02})`; device and property as a tuple work too.
        Other names are `rf_frequency` and `rf_voltage` in the machine's units, `energy_ev`, and `optics`, whose value
        is the name of an optics and which sets all supplies. Raises RefusedValue with value, unit and limit, and
        LatticeError with similar names; nothing is set then.
        """
        asked: dict[Any, Any] = dict(settings or {})
        if twice := sorted(set(by_name) & {name for name in asked if isinstance(name, str)}):
            raise LatticeError(f"{self.name}: {twice[0]} is given twice; give it once")
        return RingModel(updated(self._lattice, asked | by_name), self._origin)

    def match(
        self,
        *supplies: str,
        tunes: tuple[float, float] | None = None,
        chromaticities: tuple[float, float] | None = None,
    ) -> "RingModel":
        """Return a new ring in which supplies, by name or pattern, change tunes and chromaticities by given numbers.

        Example: `ring.match("Q1P*", "Q2P*", tunes=(0.01, 0.0))`; None leaves a quantity free. Raises StudyError if
        nothing matches a pattern, and LatticeError if these supplies cannot make the change within their limits.
        """
        from gnomon.propagator.studies import Target, chosen_supplies, match

        _ = self.beam
        target = Target(tunes, chromaticities)
        found = match(self._lattice, target, chosen_supplies(self._lattice, supplies, target), lambda *_: None)
        if not found.reached:
            at_limit = ", ".join(move.supply for move in found.moves if move.at_limit)
            nearest = ", ".join(f"{row.name} {row.found:+.4g} of {row.wanted:+.4g}" for row in found.rows)
            raise LatticeError(
                f"{self.name}: these supplies cannot make the change; the nearest is {nearest}"
                + (f"; at their limits: {at_limit}" if at_limit else "" if found.reason else "; give more supplies")
                + (f"; {found.reason}" if found.reason else "")
            )
        return RingModel(found.lattice, self._origin)

    def __getitem__(self, name: SettingName) -> float:
        """Return the value of a setting or a strength: `ring["Q1PDR"]`, `ring["Q1M1D1R.k1"]`. Raises LatticeError."""
        return self._lattice[key_of(self._lattice.ring, name)]

    @cached_property
    def settings(self) -> Table:
        """All settings with unit, limits and nominal value; errors of magnets and monitors only if not nominal."""
        return tables.settings_table(self._lattice)

    @cached_property
    def changes(self) -> Table:
        """Settings that were changed since `gnomon.ring(...)`, before and now."""
        return tables.changes_table(self._origin, self._lattice)

    @property
    def optics_names(self) -> tuple[str, ...]:
        """Names for `set(optics=...)`."""
        return (NOMINAL, *self._lattice.ring.optics)

    def find(self, *patterns: str) -> Table:
        """Find devices and elements by name, `ring.find("HS*")`; return their kinds, positions and settings.

        The column `linked` names a magnet's supply, or a supply's magnets. Raises UnknownNameError with similar names.
        """
        return tables.devices_table(self._lattice, patterns or ("*",))

    # beam

    @cached_property
    def _found(self) -> BeamState:
        if not kernels_are_cached():
            sys.stderr.write("gnomon: compiling the model, once, about half a minute ...\n")
            compile_kernels()
        return Propagator(self._lattice.ring)(self._lattice)

    @property
    def has_beam(self) -> bool:
        """True if these settings store a beam."""
        return self._found.found

    @property
    def reason(self) -> str:
        """The reason why there is no beam; empty if there is one."""
        return self._found.reason

    @property
    def beam(self) -> BeamState:
        """The model's whole result, as arrays in SI units. Raises NoBeamError."""
        found = self._found
        if not found.found:
            raise NoBeamError(f"{self.name}: no beam: {found.reason}; `.changes` lists what was set")
        return found

    @cached_property
    def orbit(self) -> Table:
        """Orbit as the monitors show it: s [m], x, y [mm]."""
        return tables.orbit_table(self._lattice, self.beam)

    @cached_property
    def optics(self) -> Table:
        """Beta, alpha, phase, dispersion and orbit at the entrance of each element, and at the end."""
        return tables.optics_table(self._lattice.ring, self.beam)

    @property
    def tunes(self) -> Planes:
        """Tunes, with their integer part."""
        return Planes(*self.beam.tune.tolist())

    @property
    def chromaticities(self) -> Planes:
        """Derivatives of the tunes with respect to the momentum deviation."""
        return Planes(*self.beam.chromaticity.tolist())

    @property
    def momentum_deviation(self) -> float:
        """Relative momentum deviation that follows from the RF frequency."""
        return self.beam.delta

    @property
    def momentum_compaction(self) -> float:
        """Relative change of the circumference per momentum deviation."""
        return self.beam.momentum_compaction

    @cached_property
    def radiation(self) -> Mapping[str, float]:
        """Energy loss, damping, emittances, bunch length and more, each with its unit in its name.

        Raises NoBeamError, and GnomonError with the reason if there is no synchrotron motion.
        """
        from gnomon.propagator.six import summary

        _ = self.beam
        return summary(self._lattice)

    # responses

    def orm(self, by: By = "supply", *, hold: Hold = "frequency") -> MatrixTable:
        """Compute the orbit response matrix as the monitors show it: per steering supply [mm/A] or steerer [mm/mrad].

        `hold` names what stays constant when a steerer lengthens the path: the RF "frequency", as on a machine, or the
        "momentum".
        """
        _one_of("by", by, ("supply", "magnet"))
        _one_of("hold", hold, ("frequency", "momentum"))
        _ = self.beam
        return self._kept(("orm", by, hold), lambda: tables.orm_table(self._lattice, by, hold))

    def tune_response(self, by: By = "supply") -> Table:
        """Tunes and chromaticities per supply [1/A], the RF frequency held; or tunes per quadrupole's k1 [m^2]."""
        _one_of("by", by, ("supply", "magnet"))
        _ = self.beam
        return self._kept(("tunes", by), lambda: tables.tune_table(self._lattice, by))

    def chromaticity_response(self) -> Table:
        """Chromaticities per sextupole's b3 [m^3], the momentum held."""
        _ = self.beam
        return self._kept(("chromaticities",), lambda: tables.chromaticity_table(self._lattice))

    @cached_property
    def rf_response(self) -> Table:
        """Change of the monitors' readings per RF frequency [mm/kHz], along the dispersion."""
        _ = self.beam
        return tables.rf_response_table(self._lattice)

    def plot(
        self,
        *,
        against: "RingModel | None" = None,
        first: str | float | None = None,
        last: str | float | None = None,
        cell: int | None = None,
        dark: bool = False,
    ) -> SavedPicture:
        """Draw optics, dispersion, orbit and magnets; or, with `against`, the changes from that ring to this one.

        `first` and `last` are positions [m] or names of elements, `cell` counts the ring's cells from 1. Needs
        matplotlib (`pip install 'gnomon[study]'`). A notebook shows the picture; `.save("file.png")` writes it.
        """
        from gnomon.propagator.studies import (
            Frame,
            Version,
            check_plot,
            plot_comparison,
            plot_tune,
            study_comparison,
            study_tune,
            window_of,
        )

        _ = self.beam
        start, end = (None if place is None else str(place) for place in (first, last))
        window = window_of(self._lattice.ring, start, end, cell)
        with TemporaryDirectory() as folder:
            file = Path(folder) / "ring.png"
            check_plot(file)
            frame = Frame(file, self._lattice, dark, *window)
            if against is not None:
                versions = (Version(each._lattice, each._describe()) for each in (against, self))
                plot_comparison(study_comparison(*versions), frame)
            else:
                origin = self._describe()
                result = self._kept(("study",), lambda: study_tune(self._lattice, origin, lambda *_: None))
                plot_tune(result, frame)
            return SavedPicture(f"{self.name}, lattice {self.id}", file.read_bytes())

    def _kept(self, key: tuple[str, ...], compute: Callable[[], T]) -> T:
        kept: dict[tuple[str, ...], Any] = self.__dict__.setdefault("_results", {})
        if key not in kept:
            kept[key] = compute()
        found: T = kept[key]
        return found

    # showing

    def _describe(self) -> str:
        changes = self.changes
        if not changes:
            return NOMINAL if self._lattice is self._lattice.ring.nominal else f"lattice {self.id[:10]}"
        if len(changes) > 3:
            return f"{len(changes)} changed settings"
        return ", ".join(f"{name} {row.now:g}{row.unit and f' {row.unit}'}" for name, row in changes.items())

    def _facts(self) -> list[tuple[str, str]]:
        ring = self._lattice.ring
        facts = [
            ("energy", f"{1e-9 * self._lattice.energy_ev:.6g} GeV"),
            ("RF frequency", f"{self['rf_frequency']:.10g} {ring.rf_unit}"),
            ("circumference", f"{ring.circumference:.6g} m"),
        ]
        if not self.has_beam:
            return [*facts, ("no beam", self.reason)]
        rms = [float(np.sqrt(np.mean(plane**2))) for plane in (self.orbit.x, self.orbit.y)] if len(self.orbit) else []
        return [
            *facts,
            ("tunes", repr(self.tunes)),
            ("chromaticities", repr(self.chromaticities)),
            *([("rms orbit", f"x {rms[0]:.4f} mm, y {rms[1]:.4f} mm")] if rms else []),
        ]

    def __repr__(self) -> str:
        told = "; ".join(f"{name} {fact}" for name, fact in self._facts()[3:])
        return f"<ring {self.name}, {self._describe()}: {printable(told)}>"

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><th style="text-align: left">{escape(name)}</th><td style="text-align: left">{escape(fact)}</td></tr>'
            for name, fact in self._facts()
        )
        title = f"{self._lattice.ring.document.title or self.name}, lattice {self.id}"
        changes = self.changes._repr_html_() if self.changes else ""
        return f'<table><caption style="text-align: left">{escape(title)}</caption>{rows}</table>{changes}'

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RingModel):
            return NotImplemented
        return self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise LatticeError(f"{name} = {printable(repr(value))}: give {' or '.join(map(repr, known))}")
