"""Corrections at a machine: each reads what it corrects, and proposes; `runnable` shows, applies and keeps it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal, NamedTuple

import numpy as np

from gnomon.lattice import Lattice
from gnomon.procedures.beam_based_alignment import AlignmentOutcome, with_offsets
from gnomon.procedures.bench import Bench
from gnomon.procedures.chromaticity import ChromaticityOutcome
from gnomon.procedures.correcting import Proposal, propose_bump, propose_orbit, propose_working_point
from gnomon.procedures.correcting_optics import propose_optics
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.measuring import MeasureOptions, measure
from gnomon.procedures.optics_correction import OpticsCorrectionParameters
from gnomon.procedures.optics_fit import OpticsFitOutcome
from gnomon.procedures.orbit_correction import OrbitCorrectionParameters
from gnomon.procedures.orbit_response import OrbitResponseOutcome
from gnomon.procedures.procedure_options import (
    BumpOptions,
    ChromaticityCorrectionOptions,
    CorrectionOptions,
    OpticsCorrectionOptions,
    OrbitCorrectionOptions,
    TuneCorrectionOptions,
)
from gnomon.procedures.tune_response import TuneResponseOutcome
from gnomon.propagator import Propagator

__all__ = ["CORRECTIONS", "Correction", "Propose"]

#: Reads, and proposes settings about the present lattice.
Propose = Callable[[Lattice], Proposal]


class Correction(NamedTuple):
    """A correction: title, options, and what prepares it. `prepare` gets what is to be called on an interrupt."""

    title: str
    options: type[CorrectionOptions]
    prepare: Callable[[Bench, Any, Callable[[], None]], Propose]


def _orbit(bench: Bench, options: OrbitCorrectionOptions, interrupted: Callable[[], None]) -> Propose:
    parameters = OrbitCorrectionParameters(
        method=options.method, strength=options.strength, fraction=options.fraction, use_rf=options.rf,
        dead=options.dead, max_step=options.max_step,
    )  # fmt: skip
    measured: OrbitResponseOutcome | None = None
    if options.response is not None:
        measured = OrbitResponseOutcome.model_validate(bench.outcome_of(options.response, "orm")[1])

    reference = bench.reference_mm()
    aligned: AlignmentOutcome | None = None
    if options.offsets is not None:
        aligned = AlignmentOutcome.model_validate(bench.outcome_of(options.offsets, "bba")[1])

    def propose(present: Lattice) -> Proposal:
        target = reference
        if aligned is not None:
            monitors = tuple(bpm.name for bpm in present.ring.bpms)
            target = with_offsets(np.broadcast_to(reference, (2, len(monitors))), monitors, aligned)
        away = bench.read("orbit", options.readings, interrupted) - target
        model = bench.session.model_lattice(present)
        return propose_orbit(present, away, parameters, options.devices, measured, model)

    return propose


def _tune(bench: Bench, options: TuneCorrectionOptions, interrupted: Callable[[], None]) -> Propose:
    wanted = np.array(options.to) % 1.0
    measured: TuneResponseOutcome | None = None
    if options.response is not None:
        measured = TuneResponseOutcome.model_validate(bench.outcome_of(options.response, "tune-response")[1])

    def propose(present: Lattice) -> Proposal:
        tunes = bench.read("tunes", options.readings, interrupted)
        model = bench.session.model_lattice(present)
        return propose_working_point(present, "tune", tunes, wanted, options.devices, measured, model)

    return propose


def _chromaticity(bench: Bench, options: ChromaticityCorrectionOptions, interrupted: Callable[[], None]) -> Propose:
    wanted, stored = np.array(options.to), [options.measured] if options.measured is not None else []
    repeats = options.apply and options.steps > 1

    def propose(present: Lattice) -> Proposal:
        model = bench.session.model_lattice(present)
        if stored:
            found = _measured_chromaticity(bench, stored.pop())
        elif repeats:
            found = _measure_chromaticity(bench, interrupted)
        else:
            found = Propagator(model.ring)(model).chromaticity
        proposal = propose_working_point(present, "chromaticity", found, wanted, options.devices, model=model)
        if repeats and np.abs(found - wanted).max() < options.within:
            return replace(proposal, settings={})
        return proposal

    return propose


def _measure_chromaticity(bench: Bench, interrupted: Callable[[], None]) -> "np.typing.NDArray[np.float64]":
    """Measure the chromaticities now, and keep the run. Raises what the measurement does."""
    run, failure = measure("chromaticity", bench.session, bench.devices(), MeasureOptions(), interrupted=interrupted)
    bench.results.save(run)
    if failure is not None:
        raise failure
    bench.used.append(str(run.identifier))
    return ChromaticityOutcome.model_validate(run.outcome).chromaticity


def _measured_chromaticity(bench: Bench, name: str) -> "np.typing.NDArray[np.float64]":
    run, outcome = bench.outcome_of(name, "chromaticity")
    present = bench.session.state().lattice_id
    if run.provenance.lattice_id_after != present:
        raise ProcedureError(
            f"{run.name} was measured with lattice {run.provenance.lattice_id_after}, the present one is {present}: "
            "measure again"
        )
    return ChromaticityOutcome.model_validate(outcome).chromaticity


def _optics(bench: Bench, options: OpticsCorrectionOptions, _: Callable[[], None]) -> Propose:
    found = OpticsFitOutcome.model_validate(bench.outcome_of(options.fit, "optics-fit")[1])
    error = float(np.sqrt(np.mean(found.beating_error**2)))
    parameters = OpticsCorrectionParameters(strength=options.strength, error=error, fraction=options.fraction)

    def propose(present: Lattice) -> Proposal:
        return propose_optics(present, found, parameters, options.devices, bench.session.model_lattice(present))

    return propose


def _bump(bench: Bench, options: BumpOptions, interrupted: Callable[[], None]) -> Propose:
    position = options.x if options.x is not None else options.y or 0.0
    wanted: dict[Literal["position", "angle"], float] = {"position": position}
    if options.angle is not None:
        wanted["angle"] = options.angle
    before: list[tuple[Lattice, np.typing.NDArray[np.float64]]] = []

    def propose(present: Lattice) -> Proposal:
        measured = None
        if options.apply and options.steps > 1:
            orbit = bench.read("orbit", options.readings, interrupted)["xy".index(options.plane)]
            measured = orbit - before[0][1] if before else None
            before.append((present, orbit))
        start = before[0][0] if before else present
        model = bench.session.model_lattice(start)
        return propose_bump(
            start, options.monitor, options.plane, wanted, options.steerers, options.rf, model, present, measured
        )

    return propose


#: Corrections by the name under which they are carried out.
CORRECTIONS: Mapping[str, Correction] = {
    "correct-orbit": Correction("orbit correction", OrbitCorrectionOptions, _orbit),
    "correct-tune": Correction("correction of the tunes", TuneCorrectionOptions, _tune),
    "correct-chromaticity": Correction(
        "correction of the chromaticities", ChromaticityCorrectionOptions, _chromaticity
    ),
    "correct-optics": Correction("correction of the optics", OpticsCorrectionOptions, _optics),
    "bump": Correction("closed bump", BumpOptions, _bump),
}
