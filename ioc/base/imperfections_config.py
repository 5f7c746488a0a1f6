"""The section `imperfections` of the configuration: how far the machine of role machine is from its document.

Sources of the sizes: docs/explanations/imperfect_machine.md.
"""

from pydantic import Field

from gnomon.ioc.base.dynamics_config import (
    DriftsConfig,
    MonitorsConfig,
    StoredBeamConfig,
    SuppliesConfig,
    TuneMeterConfig,
)
from gnomon.ioc.base.section import Section


def _size(default: float, description: str, *, below: float = 0.1) -> float:
    size: float = Field(default=default, ge=0.0, le=below, description=f"{description} (standard deviation)")
    return size


class ErrorsConfig(Section):
    """Hidden errors of magnets and steerers: normal distributions with a mean of 0, cut on both sides."""

    cut: float = Field(
        default=3.0, ge=0.5, le=6.0, description="largest error, in standard deviations; what lies beyond is not drawn"
    )
    quadrupole_gradient: float = _size(1e-3, "relative error of the gradient of each quadrupole")
    sextupole_strength: float = _size(3e-3, "relative error of the strength of each sextupole")
    octupole_strength: float = _size(5e-3, "relative error of the strength of each octupole")
    dipole_field: float = _size(5e-4, "relative error of the field of each bending magnet")
    corrector_gain: float = _size(1e-2, "relative error of the kick of each steerer per ampere")
    corrector_roll_rad: float = _size(2e-3, "roll of each steerer's coil in its magnet [rad]")
    magnet_x_m: float = _size(3e-5, "horizontal displacement of each magnet on its girder [m]", below=1e-2)
    magnet_y_m: float = _size(3e-5, "vertical displacement of each magnet on its girder [m]", below=1e-2)
    magnet_roll_rad: float = _size(2e-4, "roll of each magnet on its girder [rad]")
    girder_x_m: float = _size(1e-4, "horizontal displacement of each girder [m]", below=1e-2)
    girder_y_m: float = _size(1e-4, "vertical displacement of each girder [m]", below=1e-2)
    girder_roll_rad: float = _size(1e-4, "roll of each girder about the beam [rad]")
    girder_gap_m: float = Field(
        default=0.4,
        ge=0.0,
        description="magnets stand on one girder as long as no gap between two of them is longer than this [m]",
    )


class ImperfectionsConfig(Section):
    """Imperfections of the machine that role `machine` stands in for; other roles have none."""

    seed: int = Field(
        default=1, ge=0, le=2**31 - 1, description="seed of everything random; the same seed gives the same machine"
    )
    scale: float = Field(
        default=1.0, ge=0.0, le=10.0, description="factor on the sizes of all hidden errors; 0: the ideal machine"
    )
    errors: ErrorsConfig = ErrorsConfig()
    supplies: SuppliesConfig = SuppliesConfig()
    monitors: MonitorsConfig = MonitorsConfig()
    tune_meter: TuneMeterConfig = TuneMeterConfig()
    drifts: DriftsConfig = DriftsConfig()
    stored_beam: StoredBeamConfig = StoredBeamConfig()
