"""Comparisons show what the propagator says of both lattices; parts of the ring and cells are found by name."""

import numpy as np
import pytest

from gnomon.db import shipped_machine
from gnomon.lattice import Ring
from gnomon.propagator import Propagator
from gnomon.propagator.studies import StudyError, Version, cells_of, study_comparison, window_of


def test_changes_are_those_between_two_beams(mls: Ring) -> None:
    steerer = next(m.supply for m in mls.magnets if m.main == "kick")
    second = mls.nominal.updated({(steerer, "current"): 0.2, ("Q1P1K1RP", "current"): 53.0})
    result = study_comparison(Version(mls.nominal, "optics nominal"), Version(second, "snapshot x"))
    a, b = Propagator(mls)(mls.nominal), Propagator(mls)(second)
    monitors = list(mls.monitors)
    data = {name: quantity.data for name, quantity in result.quantities.items()}
    assert np.allclose(data["tune"], [a.tune, b.tune], rtol=0.0, atol=1e-12)
    assert np.allclose(data["orbit change"], (b.orbit - a.orbit)[monitors][:, ::2], rtol=0.0, atol=1e-15)
    assert np.allclose(data["beta beating"], (b.beta / a.beta - 1.0)[monitors], rtol=0.0, atol=1e-12)
    assert set(result.names["setting"]) == {f"{steerer} current", "Q1P1K1RP current"}
    assert len(data["point s"]) == len(data["point beta beating"]) > 2 * len(mls.elements)
    assert result.facts["settings"] == "from optics nominal to snapshot x"


def test_the_same_document_built_twice_can_be_compared(mls: Ring) -> None:
    again = shipped_machine("mls")
    result = study_comparison(Version(mls.nominal, "a"), Version(again.optics["low_alpha"], "b"))
    assert "ring optics" in result.names["setting"]
    nothing = study_comparison(Version(mls.nominal, "a"), Version(again.nominal, "b"))
    assert nothing.names["setting"] == ()
    assert np.abs(nothing.quantities["point beta beating"].data).max() < 1e-12


def test_displaced_magnets_are_compared_at_the_ends_of_elements(mls: Ring) -> None:
    second = mls.nominal.updated({("Q1M1L2RP", "dx"): 1e-4})
    result = study_comparison(Version(mls.nominal, "a"), Version(second, "b"))
    assert np.array_equal(result.quantities["point s"].data, mls.s)


def test_different_rings_and_lattices_without_a_beam_are_refused(mls: Ring, bessy2: Ring) -> None:
    with pytest.raises(StudyError, match="different elements"):
        study_comparison(Version(mls.nominal, "a"), Version(bessy2.nominal, "b"))
    with pytest.raises(StudyError, match=r"stable beam|closed orbit"):
        study_comparison(Version(mls.nominal, "a"), Version(mls.nominal.updated({("Q2P1L2RP", "current"): 0.0}), "b"))


def test_cells_repeat_around_the_ring_though_one_was_rebuilt(mls: Ring, bessy2: Ring) -> None:
    assert (cells_of(bessy2), cells_of(mls)) == (16, 2)
    assert window_of(bessy2, None, None, 2) == pytest.approx((bessy2.circumference / 16, bessy2.circumference / 8))


def test_a_window_is_between_positions_and_elements(mls: Ring) -> None:
    name = mls.elements[50].name
    assert window_of(mls, "1.5", name, None) == (1.5, mls.s[51])
    assert window_of(mls, None, "20", None) == (None, 20.0)


@pytest.mark.parametrize(
    ("first", "last", "cell", "words"),
    [
        ("Q1M1L2R", None, None, "near names: Q1M1L2RP"),
        ("99", None, None, "outside the ring"),
        ("9", "3", None, "nothing is between"),
        ("1", None, 1, "exclude each other"),
        (None, None, 3, "has 2 cells"),
    ],
)
def test_a_window_that_is_not_there_is_refused(
    mls: Ring, first: str | None, last: str | None, cell: int | None, words: str
) -> None:
    with pytest.raises(StudyError, match=words):
        window_of(mls, first, last, cell)
