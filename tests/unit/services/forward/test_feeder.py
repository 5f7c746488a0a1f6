"""Everything reaches a downstream, in order, whatever happens on the way; and an operator sees how far it is."""

import asyncio
import itertools
from pathlib import Path

import pytest

from gnomon.recorder import Journal, archive
from gnomon.services.forward import feeder as feeder_module
from gnomon.services.forward.cursor_file import cursor_path, read_cursor, write_cursor
from unit.recorder.records import begin
from unit.services.forward.fake_downstream import FakeDownstream
from unit.services.forward.feeding import add_commands, feeding, make_source, numbers, until


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeder_module, "FIRST_PAUSE_S", 0.002)
    monkeypatch.setattr(feeder_module, "MAX_PAUSE_S", 0.01)
    monkeypatch.setattr(feeder_module, "SAVE_S", 0.01)
    monkeypatch.setattr(feeder_module, "LOOK_S", 0.02)


def whole(downstream: FakeDownstream, last: int) -> bool:
    """All commands and outcomes up to a number, each in order."""
    expected = list(range(1, last + 1))
    return numbers(downstream, "commands") == expected == numbers(downstream, "outcomes")


async def test_everything_comes_once_and_in_order_and_is_remembered(tmp_path: Path) -> None:
    source, downstream = make_source(tmp_path, 7), FakeDownstream()
    async with feeding(downstream, source):
        await until(lambda: len(downstream.keys) == 14)
        add_commands(source, 8, 9)
        await until(lambda: len(downstream.keys) == 18)
    assert whole(downstream, 9)
    cursor = read_cursor(cursor_path(source.journal, "fake"))
    assert cursor is not None
    assert (cursor.position.sequence, cursor.position.outcome, cursor.delivered) == (9, 9, 18)
    again = FakeDownstream()
    async with feeding(again, source):
        add_commands(source, 10, 10)
        await until(lambda: len(again.keys) == 2)
    assert numbers(again, "commands") == [10]


async def test_a_downstream_that_comes_and_goes_misses_nothing(tmp_path: Path) -> None:
    source, downstream = make_source(tmp_path, 40), FakeDownstream()
    counter = itertools.count(1)
    downstream.forgets = lambda: next(counter) % 5 == 0  # every fifth answer is lost
    async with feeding(downstream, source):
        await until(lambda: len(downstream.keys) > 10)
        downstream.go_away()
        await asyncio.sleep(0.03)
        add_commands(source, 41, 45)
        downstream.away = False
        await until(lambda: whole(downstream, 45))
    assert downstream.sessions > 5
    assert len(downstream.keys) > len(downstream.first_seen)  # what was not acknowledged came again
    position = {key: n for n, key in enumerate(downstream.keys)}
    order = [position[key] for key in downstream.first_seen]
    assert order == sorted(order)  # the last time that each came, too


async def test_an_error_that_nobody_foresaw_is_told_and_the_feeder_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    source, downstream = make_source(tmp_path, 3), FakeDownstream()
    with monkeypatch.context() as patch:
        patch.setattr(feeder_module, "of_journal", lambda *_: 1 / 0)
        async with feeding(downstream, source) as feeder:
            await until(lambda: "ZeroDivisionError" in feeder._reason)
            assert "please report it" in (await feeder.status()).reason
            patch.undo()
            await until(lambda: whole(downstream, 3))
            await until(lambda: feeder._away_since is None)
    assert sum("not foreseen" in record.message for record in caplog.records) == 1


async def test_a_crash_before_the_cursor_is_written_sends_again_and_skips_nothing(tmp_path: Path) -> None:
    source, downstream = make_source(tmp_path, 6), FakeDownstream()
    async with feeding(downstream, source):
        await until(lambda: len(downstream.keys) == 12)
    path = cursor_path(source.journal, "fake")
    cursor = read_cursor(path)
    assert cursor is not None
    old = cursor.__class__(cursor.journal)  # as it was before anything was acknowledged
    write_cursor(path, old)
    again = FakeDownstream()
    async with feeding(again, source):
        await until(lambda: whole(again, 6))
    assert again.keys == downstream.keys  # the same keys: the other side can tell


async def test_a_new_downstream_can_begin_with_what_comes_from_now_on(tmp_path: Path) -> None:
    source, downstream = make_source(tmp_path, 5), FakeDownstream(from_oldest=False)
    async with feeding(downstream, source):
        await until(lambda: cursor_path(source.journal, "fake").exists())
        add_commands(source, 6, 6)
        await until(lambda: len(downstream.keys) == 2)
    assert numbers(downstream, "commands") == [6]


async def test_kinds_that_a_downstream_does_not_take_are_passed_over(tmp_path: Path) -> None:
    source, downstream = make_source(tmp_path, 5), FakeDownstream(kinds=frozenset({"outcomes"}))
    async with feeding(downstream, source) as feeder:
        await until(lambda: len(downstream.keys) == 5)
        await until(lambda: feeder._cursor is not None and feeder._cursor.position.sequence == 5)
        assert (await feeder.status()).backlog == 0
    assert numbers(downstream, "outcomes") == [1, 2, 3, 4, 5]


async def test_status_tells_backlog_age_and_reason(tmp_path: Path) -> None:
    source, downstream = make_source(tmp_path, 4), FakeDownstream()
    downstream.away = True
    async with feeding(downstream, source, alarm_s=0.01) as feeder:
        await until(lambda: feeder._reason == "away")
        await asyncio.sleep(0.02)
        status = await feeder.status()
        assert (status.state, status.backlog, status.delivered, status.reason) == ("behind", 8, 0, "away")
        assert status.age_s > 3600.0  # the commands are of the year 2025
        downstream.away = False
        await until(lambda: len(downstream.keys) == 8)
        await until(lambda: feeder._away_since is None)
        status = await feeder.status()
    assert (status.state, status.backlog, status.delivered, status.reason) == ("delivering", 0, 8, "")


async def test_a_refused_item_is_not_passed_over_and_is_sent_once_it_is_taken(tmp_path: Path) -> None:
    source, downstream = make_source(tmp_path, 4), FakeDownstream()
    downstream.refuses = lambda parcel: parcel.key.endswith(":2")
    async with feeding(downstream, source) as feeder:
        await until(lambda: feeder._refused)
        status = await feeder.status()
        assert status.state == "stopped"
        assert ":2 is refused" in status.reason
        assert numbers(downstream, "commands") == [1]
        downstream.refuses = lambda parcel: False
        await until(lambda: whole(downstream, 4))


async def test_commands_whose_part_is_gone_are_counted_and_the_rest_is_delivered(tmp_path: Path) -> None:
    source, downstream = make_source(tmp_path, 6), FakeDownstream()
    with Journal(source.journal) as journal:
        begin(journal)
        part = archive(journal, settled_ns=0)
    assert part is not None
    part.path.unlink()
    async with feeding(downstream, source) as feeder:
        await until(lambda: numbers(downstream, "commands") == [6])
        await until(lambda: feeder._away_since is None)
        status = await feeder.status()
    assert (status.state, status.skipped) == ("behind", 5)
    assert "5 commands were left out" in status.reason


@pytest.mark.parametrize("when_full", ["keep", "skip"])
async def test_too_many_that_wait_are_all_kept_or_the_oldest_left_out(tmp_path: Path, when_full: str) -> None:
    source, downstream = make_source(tmp_path, 20), FakeDownstream()
    downstream.away = when_full == "keep"
    async with feeding(downstream, source, max_backlog=8, when_full=when_full, alarm_s=1e9) as feeder:
        if when_full == "keep":
            await until(lambda: feeder._cursor is not None)
            status = await feeder.status()
            assert "more than 8 items wait" in status.reason
            downstream.away = False
            await until(lambda: whole(downstream, 20))
        else:
            await until(lambda: numbers(downstream, "commands") == list(range(13, 21)))
            await until(lambda: len(numbers(downstream, "outcomes")) == 8)
            status = await feeder.status()
            assert (status.skipped, status.state) == (12, "behind")


async def test_another_journal_in_its_place_stops_the_downstream(tmp_path: Path) -> None:
    source, downstream = make_source(tmp_path, 3), FakeDownstream()
    async with feeding(downstream, source):
        await until(lambda: len(downstream.keys) == 6)
    cursor = read_cursor(cursor_path(source.journal, "fake"))
    assert cursor is not None
    write_cursor(cursor_path(source.journal, "fake"), cursor.__class__("another", cursor.position))
    async with feeding(FakeDownstream(), source) as feeder:
        await until(lambda: feeder._refused)
        status = await feeder.status()
    assert status.state == "stopped"
    assert "gnomon forward move" in status.reason


async def test_a_journal_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    source, downstream = make_source(tmp_path / "a", 2), FakeDownstream()
    hidden = source.journal.with_name("hidden")
    source.journal.rename(hidden)
    async with feeding(downstream, source) as feeder:
        await until(lambda: "there is no journal" in feeder._reason)
        hidden.rename(source.journal)
        await until(lambda: whole(downstream, 2))


async def test_a_server_with_another_prefix_gets_another_session(tmp_path: Path) -> None:
    source, downstream = make_source(tmp_path, 2), FakeDownstream()
    async with feeding(downstream, source):
        await until(lambda: len(downstream.keys) == 4)
        with Journal(source.journal) as journal:
            journal.begin_run(machine="toy", digest="d1", prefix="NEW:", lattice_id="start", baseline={})
        await until(lambda: downstream.prefixes[-1] == "NEW:")
