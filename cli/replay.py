"""`gnomon replay`: repeat a recording, or a range of recorded commands, on PVs with another prefix."""

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gnomon.cli.limits_option import LimitsOption
from gnomon.cli.log.log_options import journal_to_read
from gnomon.cli.options import MAX_SECONDS, ConfigFile, Pvs, Server
from gnomon.cli.output import Json, say
from gnomon.cli.recordings_folder import RecordingsOption
from gnomon.cli.served_journal import Asked

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from gnomon.recorder.replay_execution import MachineClient

JournalOption = Annotated[
    Path | None,
    typer.Option(
        "--journal",
        help="Read the recorded commands of --from and --to from this journal.",
        show_default="that of the running server, else of the configuration",
    ),
]


def replay(
    name: Annotated[
        str | None,
        typer.Argument(help="Name of a recording, or the first digits of its id.", show_default=False),
    ] = None,
    first: Annotated[int | None, typer.Option("--from", min=1, help="Number of the first command.")] = None,
    last: Annotated[int | None, typer.Option("--to", min=1, help="Number of the last command.")] = None,
    prefix: Annotated[
        str | None, typer.Option("--prefix", help="Prefix of the PVs to write; '' for no prefix.", show_default=False)
    ] = None,
    arm: Annotated[
        bool, typer.Option("--arm", help="Write to the machine. Without this option, only a dry run.")
    ] = False,
    token: Annotated[
        str | None,
        typer.Option(
            "--token", envvar="GNOMON_TOKEN", help="One-time token of `gnomon gate arm`, for --arm.", show_default=False
        ),
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option("--resume", metavar="ID", help="Continue a replay whose process has ended.", show_default=False),
    ] = None,
    rollback: Annotated[
        str | None,
        typer.Option("--rollback", metavar="ID", help="Put back what such a replay has written.", show_default=False),
    ] = None,
    net: Annotated[
        bool,
        typer.Option(
            "--net", help="Of a range, only where the commands end, all settings together, in steps within --max-step."
        ),
    ] = False,
    with_faults: Annotated[
        bool,
        typer.Option(
            "--with-faults",
            help="Of a range, what acted, with the effects of injected faults, not what was asked for.",
        ),
    ] = False,
    journal: JournalOption = None,
    recordings: RecordingsOption = None,
    config: ConfigFile = None,
    machine: Annotated[
        str | None,
        typer.Option(
            "--machine",
            help="Name or file of the machine document, as it was when the commands were recorded.",
            show_default="the machine of the recording",
        ),
    ] = None,
    pvs: Pvs = None,
    server: Server = None,
    limits: LimitsOption = None,
    calibration: Annotated[
        str | None,
        typer.Option(
            "--calibration",
            help="Calibration: its file, or the first digits of its id.",
            show_default="that of the recording, else the newest that fits",
        ),
    ] = None,
    max_step: Annotated[
        float,
        typer.Option(
            "--max-step",
            min=0.0,
            max=1.0,
            help="Of a range: refuse steps larger than this fraction of the range of drive limits.",
        ),
    ] = 0.1,
    settle: Annotated[
        float,
        typer.Option("--settle", min=0.0, max=MAX_SECONDS, help="Wait at most this long for a readback to follow [s]."),
    ] = 30.0,
    timeout: Annotated[
        float,
        typer.Option("--timeout", min=0.1, max=MAX_SECONDS, help="Wait at most this long for one get or put [s]."),
    ] = 5.0,
    as_json: Json = False,
) -> None:
    """Show a recording as writes to a machine or, with --arm, make them one at a time, each behind the gate.

    For example `gnomon replay bump --prefix ''`, and once that looks right and somebody else has approved it,
    `gnomon gate arm bump --prefix ''` and `gnomon replay bump --prefix '' --arm --token TOKEN`.

    Before each write, the calibrated model predicts the beam and its confidence bounds, and the gate decides with the
    limits file. After it, the beam is measured and compared. Large steps go in parts, which grow with success. A miss,
    a drop of the current, somebody else's write or a lost connection stop it, and previous values are put back in
    reverse order until that is verified. If the beam does not come back with them, nothing more is written: exit status
    3, call the operator. Ctrl-C puts back, too; to take over the machine as it is, press it twice meanwhile.

    A machine of gnomon with that prefix is found on this computer; others by the EPICS variables (--server epics).

    --from and --to show a range of the journal, which is never written. The gate is not machine protection.
    """
    from gnomon.recorder.replay_execution import GateLimits

    modes = {"NAME": name, "--from": first if first is not None else last, "--resume": resume, "--rollback": rollback}
    given = [option for option, value in modes.items() if value is not None]
    if len(given) != 1:
        raise typer.BadParameter(
            f"give one of NAME, --from with --to, --resume and --rollback; given: {', '.join(given) or 'none'}"
        )
    _check(given[0], arm=arm, token=token, as_json=as_json, prefix=prefix)
    if given == ["--from"]:
        from gnomon.cli.range_replay import show_range

        if first is None or last is None:
            raise typer.BadParameter("a range needs both ends", param_hint="--from and --to")
        if last < first:
            text = f"the last command, {last}, comes before the first one, {first} (--from)"
            raise typer.BadParameter(text, param_hint="--to")
        show_range(
            journal_to_read(Asked(journal, config)), (first, last), prefix or "", GateLimits(max_step), config=config,
            machine=machine, pvs=pvs, net=net, with_faults=with_faults, as_json=as_json,
        )  # fmt: skip
        return
    from gnomon.cli import gated_replay
    from gnomon.cli.gate_parts import Chosen

    chosen = Chosen(prefix or "", config, machine, pvs, recordings, limits, calibration)
    waits = gated_replay.Waits(timeout, settle)
    machine_at, alone = partial(make_machine, server=server), partial(alone_at, server=server)
    if resume is not None or rollback is not None:
        back = rollback is not None
        gated_replay.continue_replay(resume or rollback or "", chosen, waits, machine_at, alone, back=back)
    elif arm:
        gated_replay.write_recording(name or "", chosen, waits, machine_at, token or "", alone)
    else:
        gated_replay.show_recording(name or "", chosen, waits, machine_at, as_json=as_json)


def _check(mode: str, *, arm: bool, token: str | None, as_json: bool, prefix: str | None) -> None:
    """Refuse options that do not go together. Raises typer.BadParameter."""
    from gnomon.cli.range_replay import TO_ARM

    if arm and mode == "--from":
        raise typer.BadParameter(TO_ARM, param_hint="--arm")
    if arm and mode != "NAME":
        raise typer.BadParameter(f"{mode} writes to the machine by itself; leave out --arm", param_hint="--arm")
    if arm and not token:
        raise typer.BadParameter("a one-time token is needed: gnomon gate arm NAME makes it", param_hint="--token")
    if as_json and (arm or mode in ("--resume", "--rollback")):
        raise typer.BadParameter(
            "only the dry run is shown as JSON; a replay writes its report as JSON", param_hint="--json"
        )
    if prefix is None and mode in ("NAME", "--from"):
        raise typer.BadParameter("say which PVs are meant; '' for those without a prefix", param_hint="--prefix")


def alone_at(prefix: str, what: str, server: str | None = None) -> "AbstractContextManager[None]":
    """Hold the lock of procedures at a prefix, which measurements and corrections hold, too. Raises BusyError."""
    from gnomon.clients.server_choice import choose_server
    from gnomon.procedures.one_at_a_time import only_one

    return only_one(choose_server(prefix=prefix, server=server), what)


def make_machine(prefix: str, server: str | None = None) -> "MachineClient":
    """Make the client of the machine with a prefix, found as by other commands; tests put another one here.

    Raises NoServerError if several run with that prefix.
    """
    from gnomon.clients.server_choice import choose_server
    from gnomon.recorder.epics_machine import EpicsMachine

    target = choose_server(prefix=prefix, server=server)
    os.environ.update(target.environment)  # before Channel Access starts, which reads them once
    say(f"machine: {target.describe()}", err=True)
    return EpicsMachine()
