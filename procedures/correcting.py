"""Corrections from beginning to end: what was measured, a proposal, what the full model expects of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gnomon.lattice import NAMED_SETTINGS, Key, Lattice
from gnomon.lattice.elements import PARAMETERS
from gnomon.lattice.near_names import near_names_hint
from gnomon.procedures import closed_bump, orbit_correction, working_point
from gnomon.procedures.closed_bump import ClosedBumpData, ClosedBumpParameters
from gnomon.procedures.device_choice import chosen_names, supplies_that_drive
from gnomon.procedures.documents import Data, Outcome, Parameters
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.orbit_correction import OrbitCorrectionData, OrbitCorrectionParameters
from gnomon.procedures.orbit_response import OrbitResponseOutcome
from gnomon.procedures.tune_response import TuneResponseOutcome
from gnomon.procedures.working_point import WorkingPointData, WorkingPointParameters, nearest_tunes
from gnomon.propagator import BeamState, Propagator
from gnomon.propagator.derivatives import fed_by, frequency_response, supply_response
from gnomon.propagator.studies import steering_supplies

__all__ = [
    "Expectation",
    "Proposal",
    "changed_settings",
    "expect",
    "limits_of",
    "propose_bump",
    "propose_orbit",
    "propose_working_point",
]

Array = NDArray[np.float64]
RF = NAMED_SETTINGS["rf_frequency"]
#: Room of the RF frequency in an orbit correction, both ways, relative.
RF_ROOM = 2e-6


@dataclass(frozen=True, slots=True)
class Expectation:
    """The full model's expectation: tunes before and after, rms and largest change of the readings [mm] (2,)."""

    found: bool
    reason: str
    tune_before: Array
    tune_after: Array
    rms_mm: Array
    largest_mm: Array
    change_mm: Array = field(repr=False)


@dataclass(frozen=True, slots=True)
class Proposal:
    """Settings to make, by key, with the documents of their analysis, and the model's expectation.

    `model` is what the expectation is about: the present settings, less what corrects errors that it does not have.
    """

    procedure: Literal["orbit", "working-point", "bump", "optics"]
    data: Data
    parameters: Parameters
    outcome: Outcome
    settings: Mapping[Key, float]
    expectation: Expectation
    model: Lattice


def propose_orbit(
    lattice: Lattice,
    orbit_mm: Array,
    parameters: OrbitCorrectionParameters,
    patterns: Sequence[str] = ("*",),
    response: OrbitResponseOutcome | None = None,
    model: Lattice | None = None,
) -> Proposal:
    """Propose settings of steerers for an orbit (2, monitors) [mm], relative to where it should be.

    Without a measured `response` the model's is used, about the settings of `model` (None: the present ones). Raises
    ProcedureError.
    """
    ring, model = lattice.ring, lattice if model is None else model
    known = steering_supplies(lattice) if response is None else response.steerers
    names = chosen_names(known, patterns, "steering power supply")
    if response is None:
        found = supply_response(Propagator(ring), model, names)
        x, y = 1e3 * np.array(lattice.monitor_errors().changes(found.orbit[:, 0], found.orbit[:, 2]))
    else:
        if response.monitors != tuple(bpm.name for bpm in ring.bpms):
            raise ProcedureError("the monitors of the measured response are not those of this machine")
        columns = [response.steerers.index(name) for name in names]
        x, y = response.x[:, columns], response.y[:, columns]
    rf = frequency_response(Propagator(ring), model)
    frequency = lattice[RF]
    hz = lattice.rf_frequency / frequency
    low, high = limits_of(lattice, names)
    spec = ring.property_spec(*RF)
    data = OrbitCorrectionData(
        monitors=tuple(bpm.name for bpm in ring.bpms),
        steerers=names,
        setting_unit=ring.property_spec(names[0], "current").unit,
        x_mm=orbit_mm[0],
        y_mm=orbit_mm[1],
        response_x=x,
        response_y=y,
        settings=np.array([lattice[name, "current"] for name in names]),
        low=low,
        high=high,
        rf_response_x=1e6 * rf.x[:, 0],
        rf_response_y=1e6 * rf.y[:, 0],
        rf_khz=1e-3 * lattice.rf_frequency,
        rf_low_khz=1e-3 * hz * max(spec.low, frequency * (1.0 - RF_ROOM)),
        rf_high_khz=1e-3 * hz * min(spec.high, frequency * (1.0 + RF_ROOM)),
    )
    outcome = orbit_correction.analyse(data, parameters)
    settings = changed_settings(lattice, {(n, "current"): v for n, v in zip(names, outcome.proposed, strict=True)})
    if parameters.use_rf:
        settings[RF] = float(outcome.rf_proposed_khz * 1e3 / hz)
    return Proposal("orbit", data, parameters, outcome, settings, expect(lattice, settings, model), model)


def propose_working_point(
    lattice: Lattice,
    kind: Literal["tune", "chromaticity"],
    measured: Array,
    wanted: Array,
    patterns: Sequence[str],
    response: TuneResponseOutcome | None = None,
    model: Lattice | None = None,
) -> Proposal:
    """Propose currents for the tunes, or the chromaticities; `model` as of an orbit. Raises ProcedureError."""
    ring, model = lattice.ring, lattice if model is None else model
    if response is not None and kind == "tune":
        known = response.supplies
    else:
        known = supplies_that_drive(lattice, "k1" if kind == "tune" else "b3")
    names = chosen_names(known, patterns, f"power supply that moves the {kind}")
    if response is not None and kind == "tune":
        slopes = response.tune[:, [response.supplies.index(name) for name in names]]
    else:
        found = supply_response(Propagator(ring), model, names, places=())
        slopes = found.tune if kind == "tune" else found.chromaticity
    low, high = limits_of(lattice, names)
    data = WorkingPointData(
        kind=kind,
        supplies=names,
        setting_unit=ring.property_spec(names[0], "current").unit,
        measured=nearest_tunes(measured, wanted) if kind == "tune" else measured,
        wanted=wanted,
        response=slopes,
        settings=np.array([lattice[name, "current"] for name in names]),
        low=low,
        high=high,
    )
    parameters = WorkingPointParameters()
    outcome = working_point.analyse(data, parameters)
    settings = changed_settings(lattice, {(n, "current"): v for n, v in zip(names, outcome.proposed, strict=True)})
    return Proposal("working-point", data, parameters, outcome, settings, expect(lattice, settings, model), model)


def propose_bump(
    lattice: Lattice,
    monitor: str,
    plane: Literal["x", "y"],
    wanted: Mapping[Literal["position", "angle"], float],
    count: int,
    with_rf: bool = False,
    model: Lattice | None = None,
    present: Lattice | None = None,
    measured_mm: Array | None = None,
) -> Proposal:
    """Propose a closed bump: position [mm], angle [mrad] or both at a monitor, by its `count` nearest steerers.

    As many of them stand before the monitor as behind it, one more behind if `count` is odd. `with_rf`: the RF
    frequency is one more knob, which a horizontal bump in dispersion needs; `model` as of an orbit. `lattice` has the
    settings before the bump. Once it was made, `present` are the settings with it and `measured_mm` (monitors) is the
    change of the orbit in its plane: what leaks out, and what is missing in the monitor, is corrected. An angle, which
    one monitor does not show, counts as reached. Raises ProcedureError.
    """
    model = lattice if model is None else model
    present = lattice if present is None else present
    ring, row = lattice.ring, 2 * "xy".index(plane)
    monitors = tuple(bpm.name for bpm in ring.bpms)
    if monitor not in monitors:
        raise ProcedureError(f"{ring.name} has no monitor {monitor!r}{near_names_hint(monitor, monitors)}")
    place = ring.monitors[monitors.index(monitor)]
    names, first, last = _around(lattice, place, plane, count)
    propagate = Propagator(ring)
    response = 1e3 * supply_response(propagate, model, names).orbit[:, row]
    there = 1e3 * supply_response(propagate, model, names, places=(place,)).orbit[0]
    rows = [row + ("position", "angle").index(name) for name in wanted]
    targets, settings = there[rows], np.array([lattice[name, "current"] for name in names])
    low, high = limits_of(lattice, names)
    keys: list[Key] = [(name, "current") for name in names]
    if with_rf:
        rf, beam, spec = frequency_response(propagate, model), propagate(model), ring.property_spec(*RF)
        per_unit = lattice.rf_frequency / lattice[RF]
        response = np.column_stack((response, 1e3 * per_unit * (rf.x if plane == "x" else rf.y)[:, 0]))
        targets = np.column_stack((targets, 1e3 * per_unit * rf.delta[0] * beam.dispersion[place][rows]))
        settings, low, high = (
            np.append(settings, lattice[RF]), np.append(low, spec.low), np.append(high, spec.high)
        )  # fmt: skip
        keys.append(RF)
    s = ring.s[list(ring.monitors)]
    begin, length = ring.s[first], (ring.s[last] + ring.elements[last].length - ring.s[first]) % ring.circumference
    data = ClosedBumpData(
        steerers=tuple(device if key_ == "current" else "rf_frequency" for device, key_ in keys),
        setting_unit=ring.property_spec(names[0], "current").unit,
        monitors=monitors,
        outside=((s - begin) % ring.circumference > length).astype(float),
        response=response,
        targets=tuple(wanted),
        target_response=targets,
        wanted=np.array(list(wanted.values()), dtype=float),
        settings=settings,
        low=low,
        high=high,
        made=np.array([present[key] - lattice[key] for key in keys]),
        measured_mm=np.zeros(len(monitors)) if measured_mm is None else measured_mm,
        measured_target=_reached(wanted, measured_mm, monitors.index(monitor)),
    )
    parameters = ClosedBumpParameters()
    outcome = closed_bump.analyse(data, parameters)
    values = dict(zip(keys, map(float, outcome.proposed), strict=True))
    expectation = expect(lattice, changed_settings(lattice, values), model)
    # The model's beam at the present settings is that with the bump, as far as it was made.
    with_bump = model.updated({key: model[key] + (present[key] - lattice[key]) for key in keys})
    return Proposal("bump", data, parameters, outcome, changed_settings(present, values), expectation, with_bump)


def _reached(wanted: Mapping[Literal["position", "angle"], float], measured_mm: Array | None, monitor: int) -> Array:
    if measured_mm is None:
        return np.zeros(len(wanted))
    shown = float(measured_mm[monitor])
    return np.array([shown if kind == "position" and np.isfinite(shown) else value for kind, value in wanted.items()])


def expect(lattice: Lattice, settings: Mapping[Key, float], model: Lattice | None = None) -> Expectation:
    """Ask the full model for the beam with these settings; about those of `model`, changed by as much."""
    model = lattice if model is None else model
    propagate = Propagator(model.ring)
    changed = {key: model[key] + (value - lattice[key]) for key, value in settings.items()}
    before, after = propagate(model), propagate(model.updated(changed))
    nothing = np.full(2, np.nan)
    for beam, when in ((before, "now"), (after, "with these settings")):
        if not beam.found:
            return Expectation(False, f"the model has no beam {when}: {beam.reason}", *[nothing] * 5)
    change = _readings(model, after) - _readings(model, before)
    return Expectation(
        True, "", before.tune, after.tune, np.sqrt((change**2).mean(axis=1)), np.abs(change).max(axis=1), change
    )


def _readings(lattice: Lattice, beam: BeamState) -> Array:
    at = list(lattice.ring.monitors)
    return 1e3 * np.array(lattice.monitor_errors().readings(beam.orbit[at, 0], beam.orbit[at, 2]))


def limits_of(lattice: Lattice, names: Sequence[str]) -> tuple[Array, Array]:
    """Return the lowest and the highest currents of supplies."""
    specs = [lattice.ring.property_spec(name, "current") for name in names]
    return np.array([spec.low for spec in specs]), np.array([spec.high for spec in specs])


def changed_settings(lattice: Lattice, settings: Mapping[Key, float]) -> dict[Key, float]:
    """Return the settings that are not those of the lattice."""
    return {key: float(value) for key, value in settings.items() if float(value) != lattice[key]}


def _around(lattice: Lattice, place: int, plane: str, count: int) -> tuple[tuple[str, ...], int, int]:
    """Find the nearest steerers of a plane with a supply of their own: names, and the first and last element."""
    ring = lattice.ring
    places: dict[int, str] = {}
    for name in steering_supplies(lattice):
        fed = fed_by(lattice, name)
        if len(fed) == 1 and _kicks(lattice, name, plane):
            places.setdefault(fed[0][0].element, name)
    if not 3 <= count <= len(places):
        raise ProcedureError(f"a closed bump needs 3 to {len(places)} steerers here, not {count}")
    total = len(ring.elements)
    behind = sorted(places, key=lambda element: (element - place) % total)
    before = count // 2
    chosen = [*behind[len(behind) - before :], *behind[: count - before]]
    return tuple(places[element] for element in chosen), chosen[0], chosen[-1]


def _kicks(lattice: Lattice, supply: str, plane: str) -> bool:
    return all(PARAMETERS[magnet.column] == f"kick_{plane}" for magnet, _ in fed_by(lattice, supply))
