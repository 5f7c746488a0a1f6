"""A match that cannot be made says what the supplies lack."""

import numpy as np
import pytest

from gnomon.lattice import Ring
from gnomon.propagator.studies import Target, match
from gnomon.propagator.studies.shortcoming import shortcoming

TUNES = ("tune x", "tune y")


@pytest.mark.parametrize(
    ("slopes", "reason"),
    [
        ([[1.0, 2.0], [0.0, 0.0]], "none of these supplies changes tune y"),
        ([[1.0], [-0.5]], "only 1 of the 2 conditions"),
        ([[1.0, 2.0], [-0.5, -1.0]], "only 1 of the 2 conditions"),
        ([[1.0, 2.0], [-0.5, -0.6]], "one kind: each moves tune x and tune y in opposite directions"),
        ([[0.5, 1.0], [1.0, 1.7]], "one kind: each moves tune x and tune y in the same direction"),
    ],
)
def test_the_condition_that_supplies_cannot_meet_is_told(slopes: list[list[float]], reason: str) -> None:
    assert reason in shortcoming(TUNES, np.array(slopes))


@pytest.mark.parametrize("slopes", [[[1.0, -0.5], [-0.5, 1.0]], [[1.0, 0.5], [0.5, -1.0]]])
def test_supplies_of_both_kinds_lack_nothing(slopes: list[list[float]]) -> None:
    assert shortcoming(TUNES, np.array(slopes)) == ""


@pytest.mark.parametrize(
    ("supplies", "reason"),
    [
        (("Q1P1K1RP", "Q1P2K1RP"), "only 1 of the 2 conditions"),
        (("Q1P1K1RP", "Q1P1L2RP"), "one kind: each moves tune x and tune y in opposite directions"),
    ],
)
def test_quadrupoles_that_cannot_move_both_tunes_are_told_why(
    mls: Ring, supplies: tuple[str, ...], reason: str
) -> None:
    found = match(mls.nominal, Target(tunes=(0.1, 0.1)), supplies, lambda *_: None)
    assert not found.reached
    assert reason in found.reason
    both = match(mls.nominal, Target(tunes=(0.002, 0.002)), ("Q2P1K1RP", "Q3P1K1RP"), lambda *_: None)
    assert (both.reached, both.reason) == (True, "")
