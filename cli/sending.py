"""Settings sent to a running server as one command: shown, asked about on a terminal, and sent."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from gnomon.cli.output import print_json

if TYPE_CHECKING:
    from gnomon.recorder.remote import Remote, Reply
    from gnomon.recorder.rendering import StateName
    from gnomon.recorder.review import Assignment

DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the settings that would be made; make none.")]
Yes = Annotated[
    bool, typer.Option("--yes", "-y", help="Do not ask; needed where there is no terminal to ask on, as in a script.")
]


@dataclass(frozen=True, slots=True)
class Sending:
    """Options of a command that sends settings: only show them, or send them without asking."""

    dry_run: bool = False
    yes: bool = False
    as_json: bool = False


class RunningRemote:
    """`Remote` that finds the server of a prefix on this computer, whatever its ports; else by the EPICS variables."""

    def send(self, prefix: str, assignments: "Sequence[Assignment]", note: str) -> "Reply":
        """See `Remote`."""
        from gnomon.clients.server_choice import choose_server
        from gnomon.recorder.remote import PvaRemote

        return PvaRemote(environment=choose_server(prefix).environment).send(prefix, assignments, note)


def make_remote() -> "Remote":
    """Make the client that sends commands to a running server; tests put another one here."""
    return RunningRemote()


def is_terminal() -> bool:
    """True if there is somebody to ask."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def send(
    prefix: str,
    note: str,
    assignments: "Sequence[Assignment]",
    again: "Callable[[], Sequence[Assignment]]",
    sending: Sending,
    state_name: "StateName | None" = None,
) -> "Reply | None":
    """Send settings to the running server as one command; None if nothing is sent.

    On a terminal, the user is asked first; `again` then plans the settings anew, and nothing is sent if they have
    changed meanwhile. Raises ReviewError for that, and typer.BadParameter without a terminal and without `yes`. As
    JSON, one object has it all, and everything for people goes to standard error.
    """
    from gnomon.recorder import ReviewError, rendering

    console = rendering.make_console(stderr=sending.as_json)
    told = {"note": note, "prefix": prefix, "settings": list(map(asdict, assignments)), "sent": False, "lattice_id": ""}
    if not assignments or (sending.dry_run and sending.as_json):
        if sending.as_json:
            print_json(told)
        else:
            console.print(rendering.clean(f"{note}: nothing to do: all settings already have these values"))
        return None
    if not (sending.as_json and sending.yes):
        console.print(rendering.assignments_table(assignments, state_name=state_name or rendering.no_state))
    if sending.dry_run:
        console.print(
            rendering.clean(f"dry run: nothing was set; these settings would be made on {prefix!r}"), soft_wrap=True
        )
        return None
    if not sending.yes:
        if not is_terminal():
            raise typer.BadParameter(
                "there is no terminal to ask on, and nothing was set; in a script, give --yes, or --dry-run to look",
                param_hint="--yes",
            )
        settings = "this setting" if len(assignments) == 1 else f"these {len(assignments)} settings"
        typer.confirm(f"Make {settings} on {prefix!r}?", abort=True, err=sending.as_json)
        if tuple(again()) != tuple(assignments):
            raise ReviewError(f"{note}: settings were changed while you were asked; nothing was set. Call it again")
    reply = make_remote().send(prefix, assignments, note)
    if sending.as_json:
        print_json(told | {"sent": True, "lattice_id": reply.lattice_id})
        return reply
    state = f"lattice {reply.lattice_id}" if reply.lattice_id else reply.text
    console.print(rendering.clean(f"{note}: done; {state}"), style="green")
    return reply
