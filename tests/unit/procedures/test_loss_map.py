"""The map finds the resonances that lose beam, and no others; of those that no point has seen it says nothing."""

import numpy as np
import pytest

from gnomon.ioc.app.imperfect.losses import THIRD_ORDER
from gnomon.lattice import ResonanceLine, resonance_lines
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.loss_map import LossMapData, LossMapOutcome, LossMapParameters, analyse
from gnomon.propagator import Resonance, resonance_loss_rate

RATE, WIDTH, BASE = 0.02, 0.004, 3e-5
Window = tuple[float, float]


def mapped(
    x: Window, y: Window, points: int, seed: int, lines: tuple[tuple[int, int], ...] = THIRD_ORDER
) -> LossMapData:
    """Raw data of a map on these resonances: 2 uA noise of the current, 1e-5 and steps of 2e-5 of a tune."""
    random = np.random.default_rng(seed)
    wanted = np.array([(a, b) for a in np.linspace(*x, points) for b in np.linspace(*y, points)])
    true = wanted + 5e-4 * random.standard_normal(wanted.shape)
    seen = np.rint((true + 1e-5 * random.standard_normal(true.shape)) / 2e-5) * 2e-5
    resonances = [Resonance(m, n, RATE, WIDTH) for m, n in lines]
    rates = np.array([resonance_loss_rate(resonances, *each) + BASE for each in true])
    times = np.arange(4.0)
    current = 200.0 * np.exp(-rates[:, None] * times) + 2e-3 * random.standard_normal((len(true), 4))
    return LossMapData(
        supplies=("A",), wanted_x=wanted[:, 0], wanted_y=wanted[:, 1], tune_x=seen[:, 0], tune_y=seen[:, 1],
        lost=np.zeros(len(true)), settings=np.zeros((len(true), 1)),
        sample_point=np.repeat(np.arange(len(true)), 4), sample_time_s=np.tile(times, len(true)),
        current_ma=current.ravel(),
    )  # fmt: skip


def truth(x: Window, y: Window, lines: tuple[tuple[int, int], ...] = THIRD_ORDER) -> set[str]:
    return {str(line) for line in resonance_lines(x, y, 3) if (line.m, line.n) in lines}


def names(found: LossMapOutcome) -> set[str]:
    return set(found.resonances)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_resonances_that_lose_beam_are_found_with_rate_and_width(seed: int) -> None:
    x, y = (17.80, 17.90), (6.65, 6.75)
    found = analyse(mapped(x, y, 9, seed), LossMapParameters())
    assert names(found) == truth(x, y) == {"2 Qx - Qy = 29", "3 Qy = 20"}
    np.testing.assert_allclose(found.resonance_rate, RATE, rtol=0.05)
    assert found.width == pytest.approx(WIDTH, rel=0.03)
    assert found.base_rate == pytest.approx(BASE, rel=0.2)
    assert found.unexplained == 0
    losses = found.has_losses > 0.0
    assert 10 < losses.sum() < len(losses)
    for point in np.flatnonzero(losses):
        m, n, p = (int(each[int(found.explained_by[point])]) for each in (found.m, found.n, found.p))
        assert ResonanceLine(m, n, p).distance(found.tune_x[point], found.tune_y[point]) < 4 * WIDTH


@pytest.mark.parametrize(
    ("line", "x", "y"),
    [
        ((1, 1), (17.45, 17.55), (6.45, 6.55)),
        ((3, 0), (17.62, 17.72), (6.45, 6.55)),
        ((2, 1), (17.62, 17.72), (6.62, 6.72)),
        ((1, 3), (17.45, 17.55), (6.45, 6.55)),
        ((3, -1), (17.72, 17.82), (6.30, 6.40)),
    ],
)
def test_one_resonance_alone_of_any_order_is_not_taken_for_another(line: tuple[int, int], x: Window, y: Window) -> None:
    expected = {str(each) for each in resonance_lines(x, y, 4) if (each.m, each.n) == line}
    assert len(expected) == 1
    assert names(analyse(mapped(x, y, 9, 1, (line,)), LossMapParameters())) == expected


def test_without_losses_there_are_no_resonances() -> None:
    found = analyse(mapped((17.80, 17.84), (6.74, 6.78), 5, 1, ()), LossMapParameters())
    assert found.resonances == ()
    assert found.has_losses.sum() == 0
    assert np.isnan(found.width)


def test_a_point_where_the_beam_was_lost_counts_as_losses_and_is_explained_by_a_line_near_it() -> None:
    x, y = (17.80, 17.90), (6.65, 6.75)
    data = mapped(x, y, 9, 1)
    on_line = int(np.argmin(np.abs(2 * data.tune_x - data.tune_y - 29)))
    away = int(np.argmax(np.abs(2 * data.tune_x - data.tune_y - 29) - 10 * np.abs(3 * data.tune_y - 20)))
    tunes, lost, current = data.tune_x.copy(), np.zeros(81), data.current_ma.copy()
    for point in (on_line, away):
        tunes[point], lost[point] = np.nan, 1.0
        current[data.sample_point == point] = 0.0
    found = analyse(data.model_copy(update={"tune_x": tunes, "lost": lost, "current_ma": current}), LossMapParameters())
    assert names(found) == truth(x, y)
    assert found.has_losses[on_line] == found.has_losses[away] == 1.0
    assert np.isnan(found.rate[on_line])
    assert found.explained_by[on_line] >= 0.0
    with pytest.raises(ProcedureError, match="no point has tunes"):
        analyse(data.model_copy(update={"current_ma": np.zeros(len(current))}), LossMapParameters())
