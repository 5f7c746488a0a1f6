"""A calibration of the confidence bounds from a running machine: its steps chosen, measured, and made a document of.

Measured are repeated orbits and tunes, for the noise; a response of some steerers and of the RF frequency, unless a
stored fit of the optics has one, for the posterior; and held-out steps of every kind, drawn at random, for discrepancy
and conformal shell. Each step goes there and back, and both ways count. The machine is as it was found afterwards.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gnomon.lattice import NAMED_SETTINGS, GnomonError, Key, Lattice
from gnomon.lattice.units import FREQUENCY_UNITS
from gnomon.procedures.device_choice import chosen_names, supplies_that_drive
from gnomon.procedures.documents import Run, now
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.expected_time import Expected, expected_plan_time
from gnomon.procedures.machine_session import MachineSession
from gnomon.procedures.optics_fit import OpticsFitData, OpticsFitParameters
from gnomon.procedures.registry import typed
from gnomon.procedures.setting_steps import bounded_step
from gnomon.propagator import Propagator
from gnomon.propagator.derivatives import supply_response
from gnomon.propagator.studies import steering_supplies
from gnomon.recorder.bounds import (
    CalibrationDocument,
    DataUsed,
    MeasuredChange,
    Noise,
    calibrate,
    kind_of,
    needed,
    noise_of,
    optics_digest,
)

if TYPE_CHECKING:
    from gnomon.clients.bluesky_devices import RingDevices
    from gnomon.procedures.plans import MeasuredRow, Recording
    from gnomon.procedures.plans.calibration_steps import SingleStep

__all__ = [
    "CalibrationOptions",
    "CalibrationSteps",
    "Prepared",
    "calibrate_machine",
    "choose_steps",
    "expected_calibration_time",
    "fitted_changes",
    "prepare_calibration",
]

Floats = NDArray[np.float64]

RF = NAMED_SETTINGS["rf_frequency"]
#: Held-out steps beyond those that the coverage needs, of which a fifth is for the discrepancy; and a few to spare.
FOR_SHELL, SPARE = 0.8, 5
#: Smallest part of the largest step that is drawn.
SMALLEST = 0.1


@dataclass(frozen=True, slots=True)
class CalibrationOptions:
    """Options of a calibration.

    `steerers` are patterns of those whose response is measured, `held_out` patterns of supplies of which steps are held
    out. `move_mm`: largest movement of the orbit by a steerer; `tune_step`: largest change of a tune by quadrupoles;
    `momentum`: largest change of the momentum deviation by the RF frequency. `coverage` gives the number of held-out
    steps of each kind, unless `steps` does. `kinds` are those of the held-out steps, all if there are none; if they are
    kinds of steerers, the response of the steerers of these kinds is enough. `half_aperture_mm` is that of the chamber.
    """

    steerers: tuple[str, ...] = ("*",)
    held_out: tuple[str, ...] = ("*",)
    kinds: frozenset[str] = frozenset()
    move_mm: float = 0.3
    tune_step: float = 1e-3
    momentum: float = 2e-4
    repeats: int = 20
    readings: int = 1
    coverage: float = 0.95
    steps: int | None = None
    seed: int = 1
    max_age_h: float = 24.0
    half_aperture_mm: tuple[float, float] | None = None
    note: str = ""

    @property
    def held_out_steps(self) -> int:
        """Number of held-out commands of each kind."""
        return math.ceil(needed(self.coverage) / FOR_SHELL) + SPARE if self.steps is None else self.steps


@dataclass(frozen=True, slots=True)
class CalibrationSteps:
    """Steps that are fitted, and those that are held out."""

    fitted: "tuple[SingleStep, ...]"
    held_out: "tuple[SingleStep, ...]"

    @property
    def fitted_rows(self) -> int:
        """Number of readings of the steps that are fitted."""
        return sum(each.rows for each in self.fitted)

    @property
    def every(self) -> "tuple[SingleStep, ...]":
        """All of them, as they are made."""
        return (*self.fitted, *self.held_out)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A calibration that can begin: the present settings, the model at which it is made, its steps."""

    present: Lattice
    reference: Lattice
    steps: CalibrationSteps

    @property
    def text(self) -> str:
        """Tell the numbers of settings, by what they are for."""
        ring = self.present.ring
        kinds = Counter(kind_of(ring, [(each.name, "current")]) for each in self.steps.held_out)
        held = ", ".join(f"{2 * count} of {kind}" for kind, count in sorted(kinds.items()))
        return f"{self.steps.fitted_rows} settings for the response, {held} held out"


def prepare_calibration(session: MachineSession, options: CalibrationOptions, *, response: bool = True) -> Prepared:
    """Read the machine's settings and choose the steps; nothing is set. Raises ProcedureError."""
    present = session.present_lattice()
    reference = session.model_lattice(present)
    return Prepared(present, reference, choose_steps(present, reference, options, response=response))


def expected_calibration_time(
    session: MachineSession, prepared: Prepared, options: CalibrationOptions, reading_period_s: float = 1.0
) -> Expected:
    """Expect how long the measurement takes. Ramps are not in it. Nothing is set."""
    from gnomon.procedures.plans import Recording
    from gnomon.procedures.plans.calibration_steps import calibration_plan

    def plan_of(devices: "RingDevices") -> Any:
        return calibration_plan(devices, options.repeats, prepared.steps.every, Recording(), options.readings)

    return expected_plan_time(session, prepared.present, plan_of, reading_period_s)


def choose_steps(
    present: Lattice, model: Lattice, options: CalibrationOptions, *, response: bool = True
) -> CalibrationSteps:
    """Choose the steps, from the model and the limits of the supplies. Raises ProcedureError."""
    from gnomon.procedures.plans.calibration_steps import CLOCK, SingleStep

    propagate = Propagator(model.ring)
    steerers = steering_supplies(model)
    kind = {name: kind_of(model.ring, [(name, "current")]) for name in (*steerers, *supplies_that_drive(model, "k1"))}
    if unknown := options.kinds - set(kind.values()):
        raise ProcedureError(
            f"no steps of the kind {', '.join(sorted(unknown))} can be held out; those of "
            f"{', '.join(sorted(set(kind.values())))} can"
        )
    chosen = chosen_names(steerers, options.steerers, "steering power supply") if response else ()
    if options.kinds and options.kinds <= {kind[name] for name in steerers}:
        chosen = tuple(name for name in chosen if kind[name] in options.kinds)
    held = chosen_names(tuple(kind), options.held_out, "steering or quadrupole power supply")
    held = tuple(name for name in held if not options.kinds or kind[name] in options.kinds)
    names = tuple(dict.fromkeys((*chosen, *held)))
    found = supply_response(propagate, model, names)
    sizes = {}
    for number, name in enumerate(names):
        steers = name in steerers
        by = 1e3 * np.abs(found.orbit[:, ::2, number]).max() if steers else np.abs(found.tune[:, number]).max()
        wanted = (options.move_mm if steers else options.tune_step) / by if by > 0.0 else 0.0
        try:
            sizes[name] = bounded_step(present, name, wanted)
        except ProcedureError:
            continue  # at its limit
    fitted = [SingleStep(name, sizes[name], both=True) for name in chosen if sizes.get(name)]
    if response:
        spec, frequency = model.ring.property_spec(*RF), present[RF]
        span = options.momentum * abs(propagate(model).momentum_compaction) * frequency
        span = min(span, spec.high - frequency, frequency - spec.low)
        fitted += [SingleStep(CLOCK, span, both=True)] if span > 0.0 else []
    random = np.random.default_rng(options.seed)
    kinds: dict[str, list[str]] = {}
    for name in held:
        if sizes.get(name):
            kinds.setdefault(kind[name], []).append(name)
    if not kinds:
        raise ProcedureError("no supply that can be moved is left for held-out steps")
    drawn = []
    for mine in kinds.values():
        for _ in range(math.ceil(options.held_out_steps / 2)):  # there and back
            name = mine[int(random.integers(len(mine)))]
            part = float(random.uniform(SMALLEST, 1.0) * random.choice((-1.0, 1.0)))
            drawn.append(SingleStep(name, part * sizes[name]))
    order = random.permutation(len(drawn))
    return CalibrationSteps(tuple(fitted), tuple(drawn[i] for i in order))


def calibrate_machine(
    session: MachineSession,
    devices: "RingDevices",
    options: CalibrationOptions,
    *,
    author: str,
    fit: Run | None = None,
    prepared: Prepared | None = None,
    listener: "Callable[[MeasuredRow, int], None] | None" = None,
    progress: Callable[[str], None] = lambda text: None,
    interrupted: Callable[[], None] | None = None,
) -> CalibrationDocument:
    """Measure and calibrate. With a stored `fit` of the optics, its response is used and none is measured.

    `prepared` has the steps, chosen with the same options. `listener` gets each row with the number of rows in all,
    `progress` words. Raises ProcedureError, CalibrationError, and what the devices raise; the machine was put back
    then.
    """
    from gnomon.procedures.plans import Recording, run_plan
    from gnomon.procedures.plans.calibration_steps import calibration_plan

    prepared = prepared or prepare_calibration(session, options, response=fit is None)
    present, reference, steps = prepared.present, prepared.reference, prepared.steps
    known = [] if fit is None else fitted_changes(fit, reference, present)
    recording = Recording(notice=progress)
    if listener is not None:
        recording.listener = lambda row: listener(row, recording.total)
    every = steps.every
    run_plan(calibration_plan(devices, options.repeats, every, recording, options.readings), notice=interrupted)
    after = session.present_lattice()
    if optics_digest(after) != optics_digest(present):
        raise ProcedureError("somebody has changed the optics meanwhile: calibrate again")
    noise, still, changes = changes_of(recording, every, present, options.readings)
    ways = steps.fitted_rows
    data = [DataUsed(kind="response", commands=ways)] if ways else []
    if fit is not None:
        data.append(DataUsed(kind="optics fit", source=fit.name, commands=len(known)))
    data.append(DataUsed(kind="held-out steps", commands=len(changes) - ways))
    return calibrate(
        reference,
        present,
        noise,
        [*known, *changes[:ways]],
        changes[ways:],
        made=now(),
        author=author,
        still=still,
        note=options.note,
        prefix=session.prefix,
        data=data,
        max_age_s=3600.0 * options.max_age_h,
        half_aperture_mm=options.half_aperture_mm,
        progress=progress,
    )


def changes_of(
    recording: "Recording", steps: "Sequence[SingleStep]", present: Lattice, readings: int
) -> tuple[Noise, Floats, list[MeasuredChange]]:
    """Make the noise, of single readings, what the machine showed before all steps (rows,), and the measured changes.

    Each step makes one, and its way back another.
    """
    from gnomon.procedures.plans.calibration_steps import CLOCK

    rows = recording.rows
    values = [np.concatenate((r.values["x"], r.values["y"], [r.values["tune_x"], r.values["tune_y"]])) for r in rows]
    still = np.array([value for value, row in zip(values, rows, strict=True) if row.group == 0])
    count = (still.shape[1] - 2) // 2
    noise = noise_of(np.stack((still[:, :count], still[:, count : 2 * count]), axis=2), still[:, -2:])
    averaged = Noise(noise.orbit / math.sqrt(readings), noise.tune / math.sqrt(readings))
    first: Floats = still.mean(axis=0)
    last, at, changes = first, present, []
    for value, row in zip(values, rows, strict=True):
        if row.group == 0:
            continue
        name = steps[row.group - 1].name
        key: Key = RF if name == CLOCK else (name, "current")
        setting = row.knobs[name]
        before = {} if at[key] == present[key] else {key: at[key]}
        changes.append(MeasuredChange({key: setting}, value - last, before, shown=last))
        last, at = value, at.updated({key: setting})
    return averaged, first, changes


def fitted_changes(fit: Run, reference: Lattice, present: Lattice) -> list[MeasuredChange]:
    """Take the response that a fit of the optics was made from as measured changes, per unit of each steerer.

    Raises ProcedureError if it is not a fit, or one with other monitors or of another machine.
    """
    data, parameters, _ = typed(fit)
    if not isinstance(data, OpticsFitData) or not isinstance(parameters, OpticsFitParameters):
        raise ProcedureError(f"{fit.name} is not a fit of the optics")
    if data.monitors != tuple(bpm.name for bpm in reference.ring.bpms):
        raise ProcedureError(f"{fit.name} has other monitors than {reference.ring.name}")
    try:
        fitted_about = parameters.model.lattice()
    except GnomonError as error:
        raise ProcedureError(f"{fit.name}: its model cannot be built: {error}") from error
    if fitted_about.ring.digest != reference.ring.digest or optics_digest(fitted_about) != optics_digest(reference):
        raise ProcedureError(
            f"{fit.name} was made with another machine document, or other optics than the present ones"
        )
    unmeasured = np.full(2, np.nan)
    changes = []
    for number, name in enumerate(data.steerers):
        key = (name, "current")
        largest = float(np.nanmax(np.abs([data.x[:, number], data.y[:, number]])))
        step = bounded_step(present, name, 0.2 / largest) if largest > 0.0 else 0.0
        if step:
            effect = step * np.concatenate((data.x[:, number], data.y[:, number], unmeasured))
            errors = step * np.concatenate((data.x_error[:, number], data.y_error[:, number], unmeasured))
            changes.append(MeasuredChange({key: present[key] + step}, effect, {}, errors))
    if np.isfinite(data.dispersion).any():
        step = 0.1  # kHz, as the dispersion's unit
        per_unit = _khz_per_unit(reference)
        effect = step * np.concatenate((*data.dispersion, unmeasured))
        errors = step * np.concatenate((*data.dispersion_error, unmeasured))
        changes.append(MeasuredChange({RF: present[RF] + step / per_unit}, effect, {}, errors))
    return changes


def _khz_per_unit(lattice: Lattice) -> float:
    return float(FREQUENCY_UNITS[lattice.ring.rf_unit]) * 1e-3
