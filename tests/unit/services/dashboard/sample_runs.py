"""A small run of each procedure, by its own analysis of made-up readings; the outcome of a fit is made up itself."""

from typing import Any

import numpy as np

from gnomon.procedures import (
    aperture,
    beam_lifetimes,
    chromaticity,
    closed_bump,
    dispersion,
    local_beta,
    loss_map,
    optics_correction,
    optics_fit,
    orbit_correction,
    orbit_response,
    tune_response,
    working_point,
)
from gnomon.procedures import (
    beam_based_alignment as alignment,
)
from gnomon.procedures.documents import Data, Outcome, Parameters, Provenance, Run
from gnomon.procedures.momentum import Momentum

MONITORS = ("M1", "M2", "M3")
STEERERS = ("H1", "V1")
QUADRUPOLES = ("Q1", "Q2")
#: The readings of the monitors on the axis of each quadrupole [mm], x and y; the beam in the quadrupoles.
ZERO = np.array([[0.3, -0.2], [0.1, 0.4]])
RF = 499.6e6
MOMENTUM = Momentum(rf_hz=RF, coefficients=np.array([-1400.0]), relative_error=0.007)


def run_of(name: str, data: Data, parameters: Parameters, outcome: Outcome, at: str = "20261127T101502.123") -> Run:
    told = Provenance(machine="bessy2", prefix="TEST:", user="anna", started="2026-11-27T10:15:02.123+00:00")
    return Run(
        name=f"{name}-{at}",
        procedure=name,
        provenance=told,
        data=data.model_dump(),
        parameters=parameters.model_dump(),
        outcome=outcome.model_dump(),
    )


def analysed(name: str, module: Any, data: Data, parameters: Parameters, **more: Any) -> Run:
    return run_of(name, data, parameters, module.analyse(data, parameters), **more)


def orm(factor: float = 1.0, **more: Any) -> Run:
    random = np.random.default_rng(1)
    settings = np.array([[-1.0, 0], [0, 0], [1, 0], [0, -1], [0, 0], [0, 1]])
    x, y = (factor * settings @ random.standard_normal((2, 3)) for _ in "xy")
    noise = 1e-3 * random.standard_normal((2, 6, 3))
    data = orbit_response.OrbitResponseData(
        steerers=STEERERS, monitors=MONITORS, settings=settings, group=np.repeat([0.0, 1.0], 3), x_mm=x + noise[0],
        y_mm=y + noise[1], time_s=np.arange(6.0),
    )  # fmt: skip
    return analysed("orm", orbit_response, data, orbit_response.OrbitResponseParameters(curvature=False), **more)


def off_momentum() -> tuple[np.ndarray, np.ndarray]:
    rf = RF * (1.0 + np.linspace(-2e-6, 2e-6, 5))
    return rf, MOMENTUM.deviation(rf)


def dispersion_run() -> Run:
    rf, delta = off_momentum()
    x = 1e3 * delta[:, None] * np.array([0.4, 0.0, 0.1])
    data = dispersion.DispersionData(monitors=MONITORS, rf_hz=rf, x_mm=x, y_mm=0.0 * x, time_s=np.arange(5.0))
    return analysed("dispersion", dispersion, data, dispersion.DispersionParameters(momentum=MOMENTUM, degree=1))


def chromaticity_run() -> Run:
    rf, delta = off_momentum()
    data = chromaticity.ChromaticityData(
        rf_hz=rf, tune_x=0.84 + 2.0 * delta, tune_y=0.73 - 1.0 * delta, time_s=np.arange(5.0)
    )
    parameters = chromaticity.ChromaticityParameters(momentum=MOMENTUM, degree=1)
    return analysed("chromaticity", chromaticity, data, parameters)


def tune_response_run() -> Run:
    settings = np.array([[-1.0, 0], [0, 0], [1, 0], [0, -1], [0, 0], [0, 1]])
    data = tune_response.TuneResponseData(
        supplies=("Q1", "Q2"), settings=settings, group=np.repeat([0.0, 1.0], 3),
        tune_x=0.84 + settings @ [0.01, -0.002], tune_y=0.73 + settings @ [-0.004, 0.02], time_s=np.arange(6.0),
    )  # fmt: skip
    return analysed("tune-response", tune_response, data, tune_response.TuneResponseParameters())


def bba(shift_mm: float = 0.0, **more: Any) -> Run:
    """Q1 has M1 beside it, Q2 has no monitor; their patterns are known exactly."""
    pattern = np.array([[1.0, -0.5, 0.2], [0.3, 0.8, -0.4]])
    rows: list[tuple[int, int, float]] = []
    x: list[np.ndarray] = []
    y: list[np.ndarray] = []
    for number in range(2):
        for orbit in (0, 1, -1):
            for change in (1.0, 0.0, 0.0, -1.0):
                rows.append((number, orbit, change))
                for plane, kept in ((0, x), (1, y)):
                    u = 0.05 + 0.2 * orbit
                    kept.append(ZERO[number, plane] + shift_mm + u + u * change * pattern[number])
    number, orbit, change = np.array(rows).T
    model = alignment.AlignmentModel(
        quadrupoles=QUADRUPOLES, monitors=MONITORS, pattern_x=pattern, pattern_y=pattern,
        monitor=np.array([0.0, -1.0]), distance_m=np.array([0.1, np.nan]), between_x=np.eye(2, 3),
        between_y=np.eye(2, 3),
        straight_x=np.zeros((2, 2)), straight_y=np.zeros((2, 2)), straight_error=np.zeros(2),
        steered_x=np.zeros((2, 2)), steered_y=np.zeros((2, 2)),
    )  # fmt: skip
    data = alignment.AlignmentData(
        quadrupoles=QUADRUPOLES, monitors=MONITORS, steerers=STEERERS, quadrupole=number, orbit=orbit, change=change,
        x_mm=np.array(x), y_mm=np.array(y), steerer_settings=np.zeros(2), time_s=np.arange(float(len(rows))),
    )  # fmt: skip
    return analysed("bba", alignment, data, alignment.AlignmentParameters(model=model), **more)


def orbit() -> Run:
    data = orbit_correction.OrbitCorrectionData(
        monitors=MONITORS, steerers=STEERERS, x_mm=np.array([0.5, -0.5, np.nan]), y_mm=np.array([0.1, 0.2, 0.3]),
        response_x=np.array([[1.0, 0], [-1.0, 0], [0.5, 0]]), response_y=np.array([[0, 1.0], [0, 2.0], [0, 3.0]]),
        settings=np.array([9.7, 0.0]), low=np.full(2, -10.0), high=np.full(2, 10.0), rf_response_x=None,
        rf_response_y=None,
    )  # fmt: skip
    parameters = orbit_correction.OrbitCorrectionParameters(dead=("M3",), noise_mm=1e-3)
    return analysed("orbit", orbit_correction, data, parameters)


def working_point_run(kind: str = "tune") -> Run:
    data = working_point.WorkingPointData.model_validate(
        {
            "kind": kind, "supplies": ("Q1", "Q2"), "measured": [17.84, 6.73], "wanted": [17.85, 6.74],
            "response": [[0.01, -0.002], [-0.004, 0.02]], "settings": [100.0, 200.0], "low": [0, 0],
            "high": [300, 300],
        }
    )  # fmt: skip
    return analysed("working-point", working_point, data, working_point.WorkingPointParameters())


def bump() -> Run:
    data = closed_bump.ClosedBumpData(
        steerers=("H1", "H2", "H3"), monitors=MONITORS, outside=np.array([0.0, 1.0, 1.0]),
        response=np.array([[1.0, 2.0, 1.0], [1.0, 0.0, -1.0], [0.0, 1.0, -0.5]]), targets=("position",),
        target_response=np.array([[1.0, 2.0, 1.0]]), wanted=np.ones(1), settings=np.zeros(3), low=np.full(3, -10.0),
        high=np.full(3, 10.0), made=np.zeros(3), measured_mm=np.array([1.0, 0.02, -0.01]), measured_target=np.ones(1),
    )  # fmt: skip
    return analysed("bump", closed_bump, data, closed_bump.ClosedBumpParameters())


def optics_fit_run() -> Run:
    two, three = np.full(2, 0.01), np.full(3, 0.01)
    planes = np.array([three, -three])
    data = optics_fit.OpticsFitData(
        steerers=STEERERS, monitors=MONITORS, x=np.ones((3, 2)), y=np.ones((3, 2)), x_error=np.ones((3, 2)),
        y_error=np.ones((3, 2)), dispersion=planes, dispersion_error=planes,
    )  # fmt: skip
    outcome = optics_fit.OpticsFitOutcome(
        quadrupoles=QUADRUPOLES, knobs=QUADRUPOLES, sextupoles=("S1", "S2", "S3"), monitors=MONITORS,
        steerers=STEERERS, gradient=two, gradient_error=two, skew=two, skew_error=two, feed_down_mm=planes,
        feed_down_error_mm=np.abs(planes), monitor_gain=1.0 + planes, monitor_gain_error=np.abs(planes),
        monitor_roll=three, monitor_roll_error=three, steerer_gain=1.0 + two, steerer_gain_error=two,
        steerer_roll=two, steerer_roll_error=two, beta_m=10.0 + planes, beating=planes,
        beating_error=np.abs(planes), tune=np.array([17.8, 6.7]), settings=(), residual_before=4.0, residual=1.0,
        steps=3, converged=True,
    )  # fmt: skip
    parameters = optics_fit.OpticsFitParameters(model=optics_fit.ModelSettings(document="{}"))
    return run_of("optics-fit", data, parameters, outcome)


def optics() -> Run:
    beating = np.array([[0.05, -0.05, 0.02], [0.01, 0.02, 0.03]])
    response = np.random.default_rng(2).standard_normal((2, 3, 2))
    data = optics_correction.OpticsCorrectionData(
        supplies=("Q1", "Q2"), monitors=MONITORS, present=beating, beating=beating, response=response,
        settings=np.array([100.0, 200.0]), low=np.zeros(2), high=np.full(2, 300.0),
    )  # fmt: skip
    return analysed("optics", optics_correction, data, optics_correction.OpticsCorrectionParameters())


def beta() -> Run:
    change = np.array([0.0, 1.0, -1.0, 0.0] * 2)
    data = local_beta.LocalBetaData(
        knobs=("Q1", "Q2"), supplies=("Q1", "Q2"), knob=np.repeat([0.0, 1.0], 4), change=change,
        tune_x=0.84 - 0.003 * change, tune_y=0.73 + 0.002 * change, time_s=np.arange(8.0),
    )  # fmt: skip
    model = local_beta.LocalBetaModel(
        knobs=("Q1", "Q2"), gradient=np.full(2, 4e-3), curvature=np.zeros(2), s_m=np.array([1.0, 5.0]),
        beta_x_m=np.full(2, 9.0), beta_y_m=np.full(2, 6.0),
    )  # fmt: skip
    return analysed("beta", local_beta, data, local_beta.LocalBetaParameters(model=model))


def lifetime_run() -> Run:
    times = np.arange(20.0)
    data = beam_lifetimes.LifetimeData(
        time_s=times, current_ma=200.0 * np.exp(-times / 36000.0), shown_h=np.full(20, 10.0)
    )
    return analysed("lifetime", beam_lifetimes, data, beam_lifetimes.LifetimeParameters())


def aperture_run() -> Run:
    """Losses at a wall 3 mm above; the beam was lost at 2.9 mm."""
    steps, times = np.array([0.0, 1.0, 2.0, 2.5, 2.9]), np.arange(6.0)
    rates = 3e-5 + np.nan_to_num(aperture.wall_loss_rate(3.0 - steps, np.full(5, 0.1), 0.015))
    current = 200.0 * np.exp(-rates[:, None] * times)
    current[-1] = 0.0
    data = aperture.ApertureData(
        place="M1", plane="y", steerers=("V1",), per_mm=[1.0], displacement_mm=steps,
        reading_mm=[0.0, 1.0, 2.0, 2.5, np.nan], lost=[0, 0, 0, 0, 1], sample_step=np.repeat(np.arange(5), 6),
        sample_time_s=np.tile(times, 5), current_ma=current.ravel(), ends=("range", "lost"),
    )  # fmt: skip
    return analysed("aperture", aperture, data, aperture.ApertureParameters(beam_size_mm=0.1, damping_time_s=0.015))


def losses() -> Run:
    """A map across 2 Qx - Qy = 29, with a point at which the beam was lost."""
    x, y = (axis.ravel() for axis in np.meshgrid(np.linspace(17.80, 17.90, 7), np.linspace(6.65, 6.75, 7)))
    rate = 3e-5 + 0.02 * np.exp(-0.5 * ((2 * x - y - 29) / 0.004) ** 2)
    times, lost = np.arange(4.0), np.zeros(49)
    current = 200.0 * np.exp(-rate[:, None] * times)
    lost[0], current[0] = 1.0, 0.0
    data = loss_map.LossMapData(
        supplies=("Q1",), wanted_x=x, wanted_y=y, tune_x=x, tune_y=y, lost=lost, settings=np.zeros((49, 1)),
        sample_point=np.repeat(np.arange(49), 4), sample_time_s=np.tile(times, 49), current_ma=current.ravel(),
    )  # fmt: skip
    return analysed("losses", loss_map, data, loss_map.LossMapParameters())


#: A run of each procedure, by its name.
SAMPLES = {
    "orm": orm,
    "dispersion": dispersion_run,
    "chromaticity": chromaticity_run,
    "tune-response": tune_response_run,
    "bba": bba,
    "orbit": orbit,
    "working-point": working_point_run,
    "bump": bump,
    "optics-fit": optics_fit_run,
    "optics": optics,
    "beta": beta,
    "lifetime": lifetime_run,
    "aperture": aperture_run,
    "losses": losses,
}
