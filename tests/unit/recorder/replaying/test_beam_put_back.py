"""The beam must be back with the settings, within the band of the step; the rate holds on the way back, too."""

from dataclasses import replace

import numpy as np
import pytest

from gnomon.recorder.bounds import Reading
from gnomon.recorder.recorder_errors import FrozenError, MissedError
from gnomon.recorder.replaying.beam_put_back import BeamPutBack
from unit.recorder.fake_machine import FakeClock, step

BEFORE = Reading(np.array([[0.1, 0.2], [0.0, np.nan]]), np.array([0.2, 0.3]), 0, 100.0, 5.0)
HALF = np.array([0.01, 0.01, 0.01, np.inf, 1e-4, 1e-4])
ONE = step("A", 10.0, 15.0)


class Meter:
    def __init__(self, now: Reading | None) -> None:
        self.now = now

    def measure(self, settle_s: float = 0.0) -> Reading:
        self.waited_s = settle_s
        if self.now is None:
            raise MissedError("there is no beam")
        return self.now


def check(now: Reading | None) -> BeamPutBack:
    made = BeamPutBack(Meter(now), lambda pv: 2.0, 1.5, FakeClock(), lambda pv: 0.5)  # type: ignore[arg-type]
    made.remember(ONE, BEFORE, HALF)
    return made


def moved(x_mm: float = 0.0, tune: float = 0.0) -> Reading:
    return replace(BEFORE, orbit=BEFORE.orbit + np.array([[x_mm, 0.0], [0.0, 0.0]]), tune=BEFORE.tune + tune)


@pytest.mark.parametrize("now", [moved(0.0149), moved(-0.0149), moved(tune=1.4e-4)])
def test_a_beam_within_the_stop_band_is_back(now: Reading) -> None:
    made = check(now)
    made.put_back((ONE,))
    assert not made.remarks
    assert made.meter.waited_s == 0.5, "until the supply had settled"  # type: ignore[attr-defined]


@pytest.mark.parametrize("now", [moved(0.0151), moved(-0.0151), moved(tune=-1.6e-4)])
def test_a_beam_beyond_it_freezes(now: Reading) -> None:
    with pytest.raises(FrozenError, match="A:set is back at 10 A, but the beam is not where it was before"):
        check(now).put_back((ONE,))


def test_bands_with_more_observables_than_a_reading_and_bands_of_an_earlier_process_go_together() -> None:
    made = check(moved(0.0149))
    other = step("B", 1.0, 2.0)
    made.remember(other, BEFORE, np.concatenate((HALF, np.full(9, 0.5))))
    made.put_back((other,))
    made.put_back((ONE,))
    assert not made.remarks


def test_without_a_beam_or_a_measurement_before_it_is_said_that_nobody_looked() -> None:
    made = check(None)
    made.put_back((ONE,))
    made.put_back((step("B", 1.0, 2.0),))
    assert ["no beam" in made.remarks[0], "nothing was measured before" in made.remarks[1]] == [True, True]


def test_a_pv_keeps_its_rate() -> None:
    made = check(BEFORE)
    made.pace(ONE)
    assert made.clock.monotonic() == 0.0
    made.pace(ONE)
    assert made.clock.monotonic() == pytest.approx(2.5)


def test_nothing_is_compared_while_an_earlier_step_is_back_and_a_later_one_is_not() -> None:
    made = check(moved(5.0))
    later = step("B", 1.0, 2.0)
    made.remember(later, moved(1.0), HALF)
    made.put_back((ONE,))
    made.meter.now = BEFORE  # type: ignore[attr-defined]
    made.put_back((later,))
    assert not made.remarks


def test_a_single_reading_that_has_missed_is_not_believed_and_many_are() -> None:
    many = replace(BEFORE, orbit=np.zeros((30, 2)))
    gone = replace(many, orbit=many.orbit + np.where(np.arange(60).reshape(30, 2) == 7, 1.0, 0.0))
    for missed, believed in ((1, False), (30, True)):
        made = BeamPutBack(Meter(gone), lambda pv: 2.0, 1.5, FakeClock(), lambda pv: 0.5)  # type: ignore[arg-type]
        made.remember(ONE, many, np.full(70, 0.01))  # a band has more than a reading
        wrong = np.zeros(62, dtype=bool)
        wrong[[33, *range(missed - 1)]] = True  # y of the fourth monitor
        made.doubt(wrong)
        if believed:
            with pytest.raises(FrozenError):
                made.put_back((ONE,))
        else:
            made.put_back((ONE,))
