"""Faults of gnomon itself are handled as real failures are, and end as soon as they are cleared."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE_S

from gnomon.ioc.app.active_faults import PvValues
from gnomon.ioc.app.failing_parts import FailingParts
from gnomon.ioc.app.rpc.dt_fault import FaultProcedure
from gnomon.ioc.outputs.bank import Severity
from gnomon.lattice import Outcome
from gnomon.recorder import Reader
from unit.ioc.rig import CLIENT, RING, Rig, beam, running

#: Time limit of a computation [s]; tests of what must end within it have the default, of 2 s.
TIMEOUT_S = 0.25


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with running(tmp_path, timeout_s=TIMEOUT_S) as made:
        yield made


async def until(holds: Callable[[], bool], within_s: float = PATIENCE_S) -> None:
    end_s = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end_s
        await asyncio.sleep(0.01)


async def call(rig: Rig, **arguments: Any) -> Any:
    procedure = FaultProcedure(
        rig.injector, rig.faults, PvValues(rig.bank, "T:"), RING, rig.dispatcher, rig.connections
    )
    return await asyncio.wait_for(asyncio.wrap_future(procedure(arguments, CLIENT)), PATIENCE_S)


def hanging() -> int:
    return sum(thread.name == "gnomon propagator" for thread in threading.enumerate())


async def test_a_hung_computation_is_left_behind_by_the_watchdog_and_ends_with_the_fault(rig: Rig) -> None:
    before = hanging()
    rig.inject("model_hung", None, count=1)
    reply = await rig.put("T:CP:set", 1.0)
    assert "the model took longer than 0.25 s; its thread was left behind" in reply.message
    assert rig.get("T:beam:orbit:x").severity is Severity.INVALID
    rig.status.beat()
    assert rig.get("T:dt:model:hung").value == 1
    assert (await rig.put("T:CP:set", 2.0)).accepted  # one computation was to hang, and a new thread works
    assert rig.get("T:beam:orbit:x").severity is Severity.NO_ALARM
    assert [f.remaining for f in rig.injector.active()] == [0]
    assert hanging() == before + 1
    rig.injector.clear()
    await until(lambda: hanging() == before)
    rig.status.beat()
    assert rig.get("T:dt:model:hung").value == 0


async def test_after_four_hung_computations_nothing_is_computed_until_the_fault_is_cleared(rig: Rig) -> None:
    rig.inject("model_hung", None)
    replies = [await rig.put("T:CP:set", float(n)) for n in range(1, 6)]
    assert "the model hangs: 4 computations were left behind" in replies[3].message
    assert "the model hangs: 4 computations were left behind" in rig.get("T:dt:reason").value
    rig.injector.clear()
    await until(lambda: rig.get("T:beam:orbit:x").severity is Severity.NO_ALARM)
    assert rig.get("T:beam:orbit:x").value[0] == pytest.approx(5e-3)


async def test_a_hung_computation_whose_fault_ends_in_time_gives_its_result(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        rig.inject("model_hung", None, for_s=0.05)
        assert (await rig.put("T:CP:set", 1.0)).accepted
        assert rig.injector.active() == ()


@pytest.mark.parametrize(
    "keys", [{"kind": "model_crashed"}, {"kind": "model_hung"}, {"kind": "model_crashed", "count": 1}]
)
async def test_the_model_tries_again_what_it_has_failed_when_the_fault_has_ended(
    rig: Rig, keys: dict[str, Any]
) -> None:
    await call(rig, do="add", **keys)
    assert not (await rig.put("T:CP:set", 4.0)).accepted
    assert rig.get("T:beam:orbit:x").severity is Severity.INVALID
    if "count" in keys:
        rig.faults.show()  # as it looks twice a second
    else:
        await call(rig, do="clear")
    await until(lambda: rig.get("T:beam:orbit:x").severity is Severity.NO_ALARM)
    assert rig.get("T:beam:orbit:x").value[0] == pytest.approx(4e-3)
    assert rig.get("T:dt:reason").value == ""


async def test_a_crashed_computation_fails_the_put_and_the_next_one_is_done(rig: Rig) -> None:
    rig.inject("model_crashed", None, count=1, message="singular matrix")
    reply = await rig.put("T:CP:set", 1.0)
    assert (reply.accepted, reply.message) == (False, "the model failed: RuntimeError: singular matrix")
    assert rig.get("T:beam:orbit:x").severity is Severity.INVALID
    assert (await rig.put("T:CP:set", 2.0)).accepted
    with Reader(rig.journal.path) as reader:
        first, _ = reader.entries()
    assert (first.outcome, first.reason) == (
        Outcome.APPLIED,
        "applied without result: the model failed: RuntimeError: singular matrix",
    )


async def test_a_computation_slower_than_the_limit_is_left_behind_until_the_fault_is_cleared(rig: Rig) -> None:
    before = hanging()
    rig.inject("model_slow", None, count=1, delay_s=60)
    assert "the model took longer than 0.25 s" in (await rig.put("T:CP:set", 1.0)).message
    assert len(rig.injector.clear()) == 1
    await until(lambda: hanging() == before)


@pytest.mark.parametrize("keys", [{"delay_s": 0.1}, {"factor": 6}])
async def test_a_slow_computation_takes_longer_by_a_time_or_a_factor(tmp_path: Path, keys: dict[str, Any]) -> None:
    def slow_by_itself(lattice: Any) -> Any:
        time.sleep(0.02)
        return beam(lattice)

    async with running(tmp_path, slow_by_itself) as rig:
        rig.inject("model_slow", None, count=1, **keys)
        began_s = time.monotonic()
        assert (await rig.put("T:CP:set", 1.0)).accepted
        assert time.monotonic() - began_s > 0.11
        assert rig.injector.active() == ()


async def test_on_a_full_disk_commands_fail_and_nothing_moves_until_it_has_space(rig: Rig) -> None:
    assert (await rig.put("T:CP:set", 1.0)).accepted
    rig.inject("journal_full", None)
    for _ in range(2):
        reply = await rig.put("T:CP:set", 2.0)
        assert "the journal cannot be written: database or disk is full; nothing of this was recorded" in reply.message
    assert (rig.get("T:CP:set").value, rig.get("T:CP:rdbk").value) == (1.0, 1.0)
    assert (rig.get("T:dt:recorder").severity, rig.get("T:dt:recorder").value) == (Severity.MAJOR, 1)
    rig.injector.clear()
    assert (await rig.put("T:CP:set", 3.0)).accepted
    assert rig.get("T:dt:recorder").severity is Severity.NO_ALARM
    with Reader(rig.journal.path) as reader:
        assert [(e.sequence, e.changes[0].new) for e in reader.entries()] == [(1, 1.0), (2, 3.0)]


async def test_a_counted_fault_of_the_disk_fails_as_many_writes(rig: Rig) -> None:
    rig.inject("journal_full", None, count=2)
    assert [(await rig.put("T:CP:set", 1.0)).accepted for _ in range(3)] == [False, False, True]


async def test_a_full_disk_fails_no_put_without_having_been_recorded_itself(rig: Rig) -> None:
    added = await call(rig, do="add", kind="journal_full")
    assert added["text"] == "fault 1: journal_full"
    assert not (await rig.put("T:CP:set", 1.0)).accepted
    assert [f["id"] for f in await call(rig, do="list")] == [1]
    assert "unrecorded" in (await call(rig, do="clear"))[0]
    with Reader(rig.journal.path) as reader:
        notes = [entry.note for entry in reader.entries()]
    assert notes == ["added fault 1: journal_full", "cleared fault 1: journal_full"]


async def test_a_store_out_of_reach_refuses_reference_orbits_and_keeps_the_one_in_use(rig: Rig) -> None:
    save, use = "T:dt:orbit:ref:save", "T:dt:orbit:ref:use"
    assert (await rig.put(save, "before")).accepted
    rig.inject("store_unreachable", None)
    for name, value in ((save, "new"), (use, "before")):
        reply = await rig.put(name, value)
        assert (reply.accepted, "the document store failed: unable to open" in reply.message) == (False, True)
    assert rig.get(use).value == "zero"
    rig.injector.clear()
    assert (await rig.put(use, "before")).accepted
    assert rig.get(use).value == "before"


async def test_faults_are_listed_and_cleared_while_all_parts_fail_at_once(rig: Rig) -> None:
    kinds: list[dict[str, Any]] = [
        {"kind": "refuse", "device": "QF*"},
        {"kind": "unacknowledged", "device": "CP"},
        {"kind": "reading_dead", "pv": "*"},
        {"kind": "model_slow", "delay_s": 60},
        {"kind": "model_crashed", "probability": 0.5},
        {"kind": "model_hung"},
        {"kind": "store_unreachable"},
        {"kind": "journal_full", "after_commands": 4},
    ]
    for keys in kinds:
        await call(rig, do="add", **keys)
    for n in range(6):
        rig.start_put("T:CP:set", float(n))
        await asyncio.sleep(0.02)
    await until(lambda: rig.get("T:dt:recorder").severity is Severity.MAJOR)
    assert [f["id"] for f in await call(rig, do="list")] == list(range(1, 9))
    assert len(await call(rig, do="clear")) == 8
    assert await call(rig, do="list") == []
    await until(lambda: rig.get("T:beam:orbit:x").severity is Severity.NO_ALARM)
    assert (await rig.put("T:CP:set", 1.0)).accepted
    assert rig.get("T:dt:recorder").severity is Severity.NO_ALARM


def test_without_faults_a_model_is_asked_and_nothing_else() -> None:
    class Quiet:
        def of_group(self, group: str) -> tuple[()]:
            return ()

    asked = FailingParts(Quiet()).model(lambda lattice: beam(lattice))  # type: ignore[arg-type]
    assert asked(RING.nominal).lattice_id == RING.nominal.id
