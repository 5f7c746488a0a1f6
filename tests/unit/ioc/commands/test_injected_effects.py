"""Each fault of commands, as the clients, the lattice and the journal of a running twin have it."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE_S

from gnomon.ioc.commands.validation import SetpointRequest
from gnomon.lattice import Outcome, Setting
from gnomon.recorder.entries import Entry
from gnomon.recorder.reader import Reader
from unit.ioc.rig import CLIENT, Rig, running


def entries(folder: Path) -> list[Entry]:
    with Reader(folder / "journal") as reader:
        return list(reader.entries())


def current(rig: Rig, name: str = "CP") -> tuple[float, float, float]:
    """Return the values of a supply's setpoint, of its readback and in the lattice."""
    return rig.get(f"T:{name}:set").value, rig.get(f"T:{name}:rdbk").value, rig.dispatcher.lattice[name, "current"]


@pytest.mark.parametrize(
    ("kind", "keys", "seen"),
    [
        ("abandon", {}, (1.0, 0.0, 0.0)),
        ("acknowledge", {}, (1.0, 1.0, 0.0)),
        ("modify", {"offset": 0.5}, (1.0, 1.5, 1.5)),
        ("polarity", {}, (1.0, -1.0, -1.0)),
        ("quantise", {"step": 0.3}, (1.0, pytest.approx(0.9), pytest.approx(0.9))),
        ("clip", {"high": 0.25}, (1.0, 0.25, 0.25)),
        ("partial_group", {"lost": 1}, (1.0, 0.0, 0.0)),
        ("duplicate", {"delay_s": 100}, (1.0, 1.0, 1.0)),
    ],
)
async def test_a_put_succeeds_and_the_readback_tells(
    tmp_path: Path, kind: str, keys: dict[str, Any], seen: tuple[float, float, float]
) -> None:
    async with running(tmp_path) as rig:
        rig.inject(kind, **keys)
        assert (await rig.put("T:CP:set", 1.0)).accepted
        assert current(rig) == seen


async def test_an_acknowledged_readback_is_true_again_once_the_supply_is_set(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        rig.inject("acknowledge", count=1)
        await rig.put("T:CP:set", 1.0)
        await rig.put("T:OCP:set", 1.0)
        assert current(rig) == (1.0, 1.0, 0.0)
        await rig.put("T:CP:set", 0.0)  # what the lattice has already
        assert current(rig) == (0.0, 0.0, 0.0)


async def test_a_refused_put_fails_with_the_device_s_reason_and_the_journal_names_the_fault(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        rig.inject("refuse", message="local mode")
        reply = await rig.put("T:CP:set", 1.0)
        assert (reply.accepted, reply.message) == (False, "T:CP:set: local mode")
        assert current(rig) == (0.0, 0.0, 0.0)
    (entry,) = entries(tmp_path)
    assert entry.outcome is Outcome.REJECTED
    assert entry.reason == "fault 1: refuse CP: T:CP:set: local mode"


async def test_an_unacknowledged_put_acts_and_does_not_complete_until_the_server_stops(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        rig.inject("unacknowledged")
        pending = rig.start_put("T:CP:set", 1.0)
        for _ in range(100):
            await asyncio.sleep(0.01)
            if rig.get("T:BPM1:rdX").value == pytest.approx(1.0):
                break
        assert current(rig) == (1.0, 1.0, 1.0)
        assert not pending.done()
        assert (await rig.put("T:OCP:set", 1.0)).accepted  # others go on
    assert not (await pending).accepted
    assert entries(tmp_path)[0].outcome is Outcome.APPLIED


async def test_a_duplicate_of_a_changed_command_leaves_the_setpoint_as_it_was_asked_for(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        rig.inject("modify", offset=0.5)
        rig.inject("duplicate", delay_s=0.05)
        await rig.put("T:CP:set", 1.0)
        await asyncio.sleep(0.2)
        assert len(entries(tmp_path)) == 2
        assert (rig.get("T:CP:set").value, rig.get("T:CP:rdbk").value) == (1.0, 1.5)


async def test_a_duplicate_is_a_command_of_its_own_that_undoes_a_later_one(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        rig.inject("duplicate", delay_s=0.3, count=1)
        await rig.put("T:CP:set", 1.0)
        await rig.put("T:CP:set", 2.0)
        assert current(rig) == (2.0, 2.0, 2.0)
        await asyncio.sleep(0.5)
        assert current(rig) == (1.0, 1.0, 1.0)
    first, _, third = entries(tmp_path)
    assert (third.note, third.client.protocol) == (
        "duplicate of command 1, fault 1: duplicate CP after 0.3 s",
        "fault",
    )
    assert (first.outcome, third.outcome) == (Outcome.APPLIED, Outcome.APPLIED)
    assert third.client.user == CLIENT.user


async def test_reordered_commands_act_after_the_next_one(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        rig.inject("reorder", within_s=PATIENCE_S, count=1)
        first = rig.start_put("T:CP:set", 1.0)
        await rig.put("T:OCP:set", 1.0)
        assert not first.done()
        await rig.put("T:CP:set", 2.0)
        assert (await asyncio.wait_for(first, PATIENCE_S)).accepted
        assert current(rig)[2] == 1.0
    last = [entry.outcomes[-1] for entry in entries(tmp_path)]
    assert last[0].order > last[2].order
    assert [e.outcome for e in entries(tmp_path)] == [Outcome.APPLIED] * 3


async def test_a_reordered_command_acts_when_no_other_comes(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        rig.inject("reorder", within_s=0.05)
        assert (await rig.put("T:CP:set", 1.0)).accepted
        assert (await rig.put("T:CP:set", 2.0)).accepted
        assert current(rig) == (2.0, 2.0, 2.0)


async def test_a_group_applied_in_part_says_in_the_journal_what_acted(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        rig.inject("partial_group", "*")
        names = ("CP", "OCP", "QFP", "QDP", "SFP")
        before = {name: rig.dispatcher.lattice[name, "current"] for name in names}
        settings = tuple(Setting(f"T:{n}:set", n, "current", before[n] + 0.5) for n in names)
        assert (await asyncio.wrap_future(rig.dispatcher.command(SetpointRequest(settings), CLIENT))).accepted
        moved = [n for n in names if rig.dispatcher.lattice[n, "current"] != before[n]]
        assert 0 < len(moved) < 5
    (entry,) = entries(tmp_path)
    assert entry.outcome is Outcome.MODIFIED
    assert entry.reason == "fault 1: partial_group *, 50% lost"
    assert [c.device for c in entry.changes] == list(names)
    assert [e.device for e in entry.outcomes[-1].effects] == moved


async def test_swapped_supplies_move_each_other(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        rig.inject("swap", "CP", other="OCP")
        await rig.put("T:CP:set", 1.0)
        assert (current(rig), current(rig, "OCP")) == ((1.0, 0.0, 0.0), (0.0, 1.0, 1.0))
    (entry,) = entries(tmp_path)
    assert [(e.pv, e.device, e.done) for e in entry.outcomes[-1].effects] == [("T:CP:set", "OCP", 1.0)]


async def test_commands_of_a_follower_are_not_disturbed_and_repeats_end(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        rig.inject("duplicate", delay_s=0.05)
        rig.inject("modify", offset=1.0)
        await rig.put("T:CP:set", 1.0)
        right = rig.dispatcher.reserve("somebody follows")
        request = SetpointRequest((Setting("T:CP:set", "CP", "current", 0.5),))
        assert (await asyncio.wrap_future(rig.dispatcher.command(request, CLIENT, right=right))).accepted
        await asyncio.sleep(0.1)
        assert current(rig) == (0.5, 0.5, 0.5)
        rig.dispatcher.release(right)
        await rig.put("T:CP:set", 1.0)
        assert current(rig) == (1.0, 2.0, 2.0)


MIX = (
    ("abandon", {"probability": 0.05}),
    ("acknowledge", {"probability": 0.05}),
    ("refuse", {"probability": 0.05}),
    ("modify", {"probability": 0.2, "scale": 0.5}),
    ("delay", {"probability": 0.1, "distribution": "exponential", "delay_s": 0.01, "max_s": 0.1}),
    ("reorder", {"probability": 0.1, "within_s": 0.05}),
    ("duplicate", {"probability": 0.05, "delay_s": 0.01}),
    ("partial_group", {"probability": 0.1, "device": "*"}),
)


async def mixed(folder: Path, count: int) -> None:
    """Every command through a mix of faults has one outcome and one answer; the journal has them in order."""
    async with running(folder) as rig:
        for kind, keys in MIX:
            rig.inject(kind, **keys)
        replies = []
        for n in range(0, count, 500):
            puts = [rig.start_put("T:CP:set", 1e-3 * (k % 1000)) for k in range(n, min(n + 500, count))]
            replies += await asyncio.wait_for(asyncio.gather(*puts), 300.0)
        await asyncio.sleep(0.3)  # the last duplicates
    found = entries(folder)
    own = [entry for entry in found if entry.client.protocol != "fault"]
    repeats = [entry for entry in found if entry.client.protocol == "fault"]
    assert [entry.sequence for entry in found] == list(range(1, len(found) + 1))
    assert [reply.sequence for reply in replies] == [entry.sequence for entry in own]
    assert [entry.changes[0].new for entry in own] == [1e-3 * (k % 1000) for k in range(count)]
    finals = {Outcome.APPLIED, Outcome.MODIFIED, Outcome.ABANDONED, Outcome.REJECTED}
    assert {entry.outcome for entry in found} == finals
    assert all(len(entry.outcomes) == 1 + (entry.outcomes[0].outcome is Outcome.DELAYED) for entry in found)
    assert [reply.accepted for reply in replies] == [entry.outcome is not Outcome.REJECTED for entry in own]
    assert len(repeats) == len({entry.note.partition(",")[0] for entry in repeats}) > 0


async def test_each_of_many_commands_through_a_mix_of_faults_has_one_outcome(tmp_path: Path) -> None:
    await mixed(tmp_path, 500)


@pytest.mark.slow
@pytest.mark.timeout(1200)
async def test_each_of_very_many_commands_through_a_mix_of_faults_has_one_outcome(tmp_path: Path, soak: bool) -> None:
    await mixed(tmp_path, 100_000 if soak else 20_000)
