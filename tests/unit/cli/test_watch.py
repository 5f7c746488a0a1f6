"""`gnomon watch`: its screen at several sizes, its keys, a lost server, a refused step."""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from gnomon.cli.watch import command
from gnomon.cli.watch.app import WatchApp
from gnomon.cli.watch.feed import Feed
from gnomon.clients.errors import ClientError, NoAnswerError
from gnomon.clients.server_choice import Target
from unit.cli.commands import gnomon
from unit.cli.fake_feed import SUPPLY, FakeClient, ring_map
from unit.cli.fake_overview import reading

SNAPSHOT = Path(__file__).parent / "watch_80x24.txt"
WAIT_S = 10.0


class TestFeed(Feed):
    """A feed that the test drives: it does not look for a server in a thread."""

    __test__ = False

    def run(self) -> None:
        self._closed.wait(0.01)


@pytest.fixture
def client() -> FakeClient:
    return FakeClient()


@pytest.fixture
def app(client: FakeClient, monkeypatch: pytest.MonkeyPatch) -> WatchApp:
    monkeypatch.setattr("gnomon.cli.watch.screen.time.strftime", lambda form: "12:00:00")
    feed = TestFeed(client.target, lambda _: client, "elsewhere")
    feed._begin()
    feed._beat_at = time.monotonic() + 3600.0  # nothing beats in here
    return WatchApp(feed, lambda *_: ring_map())


def shown(app: WatchApp) -> str:
    return "\n".join(strip.text.rstrip() for strip in app.screen._compositor.render_strips())


async def until(pilot: Pilot[None], app: WatchApp, holds: Callable[[str], bool]) -> str:
    """Wait until the screen is as wanted; returns it."""
    end = time.monotonic() + WAIT_S
    while True:
        app.refresh_screen()
        await pilot.pause(0.01)
        text = shown(app)
        if holds(text):
            return text
        assert time.monotonic() < end, text


async def choose(pilot: Pilot[None], app: WatchApp) -> str:
    await pilot.press("slash", "h", "s", "enter")
    return await until(pilot, app, lambda text: "0.5 A" in text and "HS1 setpoint" in text and "working" not in text)


async def test_the_screen_at_80_by_24_is_as_it_was(app: WatchApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, app, lambda text: "█" in text)
        text = await choose(pilot, app)
    if os.environ.get("WRITE_SNAPSHOTS"):
        SNAPSHOT.write_text(text + "\n", encoding="utf-8")
    assert text + "\n" == SNAPSHOT.read_text(encoding="utf-8"), "to keep the new one: WRITE_SNAPSHOTS=1"


@pytest.mark.parametrize("size", [(20, 6), (40, 12), (60, 16), (80, 24), (200, 60)])
async def test_every_size_shows_something_and_nothing_beyond_its_edge(app: WatchApp, size: tuple[int, int]) -> None:
    async with app.run_test(size=size) as pilot:
        text = await until(pilot, app, lambda text: "x mm" in text)
        assert len(text.splitlines()) <= size[1]
        assert max(map(len, text.splitlines())) <= size[0]
        assert "TWIN:" in text.splitlines()[0]


async def test_a_resized_terminal_is_drawn_anew(app: WatchApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, app, lambda text: "Qx - Qy" in text or "away" in text)
        await pilot.resize_terminal(50, 20)
        narrow = await until(pilot, app, lambda text: "Qx 0.17812" in text and "away" not in text)
        assert max(map(len, narrow.splitlines())) <= 50
        await pilot.resize_terminal(120, 40)
        await until(pilot, app, lambda text: "away" in text and max(map(len, text.splitlines())) > 100)


async def test_text_without_colour_says_the_same(app: WatchApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with app.run_test(size=(80, 24)) as pilot:
        text = await until(pilot, app, lambda text: "beam found" in text)
    assert "●" in text  # the working point
    assert "+2" in text  # the scale of the bars


async def test_a_supply_is_stepped_and_the_step_undone(app: WatchApp, client: FakeClient) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        text = await choose(pilot, app)
        assert "-10 [" in text
        assert "step 0.02 A" in text
        assert "◆" in text
        await pilot.press("up", "up", "right_square_bracket", "down")
        await until(pilot, app, lambda text: "0.54 -> 0.49 A" in text)
        assert client.puts == [(SUPPLY, 0.52), (SUPPLY, 0.54), (SUPPLY, 0.49)]
        await pilot.press("u")
        await until(pilot, app, lambda text: "undone: TWIN:HS1:set: 0.49 -> 0.54 A" in text)
        await pilot.press("u", "u", "u")
        await until(pilot, app, lambda text: "there is no step to undo" in text)
        assert client.readings[SUPPLY].value == 0.5


async def test_a_refused_step_shows_the_servers_reason_and_cannot_be_undone(app: WatchApp, client: FakeClient) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await choose(pilot, app)
        client.show({SUPPLY: replace(client.readings[SUPPLY], value=9.99)})
        await pilot.press("up")
        text = await until(pilot, app, lambda text: "outside the drive limits" in text)
        assert "TWIN:HS1:set = 10.01 A: outside the drive limits -10 to 10 A" in text
        assert "0 to undo" in text
        assert client.puts == []


async def test_a_step_is_not_undone_over_somebody_elses(app: WatchApp, client: FakeClient) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await choose(pilot, app)
        await pilot.press("up")
        await until(pilot, app, lambda text: "0.5 -> 0.52 A" in text)
        client.show({SUPPLY: replace(client.readings[SUPPLY], value=3.0)})
        await pilot.press("u")
        await until(pilot, app, lambda text: "not undone" in text)
        assert client.readings[SUPPLY].value == 3.0


async def test_no_step_without_a_supply(app: WatchApp, client: FakeClient) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("up")
        await until(pilot, app, lambda text: "no supply is chosen" in text)
        assert client.puts == []


async def test_a_lost_server_is_shown_as_lost_and_comes_back(app: WatchApp, client: FakeClient) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await choose(pilot, app)
        known = dict(client.readings)
        client.show(dict.fromkeys([*known]))
        client.readings = known
        text = await until(pilot, app, lambda text: "LOST" in text)
        assert "Qx" not in text  # no value that is not of now
        assert "server is lost" in text
        assert "faults none" not in text
        assert text.startswith(" TWIN: mls")
        await pilot.press("up")
        await until(pilot, app, lambda text: "not possible: the server is gone" in text)
        assert client.puts == []
        client.show(known)
        await until(pilot, app, lambda text: "beam found" in text and "Qx 0.17812" in text)


async def test_the_first_frames_wait_and_call_nothing_lost(client: FakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    known = dict(client.readings)
    feed = TestFeed(client.target, lambda _: client, "elsewhere")
    app = WatchApp(feed, lambda *_: ring_map())
    async with app.run_test(size=(80, 24)) as pilot:
        text = await until(pilot, app, lambda text: "waiting: looking for the server" in text)
        assert [wrong for wrong in ("LOST", "lost", "INVALID", "no beam", "no such PV") if wrong in text] == []
        feed._tell("no answer from 192.0.2.1")
        await until(pilot, app, lambda text: "waiting: no answer from 192.0.2.1" in text)
        monkeypatch.setattr(
            client, "monitor", lambda name, callback: client.monitors.setdefault(name, [callback]).clear
        )
        feed._begin()
        text = await until(pilot, app, lambda text: "waiting for the first readings" in text)
        assert "lost" not in text.lower()
        assert "no beam" not in text
        assert "no values yet" in text
        client.show(known)
        await until(pilot, app, lambda text: "beam found" in text and "Qx 0.17812" in text and "waiting" not in text)


async def test_first_readings_are_not_waited_for_without_end(
    client: FakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = TestFeed(client.target, lambda _: client, "elsewhere")
    monkeypatch.setattr(client, "monitor", lambda name, callback: client.monitors.setdefault(name, [callback]).clear)
    feed._begin()
    assert feed.starting
    feed._began_at -= 60.0
    assert (feed.starting, feed.lost) == ("", "")
    feed._beat_at -= 60.0
    assert "no heartbeat for" in feed.overview().trouble


async def test_a_server_without_heartbeat_hangs(app: WatchApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, app, lambda text: "beam found" in text)
        app.feed._beat_at = time.monotonic() - 60.0
        await until(pilot, app, lambda text: "LOST: no heartbeat for" in text)


async def test_without_a_beam_the_reason_stands_instead_of_values(app: WatchApp, client: FakeClient) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, app, lambda text: "beam found" in text)
        beam = ("orbit.difference.x", "orbit.difference.y", "tune.fraction.x", "tune.fraction.y")
        lost: dict[str, Any] = {name: replace(client.readings[name], severity=3, alarm="CALC") for name in beam}
        lost["beam.found"] = reading("beam.found", "no beam", states=("no beam", "found"))
        lost["beam.reason"] = reading("beam.reason", "no closed orbit: trace 2.3")
        client.show(lost)
        text = await until(pilot, app, lambda text: "INVALID" in text)
        assert "no beam" in text.splitlines()[0]
        assert "INVALID: no closed orbit: trace 2.3" in text
        assert "Qx" not in text


async def test_faults_are_named(app: WatchApp, client: FakeClient) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        client.show(
            {
                "faults.count": reading("faults.count", 1),
                "faults.active": reading("faults.active", ["delay HS* by 2 s"]),
            }
        )
        text = await until(pilot, app, lambda text: "delay HS* by 2 s" in text)
        assert "1 injected fault" in text.splitlines()[0]


async def test_zoom_shows_a_part_of_the_ring(app: WatchApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, app, lambda text: "48 m" in text)
        await pilot.press("z")
        await until(pilot, app, lambda text: "12 " in text and "36 m" in text)
        await pilot.press("right", "x")
        await until(pilot, app, lambda text: "48 m" in text)


async def test_a_change_behind_an_open_page_is_seen_when_the_page_closes(app: WatchApp, client: FakeClient) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("question_mark")
        await until(pilot, app, lambda text: "gnomon log" in text)
        client.show({"tune.fraction.x": reading("tune.fraction.x", 0.3456)})
        app.refresh_screen()
        await pilot.press("escape")
        await until(pilot, app, lambda text: "Qx 0.34560" in text)


async def test_help_and_quit(app: WatchApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("question_mark")
        await until(pilot, app, lambda text: "gnomon log" in text)
        await pilot.press("escape")
        await until(pilot, app, lambda text: "gnomon log" not in text)
        await pilot.press("slash", "escape", "q")
        await pilot.pause()
        assert not app.is_running


def test_a_client_that_finds_nothing_is_closed(client: FakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise NoAnswerError("no answer within 5 s")

    monkeypatch.setattr(client, "find_pvs", refuse)
    feed = Feed(client.target, lambda _: client, "elsewhere")
    with pytest.raises(NoAnswerError):
        feed._begin()
    assert client.closed
    assert feed.client is None


def test_a_feed_waits_for_its_server_and_says_why(client: FakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gnomon.cli.watch.feed.RETRY_S", 0.01)
    tries: list[int] = []

    def connect(_: Target) -> FakeClient:
        tries.append(1)
        if len(tries) < 3:
            raise NoAnswerError("no answer within 5 s")
        return client

    feed = Feed(client.target, connect, "elsewhere")
    thread = threading.Thread(target=feed.run)
    thread.start()
    end = time.monotonic() + WAIT_S
    while feed.client is None and time.monotonic() < end:
        time.sleep(0.01)
    feed.close()
    thread.join(WAIT_S)
    assert len(tries) == 3
    assert client.closed
    with pytest.raises(ClientError, match="not possible"):
        Feed(client.target, connect, "elsewhere").step(SUPPLY, 1.0, 1)


def test_a_feed_goes_to_the_new_addresses_of_its_server(client: FakeClient) -> None:
    before, moved = client.target, Target(client.target.prefix, {"EPICS_PVA_BROADCAST_PORT": "9999"})
    asked: list[Target] = []

    def connect(to: Target) -> FakeClient:
        asked.append(to)
        return client

    feed = Feed(before, connect, "elsewhere", lambda target: moved if target == before and asked else None)
    feed._begin()
    feed.choose(SUPPLY)
    feed._look_again()
    assert (client.closed, feed.client, feed.overview().readings) == (True, None, {})
    feed._begin()
    feed._choose_again()
    feed._look_again()  # it is where it was
    assert asked == [before, moved]
    assert feed.client is client
    assert feed.chosen is not None
    feed.close()


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "find_spec", lambda name: None)
    with pytest.raises(ClientError, match=r"gnomon\[watch\]"):
        gnomon("watch")


def test_without_a_terminal_it_says_what_to_use() -> None:
    with pytest.raises(ClientError, match="needs a terminal"):
        gnomon("watch")
