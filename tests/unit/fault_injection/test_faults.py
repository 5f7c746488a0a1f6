"""A fault is read from what a client sends, or refused with the reason."""

import json
from typing import Any

import pytest

from gnomon.fault_injection import Action, Fault, FaultError
from gnomon.lattice import Setting


def setting(device: str = "Q1PDR", property: str = "current", value: float = 100.0) -> Setting:
    return Setting(pv=f"TWIN:{device}:set", device=device, property=property, value=value)


def test_a_request_becomes_a_fault_with_who_and_when() -> None:
    fault = Fault.from_request(
        {"action": "delay", "device": "Q1P*", "delay_s": 0.5, "count": 3}, created_by="ann@desk", clock_ns=lambda: 7
    )
    assert fault == Fault(
        action=Action.DELAY, device="Q1P*", delay_s=0.5, remaining=3, created_by="ann@desk", created_ns=7
    )


def test_numbers_may_come_as_text() -> None:
    fault = Fault.from_request({"action": "modify", "device": "*", "scale": "-1", "offset": "0.25", "count": "2"})
    assert (fault.scale, fault.offset, fault.remaining) == (-1.0, 0.25, 2)


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        ({"device": "*"}, "action: Field required"),
        ({"action": "abandon"}, "device: Field required"),
        ({"action": "explode", "device": "*"}, "action: .*'abandon', 'delay' or 'modify', not 'explode'"),
        ({"action": "abandon", "device": ""}, "device: .*at least 1 character"),
        ({"action": "abandon", "device": "*", "colour": "red"}, "colour: unknown key; known keys: action, device"),
        ({"action": "abandon", "device": "*", "delay_s": 1}, "abandon does not take delay_s"),
        ({"action": "delay", "device": "*"}, "delay needs delay_s"),
        ({"action": "delay", "device": "*", "delay_s": 0}, "delay_s: .*greater than 0, not 0"),
        ({"action": "delay", "device": "*", "delay_s": 1e9}, "delay_s: .*less than or equal to 3600"),
        ({"action": "delay", "device": "*", "delay_s": "soon"}, "delay_s: 'soon' is not a number"),
        ({"action": "delay", "device": "*", "delay_s": True}, "delay_s: True is not a number"),
        ({"action": "modify", "device": "*"}, "modify needs offset or scale or value"),
        ({"action": "modify", "device": "*", "value": 1, "scale": 2}, "give either value, or scale and offset"),
        ({"action": "modify", "device": "*", "scale": float("nan")}, "scale: .*finite"),
        ({"action": "modify", "device": "*", "value": "inf"}, "value: 'inf' is not a number"),
        ({"action": "modify", "device": "*", "value": "1_0"}, "value: '1_0' is not a number"),
        ({"action": "abandon", "device": "*", "count": 0}, "count: .*greater than or equal to 1"),
        ({"action": "abandon", "device": "*", "count": 1.5}, "count: .*integer"),
    ],
)
def test_an_invalid_fault_is_refused_with_the_reason(request_: dict[str, Any], reason: str) -> None:
    with pytest.raises(FaultError, match=rf"^invalid fault: {reason}"):
        Fault.from_request(request_)


def test_every_complaint_is_told_at_once() -> None:
    with pytest.raises(FaultError, match=r"action: .*; colour: unknown"):
        Fault.from_request({"action": "explode", "device": "*", "colour": "red"})


@pytest.mark.parametrize(
    ("device", "property_", "matched"),
    [
        ("Q1PDR", "*", True),
        ("Q1P*", "current", True),
        ("Q?PDR", "cur*", True),
        ("*", "*", True),
        ("q1p*", "*", False),
        ("Q1P", "*", False),
        ("Q1PDR", "k1", False),
    ],
)
def test_patterns_are_shell_patterns_and_case_counts(device: str, property_: str, matched: bool) -> None:
    fault = Fault(action=Action.ABANDON, device=device, property=property_)
    assert fault.matches(setting()) is matched


@pytest.mark.parametrize(
    ("fault", "value"),
    [
        (Fault(action=Action.MODIFY, device="*", scale=-1.0), -100.0),
        (Fault(action=Action.MODIFY, device="*", offset=0.5), 100.5),
        (Fault(action=Action.MODIFY, device="*", scale=2.0, offset=-1.0), 199.0),
        (Fault(action=Action.MODIFY, device="*", value=0.0), 0.0),
    ],
)
def test_modify_scales_then_adds_or_sets(fault: Fault, value: float) -> None:
    assert fault.modified(100.0) == value


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        ({"action": "abandon", "device": "Q1P*"}, "fault 0: abandon Q1P*"),
        ({"action": "delay", "device": "*", "delay_s": 0.5}, "fault 0: delay * by 0.5 s"),
        (
            {"action": "modify", "device": "rf", "property": "frequency", "value": 2},
            "fault 0: modify rf frequency to 2",
        ),
        ({"action": "modify", "device": "H*", "scale": -1}, "fault 0: modify H* to -1 * value"),
        ({"action": "modify", "device": "H*", "offset": -0.5}, "fault 0: modify H* to value - 0.5"),
        ({"action": "modify", "device": "H*", "scale": 2, "offset": 1}, "fault 0: modify H* to 2 * value + 1"),
    ],
)
def test_a_fault_describes_itself_in_a_line(request_: dict[str, Any], text: str) -> None:
    assert Fault.from_request(request_).describe() == text


@pytest.mark.parametrize(
    "request_",
    [
        {"action": "abandon", "device": "Q1P*", "property": "current"},
        {"action": "delay", "device": "*", "property": "*", "delay_s": 0.5},
        {"action": "modify", "device": "*", "property": "k1", "scale": 0.5, "offset": 0.0},
        {"action": "modify", "device": "*", "property": "k1", "value": 0.0},
    ],
)
def test_json_shows_what_was_asked_and_no_more(request_: dict[str, Any]) -> None:
    shown = json.loads(json.dumps(Fault.from_request(request_, created_by="ann", clock_ns=lambda: 7).to_json()))
    book_keeping = {"id", "remaining", "created_by", "created_ns", "text"}
    assert {key: shown[key] for key in shown.keys() - book_keeping} == request_
    assert (shown["created_by"], shown["created_ns"], shown["remaining"]) == ("ann", 7, None)
