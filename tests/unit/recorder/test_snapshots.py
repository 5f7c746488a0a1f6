"""Snapshots: what they hold, what it takes to come back to them, and what is refused."""

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.db import shipped_document
from gnomon.db.machines import pv_document
from gnomon.db.pvs import PvSpec
from gnomon.db.templates import expand, read_pvs
from gnomon.ioc.app.initial_state import from_lattice
from gnomon.lattice import Lattice, Ring
from gnomon.recorder.recorder_errors import ReviewError
from gnomon.recorder.save_files import FORMATS, About, Saved, Value
from gnomon.recorder.save_files.saved import number_text
from gnomon.recorder.snapshots import (
    Entry,
    Signature,
    Snapshot,
    assignments,
    differences,
    entries_from,
    entries_of,
    exported,
)
from gnomon.recorder.tolerances import parse_tolerances
from unit.ioc.rig import RING, specs

PREFIX = "T:"
SIGNED = Signature(time_ns=1, user="op", host="console")


def saved_file(values: dict[str, str]) -> Saved:
    """A file that has these texts, one a line."""
    found = Saved()
    for line, (pv, text) in enumerate(values.items(), 1):
        found.take(line, pv, text)
    return found


def snapshot(entries: tuple[Entry, ...], *, complete: bool = True, machine: str = RING.name) -> Snapshot:
    return Snapshot(
        machine=machine,
        digest=RING.digest,
        prefix=PREFIX,
        lattice_id="",
        complete=complete,
        source="run 1",
        comment="",
        signed=SIGNED,
        entries=entries,
    )


def saved(lattice: Lattice) -> Snapshot:
    whole = snapshot(entries_of(lattice, specs(), PREFIX))
    return Snapshot.model_validate(json.loads(whole.model_dump_json(by_alias=True)))


def restored(kept: Snapshot, present: Lattice) -> Lattice:
    todo = assignments(kept, present)
    return present.updated({(a.device, a.setting): a.value for a in todo})


CURRENTS = st.fixed_dictionaries(
    {
        ("CP", "current"): st.floats(-9.0, 9.0),
        ("QFP", "current"): st.floats(10.0, 30.0),
        ("QF", "k1"): st.floats(1.0, 1.5),
        ("BPM1", "offset_x"): st.floats(-1e-3, 1e-3),
        ("rf", "frequency"): st.floats(-4.0, 4.0).map(lambda d: RING.nominal["rf", "frequency"] + d),
    }
)


@settings(deadline=None, max_examples=30)
@given(then=CURRENTS, now=CURRENTS)
def test_a_restored_snapshot_is_the_same_lattice_from_wherever(
    then: dict[tuple[str, str], float], now: dict[tuple[str, str], float]
) -> None:
    lattice = RING.nominal.updated(then)
    kept = saved(lattice)
    for present in (RING.nominal, lattice, RING.nominal.updated(now)):
        assert restored(kept, present).id == lattice.id
    assert assignments(kept, lattice) == ()


@settings(deadline=None, max_examples=20)
@given(then=CURRENTS, form=st.sampled_from(sorted(FORMATS)))
def test_a_file_brings_every_setpoint_back_to_the_last_bit(then: dict[tuple[str, str], float], form: str) -> None:
    lattice = RING.nominal.updated({key: v for key, v in then.items() if key[0] != "BPM1"})
    whole = saved(lattice)
    text = FORMATS[form].render((Value(PREFIX + e.pv, e.value) for e in whole.entries), About("n", "", "op", 10**18))
    taken = entries_from(FORMATS[form].parse(text), specs(), PREFIX, PREFIX)
    assert taken.left_out == {}
    entries = taken.entries
    assert {e.pv: e.value.hex() for e in entries} == {e.pv: e.value.hex() for e in whole.entries}
    back = restored(snapshot(entries, complete=False), RING.nominal)
    assert assignments(snapshot(entries, complete=False), back) == ()
    assert back["QFP", "current"] == lattice["QFP", "current"]
    assert back["QF", "k1"] == pytest.approx(lattice["QF", "k1"], rel=1e-15)


def test_a_complete_snapshot_resets_what_was_nominal_then() -> None:
    kept = saved(RING.nominal)
    moved = RING.nominal.updated({("CP", "current"): 1.0, ("BPM1", "offset_x"): 1e-3})
    assert {(a.device, a.setting, a.now, a.value) for a in assignments(kept, moved)} == {
        ("CP", "current", 1.0, 0.0),
        ("BPM1", "offset_x", 1e-3, 0.0),
    }


def test_an_imported_snapshot_leaves_other_settings_alone() -> None:
    entries = entries_from(saved_file({"CP:set": "0.5"}), specs(), PREFIX, "").entries
    moved = RING.nominal.updated({("QFP", "current"): 25.0})
    (only,) = assignments(snapshot(entries, complete=False), moved)
    assert (only.device, only.setting, only.unit, only.now, only.value) == ("CP", "current", "A", 0.0, 0.5)


def test_an_imported_strength_holds_although_its_current_moves_with_it() -> None:
    strength = RING.nominal["QF", "k1"]
    values = {"QFP:set": "25.0", "QF:Cm:set": repr(strength)}
    taken = entries_from(saved_file(values), specs(), PREFIX, "")
    assert taken.left_out == {}
    entries = taken.entries
    back = restored(snapshot(entries, complete=False), RING.nominal)
    assert (back["QFP", "current"], back["QF", "k1"]) == (25.0, pytest.approx(strength, rel=1e-15))


def test_pvs_of_a_file_that_are_left_out_are_listed_with_the_reason() -> None:
    text = saved_file({"T:CP:set": "0.5", "NO:SUCH": "1", "T:CP:rdbk": "0.5"})
    text.leave(9, "WF", "an array")
    taken = entries_from(text, specs(), PREFIX, PREFIX)
    assert [e.pv for e in taken.entries] == ["CP:set"]
    assert taken.unread == ()
    assert taken.left_out == {"WF": "an array", "NO:SUCH": "there is no such PV", "T:CP:rdbk": "cannot be set"}


def test_values_that_a_setpoint_cannot_have_are_refused_with_their_pvs() -> None:
    text = saved_file({"T:CP:set": "99", "T:QFP:set": "20", "T:QDP:set": "-1e9"})
    with pytest.raises(ReviewError) as error:
        entries_from(text, specs(), PREFIX, PREFIX)
    assert "T:CP:set: 99 A is outside the drive limits -10 to 10 A" in str(error.value)
    assert "T:QDP:set: -1000000000 A is outside" in str(error.value)
    assert "QFP" not in str(error.value)
    assert str(error.value).endswith("nothing was imported")


@pytest.mark.parametrize("text", ["much", "nan", "inf", "1_0", "0,5", "(Disconnected)", "0x1", "\u0661"])
def test_a_text_that_is_not_a_number_is_listed_and_the_rest_is_taken(text: str) -> None:
    taken = entries_from(saved_file({"T:CP:set": text, "T:QFP:set": "20"}), specs(), PREFIX, PREFIX)
    assert [e.pv for e in taken.entries] == ["QFP:set"]
    assert len(taken.unread) == 1
    assert taken.unread[0].startswith("line 1: T:CP:set: ")


@pytest.mark.parametrize(
    ("one", "other"), [("T:CP:set.VAL", "T:CP:set"), ("CP:set", "T:CP:set"), ("pva://T:CP:set", "CP:set.VAL")]
)
def test_two_values_of_one_setpoint_are_refused_with_both_lines_and_equal_ones_are_one(one: str, other: str) -> None:
    with pytest.raises(ReviewError) as error:
        entries_from(saved_file({one: "0.1", "T:QFP:set": "20", other: "0.2"}), specs(), PREFIX, PREFIX)
    assert f"{one} is 0.1 in line 1, {other} is 0.2 in line 3; nothing was imported" in str(error.value)
    taken = entries_from(saved_file({one: "0.1", other: "1e-1"}), specs(), PREFIX, PREFIX)
    assert [(e.pv, e.value) for e in taken.entries] == [("CP:set", 0.1)]


def test_values_of_one_pv_must_be_equal_to_the_last_digit() -> None:
    file = saved_file({"T:CP:set": "0.1"})
    file.take(2, "T:CP:set", "0.10000000000000002")
    with pytest.raises(ReviewError, match=r"CP:set is 0\.1 in line 1, T:CP:set is 0\.10000000000000002 in line 2"):
        entries_from(file, specs(), PREFIX, PREFIX)


def test_a_setpoint_without_a_value_counts_as_unread_and_a_stranger_does_not() -> None:
    text = saved_file({"T:QFP:set": "20"})
    for line, pv in ((2, "T:CP:set"), (3, "OTHER:PV"), (4, "T:CP:rdbk")):
        text.leave(line, pv, "without a value", missing=True)
    text.skip(5, "'...\x1b[2J' is not of the form PV,value")
    taken = entries_from(text, specs(), PREFIX, PREFIX)
    assert taken.unread == (
        "line 2: T:CP:set: without a value",
        r"line 5: '...\x1b[2J' is not of the form PV,value",
    )


@pytest.mark.parametrize("order", ["random", "by name", "backwards"])
def test_an_export_written_back_in_any_order_by_others_is_the_same_lattice(order: str) -> None:
    """By puts, one after the other: a strength becomes a trim on top of what its current gives at that time."""
    lattice = RING.nominal.updated({("QFP", "current"): 22.0, ("QDP", "current"): 21.0, ("CP", "current"): 0.5})
    entries, left = exported(saved(lattice).entries)
    assert {e.pv for e in left} >= {"QF:Cm:set", "QD:Cm:set"}
    puts = [
        (spec.device, spec.property, e.value / spec.scale)
        for e in entries
        for spec in specs()
        if spec.name == PREFIX + e.pv
    ]
    assert len(puts) == len(entries)
    puts.sort()
    if order == "random":
        random.Random(3).shuffle(puts)
    elif order == "backwards":
        puts.reverse()
    moved = RING.nominal.updated({("QFP", "current"): 25.0})
    for device, name, value in puts:
        moved = moved.updated({(device, name): value})
    assert moved.id == lattice.id


def test_an_export_with_trims_has_them_behind_all_currents() -> None:
    lattice = RING.nominal.updated({("QFP", "current"): 22.0}).updated({("QF", "k1"): 1.3})
    entries, _ = exported(saved(lattice).entries)
    assert entries[-1].pv == "QF:Cm:set"
    assert [e.pv for e in entries].count("QF:Cm:set") == 1


def test_tolerances_by_pv_and_kind() -> None:
    then = entries_of(RING.nominal, specs(), PREFIX)
    supply = RING.nominal["QFP", "current"] + 0.01
    now = entries_of(RING.nominal.updated({("CP", "current"): 1e-3, ("QFP", "current"): supply}), specs(), PREFIX)

    def different(*texts: str) -> set[str]:
        return {pv for pv, *_ in differences(then, now, tolerance=parse_tolerances(texts))}

    both = {"CP:set", "QFP:set"}
    assert different() == both
    assert different("1e-3") == both - {"CP:set"}
    assert different("current=0.1") == set()
    assert different("current=0.1", "C*:set=0") == {"CP:set"}
    assert different("C*=1e-3", "Q*:set=1%") == set()
    assert different("CP:set=9e-4") == both
    for wrong in ("much", "current=", "x=-1", "1_0"):
        with pytest.raises(ReviewError, match="tolerance"):
            parse_tolerances([wrong])


def test_another_machine_and_settings_that_are_gone_are_refused() -> None:
    kept = saved(RING.nominal)
    with pytest.raises(ReviewError, match="of machine 'other', this is 'small'"):
        assignments(snapshot(kept.entries, machine="other"), RING.nominal)
    gone = Entry(pv="GONE:set", value=1.0, unit="A", device="GONE", setting="current", stored=1.0)
    wide = Entry(pv="CP:set", value=99.0, unit="A", device="CP", setting="current", stored=99.0)
    with pytest.raises(ReviewError) as error:
        assignments(snapshot((gone, wide), complete=False), RING.nominal)
    assert "GONE:set: small: there is no device 'GONE'" in str(error.value)
    assert "CP:set: CP current = 99 A: outside the limits" in str(error.value)
    assert str(error.value).endswith("nothing was restored")


def test_differences_are_listed_by_pv() -> None:
    then = entries_of(RING.nominal, specs(), PREFIX)
    now = entries_of(RING.nominal.updated({("CP", "current"): 1.0, ("BPM1", "offset_x"): 1e-3}), specs(), PREFIX)
    assert differences(then, then) == ()
    assert differences(then, now) == (("BPM1 offset_x", None, 1e-3, "m"), ("CP:set", 0.0, 1.0, "A"))
    assert differences(then, now, common=True) == (("CP:set", 0.0, 1.0, "A"),)
    imported = entries_from(saved_file({"CP:set": "1", "QF:Cm:set": "1.3"}), specs(), PREFIX, "").entries
    (only,) = differences(imported, now, common=True)
    assert only[:2] == ("QF:Cm:set", 1.3)


@pytest.fixture(scope="module")
def mls() -> tuple[Ring, tuple[PvSpec, ...]]:
    ring = Ring(shipped_document("mls"))
    return ring, expand(read_pvs(ring.document.pvs, pv_document), ring, PREFIX)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_an_optics_of_the_mls_comes_back_from_a_snapshot_and_from_one_line_of_a_file(
    mls: tuple[Ring, tuple[PvSpec, ...]], number: int
) -> None:
    ring, pvs = mls
    switched = ring.nominal.updated(ring.optics_settings(number))
    whole = snapshot(entries_of(switched, pvs, PREFIX), machine="mls")
    assert restored(whole, ring.nominal).id == switched.id
    assert from_lattice(switched, "").changes.keys() == {
        a.key for a in whole.entries if ring.nominal[a.key] != a.stored
    }
    (switch,) = [spec.name for spec in pvs if spec.source == "set" and spec.property == "optics"]
    taken = entries_from(saved_file({switch: number_text(float(number))}), pvs, PREFIX, PREFIX)
    assert taken.left_out == {}
    entries = taken.entries
    assert restored(snapshot(entries, complete=False, machine="mls"), ring.nominal).id == switched.id
    supply = next(e for e in entries if e.setting == "current" and e.pv)
    changed = saved_file({switch: str(number), PREFIX + supply.pv: number_text(supply.value * 0.99)})
    entries = entries_from(changed, pvs, PREFIX, PREFIX).entries
    assert [e.value for e in entries if e.key == supply.key] == [supply.value * 0.99]


def test_settings_that_are_valid_only_together_are_restored_together() -> None:
    lattice = RING.nominal.updated({("QDP", "current"): 10.0})
    # As long as the multiplexer takes 20 A from QD, 10 A are less than its conversion knows.
    present = RING.nominal.updated({("MUXP", "current"): 10.0, ("MUX", "selected"): 2.0})
    assert restored(saved(lattice), present).id == lattice.id
