"""`gnomon review`: the effect of a recording by the model, other versions of it, and its approval."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gnomon.cli.default_command import ShowByDefault
from gnomon.cli.limits_option import LimitsOption, read_own_limits
from gnomon.cli.options import ConfigFile, Pvs, configure
from gnomon.cli.output import Json, print_json, say
from gnomon.cli.recordings_folder import RecordingName, RecordingsOption, folder_of, label, machine_of, own_name
from gnomon.cli.sending import Yes, is_terminal
from gnomon.lattice.text import NotANumberError, parse_number

if TYPE_CHECKING:
    from gnomon.recorder.recordings import Edit, RecordingFile, Review

app = typer.Typer(
    cls=ShowByDefault,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Review a recording: show its effect by the model, make other versions of it, approve it. `gnomon review "
    "NAME` is short for `gnomon review show NAME`.",
)

Document = Annotated[
    str | None,
    typer.Option(
        "--machine",
        help="Name or file of the machine document, as it was when the commands were recorded.",
        show_default="the machine of the recording",
    ),
]


@app.command()
def show(
    name: RecordingName,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write one HTML file with tables and pictures.")
    ] = None,
    recordings: RecordingsOption = None,
    config: ConfigFile = None,
    machine: Document = None,
    pvs: Pvs = None,
    as_json: Json = False,
) -> None:
    """Show what a recording would do, step by step and in total. For example `gnomon review bump --html bump.html`.

    Values are in the units of the PVs, strengths in those of physics; orbit, tunes and beta beating are the model's. It
    marks steps near limits, changes of polarity, tunes that cross resonances, ramps that turn back, and values far from
    those of the last month. A review is not machine protection.
    """
    file, found = _review(name, recordings, config, machine, pvs)
    if as_json:
        from gnomon.recorder.recordings import review_document

        print_json(review_document(found, file))
    elif html is None:
        _print(found, file)
    if html is not None:
        from gnomon.recorder.recordings import review_page

        html.write_text(review_page(found, file), encoding="utf-8")
        say(f"{file.recording.name}: {len(found.marks)} marks; the page is {html}", err=as_json)


@app.command()
def edit(
    name: RecordingName,
    drop: Annotated[
        list[int] | None, typer.Option("--drop", metavar="N", help="Leave out step N; may be repeated.")
    ] = None,
    edits: Annotated[
        list[str] | None,
        typer.Option(
            "--edit",
            metavar="N=VALUE",
            help="Give step N another value, in the unit of its PV; N:PV=VALUE where it writes several PVs.",
        ),
    ] = None,
    new_name: Annotated[
        str | None, typer.Option("--as", metavar="NAME", help="Name of the new version.", show_default="NAME-2")
    ] = None,
    purpose: Annotated[
        str | None, typer.Option("--purpose", "-m", help="What it is for.", show_default="that of the recording")
    ] = None,
    recordings: RecordingsOption = None,
    config: ConfigFile = None,
    machine: Document = None,
    pvs: Pvs = None,
) -> None:
    """Make another version of a recording, which names its parent. The parent stays as it is.

    For example `gnomon review edit bump --drop 3 --edit 4=0.15`. Whoever edits is the author of the new version.
    """
    from gnomon.ioc.base.machines import pvs_of
    from gnomon.recorder.recordings import RecordingFile, edited

    if not drop and not edits:
        raise typer.BadParameter("say what is different: --drop N, --edit N=VALUE")
    folder = folder_of(recordings, config)
    parent = folder.find(name).recording
    loaded = machine_of(parent, config, machine, pvs)
    words = label(new_name or folder.free_name(parent.name), purpose or parent.purpose)
    made = edited(parent, loaded.ring, pvs_of(loaded, parent.prefix), words, drop or (), _edits(edits or ()))
    path = folder.add(RecordingFile(recording=made))
    say(
        f"{made.name} {made.id[:12]}: {len(made.steps)} of {len(parent.steps)} steps of {parent.name}, kept in {path}\n"
        f"see what it would do with gnomon review {made.name}"
    )


@app.command()
def approve(
    name: RecordingName,
    reviewer: Annotated[
        str | None, typer.Option(help="Name of the reviewer.", show_default="user and computer")
    ] = None,
    limits: LimitsOption = None,
    yes: Yes = False,
    recordings: RecordingsOption = None,
    config: ConfigFile = None,
    machine: Document = None,
    pvs: Pvs = None,
) -> None:
    """Sign a recording, so that it can be replayed to its machine with these limits. For example `gnomon review approve
    bump --limits mls.limits.yaml`.

    The key (Ed25519) is made on first use. A key that somebody made themselves does not prove who they are. The
    reviewer must not be the author: the gate of a replay refuses such an approval. It needs `gnomon[gate]`.
    """
    from gnomon.recorder import RecordingError
    from gnomon.recorder.recordings import NO_IDENTITY, is_author, key_path, own_key

    folder = folder_of(recordings, config)
    file, found = _review(name, recordings, config, machine, pvs)
    recording, who = file.recording, reviewer or own_name()
    digest = _limits_digest(limits, config)
    _print(found, file)
    if not digest:
        say("attention: without a limits file, this arms no replay: give --limits FILE, which is signed, too", err=True)
    if is_author(who, recording):
        say(
            f"attention: {who} is the author, {recording.author}: a replay to the machine needs the approval of "
            "somebody else",
            err=True,
        )
    if not yes:
        if not is_terminal():
            raise RecordingError("nothing was signed: there is no terminal to ask on; look at it, then give --yes")
        signed = f" and limits file {digest[:12]}" if digest else ""
        if not typer.confirm(f"Sign {recording.name} {recording.id[:12]}{signed} as {who}?"):
            say("nothing was signed")
            raise typer.Exit(1)
    key, new = own_key()
    path = folder.approve(key.approve(recording, who, time.time_ns(), digest))
    made = f"a new key was made, {key_path()}\n" if new else ""
    with_limits = f"limits file {digest[:12]}" if digest else "without a limits file"
    say(
        f"{made}{recording.name} {recording.id[:12]}: approved by {who} for {recording.machine}, {with_limits}, key "
        f"{key.fingerprint}, kept in {path}\n{NO_IDENTITY}: compare the fingerprint of the key with that of the person"
    )


def _limits_digest(limits: Path | None, config: Path | None) -> str:
    """Read the limits file that is signed, and say which it is; empty if there is none. Raises LimitsError."""
    path = limits or configure(config).gate.limits
    if path is None:
        return ""
    digest = read_own_limits(path, config).digest
    say(f"limits file, which is signed, too: {path}, {digest[:12]}", err=True)
    return digest


def _review(
    name: str, recordings: Path | None, config: Path | None, machine: str | None, pvs: str | None
) -> "tuple[RecordingFile, Review]":
    from gnomon.ioc.base.machines import pvs_of
    from gnomon.propagator import Propagator
    from gnomon.recorder.recordings import review

    file = folder_of(recordings, config).find(name)
    recording = file.recording
    loaded = machine_of(recording, config, machine, pvs)
    propagate = Propagator(loaded.ring, configure(config).model.momentum, chromatic=False)
    return file, review(recording, loaded.ring, pvs_of(loaded, recording.prefix), propagate)


def _print(found: "Review", file: "RecordingFile") -> None:
    from gnomon.recorder import rendering
    from gnomon.recorder.recordings import NOT_PROTECTION, beam_of, facts_of, marks_of, steps_of, totals_of

    console = rendering.make_console()
    facts = rendering.make_table()
    for title, text in facts_of(found, file):
        facts.add_row(title, rendering.clean(text))
    console.print(facts)
    for title, table in (("steps", steps_of(found)), ("in total", totals_of(found)), ("beam", beam_of(found))):
        console.print(f"\n{title}", style="bold")
        console.print(table.rich())
    console.print()
    if found.marks:
        console.print("unusual", style="bold yellow")
        console.print(marks_of(found).rich())
    else:
        console.print("nothing was found that is unusual", style="green")
    console.print(f"orbit [mm], tunes and beating [%] are the model's; {NOT_PROTECTION}", markup=False)


def _edits(texts: Sequence[str]) -> "list[Edit]":
    """Read `N=VALUE` and `N:PV=VALUE`."""
    from gnomon.recorder.recordings import Edit

    found = []
    for text in texts:
        place, equals, value = text.rpartition("=")
        number, _, pv = place.partition(":")
        try:
            if not equals or not number.isdecimal():
                raise NotANumberError(text)
            found.append(Edit(int(number), parse_number(value), pv))
        except NotANumberError as error:
            raise typer.BadParameter(
                f"{text!r}: use N=VALUE or N:PV=VALUE, such as 4=0.15", param_hint="--edit"
            ) from error
    return found
