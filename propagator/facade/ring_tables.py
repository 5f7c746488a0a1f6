"""Tables of a lattice and its beam: settings, devices, readings of the monitors, optics, responses."""

from collections.abc import Iterable
from typing import Literal

import numpy as np

from gnomon.lattice import Lattice, Ring
from gnomon.lattice.tables import MatrixTable, Table, end_name, fitting
from gnomon.lattice.units import OPTICS_UNITS
from gnomon.propagator.beam import BeamState
from gnomon.propagator.compiled import Floats
from gnomon.propagator.derivatives import (
    chromaticity_response,
    frequency_response,
    orbit_response,
    supplies_of,
    supply_response,
    tune_response,
)
from gnomon.propagator.facade.named_settings import name_of
from gnomon.propagator.propagator import Propagator
from gnomon.propagator.studies.lattice_comparison import changed_settings
from gnomon.propagator.studies.orm_study import steering_supplies

#: Properties that are errors; the table of settings shows them only if they are not nominal.
ERRORS = frozenset(("k1s", "dx", "dy", "roll", "hw2phys", "offset_x", "offset_y", "gain_x", "gain_y"))

Hold = Literal["momentum", "frequency"]


def settings_table(lattice: Lattice) -> Table:
    """Tabulate the present values of all settings; errors and trims only if they are not nominal."""
    ring = lattice.ring
    specs = [
        (key, spec)
        for key, spec in ring.properties.items()
        if spec.slot is not None
        and spec.setting == spec.property
        and (not (spec.property in ERRORS or spec.property.endswith("_trim")) or lattice[key] != spec.nominal)
    ]
    return Table(
        title=f"{ring.name}: settings",
        axis="setting",
        names=tuple(name_of(ring, key) for key, _ in specs),
        columns={
            "value": np.array([lattice[key] for key, _ in specs]),
            "unit": _texts(spec.unit for _, spec in specs),
            "low": np.array([spec.low for _, spec in specs]),
            "high": np.array([spec.high for _, spec in specs]),
            "nominal": np.array([spec.nominal for _, spec in specs]),
        },
        units={},
    )


def changes_table(before: Lattice, after: Lattice) -> Table:
    """Tabulate the settings that differ; a changed strength shows as its trim, since that is stored."""
    ring = after.ring
    changes = changed_settings(before, after)
    return Table(
        title=f"{ring.name}: {len(changes)} changed settings",
        axis="setting",
        names=tuple(name_of(ring, change.key) for change in changes),
        columns={
            "before": np.array([change.first for change in changes]),
            "now": np.array([change.second for change in changes]),
            "unit": _texts(change.unit for change in changes),
        },
        units={},
    )


def devices_table(lattice: Lattice, patterns: tuple[str, ...]) -> Table:
    """Tabulate devices and elements whose names match. Raises UnknownNameError with similar names."""
    ring = lattice.ring
    kinds = {name: "device" for name, _ in ring.properties}
    kinds |= {e.name: type(e).__name__.lower() for e in ring.elements}
    kinds |= {m.name: "steerer" for m in ring.magnets if m.main == "kick"}
    kinds |= {bpm.name: "monitor" for bpm in ring.bpms}
    kinds |= dict.fromkeys((supply.name for supply in ring.document.supplies), "supply")
    place = {e.name: float(ring.s[i]) for i, e in enumerate(ring.elements)}
    place |= {m.name: float(ring.s[m.element]) for m in ring.magnets if m.name not in place}
    feeds: dict[str, list[str]] = {}
    main = {m.name: m.main for m in ring.magnets}
    for magnet in ring.magnets:
        feeds.setdefault(magnet.supply, []).append(magnet.name)
    fed_by = {name: supply for supply, names in feeds.items() for name in names}
    known = list(kinds)
    names = [known[row] for row in fitting(ring.name, "device or element", known, patterns)]
    shown = [(name, "current" if (name, "current") in ring.properties and name not in main else main.get(name, ""))
             for name in names]  # fmt: skip
    return Table(
        title=f"{ring.name}: {', '.join(patterns)}",
        axis="name",
        names=tuple(names),
        columns={
            "kind": _texts(kinds[name] for name in names),
            "s": np.array([place.get(name, np.nan) for name in names]),
            "property": _texts(prop for _, prop in shown),
            "value": np.array([lattice[key] if key in ring.properties else np.nan for key in shown]),
            "unit": _texts(ring.properties[key].unit if key in ring.properties else "" for key in shown),
            "linked": _texts(fed_by.get(name) or _few(feeds.get(name, [])) for name in names),
        },
        units={"s": "m"},
    )


def orbit_table(lattice: Lattice, beam: BeamState) -> Table:
    """Tabulate the orbit as the monitors show it, with their offsets, gains and rolls."""
    ring = lattice.ring
    at = list(ring.monitors)
    x, y = lattice.monitor_errors().readings(beam.orbit[at, 0], beam.orbit[at, 2])
    return _monitors(ring, "orbit as the monitors show it", {"x": 1e3 * x, "y": 1e3 * y}, "mm")


def rf_response_table(lattice: Lattice) -> Table:
    """Tabulate the change of the readings per RF frequency, to first order."""
    response = frequency_response(Propagator(lattice.ring), lattice)
    x, y = lattice.monitor_errors().changes(response.x[:, 0], response.y[:, 0])
    return _monitors(lattice.ring, "readings by RF frequency", {"x": 1e6 * x, "y": 1e6 * y}, "mm/kHz")


def optics_table(ring: Ring, beam: BeamState) -> Table:
    """Tabulate orbit and optics at the entrance of every element, and at the end of the ring."""
    end = end_name(ring.index)
    eta = beam.dispersion
    return Table(
        title=f"{ring.name}: orbit and optics at the entrances of the elements",
        axis="element",
        names=(*(e.name for e in ring.elements), end),
        columns={
            "s": ring.s.copy(),
            "beta_x": beam.beta[:, 0].copy(),
            "beta_y": beam.beta[:, 1].copy(),
            "alpha_x": beam.alpha[:, 0].copy(),
            "alpha_y": beam.alpha[:, 1].copy(),
            "phase_x": beam.phase[:, 0].copy(),
            "phase_y": beam.phase[:, 1].copy(),
            "dispersion_x": eta[:, 0].copy(),
            "dispersion_px": eta[:, 1].copy(),
            "dispersion_y": eta[:, 2].copy(),
            "dispersion_py": eta[:, 3].copy(),
            "x": 1e3 * beam.orbit[:, 0],
            "px": 1e3 * beam.orbit[:, 1],
            "y": 1e3 * beam.orbit[:, 2],
            "py": 1e3 * beam.orbit[:, 3],
        },
        units=OPTICS_UNITS,
    )


def orm_table(lattice: Lattice, by: str, hold: Hold) -> MatrixTable:
    """Tabulate the change of the readings per steering supply's current [mm/A], or per steerer's kick [mm/mrad]."""
    ring, propagate = lattice.ring, Propagator(lattice.ring)
    errors = lattice.monitor_errors()
    if by == "supply":
        knobs = steering_supplies(lattice)
        found = supply_response(propagate, lattice, knobs, hold=hold)
        (x, y), factor, unit = errors.changes(found.orbit[:, 0], found.orbit[:, 2]), 1e3, "mm/A"
    else:
        kicks = orbit_response(propagate, lattice, hold=hold)
        knobs = kicks.names
        (x, y), factor, unit = errors.changes(kicks.x, kicks.y), 1.0, "mm/mrad"
    return MatrixTable(
        title=f"{ring.name}: orbit response by {by}, {hold} held",
        axis="monitor",
        names=tuple(bpm.name for bpm in ring.bpms),
        knob_axis="supply" if by == "supply" else "steerer",
        knobs=knobs,
        columns={"x": factor * x, "y": factor * y},
        unit=unit,
    )


def tune_table(lattice: Lattice, by: str) -> Table:
    """Tabulate changes of tunes and chromaticities per supply's current, or of the tunes per quadrupole's strength.

    By supply the RF frequency is held, as on a machine; by magnet the momentum is held.
    """
    ring, propagate = lattice.ring, Propagator(lattice.ring)
    if by == "supply":
        names = supplies_of(lattice)
        found = supply_response(propagate, lattice, names, places=())
        columns = {
            "tune_x": found.tune[0], "tune_y": found.tune[1],
            "chromaticity_x": found.chromaticity[0], "chromaticity_y": found.chromaticity[1],
            "momentum_deviation": found.delta,
        }  # fmt: skip
        return _responses(f"{ring.name}: tunes and chromaticities by current", "supply", names, columns, "1/A")
    tunes = tune_response(propagate, lattice)
    normal = [i for i, parameter in enumerate(tunes.parameters) if parameter == "b2"]
    return _responses(
        f"{ring.name}: tunes by k1",
        "magnet",
        tuple(tunes.names[i] for i in normal),
        {"tune_x": tunes.tune[0, normal], "tune_y": tunes.tune[1, normal]},
        "m^2",
    )


def chromaticity_table(lattice: Lattice) -> Table:
    """Tabulate the change of the chromaticities per sextupole's strength, the momentum held."""
    found = chromaticity_response(Propagator(lattice.ring), lattice)
    columns = {"chromaticity_x": found.tune[0], "chromaticity_y": found.tune[1]}
    return _responses(f"{lattice.ring.name}: chromaticities by b3", "magnet", found.names, columns, "m^3")


def _responses(title: str, axis: str, names: tuple[str, ...], columns: dict[str, Floats], unit: str) -> Table:
    copies = {name: column.copy() for name, column in columns.items()}
    return Table(title, axis, names, copies, dict.fromkeys(columns, unit))


def _monitors(ring: Ring, what: str, columns: dict[str, Floats], unit: str) -> Table:
    return Table(
        title=f"{ring.name}: {what}",
        axis="monitor",
        names=tuple(bpm.name for bpm in ring.bpms),
        columns={"s": ring.s[list(ring.monitors)]} | columns,
        units={"s": "m"} | dict.fromkeys(columns, unit),
    )


def _few(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 3 else f"{', '.join(names[:2])} and {len(names) - 2} more"


def _texts(texts: Iterable[str]) -> "np.typing.NDArray[np.object_]":
    found = list(texts)
    array = np.empty(len(found), dtype=object)
    array[:] = found
    return array
