"""Faults act on whole commands, by stated rules, and for as long as they were asked to."""

import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnomon.fault_injection import Decision, Fault, FaultError, Injector, decide
from gnomon.lattice import Outcome, Setting


def setting(device: str, value: float = 100.0, property: str = "current") -> Setting:
    return Setting(pv=f"TWIN:{device}:set", device=device, property=property, value=value)


def injector(*requests: dict[str, Any]) -> Injector:
    made = Injector()
    for request in requests:
        made.add(Fault.from_request(request))
    return made


ABANDON = {"action": "abandon", "device": "Q1P*"}
DELAY = {"action": "delay", "device": "*", "delay_s": 0.5}
NEGATE = {"action": "modify", "device": "H*", "scale": -1.0}
ADD_ONE = {"action": "modify", "device": "H*", "offset": 1.0}


def test_without_a_matching_fault_a_command_is_applied_as_asked() -> None:
    asked = (setting("S1PR"), setting("S2PDR"))
    assert injector(ABANDON, NEGATE).decide(asked) == Decision(Outcome.APPLIED, asked)


def test_an_abandoned_command_says_by_which_fault() -> None:
    decision = injector(DELAY, ABANDON).decide((setting("Q1PDR"),))
    assert decision == Decision(Outcome.ABANDONED, (), fault_ids=(2,), reason="fault 2: abandon Q1P*")


def test_a_command_is_abandoned_as_a_whole() -> None:
    decision = injector(ABANDON).decide((setting("HS4P1D1R", 0.1), setting("Q1PDR")))
    assert (decision.outcome, decision.settings) == (Outcome.ABANDONED, ())


def test_delays_add_up_and_each_fault_delays_a_command_once() -> None:
    asked = (setting("Q2PDR"), setting("Q3PDR"))
    decision = injector(DELAY, {**DELAY, "delay_s": 0.25}).decide(asked)
    assert (decision.outcome, decision.settings, decision.delay_s) == (Outcome.DELAYED, asked, 0.75)


def test_modifies_act_in_the_order_of_their_ids() -> None:
    asked = (setting("HS4P1D1R", 3.0), setting("Q2PDR", 3.0))
    assert [s.value for s in injector(NEGATE, ADD_ONE).decide(asked).settings] == [-2.0, 3.0]
    assert [s.value for s in injector(ADD_ONE, NEGATE).decide(asked).settings] == [-4.0, 3.0]


def test_a_command_both_modified_and_delayed_is_modified_later() -> None:
    decision = injector(NEGATE, DELAY).decide((setting("HS4P1D1R", 3.0),))
    assert (decision.outcome, decision.delay_s, decision.fault_ids) == (Outcome.MODIFIED, 0.5, (1, 2))
    assert decision.reason == "fault 1: modify H* to -1 * value; fault 2: delay * by 0.5 s"


def test_a_modify_keeps_pv_device_and_property() -> None:
    asked = setting("HS4P1D1R", 3.0)
    (done,) = injector(NEGATE).decide((asked,)).settings
    assert (done.pv, done.device, done.property) == (asked.pv, asked.device, asked.property)


def test_a_counted_fault_acts_as_often_as_asked_then_goes() -> None:
    faults = injector({**ABANDON, "count": 2})
    outcomes = []
    for _ in range(3):
        outcomes.append((faults.decide((setting("Q1PDR"),)).outcome, [f.remaining for f in faults.active()]))
    assert outcomes == [(Outcome.ABANDONED, [1]), (Outcome.ABANDONED, []), (Outcome.APPLIED, [])]


def test_a_fault_counts_commands_not_settings() -> None:
    faults = injector({**DELAY, "count": 2})
    faults.decide((setting("Q2PDR"), setting("Q3PDR"), setting("Q4PDR")))
    assert [f.remaining for f in faults.active()] == [1]


def test_a_fault_that_did_not_act_is_not_counted() -> None:
    faults = injector({**DELAY, "count": 1}, {**ABANDON, "count": 1})
    faults.decide((setting("Q1PDR"),))
    assert [(f.id, f.remaining) for f in faults.active()] == [(1, 1)]
    faults.decide((setting("S1PR"),))
    assert faults.active() == ()


def test_faults_are_cleared_one_by_one_or_all_and_ids_are_never_given_twice() -> None:
    faults = injector(ABANDON, DELAY, NEGATE)
    assert [f.id for f in faults.clear(2)] == [2]
    assert [f.id for f in faults.active()] == [1, 3]
    assert [f.id for f in faults.clear()] == [1, 3]
    assert faults.active() == faults.clear() == ()
    assert faults.add(Fault.from_request(ABANDON)) == 4


def test_clearing_what_is_not_active_says_what_is() -> None:
    faults = injector(ABANDON, DELAY)
    with pytest.raises(FaultError, match="no fault 7 is active; active faults: 1, 2"):
        faults.clear(7)
    assert len(faults.active()) == 2


def test_a_count_is_exact_when_commands_come_from_many_threads() -> None:
    faults, abandoned = injector({**ABANDON, "count": 500}), []

    def run() -> None:
        for _ in range(400):
            abandoned.append(faults.decide((setting("Q1PDR"),)).outcome is Outcome.ABANDONED)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(abandoned), sum(abandoned), faults.active()) == (1600, 500, ())


REQUESTS = st.sampled_from([ABANDON, DELAY, NEGATE, ADD_ONE, {**DELAY, "device": "Q*"}, {**NEGATE, "count": 1}])
DEVICES = st.sampled_from(["Q1PDR", "Q2PDR", "HS4P1D1R", "S1PR"])


@given(requests=st.lists(REQUESTS), devices=st.lists(DEVICES, min_size=1, max_size=4, unique=True))
def test_a_command_is_never_half_applied(requests: list[dict[str, Any]], devices: list[str]) -> None:
    faults, asked = injector(*requests), tuple(setting(device) for device in devices)
    decision = faults.decide(asked)
    assert [s.device for s in decision.settings] in ([], devices)
    assert (decision.outcome is Outcome.ABANDONED) == (not decision.settings)
    assert (decision.outcome is Outcome.APPLIED) == (not decision.fault_ids) == (decision.reason == "")


@given(requests=st.lists(REQUESTS, max_size=5), device=DEVICES)
def test_the_decision_does_not_depend_on_the_order_in_which_faults_are_listed(
    requests: list[dict[str, Any]], device: str
) -> None:
    active = injector(*requests).active()
    assert decide(active, (setting(device),)) == decide(reversed(active), (setting(device),))
