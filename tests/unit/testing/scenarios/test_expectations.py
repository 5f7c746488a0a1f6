"""Expectations: each is decided from what was seen, and says what was found."""

import math

import pytest

from gnomon.clients.reading import Reading
from gnomon.lattice import Client, Outcome
from gnomon.recorder import Entry
from gnomon.recorder.entries import StoredChange, StoredOutcome
from gnomon.testing.scenarios.expectations import OWN_NOTE, judge_application, judge_journal, judge_pv
from gnomon.testing.scenarios.steps import ExpectApplication, ExpectJournal, ExpectPv


def reading(value: float | str, severity: int = 0, **more: object) -> Reading:
    return Reading("T:a", value, unit="A", severity=severity, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("asked", "seen", "holds"),
    [
        ({"value": 1}, reading(1.0), True),
        ({"value": 1}, reading(1.1), False),
        ({"value": 1, "tolerance": 0.2}, reading(1.1), True),
        ({"value": "on"}, reading("on", index=1, states=("off", "on")), True),
        ({"value": 1}, reading("on", index=1, states=("off", "on")), True),
        ({"value": "off"}, reading("on", index=1), False),
        ({"value": 1}, reading("text"), False),
        ({"above": 1}, reading(1.5), True),
        ({"above": 1}, reading(1.0), False),
        ({"below": 1}, reading(0.5), True),
        ({"above": 0, "below": 1}, reading(math.nan), False),
        ({"severity": "INVALID"}, reading(1.0, 3), True),
        ({"severity": "NO_ALARM", "value": 1}, reading(1.0, 1), False),
        ({"unchanged": True}, reading(2.0), True),
        ({"unchanged": True}, reading(2.1), False),
        ({"unchanged": True, "tolerance": 0.2}, reading(2.1), True),
        ({"value": 1}, None, False),
    ],
)
def test_a_reading_is_compared_with_all_that_is_expected(
    asked: dict[str, object], seen: Reading | None, holds: bool
) -> None:
    judged = judge_pv(ExpectPv.model_validate({"pv": "a", **asked}), seen, reading(2.0))
    assert judged.holds is holds
    assert judged.found.startswith("a is " if seen is not None else "no server answered")


def entry(
    number: int,
    pv: str = "T:HS1:set",
    *,
    old: float = 0.0,
    new: float | None = 1.0,
    seconds: float = 0.0,
    outcome: Outcome = Outcome.APPLIED,
    note: str = "",
    protocol: str = "ca",
    user: str = "op",
) -> Entry:
    device = pv.removeprefix("T:").removesuffix(":set")
    change = StoredChange(pv, device, "current", "A", old, new, new, "current", old, new)
    return Entry(
        number, 1, 0, int(seconds * 1e9), Client(user, "desk", protocol), note, "", (change,),
        (StoredOutcome(number, outcome, 0, "", "", (change,)),),
    )  # fmt: skip


ENTRIES = [
    entry(1, seconds=0.0),
    entry(2, "T:HS2:set", old=1.0, new=-2.0, seconds=0.5),
    entry(3, "T:Q1:set", seconds=1.2, outcome=Outcome.REJECTED, new=None, user="eve"),
    entry(4, "T:HS1:set", seconds=5.0, note=f"{OWN_NOTE}x"),
    entry(5, "T:HS1:set", seconds=5.0, protocol="fault"),
]


@pytest.mark.parametrize(
    ("asked", "holds"),
    [
        ({"count": 3}, True),
        ({"count": 2}, False),
        ({"commands": "HS*", "count": 2}, True),
        ({"commands": "T:HS1:set", "count": 1}, True),
        ({"commands": "HS1:set", "count": 1}, True),
        ({"commands": "VS*", "count": 0}, True),
        ({"client": "eve@*", "count": 1}, True),
        ({"client": "nobody@*", "at_least": 1}, False),
        ({"outcome": "rejected", "count": 1}, True),
        ({"at_least": 3, "at_most": 3}, True),
        ({"at_most": 2}, False),
        ({"max_step": 3}, True),
        ({"max_step": 2.9}, False),
        ({"max_per_s": 2}, True),
        ({"max_per_s": 1}, False),
        ({"order": ["HS1", "Q1"]}, True),
        ({"order": ["Q1", "HS1"]}, False),
        ({"order": ["HS*", "HS*", "HS*"]}, False),
    ],
)
def test_commands_of_others_are_counted_measured_and_ordered(asked: dict[str, object], holds: bool) -> None:
    judged = judge_journal(ExpectJournal.model_validate(asked), ENTRIES)
    assert judged.holds is holds, judged.found


def test_the_finding_names_the_largest_step_and_the_last_command() -> None:
    judged = judge_journal(ExpectJournal(max_step=1.0), ENTRIES)
    assert judged.found == "3 commands, the largest step 3 (T:HS2:set); the last is 3, to 'T:Q1:set'"
    assert judge_journal(ExpectJournal(count=1), []).found == "no commands"
    assert "Q1 did not come" not in judge_journal(ExpectJournal(order=("HS1", "Q1")), ENTRIES).found


@pytest.mark.parametrize(
    ("asked", "code", "holds"),
    [
        ({"exit_code": 0}, 0, True),
        ({"exit_code": 0}, 1, False),
        ({"fails": True}, 1, True),
        ({"fails": True}, 0, False),
        ({"fails": True}, None, False),
        ({"printed": "HS1.*polarity"}, 0, True),
        ({"printed": "hs1"}, 0, True),
        ({"printed": "HS2"}, 0, False),
        ({"not_printed": "traceback"}, 0, True),
        ({"not_printed": "polarity"}, 0, False),
        ({"running": True}, None, True),
        ({"running": True}, 0, False),
        ({"running": False}, 0, True),
        ({"took_less_than_s": 2}, 0, True),
        ({"took_less_than_s": 1}, 0, False),
    ],
)
def test_an_application_is_judged_by_its_end_and_its_output(
    asked: dict[str, object], code: int | None, holds: bool
) -> None:
    judged = judge_application(ExpectApplication.model_validate(asked), code, "HS1 has wrong polarity\n", 1.5)
    assert judged.holds is holds
    assert "its last line is 'HS1 has wrong polarity'" in judged.found
