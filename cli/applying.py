"""Parts that corrections share on the command line: the machine that is meant, and carrying one out."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gnomon.cli.connection import Connection, connected_to
from gnomon.cli.output import Json, print_json, say
from gnomon.cli.results_folder import ResultsFolder, results_of

if TYPE_CHECKING:
    from gnomon.clients.epics_client import EpicsClient
    from gnomon.procedures.bench import Bench
    from gnomon.procedures.results import Results

Apply = Annotated[bool, typer.Option("--apply", help="Make the settings; without it they are only shown.")]
Steps = Annotated[int, typer.Option(min=1, max=20, help="Measure, correct and repeat this often, with --apply.")]

WithoutBounds = Annotated[
    bool,
    typer.Option(
        "--without-bounds",
        help="On a machine, act without the gate's confidence bounds: only limits, step sizes and readbacks are "
        "checked.",
    ),
]
Note = Annotated[str, typer.Option(help="Keep this text with the command and the result.")]


@dataclass(frozen=True)
class Acting:
    """Options of a correction that acts or is only shown, and of what is kept of it: a group for `with_options`."""

    steps: Steps = 1
    act: Apply = False
    without_bounds: WithoutBounds = False
    note: Note = ""
    results: ResultsFolder = None
    as_json: Json = False


@contextmanager
def open_bench(
    connection: Connection, results: "Results", *, act: bool = False, without_bounds: bool = False
) -> Iterator["Bench"]:
    """Connect to the machine that the options mean; to `act` on it, with its gate, if it has one.

    Raises NoServerError, and what `machine_of` raises.
    """
    from gnomon.procedures.bench import Bench, pvs_document_of
    from gnomon.procedures.machine_session import MachineSession

    target = connection.target()
    with connected_to(target, connection.protocol, connection.timeout) as client:
        session = MachineSession(client, machine_of(connection, client), pvs_document_of(target, connection.config))
        bench = Bench(session, results, connection.protocol, _report, without_bounds=without_bounds)
        if act and not without_bounds and session.role != "twin":
            _give_gate(bench, connection)
        yield bench


def _give_gate(bench: "Bench", connection: Connection) -> None:
    """Give the gate of the configuration's limits file and of the newest calibration that fits, or the reason."""
    from gnomon.cli.gate_parts import Chosen, limits_of, no_calibration, no_limits, predictor_of
    from gnomon.cli.recordings_folder import own_name
    from gnomon.recorder.replaying import CorrectionGate, line_of, record_of

    chosen = Chosen(bench.session.prefix, connection.config)
    limits = limits_of(chosen)
    if limits is None:
        bench.no_gate = no_limits()
        return
    present = bench.session.present_lattice()
    predictor = predictor_of(chosen, present, "")
    if predictor is None:
        bench.no_gate = no_calibration(chosen, present)
        return
    bench.gate = CorrectionGate(
        limits, predictor, reviewer=own_name(), observer=lambda view: say(line_of(record_of(view)), err=True)
    )


def _report(event: str, step: Any, remark: str) -> None:
    say(f"{event:9} {step.pv} {step.target:.9g} {step.unit} {remark}".rstrip(), err=True)


def machine_of(connection: Connection, client: "EpicsClient") -> str:
    """Find the machine's name or document: as given, as the server made known, or as it answers.

    Raises typer.BadParameter if nothing tells it.
    """
    from gnomon.clients.errors import ClientError

    if connection.machine is not None:
        return connection.machine
    if client.target.server is not None:
        return client.target.server.machine
    try:
        return str(client.call("dt:journal")["machine"])
    except (ClientError, KeyError, TypeError) as error:
        text = f"the server does not tell its machine, name it: {error}"
        raise typer.BadParameter(text, param_hint="--machine") from error


def correct(name: str, connection: Connection, acting: Acting, options: dict[str, Any]) -> None:
    """Propose, show, and with `act` make the settings, `steps` times; each step that acted is kept."""
    from gnomon.cli.shown_proposals import ShownProposals
    from gnomon.procedures.runnable import checked_options, find_runnable, run_procedure

    runnable = find_runnable(name)
    chosen = checked_options(runnable, options | {"apply": acting.act, "note": acting.note})
    shown = ShownProposals(acting.steps if acting.act else 1, quiet=acting.as_json)
    with open_bench(
        connection, results_of(acting.results, connection.config), act=acting.act, without_bounds=acting.without_bounds
    ) as bench:
        finished = run_procedure(runnable, bench, chosen, shown)
    if finished.failure is not None:
        raise finished.failure
    if acting.as_json:
        print_json(shown.told)
    elif not acting.act:
        say("nothing was set; --apply makes these settings")
