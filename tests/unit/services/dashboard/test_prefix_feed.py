"""The live values under one prefix: what changed since, of the present server alone, and how old it is."""

import json
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import pytest

from gnomon.clients.epics_client import EpicsClient, PvInfo
from gnomon.clients.errors import NoAnswerError
from gnomon.clients.reading import Reading
from gnomon.clients.server_choice import Target
from gnomon.services.dashboard.prefix_feed import ATTENTION_KEY, SILENT_S, PrefixFeed, Wanted

ORBIT = Wanted(frozenset({"orbit.x", "tune.x"}))
SUPPLIES = Wanted(every=frozenset({"set"}))


class FakeTwin:
    """A server with a few PVs, as the client of the feed; posts are taken at the feed's next look."""

    def __init__(self) -> None:
        sources = {
            "T:beat": "status.heartbeat", "T:x": "orbit.x", "T:q": "tune.x", "T:q2": "tune.x",
            "T:A:set": "set", "T:B:set": "set", "T:found": "beam.found", "T:why": "beam.reason",
        }  # fmt: skip
        self.pvs = {name: PvInfo(name, source, "", "", "", False, "") for name, source in sources.items()}
        self.followed: set[str] = set()
        self.posted: dict[str, Reading | None] = {}
        self.answers = True
        self.connections = 0

    def connect(self, _: Target) -> EpicsClient:
        if not self.answers:
            raise NoAnswerError("nobody answers")
        self.connections += 1
        self.followed = set()
        return cast(EpicsClient, self)

    def sampled(self) -> "FakeTwin":
        return self

    def follow(self, names: Mapping[str, Any]) -> None:
        self.followed = set(names)

    def take(self) -> dict[str, Reading | None]:
        taken = {name: reading for name, reading in self.posted.items() if name in self.followed}
        self.posted = {}
        return taken

    def close(self) -> None:
        self.followed = set()

    def post(self, **values: Any) -> None:
        for name, value in values.items():
            self.posted[f"T:{name}"] = None if value is None else Reading(f"T:{name}", value)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def twin() -> FakeTwin:
    return FakeTwin()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def feed(twin: FakeTwin, clock: Clock) -> PrefixFeed:
    return PrefixFeed(Target("T:"), twin.connect, clock)


def state(feed: PrefixFeed) -> str:
    return feed.state[0]


def told(feed: PrefixFeed, wanted: Wanted, since: int = 0) -> tuple[int, dict[str, Any]]:
    version, texts = feed.news(wanted, since)
    return version, {key: value for key, value in json.loads(f"{{{','.join(texts)}}}").items() if key != ATTENTION_KEY}


def test_a_page_gets_each_value_once_until_it_changes(feed: PrefixFeed, twin: FakeTwin) -> None:
    feed.add(ORBIT)
    twin.post(x=np.array([1.0]), q=17.5)
    feed.step()
    twin.post(x=np.array([1.0]), q=17.5)
    feed.step()
    version, values = told(feed, ORBIT)
    assert values["tune.x"]["v"] == 17.5
    assert set(values) == {"orbit.x", "tune.x"}
    assert told(feed, ORBIT, version) == (version, {})
    twin.post(q=17.6)
    feed.step()
    newer, values = told(feed, ORBIT, version)
    assert newer > version
    assert values == {"tune.x": {"v": 17.6}}


def test_a_page_that_comes_later_gets_what_others_have_had(feed: PrefixFeed, twin: FakeTwin) -> None:
    feed.add(ORBIT)
    feed.step()
    twin.post(q=17.5)
    feed.step()
    later = Wanted(frozenset({"tune.x"}))
    feed.add(later)
    version, values = told(feed, later)
    assert values == {}
    feed.step()
    assert told(feed, later, version)[1] == {"tune.x": {"v": 17.5}}


def test_all_pvs_of_a_source_come_by_their_names(feed: PrefixFeed, twin: FakeTwin) -> None:
    feed.add(SUPPLIES)
    feed.step()
    twin.posted = {"T:A:set": Reading("T:A:set", 1.0), "T:B:set": Reading("T:B:set", 2.0)}
    feed.step()
    assert told(feed, SUPPLIES)[1] == {"A:set": {"v": 1.0}, "B:set": {"v": 2.0}}


def test_only_values_that_an_open_page_shows_are_followed(feed: PrefixFeed, twin: FakeTwin) -> None:
    for wanted in (ORBIT, ORBIT, SUPPLIES):
        feed.add(wanted)
    feed.step()
    assert {"T:x", "T:q", "T:A:set", "T:B:set", "T:beat"} <= twin.followed
    assert "T:q2" not in twin.followed
    feed.remove(SUPPLIES)
    feed.remove(ORBIT)
    feed.step()
    assert "T:x" in twin.followed
    assert "T:A:set" not in twin.followed
    assert feed.unused_since is None
    feed.remove(ORBIT)
    assert feed.unused_since == 1000.0


def test_a_value_that_is_disconnected_has_no_number(feed: PrefixFeed, twin: FakeTwin) -> None:
    feed.add(ORBIT)
    feed.step()
    twin.post(q=17.5)
    feed.step()
    twin.post(q=None)
    feed.step()
    assert told(feed, ORBIT)[1] == {"tune.x": {"gone": 1}}


def test_a_server_that_is_silent_hangs_and_one_that_is_gone_is_lost(
    feed: PrefixFeed, twin: FakeTwin, clock: Clock
) -> None:
    feed.step()
    assert state(feed) == "live"
    twin.post(beat=1)
    feed.step()
    clock.now += SILENT_S + 1
    feed.step()
    assert state(feed) == "hangs"
    twin.post(beat=2)
    feed.step()
    assert state(feed) == "live"
    twin.post(beat=None)
    feed.step()
    assert state(feed) == "lost"
    clock.now += 100 * SILENT_S
    feed.step()
    assert state(feed) == "lost"


def test_values_of_a_server_that_comes_back_are_all_new(feed: PrefixFeed, twin: FakeTwin) -> None:
    feed.add(ORBIT)
    feed.step()
    twin.post(q=17.5, beat=1)
    feed.step()
    assert feed.connections == 1
    twin.post(beat=None)
    feed.step()
    twin.post(beat=2)
    feed.step()
    feed.step()
    assert (feed.connections, twin.connections) == (2, 2)
    assert told(feed, ORBIT)[1] == {}
    assert state(feed) == "live"


def test_a_server_that_does_not_answer_is_looked_for_again(feed: PrefixFeed, twin: FakeTwin) -> None:
    twin.answers = False
    assert feed.step() > 1.0
    assert feed.state == ("looking", "nobody answers")
    twin.answers = True
    feed.step()
    assert state(feed) == "live"


@pytest.mark.parametrize(("index", "noticed"), [(1, []), (0, ["no beam: lost it"])])
def test_every_page_is_told_what_needs_attention(
    feed: PrefixFeed, twin: FakeTwin, index: int, noticed: list[str]
) -> None:
    feed.add(ORBIT)
    feed.step()
    twin.posted = {
        "T:found": Reading("T:found", "x", states=("no", "x"), index=index),
        "T:why": Reading("T:why", "lost it" if noticed else ""),
    }
    feed.step()
    texts = feed.news(ORBIT, 0)[1]
    assert json.loads(f"{{{','.join(texts)}}}")[ATTENTION_KEY]["v"] == noticed
