"""The command `gnomon watch`."""

import sys
from importlib.util import find_spec

from gnomon.cli.connection import Connection
from gnomon.cli.option_group import with_options

WITHOUT = "gnomon watch needs textual, which is in an extra: pip install 'gnomon[watch]'"


@with_options("connection", Connection)
def watch(connection: Connection) -> None:
    """Show the running server live in the terminal: orbit, tunes, commands, faults; step power supplies.

    `?` shows the keys, `q` quits. A terminal of 80 x 24 is enough. NO_COLOR is respected.
    """
    import socket

    from gnomon.cli.options import configure
    from gnomon.clients.epics_client import EpicsClient
    from gnomon.clients.errors import ClientError
    from gnomon.clients.server_choice import Target, find_again

    if find_spec("textual") is None:
        raise ClientError(WITHOUT)
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):  # textual draws on the last
        raise ClientError("gnomon watch needs a terminal; `gnomon status` and `gnomon monitor` do not")
    target = connection.target()

    from gnomon.cli.watch.app import WatchApp
    from gnomon.cli.watch.feed import Feed
    from gnomon.cli.watch.magnets import RingMap, ring_map

    def find_map(_: Feed, monitors: int) -> RingMap | None:
        return ring_map(target, configure(connection.config), monitors)

    def connect(to: Target) -> EpicsClient:
        return EpicsClient(to, connection.protocol, connection.timeout)

    feed = Feed(target, connect, socket.gethostname(), find_again)
    try:
        WatchApp(feed, find_map).run()
    finally:
        feed.close()
