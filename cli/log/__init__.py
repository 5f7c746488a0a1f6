"""`gnomon log`: the recorded commands with clients and outcomes; `gnomon restore`: return to earlier settings."""

import typer

from gnomon.cli.log import archiving, changes, inspection, listing
from gnomon.cli.log.changes import restore

__all__ = ["app", "restore"]

app = typer.Typer(
    invoke_without_command=True,
    rich_markup_mode="markdown",
    help="List, show, export, compare and undo the commands recorded in the journal. Without a subcommand, list the 20 "
    "most recent commands, for example `gnomon log --pv '*Q1P*' --since 10m`.",
)
app.callback()(listing.log)
app.command("list")(listing.list_)
app.command()(inspection.show)
app.command()(inspection.export)
app.command()(inspection.diff)
app.command()(changes.undo)
app.command()(archiving.archive)
