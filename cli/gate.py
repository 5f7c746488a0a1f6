"""`gnomon gate`: limits of the safety gate, and the tokens that arm it. The gate is not machine protection."""

from pathlib import Path
from typing import Annotated

import typer

from gnomon.cli.limits_option import LimitsOption, own_limits, read_own_limits
from gnomon.cli.options import ConfigFile, Machine, Pvs, configure
from gnomon.cli.output import Json, print_json, say
from gnomon.cli.recordings_folder import RecordingName, RecordingsOption, folder_of

#: Largest number of warnings that are shown.
MAX_SHOWN = 10

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Check and write limits of the safety gate, and arm it; it is not machine protection.",
)


@app.command()
def check(
    file: Annotated[
        Path | None, typer.Argument(help="Limits file.", show_default="gate.limits of the configuration")
    ] = None,
    config: ConfigFile = None,
    machine: Machine = None,
    pvs: Pvs = None,
    as_json: Json = False,
) -> None:
    """Check a limits file, and list what it lets nobody write. For example `gnomon gate check bessy2.limits.yaml`.

    Every missing limit is named with its line. Exit codes: 0 valid, 2 not valid.
    """
    from gnomon.ioc.base.machines import find_machine, pvs_of
    from gnomon.recorder.gating import checked_setpoints

    configure(config, machine=machine, pvs=pvs)  # refuses what does not go together
    path = own_limits(file, config)
    limits = read_own_limits(path, config)
    loaded = find_machine(configure(config, machine=machine or limits.document.machine, pvs=pvs))
    found = checked_setpoints(limits, pvs_of(loaded, ""), loaded.document.name)
    if as_json:
        print_json(
            {
                "file": str(path),
                "machine": limits.document.machine,
                "writable": len(found.writable),
                "not_writable": list(found.others),
                "not_checked": list(limits.not_checked),
                "troubles": list(found.troubles),
            }
        )
    else:
        say(f"{path}: valid limits of {limits.document.machine}")
        say(f"setpoints that may be written: {len(found.writable)}; others, which are refused: {len(found.others)}")
        say(f"not checked: {', '.join(limits.not_checked) or 'nothing'}")
        for trouble in found.troubles[:MAX_SHOWN]:
            say(f"warning: {trouble}")
        if len(found.troubles) > MAX_SHOWN:
            say(f"and {len(found.troubles) - MAX_SHOWN} more warnings, all of them with --json")
        say("the gate is not machine protection")


@app.command()
def limits(
    config: ConfigFile = None,
    machine: Machine = None,
    pvs: Pvs = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Write to this new file.", show_default="standard output")
    ] = None,
) -> None:
    """Write a limits file to be filled in, with the setpoints of a machine. For example `gnomon gate limits --machine
    mls -o mls.limits.yaml`.

    It has no limit of its own but the machine document's drive limits: until each `null` is replaced, the gate refuses
    everything.
    """
    from gnomon.ioc.base.machines import find_machine, pvs_of
    from gnomon.recorder import LimitsError
    from gnomon.recorder.gating import make_limits_template

    loaded = find_machine(configure(config, machine=machine, pvs=pvs))
    text = make_limits_template(loaded.ring, pvs_of(loaded, ""))
    if out is None:
        typer.echo(text, nl=False)
        return
    try:
        with out.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise LimitsError(f"{out}: cannot be written: {error.strerror}") from error
    say(f"{out}: written; fill in each null, then run gnomon gate check {out}")


@app.command()
def arm(
    name: RecordingName,
    prefix: Annotated[str, typer.Option("--prefix", help="Prefix of the PVs to write; '' for no prefix.")],
    limits: LimitsOption = None,
    recordings: RecordingsOption = None,
    config: ConfigFile = None,
) -> None:
    """Make the token that arms one replay of an approved recording: valid once, for half an hour, on this computer.

    For example `gnomon gate arm bump --prefix ''`. The recording must have been approved, with this limits file, by
    someone who is not its author (`gnomon review approve`).
    """
    from gnomon.recorder.gating import TokenDesk
    from gnomon.recorder.gating import arm as arm_recording

    file = folder_of(recordings, config).find(name)
    digest = read_own_limits(limits, config).digest
    token = arm_recording(TokenDesk(configure(config).arming()), file, prefix, digest)
    say("valid once, for half an hour, on this computer; the gate is not machine protection", err=True)
    typer.echo(token)
