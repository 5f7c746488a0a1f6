"""All procedures that can be carried out at a machine, in one table: name, options, and the function that does it.

The command line, the services, the queue server and the process variables reach procedures through it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, ValidationError, create_model

from gnomon.lattice import GnomonError, Lattice
from gnomon.lattice.near_names import near_names_hint
from gnomon.lattice.text import shorten
from gnomon.procedures import procedure_options as options_of
from gnomon.procedures.bench import Bench
from gnomon.procedures.correction_runs import CORRECTIONS
from gnomon.procedures.documents import Run, now
from gnomon.procedures.errors import Interrupted, ProcedureError
from gnomon.procedures.fitting_optics import fit_optics
from gnomon.procedures.machine_session import MachineSession
from gnomon.procedures.measuring import (
    MEASUREMENTS,
    MeasureOptions,
    PendingMeasurement,
    carry_out,
    measure_options,
    prepare_measurement,
)
from gnomon.procedures.option_errors import worded
from gnomon.procedures.procedure_options import CorrectionOptions, OpticsFitOptions, ProcedureOptions
from gnomon.procedures.registry import PROCEDURES
from gnomon.procedures.results import NotPublishedError, Results, new_name

if TYPE_CHECKING:
    from pathlib import Path

    from gnomon.clients.bluesky_devices import RingDevices
    from gnomon.procedures.correcting import Proposal
    from gnomon.procedures.plans import MeasuredRow, Recording
    from gnomon.recorder.apply import Applied

__all__ = [
    "RUNNABLE",
    "Finished",
    "Runnable",
    "Watcher",
    "checked_options",
    "find_runnable",
    "measurement",
    "run_procedure",
]

Kind = Literal["measurement", "analysis", "correction", "script"]
Prepare = Callable[[MachineSession, "RingDevices", Any, "Recording"], PendingMeasurement]


class Watcher:
    """Told what a procedure does while it runs; does nothing by itself. Override what you need."""

    def phase(self, name: str, text: str = "") -> None:
        """Begin a phase: `preparing`, `measuring`, `computing`, `applying`, `putting back`."""

    def notice(self, text: str) -> None:
        """Learn what the operator should know or do while a measurement runs."""
        self.phase("measuring", text)

    def row(self, row: "MeasuredRow", total: int) -> None:
        """Take a row that was measured; `total` are expected."""

    def document(self, name: str, document: dict[str, Any]) -> None:
        """Take a document of Bluesky."""

    def proposal(self, step: int, present: Lattice, proposal: "Proposal", run: Run) -> None:
        """Take the settings that a correction proposes; they are not made yet."""

    def applied(self, step: int, made: "Applied", run: Run, file: "Path") -> None:
        """Take the result of settings that were made."""

    def interrupted(self) -> None:
        """Learn that the procedure is being ended, and the machine put back."""
        self.phase("putting back")


@dataclass(frozen=True)
class Finished:
    """The end of a procedure: stored runs with their files, proposals that were not applied, the reason if it failed.

    `applied` counts the settings that a correction made.
    """

    runs: "tuple[tuple[Run, Path], ...]" = ()
    proposals: tuple[Run, ...] = ()
    failure: BaseException | None = None
    applied: int = 0


@dataclass(frozen=True)
class Runnable:
    """A procedure that can be carried out; `run_procedure` does it.

    Of measurements and scripts, `prepare` makes what other Run Engines carry out, from session, devices, options and
    recording.
    """

    name: str
    title: str
    kind: Kind
    options: type[ProcedureOptions]
    run: Callable[[Bench, Any, Watcher], Finished]
    prepare: Prepare | None = None


def find_runnable(name: str) -> Runnable:
    """Find a procedure by name. Raises ProcedureError with near names."""
    if name not in RUNNABLE:
        raise ProcedureError(f"there is no procedure {name!r}{near_names_hint(name, list(RUNNABLE))}")
    return RUNNABLE[name]


def checked_options(runnable: Runnable, given: Mapping[str, Any]) -> ProcedureOptions:
    """Check options of a procedure. Raises ProcedureError that names the first wrong one."""
    try:
        return runnable.options.model_validate(given)
    except ValidationError as error:
        first: Mapping[str, Any] = error.errors()[0]
        place, wrong = ".".join(map(str, first["loc"])), first.get("input")
        what, _, action = worded(first, shorten(str(wrong)) if isinstance(wrong, str | int | float) else "")
        told = f"{runnable.name}: {place + ': ' if place else ''}{what}" + (f"; {action}" if action else "")
        raise ProcedureError(told) from error


def run_procedure(runnable: Runnable, bench: Bench, options: ProcedureOptions, watcher: Watcher) -> Finished:
    """Carry out a procedure; runs that measured or set something are stored in the bench's results.

    The machine is as it was afterwards, but for what a correction applied. Raises ProcedureError and ClientError for
    what is found before anything is set, BusyError with another procedure at the prefix, Interrupted if a correction
    was interrupted while it read.
    """
    from gnomon.procedures.nexus import require_h5py

    require_h5py()
    bench.used.clear()
    watcher.phase("preparing")
    if runnable.kind == "analysis":  # which sets nothing, and reads no beam
        return _published(bench.results, runnable.run(bench, options, watcher))
    with bench.only_one(runnable.name):
        finished = runnable.run(bench, options, watcher)
    return _published(bench.results, finished)


def _published(results: Results, finished: Finished) -> Finished:
    """Write runs to the catalogue, if there is one; that one does not take them is a failure, but they are kept."""
    failure = finished.failure
    for _, path in finished.runs:
        try:
            results.publish(path)
        except NotPublishedError as error:
            failure = failure or error
    return replace(finished, failure=failure)


def measurement(name: str, title: str, kind: Kind, options: type[ProcedureOptions], prepare: Prepare) -> Runnable:
    """Make a procedure that runs a plan and analyses what it returns."""

    def run(bench: Bench, options: ProcedureOptions, watcher: Watcher) -> Finished:
        devices = bench.devices()  # says so if Bluesky is missing
        from gnomon.procedures.plans import Recording

        recording = Recording(notice=watcher.notice)
        recording.listener = lambda row: watcher.row(row, recording.total)
        pending = prepare(bench.session, devices, options, recording)
        watcher.phase("measuring")
        found, failure = carry_out(pending, watcher.document, watcher.interrupted)
        found = bench.with_sources(found)
        return Finished(((found, bench.results.save(found)),), failure=failure)

    return Runnable(name, title, kind, options, run, prepare)


def _built_in(name: str) -> Runnable:
    def prepare(
        session: MachineSession, devices: "RingDevices", options: ProcedureOptions, recording: "Recording"
    ) -> PendingMeasurement:
        return prepare_measurement(name, session, devices, measure_options(name, options), recording)

    return measurement(name, PROCEDURES[name].title, "measurement", _OPTIONS.get(name, _all_options()), prepare)


def _optics_fit(bench: Bench, options: OpticsFitOptions, watcher: Watcher) -> Finished:
    session, results = bench.session, bench.results
    measured = results.load(options.orm), results.load(options.dispersion) if options.dispersion else None
    before, started, present = session.state(), now(), session.present_lattice()
    model = session.model_lattice(present)
    watcher.phase("computing")
    run = fit_optics(present, model, *measured, options.note, by_supply=options.by_supply, gradient=options.gradient)
    run = run.model_copy(update={"provenance": session.provenance(before, session.state(), started)})
    bench.used.extend(str(each.identifier) for each in measured if each is not None)
    run = bench.with_sources(run)
    return Finished(((run, results.save(run)),))


def _correction(name: str) -> Callable[[Bench, Any, Watcher], Finished]:
    def run(bench: Bench, options: CorrectionOptions, watcher: Watcher) -> Finished:
        return _correct(name, bench, options, watcher)

    return run


def _correct(name: str, bench: Bench, options: CorrectionOptions, watcher: Watcher) -> Finished:
    """Propose, and with `apply` make the settings, `steps` times; each step that acts is a run.

    What ends a later step is the `failure`: the settings of those before it stay, and their runs are told.
    """
    session = bench.session
    propose = CORRECTIONS[name].prepare(bench, options, watcher.interrupted)
    used = len(bench.used)
    runs: list[tuple[Run, Path]] = []
    proposals: list[Run] = []
    applied = 0
    for step in range(1, (getattr(options, "steps", 1) if options.apply else 1) + 1):
        watcher.phase("measuring", f"step {step}")
        del bench.used[used:]  # by an earlier step
        try:
            before, started, present = session.state(), now(), session.present_lattice()
            proposal = propose(present)
        except (GnomonError, OSError, TimeoutError, KeyboardInterrupt) as error:
            if not runs:
                raise
            return Finished(tuple(runs), tuple(proposals), _later_failure(step, error, applied), applied)
        run = Run(
            name=new_name(proposal.procedure), procedure=proposal.procedure, note=options.note,
            data=proposal.data.model_dump(), parameters=proposal.parameters.model_dump(),
            outcome=proposal.outcome.model_dump(),
        )  # fmt: skip
        watcher.proposal(step, present, proposal, run)
        if not proposal.expectation.found:
            refused = ProcedureError(proposal.expectation.reason)
            if not runs:
                raise ProcedureError(f"{refused}; nothing was set")
            return Finished(tuple(runs), tuple(proposals), _later_failure(step, refused, applied), applied)
        if not (options.apply and proposal.settings):
            told = session.provenance(before, before, started)
            reason = "nothing is left to set" if options.apply else "proposed; nothing was set"
            proposals.append(bench.with_sources(run.model_copy(update={"provenance": told, "reason": reason})))
            break
        watcher.phase("applying", f"{len(proposal.settings)} settings")
        try:
            note = options.note or f"correct {proposal.procedure}"
            made = bench.act(present, proposal.settings, note, proposal.model)
        except (GnomonError, OSError, TimeoutError, KeyboardInterrupt) as error:
            failure: BaseException = error
            if isinstance(error, KeyboardInterrupt):
                failure = Interrupted("interrupted while settings were sent; `gnomon log` shows whether they were made")
            if runs:
                failure = _later_failure(step, failure, applied)
            told = session.provenance(before, session.state(), started)
            run = run.model_copy(update={"provenance": told, "status": "failed", "reason": f"{failure}"})
            run = bench.with_sources(run)
            return Finished((*runs, (run, bench.results.save(run))), tuple(proposals), failure, applied)
        applied += made.done
        run = run.model_copy(update={"provenance": session.provenance(before, session.state(), started)})
        run = bench.with_sources(run)
        runs.append((run, bench.results.save(run)))
        watcher.applied(step, made, *runs[-1])
    return Finished(tuple(runs), tuple(proposals), applied=applied)


def _later_failure(step: int, error: BaseException, applied: int) -> ProcedureError:
    """Say why a later step ended, and that the machine is not as it was before the first one."""
    kind = Interrupted if isinstance(error, KeyboardInterrupt | Interrupted) else ProcedureError
    return kind(f"step {step}: {f'{error}' or 'interrupted'}; the {applied} settings of earlier steps stay")


#: Options of measurements that use some of those of MeasureOptions; others take all of them.
_OPTIONS: Mapping[str, type[ProcedureOptions]] = {
    "orm": options_of.OrbitResponseOptions,
    "dispersion": options_of.DispersionOptions,
    "chromaticity": options_of.ChromaticityOptions,
    "tune-response": options_of.TuneResponseOptions,
    "bba": options_of.AlignmentOptions,
    "beta": options_of.LocalBetaOptions,
    "lifetime": options_of.LifetimeOptions,
    "aperture": options_of.ApertureOptions,
    "losses": options_of.LossMapOptions,
}


def _all_options() -> type[ProcedureOptions]:
    """Make the document of all options of MeasureOptions."""
    made: dict[str, Any] = {
        each.name: (each.type, Field(default=each.default)) for each in fields(MeasureOptions) if each.name != "note"
    }
    return create_model("AllMeasureOptions", __base__=ProcedureOptions, **made)


def _table() -> dict[str, Runnable]:
    made = [_built_in(name) for name in MEASUREMENTS]
    made.append(Runnable("optics-fit", PROCEDURES["optics-fit"].title, "analysis", OpticsFitOptions, _optics_fit))
    made += [Runnable(name, each.title, "correction", each.options, _correction(name))
             for name, each in CORRECTIONS.items()]  # fmt: skip
    return {each.name: each for each in made}


#: What can be carried out, by name.
RUNNABLE: Mapping[str, Runnable] = _table()
