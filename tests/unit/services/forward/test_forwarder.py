"""The forwarding process: every downstream at its own pace, a status for operators, one process for a journal."""

import asyncio
from pathlib import Path

import pytest

from gnomon.ioc.base.forward_config import ForwardConfig
from gnomon.ioc.base.forward_status import read_forward_status
from gnomon.services.forward import feeder as feeder_module
from gnomon.services.forward import forwarder as forwarder_module
from gnomon.services.forward.cursor_file import CursorError
from gnomon.services.forward.forwarder import ForwardError, forward, only_forwarder
from unit.services.forward.fake_downstream import FakeDownstream
from unit.services.forward.feeding import add_commands, make_source, until


async def test_a_downstream_that_is_away_holds_no_other_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forwarder_module, "STATUS_S", 0.01)
    source = make_source(tmp_path, 3)
    here, away = FakeDownstream("here"), FakeDownstream("away")
    away.away = True
    ended = asyncio.Event()
    work = asyncio.ensure_future(forward(source, [here, away], ForwardConfig(), ended))
    try:
        await until(lambda: len(here.keys) == 6)
        add_commands(source, 4, 4)
        await until(lambda: len(here.keys) == 8)

        def told() -> bool:
            found = read_forward_status(source.journal)
            return found is not None and [each.backlog for each in found.downstreams] == [0, 8]

        await until(told)
        running = read_forward_status(source.journal)
        assert running is not None
        assert running.runs
    finally:
        ended.set()
        summaries = await work
    assert summaries == ["here: 8 delivered, 0 left", "away: 0 delivered, 8 left (away)"]
    found = read_forward_status(source.journal)
    assert found is not None
    assert not found.runs
    first, second = found.downstreams
    assert (first.name, first.delivered, second.name, second.reason) == ("here", 8, "away", "away")


async def test_the_end_counts_what_was_delivered_since_the_beginning(tmp_path: Path) -> None:
    source = make_source(tmp_path, 3)

    async def summaries(items: int) -> list[str]:
        there, ended = FakeDownstream("there"), asyncio.Event()
        work = asyncio.ensure_future(forward(source, [there], ForwardConfig(), ended))
        await until(lambda: len(there.parcels) == items)
        ended.set()
        return await work

    assert await summaries(6) == ["there: 6 delivered, 0 left"]
    add_commands(source, 4, 5)
    assert await summaries(4) == ["there: 4 delivered, 0 left"]


async def test_an_end_that_cannot_be_kept_on_the_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, there, ended = make_source(tmp_path, 3), FakeDownstream("there"), asyncio.Event()
    work = asyncio.ensure_future(forward(source, [there], ForwardConfig(), ended))
    await until(lambda: len(there.parcels) == 6)

    def full(path: Path, cursor: object) -> None:
        raise CursorError(f"{path}: it cannot be written: no space")

    monkeypatch.setattr(feeder_module, "write_cursor", full)
    add_commands(source, 4, 4)
    await until(lambda: len(there.parcels) == 8)
    ended.set()
    (told,) = await work
    assert told.startswith("there: 8 delivered, 0 left (")
    assert "no space" in told
    assert "comes again" in told


async def test_without_a_journal_nobody_knows_what_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, ended = make_source(tmp_path, 0), asyncio.Event()
    source.journal.unlink()
    monkeypatch.setattr(forwarder_module, "STATUS_S", 0.01)
    work = asyncio.ensure_future(forward(source, [FakeDownstream("there")], ForwardConfig(), ended))

    def noticed() -> bool:
        found = read_forward_status(source.journal)
        return found is not None and "no journal" in found.downstreams[0].reason

    await until(noticed)
    ended.set()
    (told,) = await work
    assert told.startswith("there: 0 delivered, what is left is not known (")
    assert "there is no journal here" in told


def test_a_second_process_is_refused_with_the_first_ones_number(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    already = pytest.raises(ForwardError, match=r"process [0-9]+ forwards this journal already")
    with only_forwarder(journal), already, only_forwarder(journal):
        pass
    with only_forwarder(journal):
        pass
