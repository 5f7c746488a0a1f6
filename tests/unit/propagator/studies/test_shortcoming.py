"""A match that cannot be made says what the supplies lack."""

import numpy as np
import pytest

from gnomon.lattice import Ring
from gnomon.propagator.studies import Target, chosen_supplies, match
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
def test_what_supplies_lack_is_told(slopes: list[list[float]], reason: str) -> None:
    assert reason in shortcoming(TUNES, np.array(slopes))


@pytest.mark.parametrize("slopes", [[[1.0, -0.5], [-0.5, 1.0]], [[1.0, 0.5], [0.5, -1.0]]])
def test_supplies_of_both_kinds_lack_nothing(slopes: list[list[float]]) -> None:
    assert shortcoming(TUNES, np.array(slopes)) == ""


def test_quadrupoles_of_one_sign_are_told_to_be_of_one_kind(mls: Ring) -> None:
    lattice, target = mls.nominal, Target(tunes=(0.05, 0.05))
    found = match(lattice, target, chosen_supplies(lattice, ["Q3P1*"], target), lambda *_: None)
    assert not found.reached
    assert "one kind" in found.reason or "independently" in found.reason
    both = match(
        lattice, Target(tunes=(0.005, 0.005)), chosen_supplies(lattice, ["Q1*", "Q3*"], target), lambda *_: None
    )
    assert (both.reached, both.reason) == (True, "")
