"""Measurements of the stored beam and of local beta functions: the plan, and the parameters of the analysis."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gnomon.lattice import Lattice
from gnomon.procedures.aperture import ApertureParameters
from gnomon.procedures.beam_lifetimes import LifetimeParameters
from gnomon.procedures.beta_model import gradient_knobs, local_beta_model
from gnomon.procedures.closed_bump import ClosedBumpData
from gnomon.procedures.correcting import limits_of, propose_bump
from gnomon.procedures.device_choice import chosen_names, supplies_that_drive
from gnomon.procedures.documents import Parameters
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.local_beta import LocalBetaParameters
from gnomon.procedures.loss_map import LossMapParameters
from gnomon.procedures.procedure_options import ApertureOptions, LifetimeOptions, LocalBetaOptions, LossMapOptions
from gnomon.procedures.setting_steps import bounded_step
from gnomon.propagator import Propagator
from gnomon.propagator.derivatives import supply_response
from gnomon.propagator.six import Radiation

if TYPE_CHECKING:
    from gnomon.clients.bluesky_devices import RingDevices
    from gnomon.procedures.plans import Recording

__all__ = ["BEAM_MEASUREMENTS", "LossMapEstimate", "estimate_losses"]

Array = NDArray[np.float64]
Prepared = tuple[Any, Callable[[Any], Parameters]]

#: Bump from which a larger one is scaled [mm].
SMALL_MM = 0.1
#: Numbers of steerers of a bump that are tried: horizontally, more are needed to keep the momentum.
STEERERS = {"x": (5, 6, 7, 8), "y": (4, 5, 6)}
#: Half of the window of tunes that is mapped if none is given.
WINDOW = 0.02
#: Largest number of working points in a map.
MAX_POINTS = 1000
#: Times of a working point besides that of its lifetime: a new reading of the tunes, and the way there [s].
TUNES_S, MOVE_S = 1.0, 1.0


def _local_beta(
    present: Lattice, model: Lattice, devices: "RingDevices", options: LocalBetaOptions, recording: "Recording"
) -> Prepared:
    from gnomon.procedures.plans import KnobChange, local_beta_plan

    knobs = gradient_knobs(model, options.devices)
    found = local_beta_model(model, knobs)
    # A gradient moves a tune by beta / (4 pi).
    by = np.maximum(np.abs(found.beta_x_m), np.abs(found.beta_y_m)) * np.abs(found.gradient) / (4.0 * np.pi)
    steps = np.array([
        bounded_step(present, knob.supply, options.tune_step / each) for knob, each in zip(knobs, by, strict=True)
    ])  # fmt: skip
    changes = [
        KnobChange(knob.name, knob.supply, knob.by_multiplexer, float(step))
        for knob, step in zip(knobs, steps, strict=True)
    ]
    plan = local_beta_plan(devices, changes, recording, options.points, options.readings)
    return plan, lambda _: LocalBetaParameters(model=local_beta_model(model, knobs, steps))


def _lifetime(
    present: Lattice, model: Lattice, devices: "RingDevices", options: LifetimeOptions, recording: "Recording"
) -> Prepared:
    from gnomon.procedures.plans import StoredBeamKeeper, lifetime_plan
    from gnomon.procedures.plans.stored_beam import current_resolution

    keeper = StoredBeamKeeper(devices, recording, options.min_current_ma, options.injections)
    plan = lifetime_plan(devices, options.seconds, keeper, recording)
    return plan, lambda _: LifetimeParameters(resolution_ma=current_resolution(devices))


def _aperture(
    present: Lattice, model: Lattice, devices: "RingDevices", options: ApertureOptions, recording: "Recording"
) -> Prepared:
    from gnomon.procedures.plans import ApertureSearch, StoredBeamKeeper, aperture_plan
    from gnomon.procedures.plans.stored_beam import current_resolution

    bump, per_mm, size, damping, ratio = _bump_highest_at(present, model, options)
    limits, reasons = _farthest(bump, per_mm, options.max_mm)
    wanted = {"both": (1.0, 1.0), "low": (1.0, 0.0), "high": (0.0, 1.0)}[options.side]
    keeper = StoredBeamKeeper(devices, recording, options.min_current_ma, options.injections)
    search = ApertureSearch(
        place=options.place,
        plane=options.plane,
        bump=bump,
        per_mm=per_mm,
        max_mm=(wanted[0] * limits[0], wanted[1] * limits[1]),
        max_reasons=reasons,
        step_mm=options.step_mm,
        resolution_mm=min(options.step_mm, options.resolution_mm or 0.5 * size),
        orbit_by_one=float(np.nanmax(np.abs(bump.response * per_mm))),
        seconds=options.seconds,
        lifetime_h=options.lifetime_h,
    )
    plan = aperture_plan(devices, search, keeper, recording)
    return plan, lambda _: ApertureParameters(
        lifetime_h=options.lifetime_h,
        beam_size_mm=size,
        damping_time_s=damping,
        resolution_ma=current_resolution(devices),
        peak_ratio=ratio,
        source=f"model of {model.ring.name}, lattice {model.id}",
    )


def _bump_highest_at(
    present: Lattice, model: Lattice, options: ApertureOptions
) -> tuple[ClosedBumpData, Array, float, float, float]:
    """Choose the bump that is least higher elsewhere than at the place, of several numbers of steerers.

    Return it, its settings per mm, the beam's size and damping time at its top, and how much higher it is there.
    """
    best: tuple[ClosedBumpData, Array, float, float, float] | None = None
    refused = ProcedureError(f"no closed bump was found at {options.place}")
    for count in (options.steerers,) if options.steerers else STEERERS[options.plane]:
        for wanted in ({"position": SMALL_MM}, {"position": SMALL_MM, "angle": 0.0}):
            try:
                proposal = propose_bump(present, options.place, options.plane, wanted, count, model=model)  # type: ignore[arg-type]
                bump = proposal.data
                assert isinstance(bump, ClosedBumpData)
                per_mm: Array = np.array(proposal.outcome.changes) / SMALL_MM  # type: ignore[attr-defined]
                size, damping, ratio = _beam_size(model, options.place, options.plane, bump, per_mm)
            except ProcedureError as error:
                refused = error
                continue
            if best is None or ratio < best[-1]:
                best = bump, per_mm, size, damping, ratio
    if best is None:
        raise refused
    return best


def _beam_size(
    model: Lattice, place: str, plane: str, bump: ClosedBumpData, per_mm: Array
) -> tuple[float, float, float]:
    """Work out the beam's size [mm] at the top of the bump per displacement at the place, and the damping time [s].

    The third is the orbit at the top over that at the place.
    """
    ring, row = model.ring, "xy".index(plane)
    beam = Propagator(ring)(model)
    if not beam.found:
        raise ProcedureError(f"the model has no beam with the present settings: {beam.reason}")
    made = {(name, "current"): model[name, "current"] + SMALL_MM * by
            for name, by in zip(bump.steerers, per_mm, strict=True)}  # fmt: skip
    bumped = Propagator(ring)(model.updated(made))
    if not bumped.found:
        raise ProcedureError(f"the model has no beam with a bump of {SMALL_MM:g} mm: {bumped.reason}")
    change = np.abs(bumped.orbit[:-1, 2 * row] - beam.orbit[:-1, 2 * row])
    at = ring.monitors[[bpm.name for bpm in ring.bpms].index(place)]
    top = int(change.argmax())
    ratio = float(change[top] / change[at])
    equilibrium, coupling = Radiation(ring)(model, beam), ring.document.coupling
    emittance = equilibrium.emittance_m / (1.0 + coupling) * (1.0, max(coupling, 1e-6))[row]
    size = 1e3 * float(np.sqrt(emittance * beam.beta[top, row])) / ratio
    damping = float(equilibrium.damping_times_s[row])
    if not (np.isfinite(size) and np.isfinite(damping)):
        raise ProcedureError("the model has no equilibrium of the beam with the present settings: no size of the beam")
    return size, damping, ratio


def _farthest(bump: ClosedBumpData, per_mm: Array, wanted: float | None) -> tuple[tuple[float, float], tuple[str, str]]:
    """Find the largest displacements to both sides that steerers allow [mm], and which steerer ends each."""
    limits, reasons = [], []
    for sign in (-1.0, 1.0):
        rates = sign * per_mm
        with np.errstate(divide="ignore", invalid="ignore"):
            room = np.where(rates > 0.0, (bump.high - bump.settings) / rates, (bump.low - bump.settings) / rates)
        room = np.where(rates == 0.0, np.inf, room)
        first, largest = int(np.argmin(room)), float(room.min())
        reason = f"{bump.steerers[first]} is near its limit at {sign * largest:+.3f} mm"
        if wanted is not None and wanted <= largest:
            largest, reason = wanted, f"no wall up to {sign * wanted:+.3f} mm"
        limits.append(largest)
        reasons.append(reason)
    return (limits[0], limits[1]), (reasons[0], reasons[1])


@dataclass(frozen=True, slots=True, eq=False)
class LossMapEstimate:
    """Points of a map (points, 2) in the order of the visit, and what the model expects of the way.

    `per_tune` (supplies, 2) changes settings by tunes; `changes` (supplies,) are the largest changes of settings;
    `time_s` the time of the whole map without lost beams.
    """

    points: Array
    supplies: tuple[str, ...]
    unit: str
    per_tune: Array
    changes: Array
    start: Array
    time_s: float


def estimate_losses(present: Lattice, model: Lattice, options: LossMapOptions) -> LossMapEstimate:
    """Choose the points of a map and ask the model for the way there; nothing is set.

    Raises ProcedureError for too many points, settings beyond limits, and corners without a beam in the model.
    """
    count = options.points**2
    if count > MAX_POINTS:
        raise ProcedureError(f"{options.points} points each way are {count}; {MAX_POINTS} are allowed")
    ring, propagate = present.ring, Propagator(present.ring)
    names = chosen_names(supplies_that_drive(model, "k1"), options.devices, "power supply that moves the tunes")
    beam = propagate(model)
    if not beam.found:
        raise ProcedureError(f"the model has no beam with the present settings: {beam.reason}")
    start = beam.tune.copy()
    response = supply_response(propagate, model, names, places=()).tune
    if np.linalg.matrix_rank(response, tol=1e-9) < 2:
        raise ProcedureError(f"{', '.join(names)}: they cannot move both tunes; choose supplies of two families")
    currents = np.array([abs(present[name, "current"]) for name in names])
    scale = np.maximum(currents, 0.01 * max(float(currents.max()), 1e-9))
    # The smallest relative changes of the currents.
    per_tune = scale[:, None] * np.linalg.pinv(response * scale)
    window = [_window(wanted, float(tune)) for wanted, tune in zip((options.x, options.y), start, strict=True)]
    across = [np.linspace(low, high, options.points) for low, high in window]
    points = np.array([
        (x, y) for number, x in enumerate(across[0]) for y in (across[1] if number % 2 == 0 else across[1][::-1])
    ])  # fmt: skip
    settings = np.array([present[name, "current"] for name in names])
    ways = (points - start) @ per_tune.T
    low, high = limits_of(present, names)
    over = np.argwhere((settings + ways < low) | (settings + ways > high))
    if over.size:
        point, supply = over[0]
        raise ProcedureError(
            f"{names[supply]} would need {settings[supply] + ways[point, supply]:.5g} A for tunes of "
            f"{points[point, 0]:.4f} and {points[point, 1]:.4f}, beyond its limits of {low[supply]:g} to "
            f"{high[supply]:g}; choose a smaller region, or more supplies"
        )
    settle = max((s.settle_time_s for s in ring.document.supplies if s.name in names), default=0.0)
    time_s = count * (options.seconds + TUNES_S + MOVE_S + settle)
    unit = ring.property_spec(names[0], "current").unit
    return LossMapEstimate(points, names, unit, per_tune, np.abs(ways).max(axis=0), start, time_s)


def _window(wanted: tuple[float, float] | None, tune: float) -> tuple[float, float]:
    """Return the window of a tune with its integer part; one that is given may be without."""
    low, high = wanted if wanted is not None else (tune - WINDOW, tune + WINDOW)
    if not low < high:
        raise ProcedureError(f"a window of tunes from {low:g} to {high:g}: the lower one comes first")
    if high - low > 0.5:
        raise ProcedureError(f"a window of tunes from {low:g} to {high:g} is wider than 0.5")
    whole = np.floor(tune) if low >= 0.0 and high <= 1.0 else 0.0
    return float(low + whole), float(high + whole)


def _losses(
    present: Lattice, model: Lattice, devices: "RingDevices", options: LossMapOptions, recording: "Recording"
) -> Prepared:
    from gnomon.procedures.plans import StoredBeamKeeper, WorkingPoints, loss_map_plan
    from gnomon.procedures.plans.stored_beam import current_resolution

    found = estimate_losses(present, model, options)
    recording.say(f"{len(found.points)} working points, about {found.time_s / 60.0:.1f} min without lost beams")
    low, high = limits_of(present, found.supplies)
    keeper = StoredBeamKeeper(devices, recording, options.min_current_ma, options.injections)
    wanted = WorkingPoints(
        points=found.points,
        supplies=found.supplies,
        per_tune=found.per_tune,
        low=low,
        high=high,
        start=found.start,
        seconds=options.seconds,
    )
    plan = loss_map_plan(devices, wanted, keeper, recording)
    return plan, lambda _: LossMapParameters(max_order=options.max_order, resolution_ma=current_resolution(devices))


#: Measurements by the name of their procedure: what prepares the plan, and the analysis's parameters.
BEAM_MEASUREMENTS: Mapping[str, Callable[[Lattice, Lattice, Any, Any, Any], Prepared]] = {
    "beta": _local_beta,
    "lifetime": _lifetime,
    "aperture": _aperture,
    "losses": _losses,
}
