"""Ages and ISO times as points in time."""

import time

import pytest

from gnomon.clients.points_in_time import NotATimeError, parse_moment


@pytest.mark.parametrize(("age", "seconds"), [("90s", 90.0), ("10m", 600.0), ("2h", 7200.0), ("1.5d", 129600.0)])
def test_an_age_counts_back_from_now(age: str, seconds: float) -> None:
    before = time.time()
    assert before - seconds - 1e-3 <= parse_moment(age) / 1e9 <= time.time() - seconds + 1e-3


def test_an_iso_time_with_a_time_zone() -> None:
    assert parse_moment("2026-11-27T12:00:00+01:00") == 1_795_777_200_000_000_000


@pytest.mark.parametrize("text", ["", "soon", "-3s", "3", "nan s", "9999999d", "1700-01-01", "２d"])
def test_another_text_is_refused(text: str) -> None:
    with pytest.raises(NotATimeError):
        parse_moment(text)
