"""`gnomon machine diff` and `reload`: a machine document that somebody has put into the store of a running server."""

import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gnomon.cli.connection import RunningTwin, call_running
from gnomon.cli.option_group import with_options
from gnomon.cli.output import Json, print_json, print_table, say
from gnomon.cli.sending import Yes
from gnomon.lattice import GnomonError

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Time for the store's answer, and for a model of the new document [s].
LOOK_S, RELOAD_S = 20.0, 120.0
COLUMNS = {"place": "place", "before": "served", "after": "in the store"}


class ReloadNotSeenError(GnomonError):
    """A server that does not come back with the document that it was to take over."""


@with_options("running", partial(RunningTwin, timeout=LOOK_S))
def diff(*, running: RunningTwin, as_json: Json = False) -> None:
    """Show how the machine document in the store differs from the one that a running server has.

    Exit codes: 0 nothing waits, 1 a revision differs; `gnomon machine reload` takes it over.
    """
    about, rows = _waiting(running)
    if as_json:
        print_json({**about, "differences": rows})
    else:
        _show(about, rows)
    if about["waiting"]:
        raise typer.Exit(1)


@with_options("running", partial(RunningTwin, timeout=RELOAD_S))
def reload(
    yes: Yes = False,
    reconnect: Annotated[
        bool, typer.Option("--reconnect", help="Also take over a document with other PVs, units or limits.")
    ] = False,
    *,
    running: RunningTwin,
    as_json: Json = False,
) -> None:
    """Have a running server take over the machine document in the store, which somebody else has changed.

    It shows the differences and asks; --yes does not. Settings that were changed stay, the others get the new
    document's nominal values. Clients stay connected, unless the document changes PVs, units or limits
    (--reconnect). Faults and forks must have ended before.
    """
    about, rows = _waiting(running)
    if not about["waiting"]:
        print_json(about) if as_json else _show(about, rows)
        return
    if not as_json:
        _show(about, rows)
    if not yes:
        typer.confirm(f"take over revision {about['waiting']}?", abort=True, err=True)
    done = call_running("dt:reload", {"reconnect": "yes"} if reconnect else {}, running)
    if done["reconnect"]:
        _await(str(done["digest"]), running)
    if as_json:
        print_json(done)
        return
    say(f"machine {done['machine']}: {done['origin']} is served, ring {str(done['digest'])[:12]}")
    if done["at_start"]:
        say(f"the next start serves {done['at_start']} again, unless the configuration names the new document")
    for line in done["left_out"]:
        say(f"left out: {line}", err=True)


def _await(digest: str, running: RunningTwin) -> None:
    """Wait until a server shows the machine with this digest, whose clients had to connect again."""
    deadline = time.monotonic() + running.timeout
    while time.monotonic() < deadline:
        try:
            about = call_running("dt:machine", {}, replace(running, timeout=2.0))
        except GnomonError:
            about = {}
        if about.get("digest") == digest:
            return
        time.sleep(0.2)
    raise ReloadNotSeenError("the server does not show the new document; its log says why")


def _waiting(running: RunningTwin) -> "tuple[Mapping[str, Any], list[dict[str, Any]]]":
    """Ask a server which document waits, and how it differs."""
    about = call_running("dt:machine", {"do": "look"}, running)
    rows = call_running("dt:machine", {"do": "diff"}, running) if about["waiting"] else []
    return about, rows


def _show(about: "Mapping[str, Any]", rows: "list[dict[str, Any]]") -> None:
    if not about["waiting"]:
        say(f"machine {about['machine']}: the store has no other document than the one served ({about['origin']})")
        return
    from gnomon.recorder.rendering import local_time

    put = local_time(int(about["put_ns"]))[:19]
    say(f"machine {about['machine']}: revision {about['waiting']} in the store, of {put}, differs ({about['origin']})")
    if about["problem"]:
        say(f"it cannot be used: {about['problem']}")
    print_table(rows, COLUMNS)
