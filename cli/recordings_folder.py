"""The folder of recordings, and the machine of a recording."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gnomon.cli.options import configure

if TYPE_CHECKING:
    from gnomon.ioc.base.machines import LoadedMachine
    from gnomon.recorder.recordings import Label, Recording, RecordingFolder

RecordingsOption = Annotated[
    Path | None,
    typer.Option(
        "--recordings",
        envvar="GNOMON_RECORDINGS",
        metavar="FOLDER",
        help="Folder of the recordings.",
        show_default="`recordings` beside the journals",
    ),
]
RecordingName = Annotated[str, typer.Argument(help="Name of a recording, or the first digits of its id.")]


def folder_of(folder: Path | None, config: Path | None) -> "RecordingFolder":
    """Find the folder of recordings."""
    from gnomon.recorder.recordings import RecordingFolder

    return RecordingFolder(configure(config).recordings() if folder is None else folder.expanduser())


def machine_of(recording: "Recording", config: Path | None, machine: str | None, pvs: str | None) -> "LoadedMachine":
    """Find the machine document that was recorded. Raises DocumentError if it is no longer available."""
    from gnomon.ioc.base.machines import find_machine, recorded_machine

    settings = configure(config, machine=machine, pvs=pvs)
    return find_machine(settings) if machine else recorded_machine(settings, recording.machine, recording.digest)


def own_name() -> str:
    """Name the user and the computer, as recordings and approvals state them."""
    from gnomon.ioc.base.snapshot_store import signature

    signed = signature()
    return f"{signed.user}@{signed.host}"


def label(name: str, purpose: str, calibration_id: str = "", author: str | None = None) -> "Label":
    """Make the words of a new recording. Raises typer.BadParameter for a name or a purpose that it cannot have."""
    import re

    from gnomon.recorder.recordings import Label

    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,59}", name):
        raise typer.BadParameter(
            f"{name!r}: use 1 to 60 letters, digits, dots, dashes and underscores", param_hint="NAME"
        )
    if not purpose.strip() or len(purpose) > 2000:
        raise typer.BadParameter("say what it is for, in 1 to 2000 characters", param_hint="--purpose")
    return Label(name, purpose.strip(), author or own_name(), time.time_ns(), calibration_id)
