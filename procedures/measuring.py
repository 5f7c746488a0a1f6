"""Measurements from beginning to end: settings from options and the model, the plan, the analysis, the document."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from gnomon.lattice import GnomonError, Lattice, Magnet
from gnomon.lattice.near_names import near_names_hint
from gnomon.lattice.units import FREQUENCY_UNITS
from gnomon.procedures.alignment_groups import QuadrupoleChange, alignment_groups
from gnomon.procedures.alignment_model import alignment_model
from gnomon.procedures.beam_based_alignment import AlignmentData, AlignmentParameters
from gnomon.procedures.chromaticity import ChromaticityParameters
from gnomon.procedures.device_choice import chosen_names, supplies_that_drive
from gnomon.procedures.dispersion import DispersionParameters
from gnomon.procedures.documents import Data, Outcome, Parameters, Provenance, Run, now
from gnomon.procedures.errors import ProcedureError, reason_of
from gnomon.procedures.machine_session import MachineSession, State
from gnomon.procedures.measuring_beam import BEAM_MEASUREMENTS
from gnomon.procedures.model_values import COMPACTION_ERROR, FITTED_ERROR, momentum_of
from gnomon.procedures.optics_fit import fitted_lattice
from gnomon.procedures.orbit_response import OrbitResponseParameters
from gnomon.procedures.procedure_options import ProcedureOptions
from gnomon.procedures.registry import find_procedure
from gnomon.procedures.results import new_name
from gnomon.procedures.setting_steps import bounded_step
from gnomon.procedures.tune_response import TuneResponseParameters
from gnomon.propagator import Propagator
from gnomon.propagator.derivatives import fed_by, supplies_of, supply_response
from gnomon.propagator.studies import steering_supplies

if TYPE_CHECKING:
    from gnomon.clients.bluesky_devices import RingDevices
    from gnomon.procedures.plans import MeasuredRow, Recording

__all__ = [
    "MEASUREMENTS",
    "MeasureOptions",
    "PendingMeasurement",
    "carry_out",
    "measure",
    "measure_options",
    "prepare_measurement",
]

#: What is known of a machine after a plan that failed: `restoring` has put back what it moved, or says what it has not.
AS_BEFORE = "the settings are as before"
#: Change of a quadrupole's gradient in beam based alignment, relative.
GRADIENT = 0.02


@dataclass(frozen=True, slots=True)
class MeasureOptions:
    """Options of a measurement; None is the default of each.

    `devices`: patterns of steerers, supplies or quadrupoles. `move_mm`: largest movement of the orbit by a steerer, or
    in a quadrupole. `tune_step`: change of a tune by a supply. `span`: of the RF frequency, in the master clock's unit.
    `fit`: name of a fit of the optics, from which the momentum compaction is taken. `together`: number of steerers that
    move, or of quadrupoles that change, at the same time.
    """

    devices: tuple[str, ...] = ("*",)
    points: int | None = None
    readings: int = 1
    move_mm: float = 0.2
    tune_step: float = 0.002
    span: float | None = None
    fit: str | None = None
    together: int = 1
    note: str = ""


def measure(
    name: str,
    session: MachineSession,
    devices: "RingDevices",
    options: MeasureOptions | ProcedureOptions,
    listener: "Callable[[MeasuredRow, int], None] | None" = None,
    documents: Callable[[str, dict[str, Any]], None] | None = None,
    interrupted: Callable[[], None] | None = None,
    notice: Callable[[str], None] | None = None,
) -> tuple[Run, BaseException | None]:
    """Carry out a measurement; `listener` gets each row with the number of rows to come, `notice` what to know or do.

    Those of BEAM_MEASUREMENTS have documents of options of their own, the others MeasureOptions.

    Returns the run, with its raw data also if it failed or was interrupted, and the exception then. Raises
    ProcedureError and ClientError for what is found before anything is set.
    """
    from gnomon.procedures.plans import Recording

    recording = Recording(notice=notice)
    if listener is not None:
        recording.listener = lambda row: listener(row, recording.total)
    return carry_out(prepare_measurement(name, session, devices, options, recording), documents, interrupted)


@dataclass(frozen=True)
class PendingMeasurement:
    """A measurement that is prepared: run its `plan` in a Run Engine, then ask for the run with what it returned."""

    name: str
    procedure: str
    plan: Any
    finish: "Callable[[Any], Parameters]"
    session: MachineSession
    recording: "Recording"
    note: str
    before: State
    started: str
    fit: str = ""

    def finished(self, data: Data | None, failure: BaseException | None, stopped: bool) -> Run:
        """Analyse, and make the run's document; of a run that failed or was stopped, the rows are its data."""
        parameters = None if data is None else self.finish(data)
        outcome = None if data is None else find_procedure(self.procedure).analyse(data, parameters)
        return self.document(data, parameters, outcome, failure, stopped)

    def document(
        self,
        data: Data | None,
        parameters: Parameters | None,
        outcome: Outcome | None,
        failure: BaseException | None,
        stopped: bool,
    ) -> Run:
        """Make the run's document; what is missing is None."""
        rows = self.recording.rows
        kept: dict[str, Any] = (
            data.model_dump()
            if data is not None
            else {"rows": [{"knobs": dict(r.knobs), "group": r.group, "time_s": r.time_s, **r.values} for r in rows]}
        )
        return Run(
            name=self.name,
            procedure=self.procedure,
            status="done" if failure is None else "stopped" if stopped else "failed",
            reason="" if failure is None else reason_of(failure),
            note=self.note,
            provenance=self._provenance(),
            data=kept,
            parameters={} if parameters is None else parameters.model_dump(),
            outcome=None if outcome is None else outcome.model_dump(),
        )

    def _provenance(self) -> Provenance:
        told = self.session.provenance(self.before, self._state_after(), self.started)
        return told.model_copy(update={"fit": self.fit})

    def _state_after(self) -> State:
        """Return the state now, an empty one if the server is gone: what was measured is kept all the same."""
        try:
            return self.session.state()
        except (GnomonError, OSError):
            return State()


def carry_out(
    pending: PendingMeasurement,
    documents: Callable[[str, dict[str, Any]], None] | None = None,
    interrupted: Callable[[], None] | None = None,
) -> tuple[Run, BaseException | None]:
    """Run a prepared measurement, and analyse it; returns as `measure`. Raw data of a failed analysis are kept."""
    from gnomon.procedures.plans import Interrupted, NotRestoredError, run_plan

    failure: BaseException | None = None
    data: Data | None = None
    try:
        data = run_plan(pending.plan, documents, notice=interrupted)
    except (GnomonError, OSError, TimeoutError) as error:
        failure = error
        if not isinstance(error, Interrupted | NotRestoredError):  # which say it themselves
            error.add_note(AS_BEFORE)
    try:
        return pending.finished(data, failure, isinstance(failure, Interrupted)), failure
    except KeyboardInterrupt:
        failure = failure or Interrupted("interrupted in its analysis; the machine was put back before")
    except Exception as error:
        if data is None:
            raise
        failure = error  # of the analysis, which may be a user's
    return pending.document(data, None, None, failure, isinstance(failure, Interrupted)), failure


def measure_options(name: str, options: ProcedureOptions) -> MeasureOptions | ProcedureOptions:
    """Return the options that a measurement takes: those of BEAM_MEASUREMENTS as they are, else MeasureOptions."""
    if name in BEAM_MEASUREMENTS:
        return options
    known = {each.name for each in fields(MeasureOptions)}
    return MeasureOptions(**{key: value for key, value in options if key in known})


def prepare_measurement(
    name: str,
    session: MachineSession,
    devices: "RingDevices",
    options: MeasureOptions | ProcedureOptions,
    recording: "Recording",
    known: tuple[Lattice, State] | None = None,
) -> PendingMeasurement:
    """Choose settings from options and the model. Raises ProcedureError and ClientError; nothing is set yet.

    The present lattice and state are read unless they are `known`.
    """
    if name not in MEASUREMENTS:
        raise ProcedureError(f"there is no measurement {name!r}{near_names_hint(name, list(MEASUREMENTS))}")
    present = session.present_lattice() if known is None else known[0]
    model, fit = session.model_lattice(present), getattr(options, "fit", None)
    if fit is not None:
        if session.load_fit is None:
            raise ProcedureError(f"{fit}: there are no results here to take a fit from")
        fit, fitted = session.load_fit(fit)
        model = fitted_lattice(model, fitted)
    plan, finish = MEASUREMENTS[name](present, model, devices, options, recording)
    before = session.state() if known is None else known[1]
    return PendingMeasurement(
        new_name(name), name, plan, finish, session, recording, options.note, before, now(), fit or ""
    )


Prepared = tuple[Any, Callable[[Any], Parameters]]


def _orm(
    present: Lattice, model: Lattice, devices: "RingDevices", options: MeasureOptions, recording: "Recording"
) -> Prepared:
    from gnomon.procedures.plans import orm_plan

    names = chosen_names(steering_supplies(model), options.devices, "steering power supply")
    response = 1e3 * supply_response(Propagator(model.ring), model, names).orbit[:, ::2]
    largest = np.abs(response).max(axis=(0, 1))
    steps = {
        name: bounded_step(present, name, options.move_mm / by)
        for name, by in zip(names, largest, strict=True)
        if by > 0.0
    }
    plan = orm_plan(devices, steps, recording, options.points or 3, options.readings, options.together)
    # Three readings alone are fitted by a line: with a square nothing is left that tells the noise.
    curvature = (options.points or 3) * options.readings > 3
    return plan, lambda _: OrbitResponseParameters(curvature=curvature)


def _tune_response(
    present: Lattice, model: Lattice, devices: "RingDevices", options: MeasureOptions, recording: "Recording"
) -> Prepared:
    from gnomon.procedures.plans import tune_response_plan

    known = [name for name in supplies_that_drive(model, "k1") if name in devices.supplies]
    names = chosen_names(known, options.devices, "power supply of quadrupoles")
    response = np.abs(supply_response(Propagator(model.ring), model, names, places=()).tune).max(axis=0)
    steps = {
        name: bounded_step(present, name, options.tune_step / by) for name, by in zip(names, response, strict=True)
    }
    plan = tune_response_plan(devices, steps, recording, options.points or 3, options.readings)
    return plan, lambda _: TuneResponseParameters()


def _dispersion(
    present: Lattice, model: Lattice, devices: "RingDevices", options: MeasureOptions, recording: "Recording"
) -> Prepared:
    from gnomon.procedures.plans import dispersion_plan

    span, hz, relative = _span(present, model, options.span, 2e-3)
    points = options.points or 5
    plan = dispersion_plan(devices, span, recording, points, options.readings, hz)
    momentum = momentum_of(model, relative, error=COMPACTION_ERROR if options.fit is None else FITTED_ERROR)
    return plan, lambda _: DispersionParameters(momentum=momentum, degree=max(1, min(3, points - 2)))


def _chromaticity(
    present: Lattice, model: Lattice, devices: "RingDevices", options: MeasureOptions, recording: "Recording"
) -> Prepared:
    from gnomon.procedures.plans import chromaticity_plan

    span, hz, relative = _span(present, model, options.span, 7e-3)
    points = options.points or 21
    plan = chromaticity_plan(devices, span, recording, points, options.readings, hz)
    momentum = momentum_of(model, relative, error=COMPACTION_ERROR if options.fit is None else FITTED_ERROR)
    return plan, lambda _: ChromaticityParameters(momentum=momentum, degree=max(1, min(4, points - 2)))


def _alignment(
    present: Lattice, model: Lattice, devices: "RingDevices", options: MeasureOptions, recording: "Recording"
) -> Prepared:
    from gnomon.procedures.plans import alignment_plan

    chosen, magnets = _quadrupole_changes(present, model, options)
    groups = alignment_groups(model, chosen, options.together)
    by_name = {change.quadrupole: change for group in groups for change in group.changes}
    mux = model.ring.multiplexer

    def settings(quadrupole: str, step: float) -> dict[tuple[str, str], float]:
        change = by_name[quadrupole]
        key = (change.supply, "current")
        moved = {key: model[key] + step}
        if change.by_multiplexer:
            assert mux is not None
            moved[mux.name, "selected"] = float(magnets[quadrupole].selection or 0)
        return moved

    def finish(_: AlignmentData | None) -> Parameters:
        steps = np.concatenate([group.steps for group in groups])
        return AlignmentParameters(model=alignment_model(model, tuple(by_name), settings, steps))

    plan = alignment_plan(devices, groups, steering_supplies(model), options.move_mm, recording)
    return plan, finish


def _quadrupole_changes(
    present: Lattice, model: Lattice, options: MeasureOptions
) -> tuple[tuple[QuadrupoleChange, ...], dict[str, Magnet]]:
    """Find the way to change each quadrupole: through the multiplexer, else by a supply that feeds it alone.

    Several together by supplies of their own: the multiplexer is connected to one at a time.
    """
    ring, mux = model.ring, model.ring.multiplexer
    magnets = {m.name: m for m in ring.magnets if m.main == "k1"}
    alone = {fed[0][0].name: name for name in supplies_of(model) if len(fed := fed_by(model, name)) == 1}
    reachable = [n for n, m in magnets.items() if n in alone or (mux is not None and m.selection is not None)]
    if not reachable:
        raise ProcedureError(
            f"{ring.name} has no quadrupole that can be changed alone: no multiplexer, no supply of a single one"
        )
    names = chosen_names(reachable, options.devices, "quadrupole that can be changed alone")
    if options.together > 1 and (through := [name for name in names if name not in alone]):
        own = [name for name in reachable if name in alone]
        raise ProcedureError(
            f"{options.together} quadrupoles at a time: {through[0]}{_others(through)} can be changed through the "
            f"multiplexer only, which is connected to one at a time; leave `together` out, or choose among the "
            f"{len(own)} with supplies of their own{': ' + ' '.join(own[:20]) if own else ''}"
        )
    changes = []
    for name in names:
        magnet = magnets[name]
        by_multiplexer = mux is not None and magnet.selection is not None and options.together == 1
        if mux is not None and by_multiplexer:
            supply, slope = mux.supply, mux.factor * model.slope(magnet)
        else:
            supply, slope = alone[name], model.slope(magnet)
        step = bounded_step(present, supply, abs(GRADIENT * model.strength(magnet) / slope))
        changes.append(QuadrupoleChange(name, supply, by_multiplexer, step))
    return tuple(changes), magnets


def _others(names: Sequence[str]) -> str:
    return f" and {len(names) - 1} more" if len(names) > 1 else ""


def _span(present: Lattice, model: Lattice, wanted: float | None, momentum: float) -> tuple[float, float, float]:
    """Return the span of the RF frequency in the master clock's unit, Hz per unit, and the span relative to it."""
    ring = present.ring
    spec, frequency = ring.property_spec("rf", "frequency"), present["rf", "frequency"]
    compaction = abs(Propagator(ring)(model).momentum_compaction)
    span = momentum * compaction * frequency if wanted is None else wanted
    span = min(span, spec.high - frequency, frequency - spec.low)
    if not span > 0.0:
        raise ProcedureError(f"the RF frequency is at {frequency:.10g} {spec.unit}, at its limit")
    return span, FREQUENCY_UNITS[ring.rf_unit], span / frequency


#: Measurements by the name of their procedure: what prepares the plan, and the analysis's parameters.
MEASUREMENTS: dict[str, Callable[[Lattice, Lattice, Any, Any, Any], Prepared]] = {
    "orm": _orm,
    "dispersion": _dispersion,
    "chromaticity": _chromaticity,
    "tune-response": _tune_response,
    "bba": _alignment,
    **BEAM_MEASUREMENTS,
}
