"""`gnomon snapshot from-archiver|history`: the settings of a machine at an earlier time, from its archiver."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from gnomon.cli.imported_setpoints import DONE_IN_PART, keep_imported, tell_names
from gnomon.cli.options import ConfigFile, Machine, Prefix, check_seconds, configure
from gnomon.cli.output import say

#: Remedy for a history that is too large.
SHORTER = "take a shorter time with --from and --to"

Url = Annotated[
    str | None,
    typer.Option(
        envvar="GNOMON_ARCHIVER",
        metavar="URL",
        help="Ask the Archiver Appliance at this address, for example http://HOST:17668.",
    ),
]
Wait = Annotated[
    float, typer.Option("--timeout", callback=check_seconds, help="Wait at most this long for each answer [s].")
]


def from_archiver(
    name: Annotated[str, typer.Argument(help="Name of the snapshot.")],
    files: Annotated[
        list[Path] | None, typer.Argument(help="Files of the archiver to read instead: .pb, getData.raw or .json.")
    ] = None,
    at: Annotated[str, typer.Option("--at", help="Time: an age (2h, 3d), or an ISO time.")] = "0s",
    url: Url = None,
    comment: Annotated[str, typer.Option("--comment", "-m", help="Comment to keep with the snapshot.")] = "",
    replace: Annotated[
        bool, typer.Option("--replace", help="Save a new revision if a snapshot of this name exists.")
    ] = False,
    timeout: Wait = 30.0,
    config: ConfigFile = None,
    machine: Machine = None,
    prefix: Annotated[
        str | None, typer.Option(help="Prefix of the PV names in the archiver.", show_default="TWIN:")
    ] = None,
) -> None:
    """Make a snapshot of all setpoints as the archiver has them at a time.

    For example `gnomon snapshot from-archiver monday --at 2026-11-23T08:00 --prefix '' --url http://HOST:17668`, then
    `gnomon snapshot restore monday` on a twin. Strengths of magnets are left out: they follow their currents.
    Setpoints without an archived value keep what they have; they are listed, and the exit code is 3.
    """
    from gnomon.clients.archiver_appliance import ArchiverAppliance
    from gnomon.clients.points_in_time import parse_moment
    from gnomon.db.canonical_name import canonical_name
    from gnomon.ioc.base.machines import find_machine
    from gnomon.recorder.archives import Archive, read_archive, saved_at
    from gnomon.recorder.rendering import local_time

    if (url is None) == (not files):
        raise typer.BadParameter("give either --url (or GNOMON_ARCHIVER) or files", param_hint="--url")
    time_ns = parse_moment(at)
    settings = configure(config, machine, prefix)
    loaded = find_machine(settings)
    names = _setpoints(settings.machine, settings.prefix, settings.pvs)
    if url is not None:
        archive = ArchiverAppliance(url, timeout).values_at(names, time_ns)
        source = f"{url} at {local_time(time_ns)}"
    else:
        archive = Archive()
        for file in files or ():
            archive.add(read_archive(file))
        source = f"{', '.join(str(file) for file in files or ())} at {local_time(time_ns)}"
    known = {canonical_name(name, settings.prefix): name for name in names}
    own = [sample for sample in archive.samples if canonical_name(sample.pv, settings.prefix) in known]
    saved = saved_at(own or archive.samples, time_ns)
    complete = keep_imported(settings, loaded, saved, (source, source), name=name, comment=comment, replace=replace)
    told = {canonical_name(pv, settings.prefix) for pv in (*saved.values, *saved.left_out)}
    missing = [name for own_name, name in known.items() if own_name not in told]
    tell_names("without an archived value", missing)
    _tell_unread(archive.unread)
    if missing or archive.unread or not complete:
        raise typer.Exit(DONE_IN_PART)


def history(
    file: Annotated[Path, typer.Argument(help="File to write (PB, as the appliance's own).")],
    begin: Annotated[str, typer.Option("--from", metavar="TIME", help="First time: an age (2h), or an ISO time.")],
    end: Annotated[str, typer.Option("--to", metavar="TIME", help="Last time.")] = "0s",
    url: Url = None,
    timeout: Wait = 30.0,
    config: ConfigFile = None,
    machine: Machine = None,
    prefix: Prefix = None,
) -> None:
    """Fetch the archived history of all setpoints into a file, which `gnomon serve --history` replays.

    For example `gnomon snapshot history monday.raw --from 2026-11-23T08:00 --to 2026-11-23T09:00 --prefix ''
    --url http://HOST:17668`.
    """
    from gnomon.clients.archiver_appliance import ArchiverAppliance
    from gnomon.clients.points_in_time import parse_moment
    from gnomon.lattice import DocumentError
    from gnomon.recorder.archives import MAX_PB_BYTES, ArchiveError, parse_pb

    if url is None:
        raise typer.BadParameter("give --url, or GNOMON_ARCHIVER", param_hint="--url")
    from_ns, to_ns = parse_moment(begin), parse_moment(end)
    if to_ns <= from_ns:
        raise typer.BadParameter("--to is not after --from", param_hint="--to")
    settings = configure(config, machine, prefix)
    names = _setpoints(settings.machine, settings.prefix, settings.pvs)
    values, missing, unread = 0, list[str](), list[str]()
    partial = file.with_name(file.name + ".partial")
    try:
        with partial.open("wb") as out:
            for name, data in ArchiverAppliance(url, timeout).history(names, from_ns, to_ns):
                try:
                    part = parse_pb(data)
                except ArchiveError as error:
                    raise ArchiveError(f"{url}: the answer about {name}: {error}") from error
                unread += [f"{name}: {line}" for line in part.unread]
                values += len(part.samples)
                if part.samples:  # half a line at the end would look like a whole one
                    out.write(data[: data.rindex(b"\n")].rstrip(b"\n") + b"\n\n")
                    if out.tell() > MAX_PB_BYTES:  # gnomon serve --history would refuse it
                        raise ArchiveError(f"{file}: it would be larger than {MAX_PB_BYTES / 2**20:g} MiB; {SHORTER}")
                else:
                    missing.append(name)
        partial.replace(file)
    except OSError as error:
        raise DocumentError(f"{file}: cannot be written: {error}") from error
    finally:
        partial.unlink(missing_ok=True)
    say(f"{file}: {values} values of {len(names) - len(missing)} setpoints; gnomon serve --history {file}")
    tell_names("without an archived value", missing)
    _tell_unread(unread)
    if missing or unread:
        raise typer.Exit(DONE_IN_PART)


def _setpoints(machine: str, prefix: str, pvs: str | None) -> list[str]:
    """Name the setpoints that do not follow from others, as the archiver has them."""
    from gnomon.clients.machine_pvs import find_machine_pvs

    found = find_machine_pvs(machine, prefix, pvs)
    return [setting.setpoint.name for setting in found.independent]


def _tell_unread(lines: Iterable[str]) -> None:
    tell_names("lines that could not be read", list(lines))
