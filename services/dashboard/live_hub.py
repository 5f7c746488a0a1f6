"""The live values of all open pages: a feed for each prefix, and the frames that a page is sent."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from threading import Lock

from gnomon.clients.errors import ClientError
from gnomon.clients.server_choice import Target, choose_server
from gnomon.ioc.base.running_servers import running_servers
from gnomon.services.dashboard.prefix_feed import PERIOD_S, PrefixFeed, Wanted

#: A feed that no page has used for this time is ended [s].
KEEP_S = 30.0
#: Age at which the list of servers is read again [s].
LIST_S = 2.0
#: A page without news gets an empty frame after this time, which tells it that the connection is alive [s].
QUIET_S = 1.0
#: A frame is made so long after the feeds have looked [s].
AFTER_LOOK_S = 0.03
#: Pages that may be open at the same time, and prefixes that one may show.
MAX_PAGES, MAX_PREFIXES = 60, 2


class TooManyPagesError(Exception):
    """More pages are open than the process can serve."""


class LiveHub:
    """Feeds by prefix, started when a page wants one. `prefixes` are those of servers on other computers.

    All methods but `targets` are for the event loop.
    """

    def __init__(
        self,
        prefixes: Sequence[str] = (),
        make_feed: Callable[[Target], PrefixFeed] = lambda to: PrefixFeed(to).start(),
    ) -> None:
        self._configured = tuple(prefixes)
        self._make_feed = make_feed
        self._feeds: dict[str, PrefixFeed] = {}
        self._pages = 0
        self._closing = False
        self._lock = Lock()
        self._targets: dict[str, Target] = {}
        self._listed_at = -LIST_S

    def targets(self) -> dict[str, Target]:
        """Find the twins to choose from, by prefix: those that run on this computer, and those that were named."""
        with self._lock:
            if time.monotonic() - self._listed_at < LIST_S:
                return self._targets
            self._listed_at = time.monotonic()
            found = {each.prefix: Target(each.prefix, each.environment, each) for each in running_servers()}
            for prefix in self._configured:
                try:
                    found[prefix] = found.get(prefix) or choose_server(prefix)
                except ClientError:
                    continue
            self._targets = dict(sorted(found.items(), key=lambda pair: _order(pair[1])))
            return self._targets

    async def frames(self, wanted: Wanted, prefixes: Sequence[str]) -> AsyncIterator[str]:
        """Yield the frames of one page, at most one each period; each holds what has changed since the one before.

        Raises TooManyPagesError.
        """
        if self._pages >= MAX_PAGES:
            raise TooManyPagesError(f"{self._pages} pages are open: close some")
        self._pages += 1
        shown = {prefix: _Shown(prefix) for prefix in prefixes[:MAX_PREFIXES]}
        listed, sent_at = "", 0.0
        try:
            while not self._closing:
                targets = await asyncio.to_thread(self.targets) if self._is_old() else self._targets
                parts = []
                for each in shown.values():
                    self._attach(each, targets, wanted)
                    if part := each.news(wanted):
                        parts.append(part)
                now_listed = _servers_json(targets)
                if parts or now_listed != listed or time.monotonic() - sent_at >= QUIET_S:
                    servers = f',"servers":{now_listed}' if now_listed != listed else ""
                    listed, sent_at = now_listed, time.monotonic()
                    yield f'{{"t":{time.time_ns() // 1_000_000},"p":{{{",".join(parts)}}}{servers}}}'
                self._end_unused()
                await asyncio.sleep(PERIOD_S - (time.monotonic() - AFTER_LOOK_S) % PERIOD_S)
        finally:
            self._pages -= 1
            for each in shown.values():
                if each.feed is not None:
                    each.feed.remove(wanted)

    def _is_old(self) -> bool:
        return time.monotonic() - self._listed_at >= LIST_S

    def _attach(self, shown: "_Shown", targets: dict[str, Target], wanted: Wanted) -> None:
        """Give a page the feed of a prefix as soon as there is one."""
        if shown.feed is not None:
            return
        feed = self._feeds.get(shown.prefix)
        if feed is None and shown.prefix in targets:
            feed = self._feeds[shown.prefix] = self._make_feed(targets[shown.prefix])
        if feed is not None:
            feed.add(wanted)
            shown.feed = feed

    def _end_unused(self) -> None:
        now = time.monotonic()
        for prefix, feed in list(self._feeds.items()):
            if feed.unused_since is not None and now - feed.unused_since > KEEP_S:
                self._feeds.pop(prefix).close()

    def close(self) -> None:
        """Let all pages go, and end all feeds, since the services end."""
        self._closing = True
        for feed in self._feeds.values():
            feed.close()
        self._feeds.clear()


class _Shown:
    """A prefix as one page has it: what it was sent last."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.feed: PrefixFeed | None = None
        self._version = 0
        self._connections = 0
        self._state: tuple[str, str] | None = None

    def news(self, wanted: Wanted) -> str:
        """Return what has changed, as JSON with the prefix; empty if nothing has."""
        values: list[str] = []
        new = ""
        state: tuple[str, str] = "unknown", "no server with this prefix is known here"
        if self.feed is not None:
            state = self.feed.state
            connections = self.feed.connections
            begins = connections != self._connections
            version, values = self.feed.news(wanted, 0 if begins else self._version)
            if values or not begins:
                self._connections, self._version = connections, version
                new = ',"new":1' if begins else ""
            elif self._connections:  # the page has values of a server before
                state = "looking", "waiting for the values of the server that has come"
        if not values and not new and state == self._state:
            return ""
        self._state = state
        told = json.dumps(state[1])
        return f'{json.dumps(self.prefix)}:{{"state":"{state[0]}","why":{told}{new},"v":{{{",".join(values)}}}}}'


def _order(target: Target) -> tuple[bool, str, str]:
    server = target.server
    return (server is None or bool(server.fork), server.fork if server is not None else "", target.prefix)


def _servers_json(targets: dict[str, Target]) -> str:
    """List the twins to choose from: prefix, name, addresses, process."""
    told = []
    for prefix, target in targets.items():
        server = target.server
        about = ["", "", ""] if server is None else [server.ca_address, server.pva_address, str(server.pid)]
        told.append([prefix, _label(target), *about])
    return json.dumps(told, separators=(",", ":"))


def _label(target: Target) -> str:
    """Name a twin for the list of those to choose from."""
    server = target.server
    if server is None:
        return target.prefix or "(no prefix)"
    what = f"fork {server.fork}" if server.fork else server.role
    return f"{target.prefix or '(no prefix)'} {server.machine}, {what}"
