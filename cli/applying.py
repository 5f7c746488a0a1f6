"""Parts that corrections share on the command line: reading, showing a proposal, and acting through one function."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gnomon.cli.connection import Connection, connected_to
from gnomon.cli.output import Json, aligned_lines, print_json, say
from gnomon.cli.results_folder import ResultsFolder, results_of, show_lines
from gnomon.lattice.text import printable

if TYPE_CHECKING:
    from gnomon.clients.bluesky_devices import RingDevices
    from gnomon.clients.epics_client import EpicsClient
    from gnomon.clients.server_choice import Target
    from gnomon.lattice import Lattice
    from gnomon.procedures.correcting import Proposal
    from gnomon.procedures.machine_session import MachineSession
    from gnomon.procedures.results import Results
    from gnomon.recorder.apply import Applied

Apply = Annotated[bool, typer.Option("--apply", help="Make the settings; without it they are only shown.")]
Steps = Annotated[int, typer.Option(min=1, max=20, help="Measure, correct and repeat this often, with --apply.")]

Note = Annotated[str, typer.Option(help="Keep this text with the command and the result.")]


@dataclass(frozen=True)
class Acting:
    """Options of a correction that acts or is only shown, and of what is kept of it: a group for `with_options`."""

    steps: Steps = 1
    act: Apply = False
    note: Note = ""
    results: ResultsFolder = None
    as_json: Json = False


#: Settings that are shown one by one.
SHOWN = 12


@dataclass
class Desk:
    """A machine to correct: its session and devices, and where results go."""

    session: "MachineSession"
    connection: Connection
    results: "Results"

    def devices(self) -> "RingDevices":
        """Make the devices of the ring."""
        from gnomon.clients import devices

        return devices(
            self.session.machine,
            prefix=self.session.prefix,
            protocol=self.connection.protocol,
            pvs=self.session.pvs_document,
        )

    def read(self, what: str, readings: int) -> Any:
        """Read orbit (2, monitors) [mm] or tunes (2,), averaged over readings."""
        import numpy as np

        ring = self.devices()  # says so if Bluesky is missing
        from gnomon.procedures.plans import Recording, orbit_plan, run_plan, tunes_plan

        recording = Recording()
        run_plan((orbit_plan if what == "orbit" else tunes_plan)(ring, recording, readings))
        return np.array([recording.column(plane).mean(axis=0) for plane in "xy"])

    def act(self, lattice: "Lattice", proposal: "Proposal", note: str) -> "Applied":
        """Make a proposal's settings: on a twin one command, on a machine one by one with a replay's checks."""
        from gnomon.recorder.apply import SetStep, TwinTarget, apply

        steps = [SetStep(key, value) for key, value in proposal.settings.items()]
        if self.session.role == "twin":
            from gnomon.cli.sending import make_remote

            return apply(steps, TwinTarget(make_remote(), self.session.prefix, lattice), note)
        with self._machine(lattice) as target:
            return apply(steps, target, note)

    @contextmanager
    def _machine(self, lattice: "Lattice") -> Iterator[Any]:
        from gnomon.cli.options import configure
        from gnomon.cli.replay import make_machine
        from gnomon.ioc.base.machines import find_machine, pvs_of
        from gnomon.propagator import Propagator
        from gnomon.recorder.apply import MachineTarget
        from gnomon.recorder.replay_execution import AuditFile

        for name, value in self.session.client.target.environment.items():
            os.environ.setdefault(name, value)
        loaded = find_machine(configure(self.connection.config, machine=self.session.machine))
        # The loaded ring is another object than the session's: the same settings on it.
        present = loaded.ring.nominal.updated(
            {key: lattice[key] for key in lattice.ring.properties if _is_changed(lattice, key)}
        )
        self.results.folder.mkdir(parents=True, exist_ok=True)
        audit = AuditFile(self.results.folder / "applied.jsonl")
        try:
            yield MachineTarget(
                make_machine(), self.session.prefix, present, pvs_of(loaded, self.session.prefix),
                Propagator(loaded.ring), audit, _report,
            )  # fmt: skip
        finally:
            audit.close()


def _is_changed(lattice: "Lattice", key: tuple[str, str]) -> bool:
    spec = lattice.ring.properties[key]
    return spec.slot is not None and spec.setting == spec.property and lattice[key] != spec.nominal


def _report(event: str, step: Any, remark: str) -> None:
    say(f"{event:9} {step.pv} {step.target:.9g} {step.unit} {remark}".rstrip(), err=True)


@contextmanager
def open_desk(connection: Connection, acting: Acting) -> Iterator[Desk]:
    """Connect to the machine that the options mean. Raises NoServerError, and what `machine_of` raises."""
    from gnomon.procedures.machine_session import MachineSession

    target = connection.target()
    with connected_to(target, connection.protocol, connection.timeout) as client:
        session = MachineSession(client, machine_of(connection, client), pvs_document_of(connection, target))
        yield Desk(session, connection, results_of(acting.results, connection.config))


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


def pvs_document_of(connection: Connection, target: "Target") -> str | None:
    """Find the PV document that a configuration names: the one given, or the running server's. None: the machine's."""
    from gnomon.ioc.base.config import read_config

    file = connection.config
    if file is None and target.server is not None and target.server.config:
        file = Path(target.server.config)
    return (read_config(file).pvs or None) if file is not None else None


def correct(desk: Desk, propose: "Callable[[Lattice], Proposal]", acting: Acting) -> None:
    """Propose, show, and with `act` make the settings, `steps` times; keep each step's document that acted."""
    from gnomon.procedures.documents import Run, now
    from gnomon.procedures.results import new_name
    from gnomon.procedures.summaries import summarise

    told: list[dict[str, Any]] = []
    for number in range(1, (acting.steps if acting.act else 1) + 1):
        before, started, lattice = desk.session.state(), now(), desk.session.present_lattice()
        proposal = propose(lattice)
        run = Run(
            name=new_name(proposal.procedure), procedure=proposal.procedure, note=acting.note,
            data=proposal.data.model_dump(), parameters=proposal.parameters.model_dump(),
            outcome=proposal.outcome.model_dump(),
        )  # fmt: skip
        if not acting.as_json:
            if acting.act and acting.steps > 1:
                say(f"step {number} of {acting.steps}")
            _show(lattice, proposal)
            show_lines(summarise(run))
        line = {
            "settings": {".".join(key): value for key, value in proposal.settings.items()},
            "expected": {"tune": proposal.expectation.tune_after, "rms_mm": proposal.expectation.rms_mm},
            "summary": [each._asdict() for each in summarise(run)],
        }
        if not proposal.expectation.found:
            raise _refusal(proposal.expectation.reason)
        if acting.act and proposal.settings:
            applied = desk.act(lattice, proposal, acting.note or f"correct {proposal.procedure}")
            run = run.model_copy(update={"provenance": desk.session.provenance(before, desk.session.state(), started)})
            path = desk.results.save(run)
            line |= {"applied": applied.done, "lattice_id": applied.lattice_id, "file": str(path)}
            if not acting.as_json:
                say(f"{run.name}: {applied.done} settings made {applied.lattice_id}; {path}")
        told.append(line)
    if acting.as_json:
        print_json(told)
    elif not acting.act:
        say("nothing was set; --apply makes these settings")


def _refusal(reason: str) -> Exception:
    from gnomon.procedures.errors import ProcedureError

    return ProcedureError(f"{reason}; nothing was set")


def _show(lattice: "Lattice", proposal: "Proposal") -> None:
    """Show the largest changes, and what the full model expects."""
    spec_of = lattice.ring.property_spec
    rows = sorted(
        ((*key, lattice[key], value, spec_of(*key)) for key, value in proposal.settings.items()),
        key=lambda row: -abs(row[3] - row[2]) / max(row[4].high - row[4].low, 1e-300),
    )
    cells = [
        [printable(device), f"{old:.8g}", "->", f"{new:.8g} {printable(spec.unit)}"]
        for device, _, old, new, spec in rows[:SHOWN]
    ]
    for line in aligned_lines(cells, [False, True, False, True]):
        typer.echo(line)
    if len(rows) > SHOWN:
        typer.echo(f"and {len(rows) - SHOWN} more")
    expected = proposal.expectation
    if expected.found:
        say(
            f"the full model expects: tunes {expected.tune_before[0]:.5f}, {expected.tune_before[1]:.5f} -> "
            f"{expected.tune_after[0]:.5f}, {expected.tune_after[1]:.5f}; orbit changed by at most "
            f"x {expected.largest_mm[0]:.4f}, y {expected.largest_mm[1]:.4f} mm"
        )
