"""Sections of `imperfections` about what changes with time: supplies, monitors, tune meter, drifts, stored beam.

Sources of the sizes: docs/explanations/imperfect_machine.md.
"""

from pydantic import Field

from gnomon.ioc.base.section import Section


class SuppliesConfig(Section):
    """Power supplies and the iron of their magnets. Sizes are relative to the range of a supply's current."""

    ramp_s: float = Field(
        default=20.0, ge=0.0, le=3600.0, description="time in which a supply ramps over its whole range; 0: at once [s]"
    )
    steerer_ramp_s: float = Field(
        default=2.0, ge=0.0, le=3600.0, description="the same for supplies that feed steerers alone [s]"
    )
    lag_s: float = Field(default=0.05, ge=0.0, le=60.0, description="time constant of the regulation [s]")
    resolution_bits: int = Field(
        default=18, ge=0, le=32, description="bits of the setpoint's converter over the whole range; 0: no steps"
    )
    ripple: float = Field(default=0.0, ge=0.0, le=1e-2, description="amplitude of the ripple, relative to the range")
    ripple_hz: float = Field(default=300.0, gt=0.0, le=1e6, description="frequency of the ripple [Hz]")
    remanence: float = Field(
        default=3e-4, ge=0.0, le=0.1, description="width of the hysteresis loop over the whole range, relative to it"
    )


class MonitorsConfig(Section):
    """Beam position monitors: standing errors (standard deviations, cut like those of magnets), and noise."""

    offset_m: float = Field(default=1e-4, ge=0.0, le=1e-2, description="offset from the girder that carries it [m]")
    gain: float = Field(default=1e-2, ge=0.0, le=0.1, description="relative error of the gain")
    roll_rad: float = Field(default=3e-3, ge=0.0, le=0.1, description="roll about the beam [rad]")
    noise_m: float = Field(default=1e-6, ge=0.0, le=1e-2, description="white noise of a reading [m]")
    line_50hz_m: float = Field(default=2e-7, ge=0.0, le=1e-2, description="amplitude of a line at 50 Hz [m]")
    line_10hz_m: float = Field(default=2e-7, ge=0.0, le=1e-2, description="amplitude of a line at 10 Hz [m]")
    dead: tuple[str, ...] = Field(default=(), description="names of dead monitors; their PVs are INVALID")


class TuneMeterConfig(Section):
    """The tune measurement."""

    resolution: float = Field(default=2e-5, ge=0.0, le=0.1, description="steps in which it shows a tune; 0: none")
    noise: float = Field(default=1e-5, ge=0.0, le=0.1, description="noise (standard deviation)")
    period_s: float = Field(default=1.0, ge=0.0, le=3600.0, description="time from one measurement to the next [s]")
    min_current_ma: float = Field(
        default=1.0, ge=0.0, description="current below which it fails, and the tune PVs are INVALID [mA]"
    )


class DriftsConfig(Section):
    """Slow drifts."""

    tide: float = Field(
        default=1e-8, ge=0.0, le=1e-5, description="relative change of the circumference by the lunar tide (amplitude)"
    )
    temperature: float = Field(
        default=2e-7, ge=0.0, le=1e-4, description="relative change of the circumference in a day (amplitude)"
    )
    warming: float = Field(
        default=0.0, ge=-1e-2, le=1e-2, description="relative change of all fields that is left at the start"
    )
    warming_h: float = Field(default=2.0, gt=0.0, description="time constant in which it dies away [h]")


class StoredBeamConfig(Section):
    """Losses of the stored beam, and the interlock that dumps it."""

    current_ma: float = Field(
        default=100.0, ge=0.0, le=1e5, description="nominal current of a machine whose document has none; 0: none [mA]"
    )
    half_aperture_x_m: float = Field(default=0.025, gt=0.0, le=1.0, description="half aperture, horizontal [m]")
    half_aperture_y_m: float = Field(default=0.008, gt=0.0, le=1.0, description="half aperture, vertical [m]")
    resonance_rate: float = Field(
        default=0.02, ge=0.0, description="losses on a third-order resonance line, 0: none [1/s]"
    )
    resonance_width: float = Field(
        default=0.004, gt=0.0, le=0.5, description="width of the line, standard deviation of m Qx + n Qy"
    )
    envelope_x_m: float = Field(
        default=0.005, ge=0.0, description="largest orbit reading, horizontal, before the beam is dumped; 0: any [m]"
    )
    envelope_y_m: float = Field(default=0.004, ge=0.0, description="the same, vertical [m]")
