"""From the configuration to the parts of an imperfect machine: supplies, instruments, drifts, losses, interlock."""

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from gnomon.fault_injection.dynamics import Drifts, Hysteresis, MonitorNoise, SupplyDynamics
from gnomon.fault_injection.errors import MachineErrors, hidden_monitor_errors, normals, uniforms
from gnomon.ioc.app.imperfect.instruments import Instruments, TuneMeter
from gnomon.ioc.app.imperfect.interlock import Envelope, Interlock
from gnomon.ioc.app.imperfect.losses import THIRD_ORDER, Losses
from gnomon.ioc.base.config import ImperfectionsConfig
from gnomon.ioc.base.dynamics_config import DriftsConfig, StoredBeamConfig, SuppliesConfig
from gnomon.lattice import KICKS, GnomonError, MonitorErrors, Ring, properties_by_supply
from gnomon.propagator import Resonance

Floats = NDArray[np.float64]

LINES_HZ = (50.0, 10.0)

NO_DRIFTS = Drifts()


class UnknownMonitor(GnomonError):
    """A monitor in the configuration that the ring does not have."""


def supply_dynamics(ring: Ring, config: SuppliesConfig, seed: int, scale: float) -> SupplyDynamics:
    """Make the dynamics of a ring's supplies, in the order of its document, in amperes and seconds."""
    fed = properties_by_supply(ring.document)
    names = [supply.name for supply in ring.document.supplies]
    specs = [ring.property_spec(name, "current") for name in names]
    low, high = np.array([spec.low for spec in specs]), np.array([spec.high for spec in specs])
    span = high - low
    steering = np.array([fed.get(name, set()) <= KICKS for name in names])
    ramp_s = np.where(steering, config.steerer_ramp_s, config.ramp_s)
    with np.errstate(divide="ignore"):
        rate = np.where(ramp_s > 0.0, span / ramp_s, np.inf)
    resolution = span / 2.0**config.resolution_bits if config.resolution_bits else np.zeros_like(span)
    return SupplyDynamics(
        rate=rate,
        lag_s=np.full_like(span, config.lag_s),
        resolution=resolution,
        ripple=scale * config.ripple * span,
        ripple_hz=np.full_like(span, config.ripple_hz),
        ripple_phase=2.0 * np.pi * uniforms(seed, "ripple_phase", names),
        hysteresis=Hysteresis.of_remanence(low, high, scale * config.remanence * span),
    )


def drifts(config: DriftsConfig, scale: float) -> Drifts:
    """Make the drifts that a configuration asks for."""
    tide, temperature, warming = (scale * size for size in (config.tide, config.temperature, config.warming))
    return Drifts(tide, temperature, warming, warming_s=3600.0 * config.warming_h)


def instruments(
    ring: Ring,
    config: ImperfectionsConfig,
    errors: MachineErrors,
    *,
    current_ma: Callable[[], float],
    clock_s: Callable[[], float],
) -> Instruments:
    """Make the instruments of a machine. Raises UnknownMonitor for a dead monitor that the ring does not have."""
    names = [bpm.name for bpm in ring.bpms]
    return Instruments(
        monitor_errors(ring, errors),
        monitor_noise(names, config),
        _dead(ring, names, config.monitors.dead),
        TuneMeter(
            period_s=config.tune_meter.period_s,
            noise=config.scale * config.tune_meter.noise,
            resolution=config.tune_meter.resolution,
            min_current_ma=config.tune_meter.min_current_ma,
        ),
        lambda lane, number, count: normals(config.seed, lane, number, count),
        current_ma=current_ma,
        clock_s=clock_s,
    )


def monitor_errors(ring: Ring, errors: MachineErrors) -> MonitorErrors:
    """Return the hidden errors of a ring's monitors, in beam order, beside those that its document knows."""
    hidden = hidden_monitor_errors(ring.document, errors).values()
    rows = [(1e-3 * e.offset_x_mm, 1e-3 * e.offset_y_mm, e.gain_x, e.gain_y, e.roll_rad) for e in hidden]
    return MonitorErrors.of_table(np.array(rows, dtype=float))


def monitor_noise(names: Sequence[str], config: ImperfectionsConfig) -> MonitorNoise:
    """Make the noise of monitors; the phases of its lines are drawn from the seed."""
    sizes, count = config.monitors, len(names)
    planes = [f"{name} {plane}" for name in names for plane in "xy"]
    phases = [uniforms(config.seed, f"line {hz:g} Hz", planes).reshape(count, 2) for hz in LINES_HZ]
    amplitudes = [np.full((count, 2), config.scale * size) for size in (sizes.line_50hz_m, sizes.line_10hz_m)]
    white = np.full((count, 2), config.scale * sizes.noise_m)
    return MonitorNoise(white, np.array(LINES_HZ), np.array(amplitudes), 2.0 * np.pi * np.array(phases))


def losses(ring: Ring, config: StoredBeamConfig) -> Losses:
    """Make the losses of the stored beam."""
    return Losses(
        config.half_aperture_x_m,
        config.half_aperture_y_m,
        ring.document.coupling,
        tuple(Resonance(m, n, config.resonance_rate, config.resonance_width) for m, n in THIRD_ORDER),
    )


def interlock(ring: Ring, config: StoredBeamConfig, current_ma: Callable[[], float]) -> Interlock:
    """Make the interlock of a ring's orbit."""
    envelope = Envelope(config.envelope_x_m or math.inf, config.envelope_y_m or math.inf)
    return Interlock(envelope, tuple(bpm.name for bpm in ring.bpms), ring.monitors, current_ma)


def _dead(ring: Ring, names: Sequence[str], dead: Sequence[str]) -> NDArray[np.bool_]:
    unknown = [name for name in dead if name not in names]
    if unknown:
        near = ", ".join(names[:3])
        raise UnknownMonitor(
            f"imperfections.monitors.dead: {ring.name} has no monitor {unknown[0]!r}; it has {near} ..."
        )
    return np.array([name in dead for name in names], dtype=bool)
