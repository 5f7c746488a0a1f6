"""Instruments: monitors by their stated model, and a tune meter that is slow, coarse and blind without current."""

from collections.abc import Callable

import numpy as np
import pytest

from gnomon.fault_injection.dynamics import MonitorNoise
from gnomon.fault_injection.errors import normals
from gnomon.ioc.app.imperfect.instruments import Instruments, TuneMeter
from gnomon.lattice import MonitorErrors

N = 4
X, Y = np.array([1.0, -2.0, 0.5, 0.0]) * 1e-3, np.array([0.3, 0.2, -1.0, 2.0]) * 1e-3


def instruments(
    *,
    errors: MonitorErrors | None = None,
    noise_m: float = 0.0,
    dead: tuple[int, ...] = (),
    meter: TuneMeter | None = None,
    current_ma: float = 100.0,
    clock_s: Callable[[], float] = lambda: 0.0,
) -> Instruments:
    ideal = MonitorErrors(np.zeros((N, 2)), np.ones((N, 2)), np.zeros(N), ideal=True)
    none = np.zeros((0, N, 2))
    return Instruments(
        errors or ideal,
        MonitorNoise(np.full((N, 2), noise_m), np.zeros(0), none, none),
        np.isin(np.arange(N), dead),
        meter or TuneMeter(),
        lambda lane, number, count: normals(3, lane, number, count),
        current_ma=lambda: current_ma,
        clock_s=clock_s,
    )


def test_ideal_monitors_show_the_positions() -> None:
    x, y = instruments().positions(X, Y, 1)
    assert (x == X).all()
    assert (y == Y).all()


def test_monitors_show_gain_times_the_distance_from_their_centre() -> None:
    errors = MonitorErrors(np.full((N, 2), 1e-4), np.full((N, 2), 1.1), np.zeros(N), ideal=False)
    x, y = instruments(errors=errors).positions(X, Y, 1)
    assert x == pytest.approx(1.1 * (X - 1e-4))
    assert y == pytest.approx(1.1 * (Y - 1e-4))


@pytest.mark.slow(1)
def test_noise_belongs_to_the_number_of_a_reading_and_has_its_size() -> None:
    noisy = instruments(noise_m=1e-6)
    first, again, second = (noisy.positions(X, Y, n)[0] for n in (1, 1, 2))
    assert (first == again).all()
    assert (first != second).all()
    many = np.array([noisy.positions(X, Y, n) for n in range(5000)])
    assert many.std(axis=0) == pytest.approx(np.full((2, N), 1e-6), rel=0.05)
    assert many.mean(axis=0) == pytest.approx(np.array([X, Y]), abs=6e-8)


def test_a_dead_monitor_reads_zero_and_is_known() -> None:
    blind = instruments(dead=(1,))
    x, y = blind.positions(X, Y, 1)
    assert (x[1], y[1]) == (0.0, 0.0)
    assert blind.dead.tolist() == [False, True, False, False]


def test_the_tune_meter_shows_multiples_of_its_resolution() -> None:
    measured = instruments(meter=TuneMeter(resolution=1e-3)).tunes(np.array([17.84789, 6.7426]))
    assert measured == pytest.approx([17.848, 6.743], abs=1e-12)


def test_the_tune_meter_shows_its_last_measurement_until_the_next_is_due() -> None:
    now = [0.0]
    meter = instruments(meter=TuneMeter(period_s=1.0), clock_s=lambda: now[0])
    shown = []
    for now[0] in (0.0, 0.5, 0.99, 1.0, 1.5):
        shown.append(float(meter.tunes(np.array([0.1 * now[0], 0.2]))[0]))
    assert shown == pytest.approx([0.0, 0.0, 0.0, 0.1, 0.1])


def test_without_current_there_is_no_tune() -> None:
    assert np.isnan(instruments(meter=TuneMeter(min_current_ma=1.0), current_ma=0.5).tunes(np.array([0.1, 0.2]))).all()


@pytest.mark.slow(1)
def test_tunes_scatter_by_their_noise() -> None:
    meter = instruments(meter=TuneMeter(noise=1e-4))
    tunes = np.array([meter.tunes(np.array([0.1, 0.2])) for _ in range(4000)])
    assert tunes.std(axis=0) == pytest.approx([1e-4, 1e-4], rel=0.05)
