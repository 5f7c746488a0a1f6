"""Procedures for scripts and notebooks: a machine by its prefix, on which each is carried out by name."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gnomon.clients.epics_client import EpicsClient
from gnomon.clients.remote_ring import RemoteRing
from gnomon.clients.server_choice import choose_server
from gnomon.procedures.bench import Bench, Report, pvs_document_of
from gnomon.procedures.documents import Outcome, Run
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.machine_session import MachineSession
from gnomon.procedures.registry import find_procedure
from gnomon.procedures.results import Results
from gnomon.procedures.runnable import Watcher, checked_options, find_runnable, run_procedure

if TYPE_CHECKING:
    from gnomon.recorder.replaying import CorrectionGate

__all__ = ["Machine", "connect"]


@dataclass(frozen=True)
class Machine:
    """A running machine: `run` measures and corrects, `ring` reads and sets, `results` has what was found."""

    bench: Bench

    @property
    def ring(self) -> RemoteRing:
        """The machine as `gnomon.connect` gives it: orbit, tunes, any PV."""
        return RemoteRing(self.bench.session.client)

    @property
    def results(self) -> Results:
        """The stored runs."""
        return self.bench.results

    def run(self, name: str, watcher: Watcher | None = None, **options: Any) -> Run:
        """Carry out a procedure, and return its run: for example `run("orm", devices=["HS*"], readings=3)`.

        Names and options are those of `gnomon measure`, `correct` and `bump`, corrections as `correct-orbit`; they are
        described in `gnomon.procedures.procedure_options`. A correction proposes, and acts only with `apply=True`; of
        several steps the last one's run is returned. A `watcher` hears of each row.

        Raises ProcedureError and ClientError, and whatever ended the procedure; the machine was put back, and what was
        measured until then is in `results`.
        """
        runnable = find_runnable(name)
        finished = run_procedure(runnable, self.bench, checked_options(runnable, options), watcher or Watcher())
        if finished.failure is not None:
            raise finished.failure
        return (*(run for run, _ in finished.runs), *finished.proposals)[-1]

    @staticmethod
    def outcome(run: Run) -> Outcome:
        """Return the outcome of a run as its type. Raises ProcedureError if it has none."""
        if run.outcome is None:
            raise ProcedureError(f"{run.name} has no outcome: {run.reason or run.status}")
        return find_procedure(run.procedure).outcome.model_validate(run.outcome)


@contextmanager
def connect(
    prefix: str | None = None,
    machine: str | None = None,
    server: str | None = None,
    results: Results | Path | str = "results",
    timeout_s: float = 10.0,
    report: Report = lambda event, step, remark: None,
    gate: "CorrectionGate | None" = None,
    without_bounds: bool = False,
) -> Iterator[Machine]:
    """Connect to the machine of a prefix; None: the server that runs on this computer.

    `machine` is its name or document, where the server does not tell it; `results` is the folder of stored runs; see
    `gnomon.connect` for `server`, and `Bench` for `report`, `gate` and `without_bounds`. Raises NoServerError,
    ProcedureError.
    """
    target = choose_server(prefix=prefix, machine=machine, server=server)
    name = machine or (target.server.machine if target.server is not None else "")
    if not name:
        raise ProcedureError("the server does not tell its machine: name it, as in connect(machine='bessy2')")
    stored = results if isinstance(results, Results) else Results(Path(results).expanduser())
    client = EpicsClient(target, "pva", timeout_s)
    try:
        session = MachineSession(client, name, pvs_document_of(target))
        yield Machine(Bench(session, stored, report=report, gate=gate, without_bounds=without_bounds))
    finally:
        client.close()
