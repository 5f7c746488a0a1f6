"""Faults of gnomon itself: what a request of each kind may say, and how it is shown."""

from typing import Any

import pytest

from gnomon.fault_injection import Fault, FaultError, ModelSlow
from gnomon.fault_injection.kinds import gnomon_itself

EXAMPLES: list[tuple[dict[str, Any], str]] = [
    ({"kind": "model_slow", "delay_s": "0.5"}, "model_slow by 0.5 s"),
    ({"kind": "model_slow", "factor": 10, "count": 3}, "model_slow by a factor 10"),
    ({"kind": "model_hung", "for_s": 5}, "model_hung, for 5 s"),
    ({"kind": "model_crashed", "probability": 0.1}, "model_crashed, with probability 0.1"),
    ({"kind": "journal_full", "after_commands": 2}, "journal_full, after 2 commands"),
    ({"kind": "store_unreachable"}, "store_unreachable"),
]


@pytest.mark.parametrize(("keys", "text"), EXAMPLES)
def test_each_kind_says_what_it_does_in_a_line(keys: dict[str, Any], text: str) -> None:
    fault = Fault.from_request(keys)
    assert (fault.describe(), fault.request.group) == (f"fault 0: {text}", "gnomon")


def test_there_is_an_example_of_each_kind() -> None:
    assert {keys["kind"] for keys, _ in EXAMPLES} == {m.model_fields["kind"].default for m in gnomon_itself.KINDS}


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"kind": "model_slow"}, "give delay_s or factor: how slow the model is"),
        ({"kind": "model_slow", "delay_s": 1, "factor": 2}, "give delay_s or factor"),
        ({"kind": "model_slow", "factor": 1}, "factor: .*greater than 1, not 1"),
        ({"kind": "model_slow", "delay_s": -1}, "delay_s: .*greater than 0, not -1"),
        ({"kind": "model_hung", "device": "*"}, "device: unknown key"),
        ({"kind": "model_crashed", "message": "a\nb"}, "message: without control characters"),
        ({"kind": "journal_ful"}, r"kind: 'journal_ful' is not a kind; near names: journal_full"),
    ],
)
def test_an_invalid_fault_is_refused_with_the_reason(keys: dict[str, Any], reason: str) -> None:
    with pytest.raises(FaultError, match=rf"^invalid fault: {reason}"):
        Fault.from_request(keys)


@pytest.mark.parametrize(
    ("keys", "longer_s"),
    [({"delay_s": 0.5}, 0.5), ({"factor": 10}, 0.09), ({"factor": 1e6}, 1e4 * (1 - 1e-6)), ({"delay_s": 3600}, 3600)],
)
def test_a_computation_takes_longer_by_a_time_or_a_factor(keys: dict[str, Any], longer_s: float) -> None:
    assert ModelSlow(**keys).longer_s(0.01) == pytest.approx(min(longer_s, 3600.0))
