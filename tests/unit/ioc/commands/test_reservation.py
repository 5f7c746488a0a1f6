"""The right to command alone: who has it, who is refused, and how it ends."""

import asyncio
from pathlib import Path

import pytest
from patience import PATIENCE_S

from gnomon.ioc.commands.reservation import Reservation, ReservedError, Right
from gnomon.ioc.commands.validation import SetpointRequest
from gnomon.lattice import Client, Setting
from unit.ioc.rig import CLIENT, Rig, running

REASON = "somebody measures; nothing was changed"


def test_the_holder_of_a_reservation_may_command_and_all_others_get_the_reason() -> None:
    reservation = Reservation()
    assert reservation.refusal(None) == ""
    right = reservation.reserve(REASON)
    assert reservation.refusal(right) == ""
    assert reservation.refusal(None) == REASON
    assert reservation.holds(right)
    assert not reservation.holds(None)


def test_nobody_gets_the_right_of_another_one() -> None:
    reservation = Reservation()
    right = reservation.reserve(REASON)
    with pytest.raises(ReservedError, match="somebody measures"):
        reservation.reserve("me too")
    assert reservation.refusal(right) == ""


def test_a_right_that_has_ended_is_worth_nothing_and_ends_no_other() -> None:
    reservation = Reservation()
    first = reservation.reserve(REASON)
    reservation.release(first)
    assert reservation.refusal(None) == ""
    second = reservation.reserve(REASON)
    reservation.release(first)
    assert not reservation.holds(first)
    assert reservation.refusal(first) == REASON
    assert reservation.refusal(second) == ""


def test_a_right_is_a_value_whoever_carries_it() -> None:
    reservation = Reservation()
    right = reservation.reserve(REASON)
    assert reservation.holds(Right(right.number, right.reason))


async def command(rig: Rig, value: float, client: Client, right: Right | None) -> str:
    request = SetpointRequest((Setting("T:CP:set", "CP", "current", value),))
    future = rig.dispatcher.command(request, client, "", right)
    return (await asyncio.wait_for(asyncio.wrap_future(future), PATIENCE_S)).message


async def test_commands_are_told_apart_by_the_right_and_not_by_the_client(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        right = rig.dispatcher.reserve(REASON)
        assert await command(rig, 1.0, CLIENT, None) == f"T:CP:set: {REASON}"
        assert await command(rig, 1.0, CLIENT, right) == ""
        other = Client("other", "elsewhere", "pva")
        assert await command(rig, 2.0, other, right) == ""
        assert (await rig.put("T:CP:set", 3.0)).message == f"T:CP:set: {REASON}"
        rig.dispatcher.release(right)
        assert (await rig.put("T:CP:set", 3.0)).accepted
        assert rig.dispatcher.lattice["CP", "current"] == 3.0


async def test_a_command_under_a_reservation_takes_no_time_of_the_hardware(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        right = rig.dispatcher.reserve(REASON)
        request = SetpointRequest((Setting("T:PMUXZR:QF", "MUX", "selected", 1.0),))
        future = rig.dispatcher.command(request, CLIENT, "", right)
        assert (await asyncio.wait_for(asyncio.wrap_future(future), PATIENCE_S)).accepted
        assert rig.dispatcher.lattice["MUX", "selected"] == 1.0
