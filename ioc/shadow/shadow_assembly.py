"""From the configuration to the mode of a twin, with all that a shadow of the configured machine is made of."""

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from gnomon.ioc.base.config import Config, ConfigError, ShadowConfig
from gnomon.ioc.commands.controls import Controls
from gnomon.ioc.shadow.bound_watch import BoundWatch, PredictsNext
from gnomon.ioc.shadow.comparison import Comparison
from gnomon.ioc.shadow.link import Link
from gnomon.ioc.shadow.machine_readings import MachineReadings
from gnomon.ioc.shadow.mode import Mode
from gnomon.ioc.shadow.residuals import Noise
from gnomon.ioc.shadow.shadow import Shadow, TwinServices
from gnomon.ioc.shadow.watched_pvs import choose_watched_pvs
from gnomon.lattice import Ring

if TYPE_CHECKING:
    from gnomon.recorder.bounds import CalibrationDocument


def make_mode(config: Config, ring: Ring, services: TwinServices, controls: Controls) -> Mode:
    """The mode of a twin. Raises ConfigError for a monitor that the ring does not have."""
    noise = make_noise(config.shadow, ring)
    make = partial(_make_shadow, config, ring, services, noise) if config.shadow.addresses else None
    return Mode(config.role, make, controls, services.outputs)


def make_noise(settings: ShadowConfig, ring: Ring) -> Noise:
    """The configured noise, by monitor in beam order. Raises ConfigError for one that the ring does not have."""
    names = [bpm.name for bpm in ring.bpms]
    if unknown := sorted(set(settings.monitor_noise_of) - set(names)):
        raise ConfigError(f"shadow.monitor_noise_of: {ring.name} has no monitor {unknown[0]!r}")
    of_each = [settings.monitor_noise_of.get(name, settings.monitor_noise_m) for name in names]
    return Noise(np.array(of_each), settings.tune_noise)


def _make_shadow(config: Config, ring: Ring, services: TwinServices, noise: Noise) -> Shadow:
    watched = choose_watched_pvs(services.specs, ring, config.prefix, config.shadow.prefix, config.shadow.leave_alone)
    readings = MachineReadings(watched.readings, len(ring.bpms))
    bounds = None
    if config.shadow.calibration is not None:
        make = partial(make_predictor, config, ring)
        bounds = BoundWatch(
            make, config.shadow.coverage, config.shadow.stale_s, services.outputs,
            version=partial(known_calibrations, config),
        )  # fmt: skip
        bounds.start()
    comparison = Comparison(
        config.shadow, readings, noise, services.state, services.outputs,
        bounds=bounds, lattice=lambda: services.dispatcher.lattice,
    )  # fmt: skip
    return Shadow(config.shadow, watched, services, make_link(config.shadow), comparison)


def find_calibration(config: Config, ring: Ring) -> "CalibrationDocument | None":
    """Find the configured calibration, if there is one. Raises CalibrationError if it cannot be had."""
    name = config.shadow.calibration
    if name is None:
        return None
    from gnomon.recorder.calibration_folder import CalibrationFolder  # scipy, which no other server needs

    document = CalibrationFolder(config.calibrations()).load(name, ring.digest)
    document.space(ring)
    return document


def known_calibrations(config: Config) -> tuple[str, ...]:
    """List the calibrations from which the newest one is chosen; none if the configuration names one."""
    from gnomon.recorder.calibration_folder import NEWEST, CalibrationFolder

    return tuple(CalibrationFolder(config.calibrations()).ids()) if config.shadow.calibration == NEWEST else ()


def make_predictor(config: Config, ring: Ring) -> PredictsNext:
    """The predictor of the configured calibration, prepared. Raises GnomonError."""
    from gnomon.recorder.bounds import Predictor

    document = find_calibration(config, ring)
    if document is None:
        raise ConfigError("shadow.calibration: there is none")
    predictor = Predictor.of(document, ring)
    predictor.prepare()
    return predictor


def make_link(settings: ShadowConfig) -> Link:
    """The link to the configured machine."""
    if settings.protocol == "ca":
        from gnomon.ioc.shadow.client.ca_link import CaLink

        return CaLink(settings.addresses, settings.timeout_s)
    from gnomon.ioc.shadow.client.pva_link import PvaLink

    return PvaLink(settings.addresses, settings.timeout_s)
