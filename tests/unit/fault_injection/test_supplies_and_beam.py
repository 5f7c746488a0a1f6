"""Faults of supplies and of the beam: what a request of each kind may say, and how it is shown."""

from typing import Any

import pytest

from gnomon.fault_injection import Fault, FaultError, SupplyFault
from gnomon.fault_injection.kinds import beam, supplies
from gnomon.fault_injection.kinds.repeated import MIN_EVERY_S

EXAMPLES: list[tuple[dict[str, Any], str]] = [
    ({"kind": "supply_trip", "device": "Q1P*", "after_s": 5}, "supply_trip Q1P*, after 5 s"),
    (
        {"kind": "supply_trip", "device": "*", "reset": "setpoint", "every_s": 60, "probability": 0.1},
        "supply_trip * until its setpoint is put again every 60 s, with probability 0.1",
    ),
    (
        {"kind": "supply_limit_cycle", "device": "HS*", "amplitude_a": "0.1", "every_s": 10, "lasts_s": 3},
        "supply_limit_cycle HS* by 0.1 A in 4 s for 3 s every 10 s",
    ),
    ({"kind": "supply_ripple", "device": "HS*", "amplitude_a": 0.1}, "supply_ripple HS* of 0.1 A at 300 Hz"),
    (
        {"kind": "supply_readback", "device": "Q1P", "scale": 1.1, "offset_a": -2, "field": "readback"},
        "supply_readback Q1P times 1.1 off by -2 A, and the field with it",
    ),
    ({"kind": "supply_readback", "device": "Q1P", "offset_a": 2}, "supply_readback Q1P off by 2 A"),
    ({"kind": "supply_slow", "device": "Q1P", "ramp_s": 100}, "supply_slow Q1P: 100 s over its range"),
    ({"kind": "supply_hysteresis", "device": "Q1P", "width": 1e-3}, "supply_hysteresis Q1P grows to 0.001 in 60 s"),
    ({"kind": "beam_loss", "fraction": 0.3}, "beam_loss of 30 %"),
    ({"kind": "beam_loss", "fraction": 0.3, "probability": 0.01}, "beam_loss of 30 % every 1 s, with probability 0.01"),
    ({"kind": "beam_dump", "for_s": 10}, "beam_dump, for 10 s"),
    ({"kind": "beam_lifetime", "factor": 0.1}, "beam_lifetime times 0.1"),
    ({"kind": "beam_jump", "kick_mrad": -0.05}, "beam_jump of -0.05 mrad in x at *"),
    ({"kind": "beam_no_orbit", "condition": "dt:queue > 0"}, "beam_no_orbit, while dt:queue > 0"),
]


@pytest.mark.parametrize(("keys", "text"), EXAMPLES)
def test_each_kind_says_what_it_does_in_a_line(keys: dict[str, Any], text: str) -> None:
    assert Fault.from_request(keys).describe() == f"fault 0: {text}"


def test_there_is_an_example_of_each_kind() -> None:
    kinds = {model.model_fields["kind"].default for model in (*supplies.KINDS, *beam.KINDS)}
    assert {keys["kind"] for keys, _ in EXAMPLES} == kinds


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"kind": "supply_trip"}, "device: Field required"),
        ({"kind": "supply_trip", "device": "Q", "reset": "later"}, "reset: .*'cleared' or 'setpoint', not 'later'"),
        ({"kind": "supply_readback", "device": "Q"}, "give scale or offset_a: how far the readback is off"),
        ({"kind": "supply_ripple", "device": "Q", "amplitude_a": 0}, "amplitude_a: .*greater than 0, not 0"),
        ({"kind": "supply_hysteresis", "device": "Q", "width": 1}, "width: .*less than or equal to 0.1, not 1"),
        ({"kind": "supply_slow", "device": "Q", "ramp_s": -1}, "ramp_s: .*greater than 0, not -1"),
        ({"kind": "supply_trip", "device": "Q", "lasts_s": 1}, "lasts_s needs every_s; what begins once lasts for_s"),
        ({"kind": "beam_dump", "every_s": 5, "lasts_s": 5}, "lasts_s is 5 s: it must be less than every_s"),
        ({"kind": "beam_loss", "fraction": 0.5, "lasts_s": 1}, "lasts_s: it acts at once and does not last"),
        ({"kind": "beam_dump", "every_s": 0.9 * MIN_EVERY_S}, "every_s: .*greater than or equal to 0.5"),
        ({"kind": "beam_loss", "fraction": 1}, "fraction: .*less than 1, not 1"),
        ({"kind": "beam_lifetime", "factor": 2}, "factor: .*less than 1, not 2"),
        ({"kind": "beam_jump", "kick_mrad": 0}, "kick_mrad is 0: give the angle of the kick"),
        ({"kind": "beam_dmp"}, "near names: beam_dump"),
    ],
)
def test_contradictions_and_numbers_out_of_range_are_refused(keys: dict[str, Any], reason: str) -> None:
    with pytest.raises(FaultError, match=reason):
        Fault.from_request(keys)


def test_a_beam_is_lost_once_unless_more_is_asked_for() -> None:
    assert Fault.from_request({"kind": "beam_loss", "fraction": 0.5}).remaining == 1
    assert Fault.from_request({"kind": "beam_loss", "fraction": 0.5, "count": 3}).remaining == 3


def test_supplies_are_matched_by_pattern_and_case() -> None:
    request = Fault.from_request({"kind": "supply_trip", "device": "Q1P*"}).request
    assert isinstance(request, SupplyFault)
    assert (request.matches("Q1PDR"), request.matches("q1pdr"), request.matches("HS1PD1R")) == (True, False, False)
