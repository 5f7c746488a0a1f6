"""`dt:fault`: what is refused, and what the journal has of faults that come and go."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE_S

from gnomon.db import sources
from gnomon.fault_injection import KINDS, FaultError
from gnomon.ioc.app.active_faults import PvValues
from gnomon.ioc.app.rpc.dt_fault import FaultProcedure
from gnomon.ioc.app.rpc.fault_targets import fits_nothing
from gnomon.ioc.outputs.bank import Severity
from gnomon.lattice import Outcome
from gnomon.recorder import Reader
from gnomon.recorder.entries import Entry
from gnomon.recorder.recorded_states import state_now
from unit.ioc.rig import CLIENT, RING, Rig, running


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with running(tmp_path) as made:
        yield made


async def call(rig: Rig, **arguments: Any) -> Any:
    procedure = FaultProcedure(
        rig.injector, rig.faults, PvValues(rig.bank, "T:"), RING, rig.dispatcher, rig.connections
    )
    return await asyncio.wait_for(asyncio.wrap_future(procedure(arguments, CLIENT)), PATIENCE_S)


def recorded(rig: Rig) -> list[Entry]:
    with Reader(rig.journal.path) as reader:
        return list(reader.entries())


async def test_added_and_cleared_faults_stand_in_the_journal_with_who(rig: Rig) -> None:
    added = await call(rig, do="add", kind="delay", device="Q*", delay_s=2.0)
    assert added["text"] == "fault 1: delay Q* by 2 s"
    await call(rig, do="add", kind="abandon", device="CP")
    await rig.put("T:CP:set", 0.1)
    assert len(await call(rig, do="clear")) == 2
    assert await call(rig, do="clear") == []
    entries = recorded(rig)
    assert [(e.note, e.outcome) for e in entries] == [
        ("added fault 1: delay Q* by 2 s", Outcome.APPLIED),
        ("added fault 2: abandon CP", Outcome.APPLIED),
        ("", Outcome.ABANDONED),
        ("cleared fault 1: delay Q* by 2 s; fault 2: abandon CP", Outcome.APPLIED),
    ]
    assert entries[0].client.user == CLIENT.user
    assert entries[0].changes == ()
    with Reader(rig.journal.path) as reader:
        assert state_now(reader).settings == {}


async def test_the_kinds_are_told_with_effect_and_schema(rig: Rig) -> None:
    told = {row["kind"]: row for row in await call(rig, do="kinds")}
    assert told.keys() == KINDS.keys()
    assert (told["delay"]["group"], told["delay"]["effect"]) == ("commands", str(KINDS["delay"].__doc__).split("\n")[0])
    keys = json.loads(told["delay"]["schema"])["properties"]
    assert keys.keys() == KINDS["delay"].model_fields.keys()


async def test_a_fault_that_cannot_be_recorded_is_not_added(rig: Rig) -> None:
    rig.journal.close()
    with pytest.raises(FaultError, match=r"fault 1: abandon CP is not added: it cannot be recorded: .*closed"):
        await call(rig, do="add", kind="abandon", device="CP")
    assert rig.injector.active() == ()


async def test_a_pattern_that_fits_nothing_is_refused_with_near_names(rig: Rig) -> None:
    with pytest.raises(FaultError, match=r"no device of .* matches 'QFX'; near names: QF"):
        await call(rig, do="add", kind="abandon", device="QFX")
    assert rig.injector.active() == ()
    assert recorded(rig) == []


@pytest.mark.parametrize(
    ("device", "property", "reason"),
    [
        ("Q*", "*", ""),
        ("QF", "cur*", ""),
        ("QF", "k1_trim", ""),
        ("qf", "*", "near names: QF"),
        ("qf*", "*", "near names: QF"),
        ("zzz", "*", "no device of"),
        ("QF", "curent", "no device that matches 'QF' has a property that matches 'curent'; near names: current"),
        ("QF", "zzz", "known properties: "),
    ],
)
def test_patterns_are_compared_with_devices_and_their_properties(device: str, property: str, reason: str) -> None:
    found = fits_nothing(RING, device, property)
    assert reason in found
    assert bool(reason) == bool(found)


@pytest.mark.parametrize("identity", [float("inf"), float("nan"), "inf", "1_0", 1.5, True, [1], "", "one"])
async def test_an_invalid_fault_number_is_refused_with_the_reason(rig: Rig, identity: Any) -> None:
    with pytest.raises(FaultError, match="must be the number of a fault"):
        await call(rig, do="clear", id=identity)


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"kind": "reading_stuck", "device": "BPM1"}, ""),
        ({"kind": "reading_stuck", "device": "CP", "property": "current"}, ""),
        ({"kind": "reading_stuck", "pv": "*:rdbk"}, ""),
        ({"kind": "reading_stuck", "device": "BPN1"}, "no device of .* with a reading matches 'BPN1'; .* BPM1"),
        ({"kind": "reading_stuck", "device": "BPM1", "property": "z"}, "matches 'z'; readings: x, y"),
        ({"kind": "reading_stuck", "pv": "CP:rdbkk"}, "no PV that shows a reading matches 'CP:rdbkk'; .* T:CP:rdbk"),
        ({"kind": "reading_stuck", "pv": "CP:set"}, "no PV that shows a reading matches 'CP:set'"),
        ({"kind": "reading_stuck", "pv": "dt:faults:count"}, "no PV that shows a reading matches"),
        ({"kind": "reading_length", "pv": "CP:rdbk", "length": 1}, "no array that shows a reading matches 'CP:rdbk'"),
        ({"kind": "reading_swapped", "device": "BPM1", "other": "BPMX"}, "there is no monitor 'BPMX' in .* BPM1"),
        ({"kind": "swap", "device": "CP", "other": "OPC"}, "no device of .* matches 'OPC'; near names: OC, OCP"),
        (
            {"kind": "abandon", "device": "CP", "condition": "CP:rdbkk < 3"},
            "condition: no PV 'CP:rdbkk'; near names: T:CP:rdbk",
        ),
        ({"kind": "abandon", "device": "CP", "condition": "dt:lattice < 3"}, "condition: T:dt:lattice is not a single"),
    ],
)  # fmt: skip
async def test_targets_that_there_are_not_are_refused_by_name(rig: Rig, keys: dict[str, Any], reason: str) -> None:
    if not reason:
        assert (await call(rig, do="add", **keys))["id"] == 1
        return
    with pytest.raises(FaultError, match=reason):
        await call(rig, do="add", **keys)
    assert rig.injector.active() == ()


async def test_a_fault_that_has_ended_leaves_the_pvs_by_itself(rig: Rig) -> None:
    await call(rig, do="add", kind="abandon", device="CP", count=1)
    await asyncio.sleep(0)
    assert rig.get("T:dt:faults:active").value == ["fault 1: abandon CP"]
    await rig.put("T:CP:set", 1.0)
    rig.faults.show()
    assert (rig.get("T:dt:faults:count").value, rig.get("T:dt:faults:active").value) == (0, [])


async def test_faults_are_cleared_while_everything_else_fails(rig: Rig) -> None:
    for kind in ("abandon", "refuse", "unacknowledged", "partial_group"):
        await call(rig, do="add", kind=kind, device="*")
    for kind in ("reading_dead", "reading_nan"):
        await call(rig, do="add", kind=kind, pv="*")
    assert not (await rig.put("T:CP:set", 1.0)).accepted
    rig.journal.close()
    cleared = await call(rig, do="clear")
    assert [f["id"] for f in cleared] == [1, 2, 3, 4, 5, 6]
    assert "closed" in cleared[0]["unrecorded"]
    assert rig.injector.active() == ()
    await asyncio.sleep(0.01)
    assert rig.get("T:dt:faults:count").value == 0
    assert rig.get("T:CP:rdbk").severity is Severity.NO_ALARM


async def test_faults_are_cleared_while_the_journal_hangs(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    await call(rig, do="add", kind="abandon", device="*")
    monkeypatch.setattr("gnomon.ioc.app.rpc.dt_fault.RECORD_S", 0.05)
    hangs = threading.Event()
    append = rig.journal.append
    monkeypatch.setattr(rig.journal, "append", lambda *parts: (hangs.wait(PATIENCE_S), append(*parts))[1])
    (cleared,) = await call(rig, do="clear")
    hangs.set()
    assert cleared["unrecorded"] == "the journal has not answered within 0.05 s"


async def test_a_put_to_the_control_clears_all_faults_and_is_done_when_that_is_recorded(rig: Rig) -> None:
    procedure = FaultProcedure(
        rig.injector, rig.faults, PvValues(rig.bank, "T:"), RING, rig.dispatcher, rig.connections
    )
    rig.controls.register(sources.FAULTS_CLEAR, procedure.clear_all)
    await call(rig, do="add", kind="abandon", device="CP")
    await call(rig, do="add", kind="delay", device="*", delay_s=2.0)
    assert (await rig.put("T:dt:faults:clear", 0)).accepted
    assert len(rig.injector.active()) == 2
    assert (await rig.put("T:dt:faults:clear", "clear")).accepted
    assert (rig.injector.active(), rig.get("T:dt:faults:count").value) == ((), 0)
    assert recorded(rig)[-1].note == "cleared fault 1: abandon CP; fault 2: delay * by 2 s"
    assert (await rig.put("T:dt:faults:clear", 1)).accepted  # nothing was left


async def test_the_table_of_faults_shows_state_and_uses_left_of_each(rig: Rig) -> None:
    await call(rig, do="add", kind="abandon", device="CP", count=2)
    await call(rig, do="add", kind="model_hung", after_s=60)
    await rig.put("T:CP:set", 1.0)
    rig.faults.show()
    by = f"{CLIENT.user}@{CLIENT.host}"
    assert rig.get("T:dt:faults:table").value == {
        "number": ["1", "2"],
        "state": ["active", "waiting"],
        "left": ["1", "all"],
        "fault": ["abandon CP", "model_hung, after 60 s"],
        "by": [by, by],
    }
    await call(rig, do="clear")
    await asyncio.sleep(0)
    assert rig.get("T:dt:faults:table").value["number"] == []
