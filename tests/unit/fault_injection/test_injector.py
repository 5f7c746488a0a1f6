"""The injector knows which faults act, how often they have acted, and when they end."""

import threading
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gnomon.fault_injection import Decision, Fault, FaultError, Injector, Phase
from gnomon.lattice import Outcome, Ring, Setting, parse_machine
from unit.lattice import small_ring

LATTICE = Ring(parse_machine(small_ring.text(), "ring.json")).nominal


class Clock:
    """A steady clock that a test sets."""

    def __init__(self) -> None:
        self.s = 100.0

    def __call__(self) -> float:
        return self.s


def setting(device: str, value: float = 1.0, property: str = "current") -> Setting:
    return Setting(pv=f"TWIN:{device}:set", device=device, property=property, value=value)


def injector(*requests: dict[str, Any], **options: Any) -> Injector:
    made = Injector(**options)
    for request in requests:
        made.add(Fault.from_request(request))
    return made


def decide(faults: Injector, *settings: Setting, sequence: int = 1) -> Decision:
    return faults.decide(sequence, LATTICE, settings)


ABANDON = {"kind": "abandon", "device": "CP"}
DELAY = {"kind": "delay", "device": "*", "delay_s": 0.5}
NEGATE = {"kind": "modify", "device": "H*", "scale": -1.0}


def test_without_a_matching_fault_a_command_is_applied_as_asked() -> None:
    asked = (setting("QFP"), setting("QDP"))
    assert decide(injector(ABANDON, NEGATE), *asked) == Decision(Outcome.APPLIED, asked)


def test_a_counted_fault_acts_as_often_as_asked_then_goes() -> None:
    faults = injector({**ABANDON, "count": 2})
    outcomes = []
    for _ in range(3):
        outcomes.append((decide(faults, setting("CP")).outcome, [f.remaining for f in faults.active()]))
    assert outcomes == [(Outcome.ABANDONED, [1]), (Outcome.ABANDONED, []), (Outcome.APPLIED, [])]


def test_a_fault_counts_commands_not_settings() -> None:
    faults = injector({**DELAY, "count": 2})
    decide(faults, setting("CP"), setting("QFP"), setting("QDP"))
    assert [f.remaining for f in faults.active()] == [1]


def test_a_fault_that_did_not_act_is_not_counted() -> None:
    faults = injector({**DELAY, "count": 1}, {**ABANDON, "count": 1})
    decide(faults, setting("CP"))
    assert [(f.id, f.remaining) for f in faults.active()] == [(1, 1)]
    decide(faults, setting("QFP"))
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


def test_a_fault_added_after_a_command_acts_on_the_next_one() -> None:
    faults = injector(DELAY)
    assert decide(faults, setting("CP")).outcome is Outcome.DELAYED
    faults.add(Fault.from_request(ABANDON))
    assert decide(faults, setting("CP")).outcome is Outcome.ABANDONED
    faults.clear()
    assert decide(faults, setting("CP")).outcome is Outcome.APPLIED


def test_a_fault_acts_in_its_time_alone_and_then_leaves_the_list() -> None:
    clock = Clock()
    faults = injector({**ABANDON, "after_s": 5, "for_s": 10}, clock_s=clock)
    seen = []
    for now_s in (104.0, 105.0, 114.0, 116.0):
        clock.s = now_s
        seen.append((decide(faults, setting("CP")).outcome, [f.phase for f in faults.active()]))
    assert seen == [
        (Outcome.APPLIED, [Phase.WAITING]),
        (Outcome.ABANDONED, [Phase.ACTIVE]),
        (Outcome.ABANDONED, [Phase.ACTIVE]),
        (Outcome.APPLIED, []),
    ]


def test_a_fault_lets_as_many_of_its_commands_pass_as_it_was_told() -> None:
    faults = injector({**ABANDON, "after_commands": 2})
    outcomes = [decide(faults, setting(name)).outcome for name in ("CP", "QFP", "CP", "CP")]
    assert outcomes == [Outcome.APPLIED, Outcome.APPLIED, Outcome.APPLIED, Outcome.ABANDONED]


def test_a_fault_acts_while_its_condition_holds() -> None:
    values = {"cur": 200.0}
    faults = injector({**ABANDON, "condition": "cur < 100"}, value_of=values.get)
    assert decide(faults, setting("CP")).outcome is Outcome.APPLIED
    values["cur"] = 50.0
    assert decide(faults, setting("CP")).outcome is Outcome.ABANDONED


def test_a_fault_acts_with_its_probability_and_the_same_seed_acts_on_the_same_commands() -> None:
    def lost(seed: int) -> list[int]:
        faults = injector({**ABANDON, "probability": 0.3}, seed=seed)
        return [n for n in range(1000) if decide(faults, setting("CP"), sequence=n).outcome is Outcome.ABANDONED]

    assert 240 < len(lost(1)) < 360  # 4 standard deviations
    assert lost(1) == lost(1)
    assert lost(1) != lost(2)


def test_a_suspended_injector_neither_acts_nor_takes_faults() -> None:
    faults = injector(ABANDON)
    faults.suspended = "this shadow follows"
    assert decide(faults, setting("CP")).outcome is Outcome.APPLIED
    with pytest.raises(FaultError, match="no fault can be added: this shadow follows"):
        faults.add(Fault.from_request(ABANDON))
    assert len(faults.clear()) == 1


def test_reordered_commands_are_released_by_the_next_one_that_matches() -> None:
    faults = injector({"kind": "reorder", "device": "CP", "depth": 2, "within_s": 3.0})
    held = decide(faults, setting("CP"))
    assert (held.outcome, held.delay_s, held.hold) == (Outcome.DELAYED, 3.0, (1, 2))
    others = [decide(faults, setting(name)) for name in ("QFP", "CP", "CP", "CP")]
    assert [d.releases for d in others] == [(), (), (1,), ()]
    assert [d.hold is None for d in others] == [True, True, True, False]


def test_a_reorder_whose_time_is_over_holds_the_next_command() -> None:
    faults = injector({"kind": "reorder", "device": "CP", "count": 2})
    assert decide(faults, setting("CP")).hold is not None
    faults.released(1)
    assert decide(faults, setting("CP")).hold is not None
    faults.released(1)
    assert faults.active() == ()


def test_a_count_is_exact_when_commands_come_from_many_threads() -> None:
    faults, abandoned = injector({**ABANDON, "count": 500}), []

    def run() -> None:
        for _ in range(400):
            abandoned.append(decide(faults, setting("CP")).outcome is Outcome.ABANDONED)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(abandoned), sum(abandoned), faults.active()) == (1600, 500, ())


REQUESTS = st.sampled_from([
    ABANDON, DELAY, NEGATE,
    {"kind": "duplicate", "device": "CP", "probability": 0.5},
    {"kind": "reorder", "device": "Q*"},
    {"kind": "partial_group", "device": "*", "count": 3},
    {"kind": "refuse", "device": "QFP", "probability": 0.2},
    {"kind": "delay", "device": "Q*", "distribution": "normal", "delay_s": 1.0, "sigma_s": 1.0},
])  # fmt: skip
COMMANDS = st.lists(st.lists(st.sampled_from(["CP", "QFP", "QDP"]), min_size=1, max_size=3, unique=True), max_size=12)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(requests=st.lists(REQUESTS, max_size=5), commands=COMMANDS)
def test_the_same_seed_decides_the_same_bit_for_bit(requests: list[dict[str, Any]], commands: list[list[str]]) -> None:
    def decided() -> list[Decision]:
        faults = injector(*requests, seed=3)
        return [decide(faults, *map(setting, names), sequence=n) for n, names in enumerate(commands)]

    assert decided() == decided()


def test_a_lasting_fault_stays_while_something_is_under_way_and_then_goes() -> None:
    faults = injector({"kind": "model_hung", "count": 1})
    assert [active.fault.id for active in faults.acting("gnomon", 1)] == [1]
    assert faults.lasts(1)
    assert [f.remaining for f in faults.active()] == [0]
    assert faults.acting("gnomon", 2) == ()
    faults.finished(1)
    assert faults.active() == ()
    assert not faults.lasts(1)
    faults.finished(1)  # it may have been cleared meanwhile


@pytest.mark.parametrize("end", ["cleared", "its time is over", "suspended"])
def test_the_effect_of_a_lasting_fault_ends_with_it(end: str) -> None:
    clock = Clock()
    faults = injector({"kind": "model_hung", "for_s": 5}, clock_s=clock)
    assert len(faults.acting("gnomon", 1)) == 1
    assert faults.lasts(1)
    match end:
        case "cleared":
            faults.clear()
        case "suspended":
            faults.suspended = "a machine is followed"
        case _:
            clock.s += 5.0
    assert not faults.lasts(1)


def test_a_fault_that_waits_does_not_act_before_it_begins() -> None:
    faults = Injector()
    number = faults.add(Fault.from_request({"kind": "journal_full", "count": 1}), waits=True)
    assert (faults.acting("gnomon", 1), [f.id for f in faults.active()]) == ((), [1])
    faults.begin(number)
    assert [active.fault.id for active in faults.acting("gnomon", 2)] == [1]
    faults.begin(number)  # it has gone
