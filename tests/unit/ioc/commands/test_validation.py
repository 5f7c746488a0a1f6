"""Requests of clients become settings, or a refusal that says what to do."""

from typing import Any

import numpy as np
import pytest

from gnomon.db.pvs import Kind, PvSpec
from gnomon.ioc.commands.validation import MAX_SETTINGS, parse_put, parse_set
from gnomon.ioc.outputs.bank import Bank


def spec(name: str = "T:QF:set", **changes: Any) -> PvSpec:
    fields: dict[str, Any] = {
        "name": name,
        "kind": Kind.FLOAT,
        "source": "set",
        "description": "a current",
        "device": "QF",
        "property": "current",
        "unit": "A",
        "drive": (0.0, 100.0),
        "writable": True,
    }
    return PvSpec(**fields | changes)


@pytest.mark.parametrize("value", [3.5, "3.5", [3.5], np.array([3.5]), np.float32(3.5)])
def test_one_number_in_any_form_is_taken(value: Any) -> None:
    request = parse_put(spec(), value)
    assert request.refusal == ""
    assert [(s.device, s.property, s.value) for s in request.settings] == [("QF", "current", 3.5)]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("abc", "T:QF:set: 'abc' is not a single number [A]; nothing was changed"),
        ([1.0, 2.0], "T:QF:set: [1.0, 2.0] is not a single number [A]; nothing was changed"),
        ([], "T:QF:set: [] is not a single number [A]; nothing was changed"),
        (None, "T:QF:set: None is not a single number [A]; nothing was changed"),
        ("1_0", "T:QF:set: '1_0' is not a single number [A]; nothing was changed"),
        ("0x10", "T:QF:set: '0x10' is not a single number [A]; nothing was changed"),
        ("nan", "T:QF:set: 'nan' is not a single number [A]; nothing was changed"),
        ("\u0661", "T:QF:set: '\u0661' is not a single number [A]; nothing was changed"),
        (
            100.00000000000001,
            "T:QF:set = 100.00000000000001 A: outside the drive limits 0 to 100 A; nothing was changed",
        ),
        (True, "T:QF:set: True is not a single number [A]; nothing was changed"),
        (float("nan"), "T:QF:set = nan A: not a finite number; nothing was changed"),
        (-float("inf"), "T:QF:set = -inf A: not a finite number; nothing was changed"),
        (100.5, "T:QF:set = 100.5 A: outside the drive limits 0 to 100 A; nothing was changed"),
    ],
)
def test_an_invalid_setpoint_value_is_refused_with_the_reason(value: Any, reason: str) -> None:
    request = parse_put(spec(), value)
    assert request.refusal == reason
    assert len(request.settings) == 1


def test_a_long_value_is_not_repeated_whole_in_the_refusal() -> None:
    assert len(parse_put(spec(), "x" * 100_000).refusal) < 150


def test_a_read_only_pv_refuses_every_value() -> None:
    assert parse_put(spec(writable=False), 1.0).refusal == "T:QF:set is read-only; nothing was changed"


def test_a_pv_in_another_unit_sets_its_property_in_the_property_s_own() -> None:
    request = parse_put(spec(scale=1000.0, unit="mA", drive=(0.0, 1e5)), 2500.0)
    assert request.settings[0].value == 2.5


BANK = Bank([spec(), spec("T:QD:set", device="QD"), spec("T:X", writable=False)], 0)


def test_many_setpoints_by_name_with_or_without_prefix() -> None:
    request = parse_set(BANK, "T:", {"names": ["T:QF:set", "QD:set"], "values": [1.0, 2.0]})
    assert request.refusal == ""
    assert [(s.device, s.value) for s in request.settings] == [("QF", 1.0), ("QD", 2.0)]


def test_many_setpoints_as_the_texts_that_command_line_clients_send() -> None:
    request = parse_set(BANK, "T:", {"names": "QF:set, QD:set", "values": "1.0 2.0"})
    assert [(s.device, s.value) for s in request.settings] == [("QF", 1.0), ("QD", 2.0)]


def test_many_setpoints_by_device_and_property() -> None:
    arguments = {"devices": ["QF"], "properties": ["k1_trim"], "values": np.array([0.5]), "note": "undo 3"}
    request = parse_set(BANK, "T:", arguments)
    assert [(s.pv, s.device, s.property, s.value) for s in request.settings] == [("T:dt:set", "QF", "k1_trim", 0.5)]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({}, "T:dt:set: give either names, or devices and properties"),
        ({"names": ["QF:set"], "values": []}, "1 setpoints but 0 values"),
        ({"devices": ["QF"], "properties": [], "values": [1.0]}, "1 devices but 0 properties"),
        ({"names": ["QF:set"], "values": [1.0], "x": 1}, "unknown argument x"),
        ({"names": ["QX:set"], "values": [1.0]}, "there is no PV 'QX:set'"),
        ({"names": ["QF:set", "X"], "values": [1.0, 1.0]}, "T:X is read-only"),
        ({"names": ["QF:set", "QD:set"], "values": [1.0, 500.0]}, "T:QD:set = 500 A: outside the drive limits"),
        ({"devices": ["QF"], "properties": ["current"], "values": ["much"]}, "'much' is not a number"),
    ],
)
def test_one_wrong_setpoint_refuses_all(arguments: dict[str, Any], reason: str) -> None:
    assert reason in parse_set(BANK, "T:", arguments).refusal


OPTICS = spec(
    "T:optics", kind=Kind.ENUM, device="ring", property="optics", unit="", drive=(0.0, 1.0), states=("user", "special"),
    presets=((("ring", "optics", 0.0), ("QF", "current", 50.0)), (("ring", "optics", 1.0), ("QF", "current", 70.0))),
)  # fmt: skip


@pytest.mark.parametrize("value", [1, 1.0, "1", "special"])
def test_a_put_with_presets_sets_all_of_them(value: Any) -> None:
    request = parse_put(OPTICS, value)
    assert request.refusal == ""
    assert [(s.device, s.property, s.value) for s in request.settings] == [
        ("ring", "optics", 1.0),
        ("QF", "current", 70.0),
    ]
    assert {s.pv for s in request.settings} == {"T:optics"}


@pytest.mark.parametrize("value", [2, -1, 0.5, float("nan"), "other", None])
def test_a_state_that_there_is_not_is_refused(value: Any) -> None:
    request = parse_put(OPTICS, value)
    expected = f"T:optics: {value!r} is not one of its states: 0 'user', 1 'special'; nothing was changed"
    assert request.refusal == expected
    assert len(request.settings) == 1


def test_a_setting_given_by_name_wins_over_the_presets_of_the_same_command() -> None:
    bank = Bank([OPTICS, spec()], 0)
    request = parse_set(bank, "T:", {"names": ["optics", "QF:set"], "values": [1.0, 71.5]})
    assert request.refusal == ""
    assert {(s.device, s.property): s.value for s in request.settings} == {
        ("QF", "current"): 71.5,
        ("ring", "optics"): 1.0,
    }


def test_a_pv_may_be_named_in_any_of_its_ways() -> None:
    request = parse_set(BANK, "T:", {"names": ["pva://T:QF:set.VAL", "QD:set.VAL"], "values": [1.0, 2.0]})
    assert (request.refusal, [setting.pv for setting in request.settings]) == ("", ["T:QF:set", "T:QD:set"])


def test_a_setting_stands_in_a_command_once() -> None:
    twice = parse_set(BANK, "T:", {"names": ["T:QF:set", "QF:set"], "values": [1.0, 1.0]})
    assert "is set more than once in one command" in twice.refusal
    by_property = {"devices": ["QF", "QF"], "properties": ["k1", "k1"], "values": [1.0, 2.0]}
    assert "QF k1 is set more than once" in parse_set(BANK, "T:", by_property).refusal


def test_a_command_has_a_bounded_number_of_settings() -> None:
    many = MAX_SETTINGS + 1
    request = parse_set(BANK, "T:", {"devices": ["QF"] * many, "properties": ["k1"] * many, "values": [1.0] * many})
    assert request.settings == ()
    assert request.refusal.startswith(f"T:dt:set: {many} settings, more than {MAX_SETTINGS} in one command")


def test_a_refusal_gives_some_reasons_and_counts_the_rest() -> None:
    request = parse_set(BANK, "T:", {"names": [f"no{i}" for i in range(100)], "values": [1.0] * 100})
    assert request.refusal.count("there is no PV") == 5
    assert request.refusal.endswith("and 95 more reasons; nothing was changed")
    assert request.refusal.count("nothing was changed") == 1


def test_names_of_clients_cannot_act_on_a_terminal_in_a_refusal() -> None:
    for arguments in (
        {"names": ["\x1b[2J\n"], "values": [1.0]},
        {"devices": ["\x1b[2J"], "properties": ["\n"], "values": ["x"]},
        {"devices": ["\x1b"] * 2, "properties": ["k1"] * 2, "values": [1.0] * 2},
    ):
        refusal = parse_set(BANK, "T:", arguments).refusal
        assert refusal.isprintable(), refusal
