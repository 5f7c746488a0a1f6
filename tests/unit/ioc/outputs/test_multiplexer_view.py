"""The multiplexer: buttons, the states that the hardware passes, and what the journal makes of them."""

import asyncio
from pathlib import Path

import pytest

from gnomon.recorder import JournalError
from gnomon.recorder.reader import Reader
from unit.ioc.rig import RING, Rig, running

MUX = RING.multiplexer
assert MUX is not None


def names_shown(rig: Rig) -> list[str]:
    """The names as they are published from now on."""
    shown: list[str] = []
    at = rig.bank.index["T:PMUXZR:name"]
    rig.bank.listen(lambda indices: shown.append(rig.bank.objects[at]) if at in indices else None)
    return shown


async def test_a_first_selection_shows_name_none_and_name_and_completes_with_its_effect(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as rig:
        assert rig.get("T:PMUXZR:name").value == "Mux OFF"
        assert (await rig.put("T:MUXP:set", 3.0)).accepted
        nominal = rig.get("T:QF:im:I").value
        shown = names_shown(rig)
        waiting = rig.start_put("T:PMUXZR:QF", 1)
        while not shown:
            await asyncio.sleep(0.001)
        assert not waiting.done()
        assert rig.get("T:QF:im:I").value == nominal  # connected at the end of the sequence
        assert (await waiting).accepted
        assert shown == ["QF", "Mux OFF", "QF"]
        assert rig.get("T:QF:im:I").value == nominal - 2.0 * 3.0
        assert [rig.get(f"T:PMUXZR:{b}").value for b in ("QF", "QD", "off")] == [1, 0, 0]
        assert (await rig.put("T:PMUXZR:off", 1)).accepted
        assert shown[3:] == ["Mux OFF"]
        assert rig.get("T:QF:im:I").value == nominal
        assert [rig.get(f"T:PMUXZR:{b}").value for b in ("QF", "QD", "off")] == [0, 0, 1]


async def test_the_supply_acts_only_while_it_is_on(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        nominal = rig.get("T:QF:im:I").value
        await rig.put("T:MUXP:set", 3.0)
        await rig.put("T:PMUXZR:QF", 1)
        await rig.put("T:MUXP:cmd1", "off")
        assert rig.get("T:MUXP:stat1").value == 0
        assert rig.get("T:QF:im:I").value == nominal
        await rig.put("T:MUXP:cmd1", 1)
        assert rig.get("T:MUXP:stat1").value == 1
        assert rig.get("T:QF:im:I").value == nominal - 6.0
        assert rig.get("T:MUXP:stat2").value == 1


async def test_another_result_does_not_end_the_sequence_and_the_newer_selection_is_shown(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        assert (await rig.put("T:PMUXZR:QD", 1)).accepted
        shown = names_shown(rig)
        first = rig.start_put("T:PMUXZR:QF", 1)
        while not shown:
            await asyncio.sleep(0.001)
        assert (await rig.put("T:CP:set", 0.5)).accepted
        assert "QD" not in shown  # which is still connected
        second = rig.start_put("T:PMUXZR:QD", 1)
        assert (await first).accepted
        assert (await second).accepted
        assert shown[-1] == "QD"
        assert rig.get("T:PMUXZR:QD").value == 1
        assert rig.get("T:PMUXZR:QF").value == 0


async def test_a_selection_that_acts_at_once_is_not_undone_by_an_earlier_one_under_way(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        shown = names_shown(rig)
        first = rig.start_put("T:PMUXZR:QF", 1)
        while not shown:
            await asyncio.sleep(0.001)
        assert (await rig.put("T:PMUXZR:off", 1)).accepted
        reply = await first
        assert (reply.accepted, reply.message) == (False, "superseded by command 2; it was not applied")
        await asyncio.sleep(0.25)
        assert rig.get("T:PMUXZR:off").value == 1
        assert shown == ["QF", "Mux OFF"]
    with Reader(tmp_path / "journal") as reader:
        assert [entry.outcome for entry in reader.entries()] == ["failed", "applied"]


async def test_a_selection_that_cannot_be_had_shows_what_is_connected_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise JournalError("the disk is full")

    async with running(tmp_path) as rig:
        assert (await rig.put("T:PMUXZR:QF", 1)).accepted
        shown = names_shown(rig)
        waiting = rig.start_put("T:PMUXZR:QD", 1)
        while not shown:
            await asyncio.sleep(0.001)
        with monkeypatch.context() as patch:
            patch.setattr(rig.journal, "append", full)
            assert not (await waiting).accepted
        assert shown == ["Mux OFF", "QF"]
        assert rig.get("T:PMUXZR:QF").value == 1


async def test_a_button_only_acts_on_1_and_nothing_else_than_0_and_1_is_taken(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        await rig.put("T:PMUXZR:QF", 1)
        assert (await rig.put("T:PMUXZR:QF", 0)).accepted
        assert rig.get("T:PMUXZR:QF").value == 1
        for value in (2, 0.5, "up", -1):
            assert not (await rig.put("T:PMUXZR:QD", value)).accepted
        assert rig.get("T:PMUXZR:name").value == "QF"


async def test_a_button_that_is_let_go_has_a_line_in_the_journal_and_a_selection_under_way_goes_on(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as rig:
        assert (await rig.put("T:PMUXZR:QF", 1)).accepted
        waiting = rig.start_put("T:PMUXZR:QD", 1)
        assert (await rig.put("T:PMUXZR:QF", 0)).accepted
        assert (await waiting).accepted
        assert rig.get("T:PMUXZR:name").value == "QD"
        assert (await rig.put("T:PMUXZR:QF", 0)).accepted
    with Reader(tmp_path / "journal") as reader:
        let_go = [entry for entry in reader.entries() if entry.sequence in (3, 4)]
    assert [[(c.pv, c.old, c.new) for c in entry.changes] for entry in let_go] == [
        [("T:PMUXZR:QF", 1.0, 1.0)],
        [("T:PMUXZR:QF", 2.0, 2.0)],
    ]


async def test_a_change_of_magnet_shows_none_and_then_the_new_name(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        assert (await rig.put("T:PMUXZR:QF", 1)).accepted
        shown = names_shown(rig)
        waiting = rig.start_put("T:PMUXZR:QD", 1)
        while not shown:
            await asyncio.sleep(0.001)
        assert not waiting.done()
        assert [rig.get(f"T:PMUXZR:{b}").value for b in ("QF", "QD")] == [1, 0]  # until the sequence is over
        assert (await waiting).accepted
        assert shown == ["Mux OFF", "QD"]
        assert [rig.get(f"T:PMUXZR:{b}").value for b in ("QF", "QD")] == [0, 1]
    with Reader(tmp_path / "journal") as reader:
        assert [entry.reason for entry in reader.entries()] == [f"the multiplexer takes {s} s" for s in ("0.2", "0.1")]


async def test_the_magnet_that_is_connected_already_is_named_once_and_at_once(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        assert (await rig.put("T:PMUXZR:QF", 1)).accepted
        shown = names_shown(rig)
        assert (await rig.put("T:PMUXZR:QF", 1)).accepted
        assert shown == ["QF"]
        assert (await rig.put("T:CP:set", 0.5)).accepted
        assert shown == ["QF"]
        assert rig.get("T:PMUXZR:QF").value == 1


async def test_the_hardware_shows_no_fault_and_its_status_cannot_be_set(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        assert [rig.get(f"T:PMUXZR:{name}").value for name in ("disable", "relay_ps")] == [0, 1]
        assert not (await rig.put("T:PMUXZR:disable", 1)).accepted
