"""`gnomon export`: configuration of a machine's devices that other packages load."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from gnomon.cli.option_group import with_options
from gnomon.cli.options import ConfigFile, Machine, Prefix, Pvs, configure
from gnomon.cli.output import say

if TYPE_CHECKING:
    from gnomon.clients.machine_pvs import MachinePvs

app = typer.Typer(no_args_is_help=True, help="Write a machine's devices for other packages: happi, ophyd.")

Out = Annotated[Path, typer.Option("-o", "--out", help="Write to this file.")]
Kind = Annotated[
    Literal["twin", "machine"],
    typer.Option(
        "--for",
        help="Readings of a twin are new when a put is done; those of a machine come later, in its own time.",
    ),
]


@dataclass(frozen=True)
class DocumentChoice:
    """Options for the machine and its PVs: a group for `with_options`."""

    machine: Machine = None
    prefix: Prefix = None
    pvs: Pvs = None
    config: ConfigFile = None

    def find(self) -> "MachinePvs":
        """Read both documents."""
        from gnomon.clients.machine_pvs import find_machine_pvs

        settings = configure(self.config, machine=self.machine, prefix=self.prefix, pvs=self.pvs)
        return find_machine_pvs(settings.machine, settings.prefix, settings.pvs or None)


@app.command()
@with_options("choice", DocumentChoice)
def happi(
    out: Out = Path("happi.json"),
    kind: Kind = "twin",
    *,
    choice: DocumentChoice,
) -> None:
    """Write a database for happi (JSON): power supplies, master clock, monitors, tunes and current.

    For example `gnomon export happi --machine mls -o mls.json`; then `happi.Client.from_config` or
    `Client(path="mls.json")` loads the devices. They need `gnomon[bluesky]`.
    """
    from gnomon.clients.device_files import happi_database

    _write(out, happi_database(choice.find(), kind), "load it with happi.Client(path=...)")


@app.command()
@with_options("choice", DocumentChoice)
def ophyd(
    out: Out = Path("ophyd_devices.py"),
    kind: Kind = "twin",
    *,
    choice: DocumentChoice,
) -> None:
    """Write a Python file of classic ophyd devices, which needs ophyd alone.

    For example `gnomon export ophyd -o ring.py`, then in Python `from ring import devices; devices["HS4P1D1R"]`.
    """
    from gnomon.clients.device_files import ophyd_file

    _write(out, ophyd_file(choice.find(), kind), "devices[NAME] makes a device")


def _write(out: Path, text: str, then: str) -> None:
    from gnomon.lattice import DocumentError

    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DocumentError(f"{out}: cannot be written: {error}") from error
    say(f"{out}: written; {then}")
