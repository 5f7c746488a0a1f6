"""`gnomon monitor`: show PVs of a running server as they change."""

import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import Empty, Queue
from typing import TYPE_CHECKING, Annotated

import typer

from gnomon.cli.connection import Connection, connected
from gnomon.cli.option_group import with_options
from gnomon.cli.options import check_seconds
from gnomon.lattice.text import printable

if TYPE_CHECKING:
    from gnomon.clients.epics_client import EpicsClient
    from gnomon.clients.reading import Reading

#: Longest time without a look at Ctrl-C and at the end [s].
_PERIOD_S = 0.5


@with_options("connection", Connection)
def monitor(
    pvs: Annotated[
        list[str],
        typer.Argument(metavar="PV...", help="Names or patterns ('HS4P*:set', '*:rdX'), with or without the prefix."),
    ],
    count: Annotated[int | None, typer.Option(min=1, help="Stop after this number of updates.")] = None,
    duration: Annotated[float | None, typer.Option(callback=check_seconds, help="Stop after this time [s].")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Show all values of waveforms and tables.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print each update as a line of JSON.")] = False,
    *,
    connection: Connection,
) -> None:
    """Show values as they change, until Ctrl-C. For example `gnomon monitor TUNEZR:rdH TUNEZR:rdV`.

    Exit codes: 0 stopped; 1 no answer, or not allowed; 2 no such PV.
    """
    with connected(connection, pvs) as client:
        updates: Queue[tuple[str, Reading | None]] = Queue()
        names = [reading.name for reading in client.get(*pvs)]
        followed = _Followed(client, connection, names, updates)
        with suppress(KeyboardInterrupt):
            _print_updates(updates, followed, count, duration, everything=everything, as_json=as_json)
        followed.close()


class _Followed:
    """The subscriptions; they go to the server's new addresses when it has come back there."""

    def __init__(
        self,
        client: "EpicsClient",
        connection: Connection,
        names: list[str],
        updates: "Queue[tuple[str, Reading | None]]",
    ) -> None:
        self.names = names
        self._target, self._connection, self._updates = client.target, connection, updates
        self._second: EpicsClient | None = None
        self._stops = self._begin(client)

    def _begin(self, client: "EpicsClient") -> "list[Callable[[], None]]":
        return [client.monitor(name, partial(_keep, self._updates, name)) for name in self.names]

    def look_again(self) -> None:
        """Follow the server to other addresses, if it is there now."""
        from gnomon.clients.epics_client import EpicsClient
        from gnomon.clients.server_choice import find_again

        found = find_again(self._target)
        if found is None:
            return
        for stop in self._stops:
            stop()
        self.close()
        self._target = found
        self._second = EpicsClient(found, self._connection.protocol, self._connection.timeout)
        self._stops = self._begin(self._second)

    def close(self) -> None:
        """Close what the command's own connection does not."""
        if self._second is not None:
            self._second.close()


def _keep(updates: "Queue[tuple[str, Reading | None]]", name: str, reading: "Reading | None") -> None:
    updates.put((name, reading))


def _print_updates(
    updates: "Queue[tuple[str, Reading | None]]",
    followed: _Followed,
    count: int | None,
    duration: float | None,
    *,
    everything: bool,
    as_json: bool,
) -> None:
    end = None if duration is None else time.monotonic() + duration
    names = followed.names
    seen: set[str] = set()
    gone: set[str] = set()
    printed = 0
    while (count is None or printed < count) and (end is None or time.monotonic() < end):
        wait_s = _PERIOD_S if end is None else max(0.0, min(_PERIOD_S, end - time.monotonic()))
        try:
            name, reading = updates.get(timeout=wait_s)
        except Empty:
            if len(gone) == len(names):
                followed.look_again()
            continue
        if reading is None and name not in seen:  # not connected yet
            continue
        seen.add(name)
        (gone.discard if reading is not None else gone.add)(name)
        _print_update(name, reading, max(map(len, map(printable, names))), everything=everything, as_json=as_json)
        printed += 1


def _print_update(name: str, reading: "Reading | None", width: int, *, everything: bool, as_json: bool) -> None:
    import json

    from gnomon.cli.get import reading_lines

    if as_json:
        told = {"name": name, "connected": False} if reading is None else reading.to_json()
        typer.echo(json.dumps(told, ensure_ascii=False))
    elif reading is None:
        typer.echo(f"{printable(name).ljust(width)}  {typer.style('disconnected', fg='red')}")
    else:
        for line in reading_lines([reading], everything=everything, name_width=width, time_first=True):
            typer.echo(line)
