"""Beta functions, lifetimes, apertures and losses of machines with hidden errors: true, and the machine as it was.

A beam that is lost on the way is there again at the end, or the reason why it is not.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gnomon.clients.errors import NoAnswerError, NoBeamError, RefusedError, StaleReadingError
from gnomon.lattice import Key, Lattice, Ring, resonance_lines
from gnomon.procedures.aperture import ApertureData, ApertureOutcome
from gnomon.procedures.beam_lifetimes import LifetimeOutcome
from gnomon.procedures.beta_model import gradient_knobs, local_beta_model, mean_beta
from gnomon.procedures.documents import Run
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.local_beta import LocalBetaData, LocalBetaOutcome, LocalBetaParameters
from gnomon.procedures.local_beta import analyse as analyse_beta
from gnomon.procedures.loss_map import LossMapData, LossMapOutcome
from gnomon.procedures.loss_rates import HOUR_S
from gnomon.procedures.measuring import measure
from gnomon.procedures.measuring_beam import estimate_losses
from gnomon.procedures.plans import stored_beam
from gnomon.procedures.plans.aperture_bump import way_of
from gnomon.procedures.plans.quadrupole_scan import loop_offsets
from gnomon.procedures.procedure_options import ApertureOptions, LifetimeOptions, LocalBetaOptions, LossMapOptions
from gnomon.procedures.registry import reanalyse, typed
from gnomon.procedures.summaries import summarise
from gnomon.propagator import BeamState
from unit.procedures.losing_ring import LosingRing, MachineFakeSession, losing_devices
from unit.procedures.noisy_ring import NoisyRing, imperfect
from unit.procedures.plans.fake_ring import FakeSession, fake_devices

OPTIONS: dict[str, Any] = {
    "beta": LocalBetaOptions, "lifetime": LifetimeOptions, "aperture": ApertureOptions, "losses": LossMapOptions
}  # fmt: skip
#: Walls within the interlock's envelope.
NARROW = {"half_aperture_x_m": 0.0045, "half_aperture_y_m": 0.003}
PLACE = "BPMZ5D1R"
#: Regions of tunes with resonances that take beam, and numbers of points each way.
REGIONS = (((0.80, 0.90), (0.65, 0.75), 9), ((17.63, 17.70), (6.62, 6.72), 8))


def run(ring: NoisyRing, name: str, fake: Any = None, **options: Any) -> tuple[Run, BaseException | None, list[str]]:
    """A run, its failure, and what the operator was told; the ring's settings are as they were."""
    before = ring.lattice.id
    told: list[str] = []
    session: Any = MachineFakeSession(ring) if isinstance(ring, LosingRing) else FakeSession(ring)
    if fake is None:
        fake = losing_devices(ring) if isinstance(ring, LosingRing) else fake_devices(ring)
    found, failure = measure(name, session, fake, OPTIONS[name](**options), notice=told.append)
    assert ring.lattice.id == before
    assert summarise(found)
    return found, failure, told


def measured(ring: NoisyRing, name: str, **options: Any) -> tuple[Any, Any]:
    """Data and outcome of a run that succeeded, and whose analysis repeats; there is a beam."""
    found, failure, _ = run(ring, name, **options)
    assert failure is None, failure
    data, _, outcome = typed(found)
    assert outcome is not None
    assert reanalyse(found).model_dump_json() == outcome.model_dump_json()
    if isinstance(ring, LosingRing):
        assert ring.current() > 2.0
    return data, outcome


def true_beta(ring: NoisyRing, names: tuple[str, ...]) -> np.ndarray:
    """True mean beta functions in quadrupoles (2, n) [m]."""
    magnets = {m.name: m for m in ring.lattice.ring.magnets}
    beam = ring.propagate(ring.lattice)
    return np.array([mean_beta(ring.lattice, beam, magnets[name]) for name in names]).T


def beta_errors(ring: NoisyRing, found: LocalBetaOutcome) -> tuple[np.ndarray, np.ndarray]:
    """Errors of beta functions (2, n), relative, and over the stated ones."""
    truth = true_beta(ring, found.knobs)
    errors = np.array([found.beta_x_m, found.beta_y_m]) - truth
    return errors / truth, errors / np.array([found.beta_x_error_m, found.beta_y_error_m])


@pytest.mark.slow(2)
def test_beta_functions_of_an_imperfect_machine_are_true_to_2_percent(bessy2: Ring) -> None:
    ring = LosingRing(bessy2, 1)
    data, found = measured(ring, "beta", devices=("Q3M2D*", "Q4M2T*"))
    assert len(data.change) == 9 * len(found.knobs)
    relative, pulls = beta_errors(ring, found)
    assert np.percentile(np.abs(relative), 95) < 0.02
    assert np.sqrt(np.mean(relative**2)) < 0.01
    assert 0.3 < np.sqrt(np.mean(pulls**2)) < 1.5
    assert np.abs(found.orbit_part).max() > 0.0
    model = true_beta(NoisyRing(bessy2.nominal, 0), found.knobs)
    np.testing.assert_allclose([found.model_x_m, found.model_y_m], model, rtol=0.05)
    assert np.abs(found.tune_change).max() < 0.012
    assert np.abs(found.tune_left).max() < 1e-4


def test_the_orbit_in_sextupoles_is_taken_away(bessy2: Ring) -> None:
    ring = NoisyRing(imperfect(bessy2, 2), 2, tune_noise=0.0)  # its orbit is not corrected
    data, found = measured(ring, "beta", devices=("Q4M2D*",), points=3)
    relative, _ = beta_errors(ring, found)
    assert np.abs(relative).max() < 0.02
    parameters = found_parameters(ring, data)
    as_it_was = analyse_beta(data.model_copy(update={"orbit_x_mm": np.nan * data.orbit_x_mm}), parameters)
    assert np.abs(beta_errors(ring, as_it_was)[0]).max() > 2 * np.abs(relative).max()


def found_parameters(ring: NoisyRing, data: LocalBetaData) -> LocalBetaParameters:
    """Parameters of an analysis of these data, by the nominal model."""
    nominal = ring.lattice.ring.nominal
    return LocalBetaParameters(model=local_beta_model(nominal, gradient_knobs(nominal, data.knobs)))


def test_on_an_ideal_ring_without_noise_beta_is_the_models(bessy2: Ring) -> None:
    ring = NoisyRing(bessy2.nominal, 1, tune_noise=0.0)
    _, found = measured(ring, "beta", devices=("Q3M2T7R", "Q4M2T7R", "Q1M1D1R"), points=3)
    relative, _ = beta_errors(ring, found)
    assert np.abs(relative).max() < 2e-3
    assert np.abs(found.tune_left).max() < 1e-9


def test_a_supply_of_several_quadrupoles_gives_their_mean(bessy2: Ring) -> None:
    ring = NoisyRing(bessy2.nominal, 1, tune_noise=0.0)
    _, found = measured(ring, "beta", devices=("Q1PDR",))
    knob = gradient_knobs(bessy2.nominal, ("Q1PDR",))[0]
    assert len(knob.magnets) > 1
    truth = true_beta(ring, tuple(m.name for m in knob.magnets)).mean(axis=1)
    np.testing.assert_allclose([found.beta_x_m[0], found.beta_y_m[0]], truth, rtol=5e-3)


def test_each_quadrupole_is_changed_once_by_default_and_loops_end_where_they_began(bessy2: Ring) -> None:
    names = [knob.name for knob in gradient_knobs(bessy2.nominal, ("*",))]
    assert names == [m.name for m in bessy2.magnets if m.main == "k1"]
    assert loop_offsets(5) == (0.0, 0.5, 1.0, 0.5, 0.0, -0.5, -1.0, -0.5, 0.0)
    assert loop_offsets(3) == (0.0, 1.0, 0.0, -1.0, 0.0)
    with pytest.raises(ProcedureError, match="3, 5, 7"):
        loop_offsets(4)
    with pytest.raises(ProcedureError, match="no quadrupole, or supply of quadrupoles, fits 'Q9"):
        gradient_knobs(bessy2.nominal, ("Q9*",))


def test_the_lifetime_is_the_true_one_within_its_error(bessy2: Ring) -> None:
    ring = LosingRing(bessy2, 1)
    _, found = measured(ring, "lifetime", seconds=20.0)
    assert isinstance(found, LifetimeOutcome)
    _, relative, lost = ring._rates()
    ring.stored.advance(ring.now_s, relative, lost)
    truth = ring.stored.lifetime_s(relative) / HOUR_S
    assert found.lifetime_h == pytest.approx(truth, abs=4 * found.lifetime_error_h)
    assert found.lifetime_error_h < 0.05 * truth


def true_limits(ring: LosingRing, data: ApertureData, side: int, wall: float, lifetime_h: float) -> tuple[float, float]:
    """True displacement at the place [mm] with the orbit at the wall somewhere, and with this lifetime there."""
    row, at = 2 * "xy".index(data.plane), ring.lattice.ring.monitors[
        [bpm.name for bpm in ring.lattice.ring.bpms].index(data.place)
    ]  # fmt: skip
    base, began = ring.lattice, ring.beam().orbit[at, row]

    def moved(amplitude: float) -> tuple[Lattice, BeamState]:
        sign = (-1.0, 1.0)[side]
        made: dict[Key, float] = {
            (name, "current"): base[name, "current"] + sign * amplitude * by
            for name, by in zip(data.steerers, data.per_mm, strict=True)
        }
        lattice = base.updated(made)
        beam = ring.propagate(lattice)
        return lattice, beam

    def found(reached: Callable[[Lattice, BeamState], bool]) -> float:
        low, high = 0.0, 10.0
        while high - low > 1e-3:
            middle = 0.5 * (low + high)
            low, high = (low, middle) if reached(*moved(middle)) else (middle, high)
        return float(1e3 * (moved(low)[1].orbit[at, row] - began))

    limit = 1.0 / (HOUR_S * lifetime_h) - 1.0 / (9.0 * HOUR_S)
    return (
        found(lambda _, beam: bool(np.abs(beam.orbit[:, row]).max() >= wall)),
        found(lambda lattice, beam: ring.true_losses(beam, ring.radiation(lattice, beam)) >= limit),
    )


def aperture_errors(ring: LosingRing, data: ApertureData, found: ApertureOutcome, wall: float) -> np.ndarray:
    """Errors (2, 2) of walls and of displacements with the stated lifetime, on both sides [mm]."""
    truth = np.array([true_limits(ring, data, side, wall, found.lifetime_h) for side in (0, 1)]).T
    return np.array([found.wall_mm, found.at_lifetime_mm]) - truth


@pytest.mark.slow(3)
@pytest.mark.parametrize(
    ("plane", "wall", "seed"),
    [("y", 0.003, 1), ("x", 0.0045, 1), ("y", 0.003, 2)],
)
def test_walls_of_an_imperfect_machine_are_found_to_200_um(bessy2: Ring, plane: str, wall: float, seed: int) -> None:
    ring = LosingRing(bessy2, seed, **NARROW)
    data, found = measured(ring, "aperture", place=PLACE, plane=plane)
    errors = aperture_errors(ring, data, found, wall)
    assert np.abs(errors).max() < 0.2
    assert (np.array([found.wall_error_mm, found.at_lifetime_error_mm]) < 0.2).all()
    assert ring.injections >= 1 or not data.lost.any()
    assert 1.0 < (found.top_mm / found.wall_mm)[0] < 1.6
    assert found.full_mm == pytest.approx(found.wall_mm[1] - found.wall_mm[0])


def test_the_beam_moves_in_small_steps_where_nobody_knows_the_wall_and_in_large_ones_back_to_where_it_lived() -> None:
    way = way_of(0.0, 0.5, 0.0, 2.0)
    assert (way[0], way[-1], len(way)) == (0.0, 0.5, 11)
    assert max(np.diff(way)) == pytest.approx(0.05)
    assert way_of(0.5, 0.0, 0.0, 2.0) == way[::-1]
    again = way_of(0.0, -2.05, 2.0, 2.0)
    assert again[:3] == [0.0, -1.0, -1.5]
    assert len(again) < 12
    assert way_of(0.3, 0.3, 0.0, 2.0) == [0.3]


@pytest.mark.slow(3)
def test_no_steerer_leaves_its_limits_and_a_wall_out_of_reach_is_not_guessed(bessy2: Ring) -> None:
    ring = LosingRing(bessy2, 1, envelope_x_m=0.0, envelope_y_m=0.0, half_aperture_y_m=0.1)
    seen: list[float] = []
    devices = losing_devices(ring)
    put = ring.set
    ring.set = lambda settings: (seen.extend(abs(v) for v in settings.values()), put(settings))[1]  # type: ignore[method-assign,func-returns-value]
    found, failure, _ = run(ring, "aperture", devices, place=PLACE, side="high", step_mm=2.0, seconds=1.0)
    assert failure is None
    outcome = typed(found)[2]
    assert isinstance(outcome, ApertureOutcome)
    assert max(seen) <= bessy2.property_spec("VS3P1D1R", "current").high
    assert max(seen) > 9.0
    assert np.isnan(outcome.wall_mm).all()
    assert "near its limit" in outcome.ends[1]


@pytest.mark.slow(2)
def test_the_interlock_ends_a_search_and_says_where(bessy2: Ring) -> None:
    ring = LosingRing(bessy2, 1)
    _, found = measured(ring, "aperture", place=PLACE, side="high", step_mm=1.0, resolution_mm=0.2, seconds=1.0)
    assert "the beam was lost at" in found.ends[1]
    assert found.ends[0] == "not searched"
    assert 1.5 < found.reached_mm[1] < found.lost_mm[1] < 4.5


@pytest.mark.slow(2)
@pytest.mark.parametrize(("x", "y", "points"), REGIONS)
def test_the_map_finds_the_machines_resonances(
    bessy2: Ring, x: tuple[float, float], y: tuple[float, float], points: int
) -> None:
    ring = LosingRing(bessy2, 1)
    data, found = measured(ring, "losses", x=x, y=y, points=points, seconds=2.0)
    assert isinstance(data, LossMapData)
    assert isinstance(found, LossMapOutcome)
    assert np.abs(found.tune_x - data.wanted_x).max() < 0.01
    assert found.unexplained == 0
    assert true_resonances(ring, found, 0.02) <= set(found.resonances) <= true_resonances(ring, found, 0.002)
    np.testing.assert_allclose(found.resonance_rate, 0.02, rtol=0.15)
    assert found.width == pytest.approx(0.004, rel=0.1)


def true_resonances(ring: LosingRing, found: LossMapOutcome, least: float) -> set[str]:
    """Resonances of the machine whose losses at some point are at least this part of those on the line."""
    known = {(each.m, each.n): each for each in ring.true_losses.resonances}

    def most(line: Any) -> float:
        distances = line.m * found.tune_x + line.n * found.tune_y - line.p
        return float(np.exp(-0.5 * (distances / known[line.m, line.n].width) ** 2).max())

    lines = resonance_lines((17.0, 18.0), (6.0, 7.0), 3)
    return {str(line) for line in lines if (line.m, line.n) in known and most(line) > least}


def test_a_map_over_a_stopband_loses_the_beam_goes_on_and_leaves_a_beam(bessy2: Ring) -> None:
    ring = LosingRing(bessy2, 1, resonance_rate=0.0)
    data, found = measured(ring, "losses", x=(17.94, 18.03), y=(6.72, 6.73), points=4, seconds=1.0)
    assert data.lost.any()
    assert data.injections == ring.injections == data.lost.sum()
    assert len(data.wanted_x) == 16
    assert (found.has_losses == data.lost).all()


def test_a_map_ends_early_and_says_so_if_nothing_can_be_injected(bessy2: Ring) -> None:
    ring = LosingRing(bessy2, 1, resonance_rate=0.0)
    ring.injectable = False
    found, failure, told = run(ring, "losses", x=(17.94, 18.03), y=(6.72, 6.73), points=4, seconds=1.0)
    assert failure is None
    assert found.outcome is not None
    assert "no beam could be stored" in found.outcome["end"]
    assert "inject by hand" in told[-1]
    assert len(found.outcome["rate"]) < 16


@pytest.mark.slow(2)
def test_a_machine_without_control_asks_the_operator_to_inject(bessy2: Ring) -> None:
    ring = LosingRing(bessy2, 1, **NARROW)
    devices = losing_devices(ring)

    async def nobody(*_: Any, **__: Any) -> None:
        raise TimeoutError

    devices.injector.connect = nobody
    session: Any = MachineFakeSession(ring)
    asked: list[str] = []

    def operator(text: str) -> None:
        asked.append(text)
        ring.inject()
        raise BrokenPipeError  # the terminal is gone: the plan goes on

    options = ApertureOptions(place=PLACE, side="high", step_mm=1.0, resolution_mm=0.5, seconds=1.0)
    before = ring.lattice.id
    found, failure = measure("aperture", session, devices, options, notice=operator)
    assert failure is None
    assert found.outcome is not None
    assert asked
    assert all("inject one of at least 2 mA" in text for text in asked)
    assert ring.lattice.id == before
    assert ring.current() > 200.0


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("beta", {"devices": ("Q3M2T7R",)}),
        ("aperture", {"place": PLACE, "step_mm": 0.3, "seconds": 1.0}),
        ("losses", {"points": 3, "seconds": 1.0}),
    ],
)
@pytest.mark.parametrize("fault", ["refused", "connection"])
def test_a_refused_setting_and_a_lost_connection_leave_the_machine_as_it_was(
    bessy2: Ring, name: str, options: dict[str, Any], fault: str
) -> None:
    ring = LosingRing(bessy2, 1, **NARROW)
    devices, settings = losing_devices(ring), ring.set
    calls = 0

    def failing(made: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 5:
            raise RefusedError("outside the drive limits") if fault == "refused" else NoAnswerError("no answer")
        settings(made)

    ring.set = failing  # type: ignore[method-assign,assignment]
    found, failure, _ = run(ring, name, devices, **options)
    assert isinstance(failure, RefusedError if fault == "refused" else NoAnswerError)
    assert found.status == "failed"
    assert calls > 5
    assert ring.current() > 200.0


@pytest.mark.slow(2)
def test_a_bump_is_taken_away_in_moves_also_when_the_search_fails(bessy2: Ring) -> None:
    ring = LosingRing(bessy2, 1, **NARROW)
    session: Any = MachineFakeSession(ring)
    devices, put, before = losing_devices(ring), ring.set, ring.lattice.id
    failed: list[Any] = []
    after: list[Any] = []

    def failing(row: Any, _: int) -> None:
        if row.group == 3:
            failed.append(row)
            raise RefusedError("not now")

    def setting(made: Any) -> None:
        after.extend(made if failed else ())
        put(made)

    ring.set = setting  # type: ignore[method-assign,assignment]
    options = ApertureOptions(place=PLACE, side="high", step_mm=0.5, seconds=1.0)
    _, failure = measure("aperture", session, devices, options, listener=failing)
    assert isinstance(failure, RefusedError)
    assert ring.lattice.id == before
    assert len(after) > 2 * len(set(after))


def test_data_that_cannot_be_analysed_are_kept_with_the_reason(bessy2: Ring) -> None:
    ring = LosingRing(bessy2, 1)
    devices = losing_devices(ring)
    clock = iter(range(100))
    readings = iter([200.0, 200.0, 0.0])  # there is a beam at first, and it is lost at the second sample
    devices.current.read = lambda: {"current": {"value": next(readings, 200.0), "timestamp": next(clock)}}
    found, failure, _ = run(ring, "lifetime", devices)
    assert isinstance(failure, ProcedureError)
    assert (found.status, found.outcome) == ("failed", None)
    assert found.data["current_ma"] == [200.0, 0.0]


def test_a_current_monitor_that_stands_still_but_answers_ends_the_measurement(
    bessy2: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_beam, "STANDS_S", 0.1)
    for name, options in (("lifetime", {"seconds": 0.1}), ("aperture", {"place": PLACE, "seconds": 0.1})):
        ring = LosingRing(bessy2, 1)
        devices = losing_devices(ring)
        devices.current.read = lambda: {"current": {"value": 200.0, "timestamp": 1.0}}
        found, failure, _ = run(ring, name, devices, **options)
        assert isinstance(failure, StaleReadingError)
        assert "current: its time stamp has not moved for" in found.reason
        assert found.reason.endswith("check it; the settings are as before")


def test_without_a_beam_nothing_is_set(bessy2: Ring) -> None:
    ring = LosingRing(bessy2, 1)
    ring.reason = "dumped"
    for name, options in (("lifetime", {}), ("aperture", {"place": PLACE}), ("losses", {})):
        found, failure, _ = run(ring, name, **options)
        assert isinstance(failure, NoBeamError)
        assert "0 mA" in found.reason


def test_maps_beyond_limits_and_too_many_points_are_refused_before_anything_is_set(bessy2: Ring) -> None:
    nominal = bessy2.nominal
    estimate = estimate_losses(nominal, nominal, LossMapOptions(points=5, seconds=2.0))
    assert len(estimate.points) == 25
    assert np.abs(np.diff(estimate.points, axis=0)).sum(axis=1).max() < 0.011  # each point is beside the last one
    assert 25 * 2.0 < estimate.time_s < 25 * 10.0
    for options, message in (
        (LossMapOptions(points=50), "2500; 1000 are allowed"),
        (LossMapOptions(x=(0.9, 0.8)), "the lower one comes first"),
        (LossMapOptions(x=(17.0, 17.9)), "wider than 0.5"),
        (LossMapOptions(devices=("Q1PDR",)), "two families"),
    ):
        with pytest.raises(ProcedureError, match=message):
            estimate_losses(nominal, nominal, options)
