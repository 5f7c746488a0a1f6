"""`gnomon audit`: check the log of a replay."""

from pathlib import Path
from typing import Annotated

import typer

from gnomon.cli.options import ConfigFile, configure
from gnomon.cli.output import Json, print_json, say

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Check the audit log of replays and of other writes through the gate.",
)


@app.command()
def verify(
    file: Annotated[
        Path | None, typer.Argument(help="Audit log (JSON lines).", show_default="that of the replays")
    ] = None,
    head: Annotated[
        str | None, typer.Option("--head", help="Hash of the last line as it was noted elsewhere.", show_default=False)
    ] = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Check that no line of an audit log was changed, taken out, put in or moved. For example `gnomon audit verify`.

    It prints the hash of the last line. Note that elsewhere: with `--head`, a log whose end was cut off, or that was
    written once more as a whole, shows, too. Exit codes: 0 intact, 1 not.
    """
    from gnomon.recorder.gating import verify_audit

    file = configure(config).replays() / "audit.jsonl" if file is None else file
    check = verify_audit(file)
    wrong = [] if check.intact else [f"line {check.broken}: {check.reason}"]
    if check.intact and head is not None and head.strip().lower() != check.head:
        wrong.append(f"the last line has another hash than {head}: lines at its end are missing, or all were rewritten")
    if as_json:
        print_json(
            {
                "file": str(file),
                "intact": not wrong,
                "events": check.events,
                "head": check.head,
                "broken": check.broken,
                "reasons": wrong,
                "unfinished_bytes": check.unfinished,
                "recovered": check.recovered,
            }
        )
    else:
        for reason in wrong:
            say(f"{file}: NOT intact: {reason}")
        if check.intact and not wrong:
            say(f"{file}: intact, {check.events} events")
        if check.unfinished:
            say(f"the last line is unfinished ({check.unfinished} bytes): a crash, or a cut end; --head tells which")
        if check.recovered:
            say(f"unfinished lines of earlier crashes: {check.recovered}")
        say(f"hash of the last good line: {check.head}")
    if wrong:
        raise typer.Exit(1)
