"""`gnomon export`: configuration of a machine's devices that other packages and services load."""

from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from gnomon.cli.option_group import with_options
from gnomon.cli.options import ConfigFile, Machine, Prefix, Protocol, Pvs, configure
from gnomon.cli.output import say
from gnomon.cli.results_folder import ResultsFolder, results_of

if TYPE_CHECKING:
    from gnomon.clients.machine_pvs import MachinePvs

app = typer.Typer(no_args_is_help=True, help="Write a machine's devices for other packages and services.")

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


@app.command()
@with_options("choice", DocumentChoice)
def queueserver(
    folder: Annotated[Path, typer.Argument(help="Write to this folder; it is made.")] = Path("queue"),
    protocol: Protocol = "pva",
    redis: Annotated[str, typer.Option(metavar="HOST:PORT", help="Address of redis.")] = "127.0.0.1:6379",
    port: Annotated[
        int, typer.Option(min=1, max=65534, help="Port of the queue (TCP); news come at the tenth after it.")
    ] = 60615,
    results: ResultsFolder = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite what the folder has.")] = False,
    *,
    choice: DocumentChoice,
) -> None:
    """Write a start-up folder for bluesky-queueserver: our devices, the plans of all measurements, rights of users.

    For example `gnomon export queueserver queue`, then the command that it prints. Runs are stored as those of
    `gnomon measure`. It needs `gnomon[queue]` and a redis: `sudo apt install redis-server`.
    """
    from gnomon.procedures.queueing import start_files

    choice.find()  # a machine that cannot be read is told now, not when the queue starts
    settings = configure(choice.config, machine=choice.machine, prefix=choice.prefix, pvs=choice.pvs)
    place = results_of(results, choice.config)
    told = {
        "machine": settings.machine, "prefix": settings.prefix, "protocol": protocol, "pvs": settings.pvs or None,
        "results": place.folder.resolve(), "store": place.store, "catalogue": place.catalogue,
        "scripts": settings.services.scripts and settings.services.scripts.resolve(),
    }  # fmt: skip
    made = start_files(folder.resolve(), told, redis, port, port + 10)
    if there := [name for name in made.texts if not force and (folder / name).exists()]:
        raise typer.BadParameter(f"{folder / there[0]} exists; --force overwrites it", param_hint="FOLDER")
    for name, text in made.texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        _write_text(folder / name, text)
    say(f"{folder}: written; start redis, then the queue:\n{made.command}")
    say(f"and control it: qserver --zmq-control-addr tcp://127.0.0.1:{port} environment open")


@app.command()
@with_options("choice", DocumentChoice)
def archiver(out: Out = Path("archive_pvs.json"), *, choice: DocumentChoice) -> None:
    """Write the requests by which the Archiver Appliance archives all PVs, each with a method and a period (JSON).

    For example `gnomon export archiver --machine mls -o mls.json`, then the command that it prints.
    """
    from gnomon.clients.site_files import archiver_list

    text = archiver_list(choice.find().specs)
    _write(out, text, f"post it to the appliance:\n{_curl('POST', out, 'APPLIANCE:17665/mgmt/bpl/archivePV')}")


@app.command()
@with_options("choice", DocumentChoice)
def alarm(
    out: Out = Path("alarms.xml"),
    name: Annotated[str, typer.Option(help="Name of the alarm server's configuration.")] = "Accelerator",
    *,
    choice: DocumentChoice,
) -> None:
    """Write the configuration of Phoebus' alarm server: beam, server, and every PV that has alarm limits (XML).

    For example `gnomon export alarm --prefix ''`, then the command that it prints.
    """
    from gnomon.clients.site_files import alarm_tree

    text, count = alarm_tree(choice.find(), name)
    _write(out, text, f"{count} PVs; import it:\nalarm-server.sh -config {quote(name)} -import {quote(str(out))}")


@app.command()
@with_options("choice", DocumentChoice)
def channelfinder(
    folder: Annotated[Path, typer.Argument(help="Write to this folder; it is made.")] = Path("channelfinder"),
    owner: Annotated[str, typer.Option(help="Group that owns the entries.")] = "gnomon",
    *,
    choice: DocumentChoice,
) -> None:
    """Write the PVs for ChannelFinder, with device, property, unit, limits and tags: three files (JSON).

    For example `gnomon export channelfinder --machine mls`, then the commands that it prints.
    """
    from gnomon.clients.site_files import channel_directory

    pvs = choice.find()
    payloads = channel_directory(pvs.specs, pvs.ring.name, owner)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise typer.BadParameter(f"{folder}: cannot be made: {error}", param_hint="FOLDER") from error
    commands = []
    for part, text in payloads.items():
        file = folder / f"{part}.json"
        _write_text(file, text)
        commands.append(_curl("PUT", file, f"DIRECTORY:8080/ChannelFinder/resources/{part}", "-u USER "))
    say(f"{folder}: written; put them in this order:")
    say("\n".join(commands))


@app.command("save-restore")
@with_options("choice", DocumentChoice)
def save_restore(
    out: Out = Path("save_restore.json"),
    name: Annotated[
        str | None, typer.Option(help="Name of the configuration.", show_default="the machine's name")
    ] = None,
    *,
    choice: DocumentChoice,
) -> None:
    """Write a configuration of Phoebus' save-and-restore: setpoints with readbacks and tolerances (JSON).

    For example `gnomon export save-restore --prefix ''`, then the command that it prints.
    """
    from gnomon.clients.site_files import save_set
    from gnomon.ioc.base.snapshot_store import signature

    pvs = choice.find()
    text, count = save_set(pvs, name or pvs.ring.name, signature().user)
    put = _curl("PUT", out, "SERVICE:8080/save-restore/config?parentNodeId=FOLDER", "-u USER ")
    _write(out, text, f"{count} setpoints; put it into a folder of the service:\n{put}")


def _curl(method: str, file: Path, address: str, more: str = "") -> str:
    """A command that sends a file as JSON; words in capitals are for the user to fill in."""
    data = quote(f"@{file}")
    return f"curl -X {method} {more}-H 'Content-Type: application/json' --data {data} 'http://{address}'"


def _write_text(out: Path, text: str) -> None:
    from gnomon.lattice import DocumentError

    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DocumentError(f"{out}: cannot be written: {error}") from error


def _write(out: Path, text: str, then: str) -> None:
    _write_text(out, text)
    say(f"{out}: written; {then}")
