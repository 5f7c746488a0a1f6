"""The command line. Subcommands import their modules when they run: replay, for one, never loads fault injection."""

import sys

import typer
from rich.console import Console
from rich.text import Text

import gnomon
from gnomon.cli import fault, fork, log, machine, panels, replay, serve, snapshot, study
from gnomon.lattice._errors import GnomonError
from gnomon.lattice.text import printable

app = typer.Typer(
    name="gnomon",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="A digital shadow of a storage ring that any EPICS client can talk to.\n\n"
    "Start with `gnomon serve`; `--help` explains each command.\n\n"
    "Exit codes: 0 done; 1 refused, failed or different; 2 wrong use; 3 partly done.",
)
app.command("serve")(serve.serve)
app.add_typer(machine.app, name="machine")
app.command("panels")(panels.panels)
app.add_typer(study.app, name="study")
app.add_typer(log.app, name="log")
app.command("restore")(log.restore)
app.add_typer(snapshot.app, name="snapshot")
app.command("replay")(replay.replay)
app.add_typer(fault.app, name="fault")
app.add_typer(fork.app, name="fork")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"gnomon {gnomon.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version and exit."
    ),
) -> None:
    """Options of gnomon itself."""


def main() -> None:
    """Run the command line; an error that the user can act on is printed as text, without a traceback."""
    try:
        app()
    except GnomonError as error:
        Console(stderr=True, emoji=False, highlight=False).print(
            Text("gnomon: ", "red").append("\n".join(map(printable, str(error).split("\n")))), soft_wrap=True
        )
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
