"""A fault acts in its window, while its condition holds."""

import pytest

from gnomon.fault_injection import Fault, FaultError
from gnomon.fault_injection.conditions import parse_condition
from gnomon.fault_injection.when import Window


def window(now_s: float = 100.0, wall_ns: int = 0, commands: int = 0, **keys: object) -> Window:
    request = Fault.from_request({"kind": "abandon", "device": "*"} | keys).request
    return Window.of(request, now_s, wall_ns, commands)


def test_without_timings_a_fault_acts_at_once_and_for_good() -> None:
    always = window()
    assert always.begun(100.0, 0)
    assert not always.over(1e9)


def test_a_fault_begins_after_a_time_and_ends_after_its_own() -> None:
    later = window(after_s=5, for_s=10)
    assert [later.begun(t, 0) for t in (104.9, 105.0)] == [False, True]
    assert [later.over(t) for t in (114.9, 115.0)] == [False, True]


def test_a_fault_begins_at_a_time_of_day() -> None:
    at = window(at="1970-01-01T00:01:00+00:00", wall_ns=50_000_000_000)
    assert [at.begun(t, 0) for t in (109.9, 110.0)] == [False, True]


def test_a_time_that_has_passed_is_refused() -> None:
    with pytest.raises(FaultError, match=r"at: 1970-01-01T00:01:00Z has passed 40 s ago"):
        window(at="1970-01-01T00:01:00Z", wall_ns=100_000_000_000)


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00", "soon"])
def test_a_time_that_no_clock_shows_is_refused(at: str) -> None:
    with pytest.raises(FaultError, match=f"at: it must be a time like .*, not '{at}'"):
        window(at=at)


def test_a_fault_that_waits_for_commands_lasts_from_their_last() -> None:
    counted = window(after_commands=2, for_s=10, commands=5)
    assert [counted.begun(101.0, 6), counted.over(200.0)] == [False, False]
    assert counted.begun(150.0, 7)
    assert [counted.over(t) for t in (159.9, 160.0)] == [False, True]


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("cur < 100", True),
        ("cur<100", True),
        ("cur > 99 and queue >= 2", False),
        ("cur == 99 and queue != 2", True),
        ("T:cur <= 99", True),
        ("invalid < 100", False),
        ("invalid != 100", False),
        ("and:y == 1", True),
    ],
)
def test_conditions_compare_pvs_with_numbers(text: str, holds: bool) -> None:
    values = {"cur": 99.0, "T:cur": 99.0, "queue": 1.0, "and:y": 1.0}
    assert parse_condition(text).holds(values.get) is holds
