"""Faults of connections: what a request of each kind may say, which PVs it is about, and how it is shown."""

from typing import Any

import pytest

from gnomon.fault_injection import ConnectionFault, Fault, FaultError
from gnomon.fault_injection.kinds import connections

EXAMPLES: list[tuple[dict[str, Any], str]] = [
    ({"kind": "connection_lost", "for_s": 30}, "connection_lost everything, for 30 s"),
    ({"kind": "connection_lost", "device": "BPMZ*", "after_commands": 2}, "connection_lost BPMZ*, after 2 commands"),
    (
        {"kind": "connection_lost", "pv": "*:set", "every_s": "10", "lasts_s": "2", "probability": 0.5},
        "connection_lost *:set for 2 s every 10 s, with probability 0.5",
    ),
    ({"kind": "connection_slow", "delay_s": 2}, "connection_slow everything: search 2 s late"),
    (
        {"kind": "connection_slow", "device": "HS*", "delay_s": 1, "step": "channel"},
        "connection_slow HS*: channel 1 s late",
    ),
    ({"kind": "connection_denied", "device": "Q1P*"}, "connection_denied Q1P*"),
    ({"kind": "connection_denied", "pv": "*", "allow": "none"}, "connection_denied *, reading too"),
    ({"kind": "connection_put_hangs", "device": "HS*"}, "connection_put_hangs HS*, accepted"),
    ({"kind": "connection_put_hangs", "accepted": "false"}, "connection_put_hangs everything, not accepted"),
]


@pytest.mark.parametrize(("keys", "text"), EXAMPLES)
def test_each_kind_says_what_it_does_in_a_line(keys: dict[str, Any], text: str) -> None:
    fault = Fault.from_request(keys)
    assert (fault.describe(), fault.request.group) == (f"fault 0: {text}", "connections")


def test_there_is_an_example_of_each_kind() -> None:
    assert {keys["kind"] for keys, _ in EXAMPLES} == {m.model_fields["kind"].default for m in connections.KINDS}


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"kind": "connection_lost", "device": "*", "pv": "*"}, "give device or pv, or neither for everything"),
        ({"kind": "connection_lost", "lasts_s": 1}, "lasts_s needs every_s; what begins once lasts for_s"),
        ({"kind": "connection_denied", "every_s": 5, "lasts_s": 5}, "lasts_s is 5 s: it must be less than every_s"),
        ({"kind": "connection_lost", "every_s": 0.1, "lasts_s": 0.05}, "every_s: .*greater than or equal to 0.5"),
        ({"kind": "connection_slow"}, "delay_s: Field required"),
        ({"kind": "connection_slow", "delay_s": -1}, "delay_s: .*greater than 0, not -1"),
        ({"kind": "connection_slow", "delay_s": 1, "step": "chanel"}, "step: .*'search' or 'channel', not 'chanel'"),
        ({"kind": "connection_denied", "allow": "write"}, "allow: .*'read' or 'none', not 'write'"),
        ({"kind": "connection_put_hangs", "accepted": "perhaps"}, "accepted: .*boolean"),
        ({"kind": "conection_lost"}, r"kind: 'conection_lost' is not a kind; near names: connection_lost"),
    ],
)
def test_an_invalid_fault_is_refused_with_the_reason(keys: dict[str, Any], reason: str) -> None:
    with pytest.raises(FaultError, match=rf"^invalid fault: {reason}"):
        Fault.from_request(keys)


@pytest.mark.parametrize(
    ("keys", "names"),
    [
        ({}, ["T:HS1:set", "T:HS1:rdbk", "T:B1:rdX", "T:dt:queue"]),
        ({"device": "HS*"}, ["T:HS1:set", "T:HS1:rdbk"]),
        ({"device": "*"}, ["T:HS1:set", "T:HS1:rdbk", "T:B1:rdX"]),
        ({"pv": "*:set"}, ["T:HS1:set"]),
        ({"pv": "B1:*"}, ["T:B1:rdX"]),
        ({"pv": "T:dt:queue"}, ["T:dt:queue"]),
        ({"device": "hs*"}, []),
    ],
)
def test_a_fault_is_about_the_pvs_of_devices_or_those_it_names_or_all(keys: dict[str, Any], names: list[str]) -> None:
    request = Fault.from_request({"kind": "connection_lost"} | keys).request
    assert isinstance(request, ConnectionFault)
    pvs = {"T:HS1:set": "HS1", "T:HS1:rdbk": "HS1", "T:B1:rdX": "B1", "T:dt:queue": ""}
    assert [name for name, device in pvs.items() if request.matches_pv(name, "T:", device)] == names
    assert request.of_everything == (not keys)
