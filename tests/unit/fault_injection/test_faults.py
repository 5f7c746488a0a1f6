"""A fault is read from what a client sends, or refused with the reason."""

import json
from typing import Any

import pytest
from each_case import each_case

from gnomon.fault_injection import KINDS, CommandFault, Fault, FaultError

EXAMPLES: dict[str, dict[str, Any]] = {
    "abandon": {"device": "Q1P*", "property": "current"},
    "acknowledge": {"device": "Q1P*"},
    "unacknowledged": {"device": "Q1P*"},
    "refuse": {"device": "Q1P*", "message": "local mode"},
    "delay": {"device": "*", "distribution": "normal", "delay_s": 0.5, "sigma_s": 0.1},
    "modify": {"device": "*", "property": "k1", "scale": 0.5, "offset": 0.0},
    "polarity": {"device": "HS*"},
    "quantise": {"device": "HS*", "step": 0.01},
    "clip": {"device": "HS*", "low": -1.0, "high": 1.0},
    "swap": {"device": "HS1", "other": "HS2"},
    "duplicate": {"device": "HS*", "delay_s": 2.0},
    "reorder": {"device": "HS*", "depth": 2, "within_s": 0.5},
    "partial_group": {"device": "*", "lost": 0.25},
    "partial_supply": {"device": "Q1P*", "magnets": "Q1M1*"},
}


def request(**keys: Any) -> dict[str, Any]:
    return {"kind": "abandon", "device": "*"} | keys


def test_a_request_becomes_a_fault_with_who_and_when() -> None:
    fault = Fault.from_request(
        {"kind": "delay", "device": "Q1P*", "delay_s": 0.5, "count": 3}, created_by="ann@desk", clock_ns=lambda: 7
    )
    assert (fault.kind, fault.created_by, fault.created_ns, fault.remaining, fault.id) == ("delay", "ann@desk", 7, 3, 0)


def test_numbers_may_come_as_text() -> None:
    fault = Fault.from_request({"kind": "modify", "device": "*", "scale": "-1", "offset": "0.25", "count": "2"})
    assert fault.request.model_dump(include={"scale", "offset", "count"}) == {"scale": -1.0, "offset": 0.25, "count": 2}


def test_there_is_an_example_of_each_kind_of_commands() -> None:
    assert list(EXAMPLES) == sorted(EXAMPLES, key=list(EXAMPLES).index)
    assert set(EXAMPLES) == {name for name, model in KINDS.items() if issubclass(model, CommandFault)}


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        ({"device": "*"}, "kind: it is missing; known kinds: abandon, delay"),
        ({"kind": "explode", "device": "*"}, "kind: 'explode' is not a kind; known kinds: abandon, "),
        (
            {"kind": "abandn", "device": "*"},
            r"kind: 'abandn' is not a kind; near names: abandon; `gnomon fault kinds` lists all$",
        ),
        ({"kind": 3, "device": "*"}, "kind: '3' is not a kind"),
        ({"kind": "abandon"}, "device: Field required"),
        (request(device=""), "device: .*at least 1 character"),
        (request(device="x" * 300), "device: a pattern has at most 200 characters"),
        (request(device="\x1b[2J"), "device: a pattern has at most 200 characters, without control characters"),
        (request(colour="red"), "colour: unknown key; known keys: after_s, at"),
        (request(propperty="k1"), r"propperty: unknown key; near names: property"),
        (request(delay_s=1), "delay_s: unknown key"),
        ({"kind": "delay", "device": "*"}, "a fixed delay needs delay_s"),
        ({"kind": "delay", "device": "*", "delay_s": 0}, "delay_s: .*greater than 0, not 0"),
        ({"kind": "delay", "device": "*", "delay_s": 1e9}, "delay_s: .*less than or equal to 3600"),
        ({"kind": "delay", "device": "*", "delay_s": "soon"}, "delay_s: 'soon' is not a number"),
        ({"kind": "delay", "device": "*", "delay_s": True}, "delay_s: True is not a number"),
        ({"kind": "delay", "device": "*", "delay_s": 1, "sigma_s": 1}, "a fixed delay does not take sigma_s"),
        ({"kind": "delay", "device": "*", "distribution": "uniform"}, "a uniform delay needs max_s"),
        ({"kind": "delay", "device": "*", "distribution": "gauss"}, "distribution: .*'normal', not 'gauss'"),
        (
            {"kind": "delay", "device": "*", "distribution": "uniform", "min_s": 2, "max_s": 1},
            "min_s is 2 s: it must be less than max_s, which is 1 s",
        ),
        (
            {"kind": "delay", "device": "*", "distribution": "exponential", "delay_s": 5, "max_s": 1},
            "the mean, 5 s, must lie between 0 and 1 s",
        ),
        ({"kind": "modify", "device": "*"}, "modify needs offset or scale or value"),
        ({"kind": "modify", "device": "*", "value": 1, "scale": 2}, "give either value, or scale and offset"),
        ({"kind": "modify", "device": "*", "scale": float("nan")}, "scale: .*finite"),
        ({"kind": "modify", "device": "*", "value": "inf"}, "value: 'inf' is not a number"),
        ({"kind": "modify", "device": "*", "value": "1_0"}, "value: '1_0' is not a number"),
        ({"kind": "quantise", "device": "*", "step": 0}, "step: .*greater than 0"),
        ({"kind": "clip", "device": "*"}, "clip needs low or high"),
        ({"kind": "clip", "device": "*", "low": 2, "high": 1}, "low is 2: it must not be greater than high"),
        ({"kind": "swap", "device": "A*", "other": "B"}, r"A\* is a pattern; swap needs the names of two devices"),
        ({"kind": "swap", "device": "A", "other": "A"}, "A cannot be swapped with itself"),
        ({"kind": "partial_group", "device": "*", "lost": 2}, "lost: .*less than or equal to 1, not 2"),
        (request(count=0), "count: .*greater than or equal to 1"),
        (request(count=1.5), "count: .*integer"),
        (request(probability=2), "probability: .*less than or equal to 1, not 2"),
        (request(probability=0), "probability: .*greater than 0"),
        (request(after_s=-1), "after_s: .*greater than or equal to 0, not -1"),
        (request(for_s=-1), "for_s: .*greater than 0, not -1"),
        (request(after_s=1, after_commands=1), "give one of after_s and after_commands: each says when"),
        (request(at="noon"), "at: it must be a time like .*, not 'noon'"),
        (request(condition="beam"), "condition: 'beam' is not a comparison; write PV < NUMBER"),
        (request(condition="a < 1 and b"), "condition: 'b' is not a comparison"),
        (request(condition="a < two"), "condition: 'a < two': 'two' is not a number"),
    ],
)
def test_an_invalid_fault_is_refused_with_the_reason(request_: dict[str, Any], reason: str) -> None:
    with pytest.raises(FaultError, match=rf"^invalid fault: {reason}"):
        Fault.from_request(request_)


def test_every_complaint_is_told_at_once() -> None:
    with pytest.raises(FaultError, match=r"probability: .*; colour: unknown"):
        Fault.from_request(request(probability=7, colour="red"))


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
    fault = Fault.from_request(request(device=device, property=property_)).request
    assert isinstance(fault, CommandFault)
    assert fault.matches("Q1PDR", "current") is matched


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        ({"kind": "abandon", "device": "Q1P*"}, "abandon Q1P*"),
        ({"kind": "delay", "device": "*", "delay_s": 0.5}, "delay * by 0.5 s"),
        ({"kind": "delay", "device": "*", "distribution": "uniform", "max_s": 2}, "delay * by 0 to 2 s"),
        ({"kind": "modify", "device": "rf", "property": "frequency", "value": 2}, "modify rf frequency to 2"),
        ({"kind": "modify", "device": "H*", "scale": -1}, "modify H* to -1 * value"),
        ({"kind": "modify", "device": "H*", "offset": -0.5}, "modify H* to value - 0.5"),
        ({"kind": "modify", "device": "H*", "scale": 2, "offset": 1}, "modify H* to 2 * value + 1"),
        ({"kind": "clip", "device": "H*", "high": 1}, "clip H* to ...1"),
        (
            request(after_s=0, condition="cur < 3", probability=0.5, for_s=10),
            "abandon *, after 0 s, while cur < 3, with probability 0.5, for 10 s",
        ),
        (request(after_commands=1), "abandon *, after 1 command"),
    ],
)
def test_a_fault_describes_itself_in_a_line(request_: dict[str, Any], text: str) -> None:
    assert Fault.from_request(request_).describe() == f"fault 0: {text}"


@pytest.mark.parametrize("kind", EXAMPLES)
def test_json_shows_what_was_asked_and_no_more(kind: str) -> None:
    asked = {"kind": kind} | EXAMPLES[kind]
    shown = json.loads(json.dumps(Fault.from_request(asked, created_by="ann", clock_ns=lambda: 7).to_json()))
    book_keeping = {"id", "remaining", "phase", "created_by", "created_ns", "text"}
    assert {key: shown[key] for key in shown.keys() - book_keeping} == asked
    assert (shown["created_by"], shown["created_ns"], shown["remaining"]) == ("ann", 7, None)


@each_case(KINDS)
def test_each_kind_says_what_it_does_and_what_its_keys_mean(kind: str) -> None:
    model = KINDS[kind]
    assert model.__doc__
    assert model.model_fields["kind"].default == kind
    assert [name for name, field in model.model_fields.items() if name != "kind" and not field.description] == []


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        ({"kind": "reading_stuck"}, "give device or pv: which readings it is about"),
        ({"kind": "reading_stuck", "device": "B*", "pv": "C*"}, "give device or pv"),
        ({"kind": "reading_stuck", "pv": "C*", "property": "x"}, "property belongs to device, not to pv"),
        ({"kind": "reading_noise", "device": "B*", "rms": -1}, "rms: .*greater than 0, not -1"),
        ({"kind": "reading_time", "device": "B*"}, "give offset_s, or frozen=true"),
        ({"kind": "reading_time", "device": "B*", "offset_s": 3, "frozen": True}, "give offset_s, or frozen=true"),
        ({"kind": "reading_severity", "device": "B*", "severity": "BAD"}, "severity: .*'INVALID', not 'BAD'"),
        ({"kind": "reading_swapped", "device": "A", "other": "B?"}, "B. is a pattern; reading_swapped needs"),
        ({"kind": "reading_length", "device": "A", "length": 3}, "pv: Field required"),
        ({"kind": "reading_stuk", "device": "A"}, r"kind: 'reading_stuk' is not a kind; near names: reading_stuck"),
    ],
)
def test_an_invalid_fault_of_readings_is_refused_with_the_reason(request_: dict[str, Any], reason: str) -> None:
    with pytest.raises(FaultError, match=rf"^invalid fault: {reason}"):
        Fault.from_request(request_)
