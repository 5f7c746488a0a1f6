"""The command `gnomon watch`."""

import sys
from importlib.util import find_spec

from gnomon.cli.options import ConfigFile, Machine, Prefix, Protocol, Server, Timeout

WITHOUT = "gnomon watch needs textual, which is in an extra: pip install 'gnomon[watch]'"


def watch(
    protocol: Protocol = "pva",
    prefix: Prefix = None,
    machine: Machine = None,
    config: ConfigFile = None,
    server: Server = None,
    timeout: Timeout = 5.0,
) -> None:
    """Show the running server live in the terminal: orbit, tunes, commands, faults; step power supplies.

    `?` shows the keys, `q` quits. A terminal of 80 x 24 is enough. NO_COLOR is respected.
    """
    import socket

    from gnomon.cli.options import configure
    from gnomon.clients.epics_client import EpicsClient
    from gnomon.clients.errors import ClientError
    from gnomon.clients.server_choice import choose_server

    if find_spec("textual") is None:
        raise ClientError(WITHOUT)
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):  # textual draws on the last
        raise ClientError("gnomon watch needs a terminal; `gnomon status` and `gnomon monitor` do not")
    target = choose_server(prefix=prefix, machine=machine, config=config, server=server)

    from gnomon.cli.watch.app import WatchApp
    from gnomon.cli.watch.feed import Feed
    from gnomon.cli.watch.magnets import RingMap, ring_map

    def find_map(_: Feed, monitors: int) -> RingMap | None:
        return ring_map(target, configure(config), monitors)

    feed = Feed(target, lambda: EpicsClient(target, protocol, timeout), socket.gethostname())
    try:
        WatchApp(feed, find_map).run()
    finally:
        feed.close()
