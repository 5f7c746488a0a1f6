"""Puts that are about gnomon itself: what they may be, who gets them, in which order."""

import asyncio
from typing import Any

import numpy as np
import pytest
from patience import PATIENCE_S

from gnomon.db.pvs import Kind, PvSpec
from gnomon.db.sources import Source
from gnomon.ioc.base.protocols import PutReply
from gnomon.ioc.commands.controls import MAX_WAITING, Controls
from gnomon.ioc.outputs.bank import Bank
from gnomon.lattice import Client, GnomonError

CLIENT = Client("op", "console", "ca")
MODE = PvSpec(name="T:mode", kind=Kind.ENUM, source="control.mode", description="", states=("off", "on"), writable=True)
GAIN = PvSpec(
    name="T:gain", kind=Kind.FLOAT, source="control.gain", description="", unit="1", drive=(0.0, 2.0), writable=True
)
NAME = PvSpec(name="T:name", kind=Kind.STRING, source="control.name", description="", writable=True)


def source(spec: PvSpec) -> Source:
    return Source(spec.source, spec.kind, "", "")


class Desk:
    """Controls of the three kinds; `seen` is what the handlers got."""

    def __init__(self) -> None:
        self.bank = Bank((MODE, GAIN, NAME), 0)
        self.controls = Controls(self.bank)
        self.seen: list[Any] = []
        for spec in self.bank.specs:
            self.controls.register(
                Source(spec.source, spec.kind, "", ""), lambda value, client: self.seen.append(value)
            )

    async def put(self, name: str, value: Any) -> PutReply:
        future = self.controls.put(self.bank.index[name], value, CLIENT)
        return await asyncio.wait_for(asyncio.wrap_future(future), PATIENCE_S)


@pytest.mark.parametrize(
    ("name", "value", "got"),
    [
        ("T:mode", "on", 1.0),
        ("T:mode", 0, 0.0),
        ("T:mode", "1", 1.0),
        ("T:gain", 1.5, 1.5),
        ("T:gain", "1.5", 1.5),
        ("T:name", "golden", "golden"),
        ("T:name", 7, "7"),
    ],
)
async def test_the_handler_gets_a_state_s_number_a_number_or_a_text(name: str, value: Any, got: Any) -> None:
    desk = Desk()
    assert (await desk.put(name, value)).accepted
    assert desk.seen == [got]


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("T:mode", "maybe", "is not one of its states: 0 "),
        ("T:mode", 2, "is not one of its states: 0 "),
        ("T:mode", 0.5, "is not one of its states: 0 "),
        ("T:mode", np.array([0, 1]), "is not one of its states: 0 "),
        ("T:gain", 2.5, "outside the drive limits 0 to 2 1"),
        ("T:gain", float("nan"), "not a finite number"),
        ("T:gain", "much", "is not a single number"),
        ("T:name", ["a", "b"], "is not a text"),
        ("T:name", "x" * 1001, "1001 characters"),
    ],
)
async def test_an_invalid_control_value_is_refused_with_the_reason(name: str, value: Any, reason: str) -> None:
    desk = Desk()
    reply = await desk.put(name, value)
    assert not reply.accepted
    assert reason in reply.message
    assert name in reply.message
    assert desk.seen == []


async def test_a_handler_refuses_in_its_own_words_and_its_failure_is_reported() -> None:
    desk = Desk()

    def refuse(value: float, client: Client) -> None:
        raise GnomonError(f"not now, {client.user}")

    def broken(value: float, client: Client) -> None:
        raise ZeroDivisionError("oops")

    desk.controls.register(source(MODE), refuse)
    desk.controls.register(source(GAIN), broken)
    assert await desk.put("T:mode", 1) == PutReply(False, "not now, op")
    assert "ZeroDivisionError: oops" in (await desk.put("T:gain", 1)).message


async def test_puts_on_one_control_are_done_one_by_one_in_their_order() -> None:
    desk = Desk()
    at_work = 0

    async def slow(value: float, client: Client) -> None:
        nonlocal at_work
        at_work += 1
        assert at_work == 1
        await asyncio.sleep(0.002)
        desk.seen.append(value)
        at_work -= 1

    desk.controls.register(source(GAIN), slow)
    replies = await asyncio.gather(*(desk.put("T:gain", i / 10) for i in range(10)))
    assert all(reply.accepted for reply in replies)
    assert desk.seen == [i / 10 for i in range(10)]


async def test_a_flood_of_puts_is_refused_beyond_a_bound_and_a_stop_ends_all_of_them() -> None:
    desk = Desk()

    async def stuck(value: float, client: Client) -> None:
        await asyncio.Event().wait()

    desk.controls.register(source(MODE), stuck)
    futures = [desk.controls.put(0, 1, CLIENT) for _ in range(MAX_WAITING + 5)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert [f.done() for f in futures].count(True) == 5
    await desk.controls.stop()
    assert not any(f.result(1.0).accepted for f in futures)
    assert "stopping" in (await desk.put("T:gain", 1)).message


async def test_a_put_that_has_only_just_come_is_answered_when_the_server_stops() -> None:
    desk = Desk()
    begun = desk.controls.put(desk.bank.index["T:gain"], 1.0, CLIENT)
    await asyncio.sleep(0)  # its task is there and has not run yet
    late = desk.controls.put(desk.bank.index["T:gain"], 0.5, CLIENT)
    await desk.controls.stop()
    for put in (begun, late):
        reply = await asyncio.wait_for(asyncio.wrap_future(put), PATIENCE_S)
        assert not reply.accepted
        assert "stop" in reply.message
    assert desk.seen == []
