"""The forwarding process: every downstream at its own pace, a status for operators, one process for a journal."""

import asyncio
from pathlib import Path

import pytest

from gnomon.ioc.base.forward_config import ForwardConfig
from gnomon.ioc.base.forward_status import read_forward_status
from gnomon.services.forward import forwarder as forwarder_module
from gnomon.services.forward.forwarder import ForwardError, forward, only_forwarder
from unit.services.forward.fake_downstream import FakeDownstream
from unit.services.forward.feeding import add_commands, make_source, until


async def test_a_downstream_that_is_away_holds_no_other_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forwarder_module, "STATUS_S", 0.01)
    source = make_source(tmp_path, 3)
    here, away = FakeDownstream("here"), FakeDownstream("away")
    away.away = True
    work = asyncio.ensure_future(forward(source, [here, away], ForwardConfig()))
    try:
        await until(lambda: len(here.keys) == 6)
        add_commands(source, 4, 4)
        await until(lambda: len(here.keys) == 8)

        def told() -> bool:
            found = read_forward_status(source.journal)
            return found is not None and [each.backlog for each in found[1]] == [0, 8]

        await until(told)
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
    found = read_forward_status(source.journal)
    assert found is not None
    age_s, (first, second) = found
    assert age_s < 60.0
    assert (first.name, first.delivered, second.name, second.reason) == ("here", 8, "away", "away")


def test_a_second_process_is_refused_with_the_first_ones_number(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    already = pytest.raises(ForwardError, match=r"process [0-9]+ forwards this journal already")
    with only_forwarder(journal), already, only_forwarder(journal):
        pass
    with only_forwarder(journal):
        pass
