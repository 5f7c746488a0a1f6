"""A search that starts from what the last one found ends where one from nothing does."""

from collections.abc import Mapping

import numpy as np
import pytest

from gnomon.db import shipped_machine
from gnomon.propagator.six import SixD
from gnomon.propagator.six import six_kernels as kernels
from unit.propagator.errors import with_errors

RING = shipped_machine("bessy2")
CORRECTOR = next(m.name for m in RING.magnets if m.main == "kick")
FREQUENCY = RING.nominal["rf", "frequency"]
CHANGES = {
    "quadrupole": {("Q1M1D1R", "k1"): 1.0001 * with_errors(RING.nominal)["Q1M1D1R", "k1"]},
    "corrector": {(CORRECTOR, "kick"): 2e-5},
    "supply of many": {("Q1PDR", "current"): 1.0005 * RING.nominal["Q1PDR", "current"]},
    "frequency": {("rf", "frequency"): FREQUENCY * (1.0 + 1e-6)},
}


@pytest.mark.parametrize("radiation", [False, True])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_neighbour_is_found_as_from_nothing(change: Mapping[tuple[str, str], float], radiation: bool) -> None:
    before = with_errors(RING.nominal)
    after = before.updated(change)
    six = SixD(RING)
    assert six(before, radiation).found
    warm, cold = six(after, radiation), SixD(RING)(after, radiation)
    assert warm.found
    assert np.abs(warm.orbit - cold.orbit).max() < 1e-12
    assert np.abs(warm.tunes - cold.tunes).max() < 1e-10
    assert np.abs(warm.beta / cold.beta - 1.0).max() < 1e-8


def test_the_other_kind_of_beam_in_between_does_no_harm() -> None:
    before = with_errors(RING.nominal)
    middle, after = before.updated(CHANGES["corrector"]), before.updated(CHANGES["quadrupole"])
    six = SixD(RING)
    six(before)
    six(middle, radiation=True)
    assert np.abs(six(after).orbit - SixD(RING)(after).orbit).max() < 1e-12


def test_a_neighbour_by_one_quadrupole_takes_one_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[float] = []
    search = kernels.search

    def counted(*args: object) -> int:
        status: int = search(*args)  # type: ignore[arg-type]
        steps.append(args[-1][0])  # type: ignore[index]
        return status

    six, before = SixD(RING), with_errors(RING.nominal)
    six(before)
    monkeypatch.setattr(kernels, "search", counted)
    six(before.updated({("Q1M1D1R", "k1"): before["Q1M1D1R", "k1"] * (1.0 + 1e-5)}))
    assert steps == [1.0]
