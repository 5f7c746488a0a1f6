"""Faults act on whole commands, by stated rules."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gnomon.fault_injection import Decision, Draws, Fault
from gnomon.fault_injection import decide as decide_
from gnomon.lattice import Outcome, Ring, Setting, parse_machine
from unit.lattice import small_ring

LATTICE = Ring(parse_machine(small_ring.text(), "ring.json")).nominal


def setting(device: str, value: float = 1.0, property: str = "current") -> Setting:
    return Setting(pv=f"TWIN:{device}:set", device=device, property=property, value=value)


def faults(*requests: dict[str, Any]) -> list[Fault]:
    made = [Fault.from_request(request) for request in requests]
    return [Fault(fault.request, id=number) for number, fault in enumerate(made, 1)]


def decide(requests: list[dict[str, Any]], *settings: Setting, sequence: int = 1) -> Decision:
    """Decide as the injector does, which asks for the faults that match."""
    acting = [f for f in faults(*requests) if any(f.request.matches(s.device, s.property) for s in settings)]  # type: ignore[attr-defined]
    return decide_(acting, sequence, LATTICE, settings, Draws(7))


ABANDON = {"kind": "abandon", "device": "Q*"}
DELAY = {"kind": "delay", "device": "*", "delay_s": 0.5}
NEGATE = {"kind": "modify", "device": "C*", "scale": -1.0}
ADD_ONE = {"kind": "modify", "device": "C*", "offset": 1.0}
REFUSE = {"kind": "refuse", "device": "*P", "message": "local mode"}
ACKNOWLEDGE = {"kind": "acknowledge", "device": "C*"}
SILENT = {"kind": "unacknowledged", "device": "*"}
DUPLICATE = {"kind": "duplicate", "device": "C*", "delay_s": 2.0}
REORDER = {"kind": "reorder", "device": "*", "within_s": 1.0}
PARTIAL = {"kind": "partial_group", "device": "*", "lost": 0.5}


def test_an_abandoned_command_says_by_which_fault() -> None:
    decision = decide([DELAY, ABANDON], setting("QFP"))
    assert decision == Decision(Outcome.ABANDONED, (), fault_ids=(2,), reason="fault 2: abandon Q*")


def test_a_command_is_abandoned_as_a_whole() -> None:
    decision = decide([ABANDON], setting("CP", 0.1), setting("QFP"))
    assert (decision.outcome, decision.settings) == (Outcome.ABANDONED, ())


def test_delays_add_up_and_each_fault_delays_a_command_once() -> None:
    asked = (setting("QFP"), setting("QDP"))
    decision = decide([DELAY, {**DELAY, "delay_s": 0.25}], *asked)
    assert (decision.outcome, decision.settings, decision.delay_s) == (Outcome.DELAYED, asked, 0.75)


def test_modifies_act_in_the_order_of_their_ids() -> None:
    asked = (setting("CP", 3.0), setting("QFP", 3.0))
    assert [s.value for s in decide([NEGATE, ADD_ONE], *asked).settings] == [-2.0, 3.0]
    assert [s.value for s in decide([ADD_ONE, NEGATE], *asked).settings] == [-4.0, 3.0]


@pytest.mark.parametrize(
    ("request_", "value", "done"),
    [
        ({"kind": "modify", "value": 0.0}, 3.0, 0.0),
        ({"kind": "modify", "scale": 2.0, "offset": -1.0}, 3.0, 5.0),
        ({"kind": "polarity"}, 3.0, -3.0),
        ({"kind": "quantise", "step": 0.5}, 3.3, 3.5),
        ({"kind": "clip", "high": 2.0}, 3.0, 2.0),
        ({"kind": "clip", "low": -2.0}, -3.0, -2.0),
        ({"kind": "clip", "low": -2.0, "high": 2.0}, 1.0, 1.0),
    ],
)
def test_each_modifying_kind_changes_the_value_alone(request_: dict[str, Any], value: float, done: float) -> None:
    decision = decide([{"device": "CP"} | request_], setting("CP", value))
    assert decision.settings == (setting("CP", done),)
    assert decision.outcome is (Outcome.APPLIED if done == value else Outcome.MODIFIED)


def test_a_command_both_modified_and_delayed_is_modified_later() -> None:
    decision = decide([NEGATE, DELAY], setting("CP", 3.0))
    assert (decision.outcome, decision.delay_s, decision.fault_ids) == (Outcome.MODIFIED, 0.5, (1, 2))
    assert decision.reason == "fault 1: modify C* to -1 * value; fault 2: delay * by 0.5 s"


def test_a_drawn_delay_stands_in_the_reason_and_lies_in_its_limits() -> None:
    drawn = {"kind": "delay", "device": "*", "distribution": "uniform", "min_s": 1.0, "max_s": 2.0}
    delays = [decide([drawn], setting("CP"), sequence=n).delay_s for n in range(50)]
    assert len(set(delays)) == 50
    assert all(1.0 <= d < 2.0 for d in delays)
    decision = decide([drawn], setting("CP"), sequence=3)
    assert decision.reason == f"fault 1: delay * by 1 to 2 s ({decision.delay_s:.6g} s)"


@pytest.mark.parametrize("distribution", ["exponential", "normal"])
def test_drawn_delays_are_cut_at_their_limits(distribution: str) -> None:
    drawn = {"kind": "delay", "device": "*", "distribution": distribution, "delay_s": 1.0, "min_s": 0.5, "max_s": 2.0}
    drawn |= {"sigma_s": 1.0} if distribution == "normal" else {}
    delays = [decide([drawn], setting("CP"), sequence=n).delay_s for n in range(200)]
    assert 0.5 <= min(delays) < 0.8 < 1.5 < max(delays) <= 2.0


def test_swapped_devices_get_what_the_other_was_set_to() -> None:
    swap = {"kind": "swap", "device": "QFP", "other": "QDP"}
    decision = decide([swap], setting("QFP", 1.0), setting("QDP", 2.0), setting("CP", 3.0))
    assert [(s.pv, s.device, s.value) for s in decision.settings] == [
        ("TWIN:QFP:set", "QDP", 1.0),
        ("TWIN:QDP:set", "QFP", 2.0),
        ("TWIN:CP:set", "CP", 3.0),
    ]
    assert decision.outcome is Outcome.MODIFIED


def test_a_refused_command_does_nothing_else_and_the_client_is_told_the_device_s_reason() -> None:
    decision = decide([ABANDON, DELAY, REFUSE, SILENT], setting("QFP"))
    assert decision == Decision(
        Outcome.REJECTED,
        (),
        fault_ids=(3,),
        reason="fault 3: refuse *P: TWIN:QFP:set: local mode",
        refusal="TWIN:QFP:set: local mode",
    )


def test_an_acknowledged_command_shows_its_readbacks_and_moves_nothing() -> None:
    asked = (setting("CP", 3.0), setting("QFP", 1.0))
    decision = decide([ACKNOWLEDGE, NEGATE], *asked)
    assert (decision.outcome, decision.settings, decision.readbacks) == (Outcome.ABANDONED, (), asked)


def test_an_unacknowledged_command_acts_without_a_reply() -> None:
    decision = decide([SILENT, NEGATE], setting("CP", 3.0))
    assert (decision.outcome, decision.reply, decision.settings) == (Outcome.MODIFIED, False, (setting("CP", -3.0),))
    assert decision.fault_ids == (1, 2)


def test_a_lost_command_can_be_unacknowledged_too() -> None:
    decision = decide([ABANDON, SILENT], setting("QFP"))
    assert (decision.outcome, decision.reply, decision.fault_ids) == (Outcome.ABANDONED, False, (1, 2))


def test_a_duplicate_repeats_what_the_other_faults_left() -> None:
    decision = decide([DUPLICATE, NEGATE], setting("CP", 3.0))
    assert decision.duplicates == ((2.0, "fault 1: duplicate C* after 2 s"),)
    assert decision.settings == (setting("CP", -3.0),)


def test_of_several_reorders_the_first_one_acts() -> None:
    decision = decide([REORDER, {**REORDER, "within_s": 9.0}], setting("CP"))
    assert (decision.hold, decision.delay_s, decision.fault_ids) == ((1, 1), 1.0, (1,))


def test_a_group_that_is_applied_in_part_keeps_the_order_of_what_acts() -> None:
    asked = tuple(setting("CP", float(n), f"p{n}") for n in range(200))
    decision = decide([PARTIAL], *asked)
    assert decision.outcome is Outcome.MODIFIED
    assert 60 < len(decision.settings) < 140
    assert list(decision.settings) == [s for s in asked if s in set(decision.settings)]


def test_a_group_of_which_everything_is_lost_is_abandoned() -> None:
    assert decide([{**PARTIAL, "lost": 1.0}], setting("CP"), setting("QFP")).outcome is Outcome.ABANDONED


def test_some_magnets_of_a_supply_keep_their_strength() -> None:
    decision = decide([{"kind": "partial_supply", "device": "QFP", "magnets": "QF"}], setting("QFP", 30.0))
    assert decision.settings == (setting("QFP", 30.0), Setting("TWIN:QFP:set", "QF", "k1", LATTICE["QF", "k1"]))
    after = LATTICE.updated({(s.device, s.property): s.value for s in decision.settings})
    assert after["QF", "k1"] == pytest.approx(LATTICE["QF", "k1"], rel=1e-12)
    assert after["QFP", "current"] == 30.0


REQUESTS = st.sampled_from(
    [ABANDON, DELAY, NEGATE, ADD_ONE, REFUSE, ACKNOWLEDGE, SILENT, DUPLICATE, REORDER, {**DELAY, "device": "Q*"}]
)
DEVICES = st.sampled_from(["QFP", "QDP", "CP", "OCP"])


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(requests=st.lists(REQUESTS), devices=st.lists(DEVICES, min_size=1, max_size=4, unique=True))
def test_a_command_is_half_applied_by_a_partial_fault_alone(requests: list[dict[str, Any]], devices: list[str]) -> None:
    decision = decide(requests, *(setting(device) for device in devices))
    assert [s.device for s in decision.settings] in ([], devices)
    assert (decision.outcome in (Outcome.ABANDONED, Outcome.REJECTED)) == (not decision.settings)
    assert (not decision.fault_ids) == (decision.reason == "")
    assert bool(decision.refusal) == (decision.outcome is Outcome.REJECTED)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(requests=st.lists(REQUESTS, max_size=5), device=DEVICES)
def test_the_decision_does_not_depend_on_the_order_in_which_faults_are_listed(
    requests: list[dict[str, Any]], device: str
) -> None:
    acting = [f for f in faults(*requests) if f.request.matches(device, "current")]  # type: ignore[attr-defined]
    asked = (setting(device),)
    assert decide_(acting, 1, LATTICE, asked, Draws()) == decide_(reversed(acting), 1, LATTICE, asked, Draws())
