"""Options that say which version of the lattice a command is about, and where it gets the settings from."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gnomon.cli.options import ConfigFile, Machine, Server, configure
from gnomon.cli.served_journal import Asked, Offline, find_served_journal

if TYPE_CHECKING:
    from gnomon.clients.journal_choice import ServedJournal
    from gnomon.ioc.app.known_lattices import KnownLattice
    from gnomon.ioc.base.config import Config

Optics = Annotated[str | None, typer.Option(help="Use these named optics of the machine.", show_default="nominal")]
SnapshotName = Annotated[
    str | None, typer.Option("--snapshot", help="Use the settings of this snapshot.", show_default=False)
]
LatticeId = Annotated[
    str | None,
    typer.Option(
        "--lattice", help="Use the lattice with this id, or the beginning of it, from the journal.", show_default=False
    ),
]
AtCommand = Annotated[
    int | None,
    typer.Option("--at", min=0, help="Use the settings as they were after this command.", show_default=False),
]
ServerPrefix = Annotated[
    str | None,
    typer.Option(
        "--prefix",
        help="Use the present settings of the server with this prefix; with --at or --lattice, use its journal.",
        show_default=False,
    ),
]
JournalFile = Annotated[
    Path | None,
    typer.Option("--journal", help="Journal for --at and --lattice.", show_default="that of the running server"),
]


#: A number with fewer digits is that of a command; one with more is looked for among the lattice ids.
MAX_DIGITS = 12
NOMINAL = "nominal"


@dataclass(frozen=True, slots=True)
class LatticeChoice:
    """The options as given, a group for `with_options`; nothing chosen is the nominal lattice."""

    machine: Machine = None
    optics: Optics = None
    snapshot: SnapshotName = None
    lattice: LatticeId = None
    at: AtCommand = None
    prefix: ServerPrefix = None
    journal: JournalFile = None
    config: ConfigFile = None
    server: Server = None
    offline: Offline = False


class ChosenJournal:
    """The journal that commands and lattice ids are looked for in, and the configuration that knows its machines.

    It is the file that was given; else that of the running server, which is asked once, when the journal is needed;
    with `offline` that of the configuration. Raises GnomonError then if no server answers.
    """

    def __init__(self, settings: "Config", asked: Asked) -> None:
        self._settings = settings
        self._asked = asked

    @cached_property
    def journal(self) -> Path:
        """The journal's file."""
        return self._asked.journal or self._served.path

    @property
    def settings(self) -> "Config":
        """The configuration, with machine and document store of the server that was asked."""
        from gnomon.ioc.base.config import as_served

        if self._asked.journal is not None or not self._served.store:
            return self._settings
        return as_served(self._settings, self._served.machine, self._served.store)

    @cached_property
    def _served(self) -> "ServedJournal":
        return find_served_journal(self._asked)


def find_lattice(choice: LatticeChoice) -> "KnownLattice":
    """Find the lattice that was chosen. Raises GnomonError, and BadParameter for options that exclude each other."""
    from gnomon.ioc.app import known_lattices as known
    from gnomon.ioc.base.machines import find_machine

    settings = configure(choice.config, choice.machine, choice.prefix, choice.journal)
    asked = Asked(choice.journal, choice.config, choice.machine, choice.prefix, choice.server, choice.offline)
    recording = ChosenJournal(settings, asked)
    ways: dict[str, Callable[[], KnownLattice]] = {}
    if (optics := choice.optics) is not None:
        ways["--optics"] = lambda: known.with_optics(settings, optics)
    if (snapshot := choice.snapshot) is not None:
        ways["--snapshot"] = lambda: known.at_snapshot(settings, snapshot)
    if (lattice := choice.lattice) is not None:
        ways["--lattice"] = lambda: known.at_id(settings, lambda: recording.journal, lattice)
    if (at := choice.at) is not None:
        ways["--at"] = lambda: known.at_command(recording.settings, recording.journal, at)
    if choice.prefix is not None and not ways.keys().isdisjoint({"--optics", "--snapshot"}):
        raise typer.BadParameter(f"{' and '.join(ways)} and --prefix exclude each other: give one of them")
    if len(ways) > 1:
        raise typer.BadParameter(f"{' and '.join(ways)} exclude each other: give one of them")
    if choice.journal is not None and ways.keys().isdisjoint({"--at", "--lattice"}):
        raise typer.BadParameter("--journal is of use with --at and --lattice only")
    if choice.prefix is not None and not ways:
        ways["--prefix"] = lambda: _running(settings, choice.prefix, choice.machine, choice.server)
    found = next(iter(ways.values()), lambda: known.with_optics(settings))()
    ring = found.lattice.ring
    if choice.machine is not None and (wanted := find_machine(settings).document.name) != ring.name:
        raise known.UnknownLatticeError(f"{found.origin} is of machine {ring.name!r}, not of {wanted!r}")
    return found


def named_lattice(settings: "Config", text: str, recording: ChosenJournal) -> "KnownLattice":
    """Find a lattice by a text of an operator: `nominal`, `flat`, `low_alpha`, `120`, an id, `TWIN:`, `snapshot:flat`.

    A text without a kind is a command's number, a snapshot, optics, or the beginning of an id, whichever there is.
    Commands, and ids that nothing else has, are those of the recording.
    Raises UnknownLatticeError when it is none of them.
    """
    from gnomon.ioc.app import known_lattices as known
    from gnomon.ioc.base.snapshot_store import SnapshotError, list_snapshots
    from gnomon.lattice import GnomonError
    from gnomon.lattice.text import shorten

    kind, colon, name = text.partition(":")
    if text.endswith(":") or kind == "server":
        return _running(settings, name if kind == "server" else text, None, None)
    if colon and kind in ("snapshot", "optics", "at", "lattice"):
        match kind:
            case "snapshot":
                return known.at_snapshot(settings, name)
            case "optics":
                return known.with_optics(settings, name)
            case "lattice":
                return known.at_id(settings, lambda: recording.journal, name)
        if not (name.isascii() and name.isdecimal() and len(name) < MAX_DIGITS):
            raise known.UnknownLatticeError(f"{shorten(text)}: {shorten(name)} is not the number of a command")
        return known.at_command(recording.settings, recording.journal, int(name))
    if text.isascii() and text.isdecimal() and len(text) < MAX_DIGITS:
        return known.at_command(recording.settings, recording.journal, int(text))
    if text == NOMINAL:
        return known.with_optics(settings)
    tries: tuple[Callable[[], KnownLattice], ...] = (
        lambda: known.at_snapshot(settings, text),
        lambda: known.with_optics(settings, text),
    )
    for attempt in tries:
        with suppress(known.UnknownLatticeError, SnapshotError):
            return attempt()
    trouble = ""
    try:
        return known.at_id(settings, lambda: recording.journal, text)
    except known.UnknownLatticeError:
        pass
    except GnomonError as error:  # no server to ask
        trouble = f"; in a journal it was not looked for: {error}"
    snapshots = ", ".join(kept.name for kept in list_snapshots(settings)) or "none"
    raise known.UnknownLatticeError(
        f"{shorten(text)} is not a snapshot ({snapshots}), optics, a lattice id, or the number of a command{trouble}"
    )


def named_pair(
    settings: "Config", machine: str | None, first: str, second: str, recording: ChosenJournal
) -> "tuple[KnownLattice, KnownLattice]":
    """Find two lattices as `named_lattice` does; `nominal` without a machine is that of the other one's machine."""
    from gnomon.ioc.app import known_lattices as known

    if machine is None and NOMINAL in (first, second) and first != second:
        other = named_lattice(settings, second if first == NOMINAL else first, recording)
        nominal = known.KnownLattice(other.lattice.ring.nominal, "optics nominal")
        return (nominal, other) if first == NOMINAL else (other, nominal)
    return named_lattice(settings, first, recording), named_lattice(settings, second, recording)


def _running(settings: "Config", prefix: str | None, machine: str | None, server: str | None) -> "KnownLattice":
    """The present lattice of the running server with a prefix."""
    from gnomon.cli.options import running_server
    from gnomon.cli.running_lattice import running_lattice

    return running_lattice(settings, running_server(machine=machine, prefix=prefix, server=server))
