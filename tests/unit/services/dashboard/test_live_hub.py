"""Frames of pages: one feed for all pages of a prefix, and an end to it when nobody looks."""

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

import pytest

from gnomon.clients.server_choice import Target
from gnomon.ioc.base.running_servers import RunningServer
from gnomon.services.dashboard import live_hub
from gnomon.services.dashboard.live_hub import LiveHub, TooManyPagesError
from gnomon.services.dashboard.prefix_feed import PrefixFeed, Wanted

WANTED = Wanted(frozenset({"tune.x"}))


class FakeFeed:
    def __init__(self, target: Target) -> None:
        self.target = target
        self.state = ("live", "")
        self.connections = 1
        self.version = 1
        self.texts = ['"tune.x":{"v":17.5}']
        self.viewers = 0
        self.unused_since: float | None = None
        self.closed = False

    def add(self, _: Wanted) -> None:
        self.viewers += 1
        self.unused_since = None

    def remove(self, _: Wanted) -> None:
        self.viewers -= 1
        self.unused_since = None if self.viewers else -1e9

    def news(self, _: Wanted, since: int) -> tuple[int, list[str]]:
        return self.version, self.texts if since < self.version else []

    def close(self) -> None:
        self.closed = True


class Hub:
    """A hub with feeds that are not connected to anything, on a computer where these twins run."""

    def __init__(self) -> None:
        self.feeds: list[FakeFeed] = []
        self.hub = LiveHub(make_feed=self.make)
        self._open: list[AsyncIterator[str]] = []

    def make(self, target: Target) -> PrefixFeed:
        self.feeds.append(FakeFeed(target))
        return cast(PrefixFeed, self.feeds[-1])

    def open(self, prefixes: Sequence[str] = ("T:",)) -> AsyncIterator[str]:
        self._open.append(self.hub.frames(WANTED, prefixes))
        return self._open[-1]


async def frame(page: AsyncIterator[str]) -> Any:
    return json.loads(await anext(page))


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Hub:
    twins = (
        RunningServer(pid=1, prefix=prefix, machine="mls", role="twin", ca_address="c", pva_address="p", fork=fork)
        for prefix, fork in (("F:", "F"), ("T:", ""))
    )
    known = list(twins)
    monkeypatch.setattr(live_hub, "running_servers", lambda: known)
    return Hub()


async def test_pages_of_one_prefix_share_a_feed(hub: Hub) -> None:
    one, other = hub.open(), hub.open()
    for page in (one, other):
        first = await frame(page)
        assert first["p"] == {"T:": {"state": "live", "why": "", "new": 1, "v": {"tune.x": {"v": 17.5}}}}
    assert [(feed.target.prefix, feed.viewers) for feed in hub.feeds] == [("T:", 2)]


async def test_twins_to_choose_from_come_first_and_when_they_change(hub: Hub) -> None:
    page = hub.open()
    assert (await frame(page))["servers"] == [
        ["T:", "T: mls, twin", "c", "p", "1"],
        ["F:", "F: mls, fork F", "c", "p", "1"],
    ]
    hub.feeds[0].version += 1
    assert "servers" not in await frame(page)


async def test_a_page_hears_of_each_change_once(hub: Hub) -> None:
    page = hub.open()
    await frame(page)
    hub.feeds[0].version += 1
    assert (await frame(page))["p"]["T:"]["v"] == {"tune.x": {"v": 17.5}}
    hub.feeds[0].state = ("lost", "gone")
    assert (await frame(page))["p"]["T:"] == {"state": "lost", "why": "gone", "v": {}}


async def test_a_page_without_news_hears_that_the_connection_is_alive(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_hub, "QUIET_S", 0.0)
    page = hub.open()
    await frame(page)
    assert (await frame(page))["p"] == {}


async def test_values_of_another_server_begin_anew(hub: Hub) -> None:
    page = hub.open()
    await frame(page)
    hub.feeds[0].connections += 1
    hub.feeds[0].texts = []
    waiting = (await frame(page))["p"]["T:"]
    assert (waiting["state"], "new" in waiting) == ("looking", False)
    hub.feeds[0].texts = ['"tune.x":{"v":3.5}']
    begun = (await frame(page))["p"]["T:"]
    assert (begun["state"], begun["new"], begun["v"]) == ("live", 1, {"tune.x": {"v": 3.5}})


async def test_a_prefix_that_nobody_serves_is_shown_so_and_searched_by_no_request(hub: Hub) -> None:
    page = hub.open(["NOBODY:"])
    assert (await frame(page))["p"]["NOBODY:"]["state"] == "unknown"
    assert hub.feeds == []


async def test_a_feed_that_no_page_uses_is_ended(hub: Hub) -> None:
    one, other = hub.open(), hub.open(["F:"])
    await frame(one)
    await frame(other)
    await other.aclose()  # type: ignore[attr-defined]
    hub.feeds[0].version += 1
    await frame(one)
    assert [feed.closed for feed in hub.feeds] == [False, True]


async def test_the_number_of_pages_has_a_limit(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_hub, "MAX_PAGES", 1)
    one = hub.open()
    await frame(one)
    with pytest.raises(TooManyPagesError, match="1 pages are open"):
        await frame(hub.open())
    await one.aclose()  # type: ignore[attr-defined]
    await frame(hub.open())


async def test_pages_are_let_go_and_feeds_ended_when_the_services_end(hub: Hub) -> None:
    page = hub.open()
    await frame(page)
    hub.hub.close()
    with pytest.raises(StopAsyncIteration):
        await frame(page)
    assert hub.feeds[0].closed
