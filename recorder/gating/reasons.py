"""The reasons for which a command is refused: a stable code for each, its meaning and its remedy."""

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["MEANINGS", "Code", "Meaning", "Reason"]


class Code(StrEnum):
    """Codes of reasons, in the order in which they are checked. Programs may rely on them."""

    NOT_ARMED = "not_armed"
    AUTHORITY_EXPIRED = "authority_expired"
    CLOCK_JUMP = "clock_jump"
    MACHINE_DIFFERS = "machine_differs"
    LIMITS_DIFFER = "limits_differ"
    NOT_APPROVED = "not_approved"
    OUT_OF_ORDER = "out_of_order"
    PV_NOT_ALLOWED = "pv_not_allowed"
    NOT_FINITE = "not_finite"
    UNIT = "unit"
    CONVERSION = "conversion"
    DISCONNECTED = "disconnected"
    INVALID = "invalid"
    STALE = "stale"
    CLOCK_SKEW = "clock_skew"
    DEAD_MONITORS = "dead_monitors"
    START_DIFFERS = "start_differs"
    BASELINE = "baseline"
    FOREIGN_WRITE = "foreign_write"
    BASELINE_ORBIT = "baseline_orbit"
    BASELINE_TUNE = "baseline_tune"
    CURRENT = "current"
    LIFETIME = "lifetime"
    MISSING_LIMIT = "missing_limit"
    STATIC_LIMIT = "static_limit"
    MAX_STEP = "max_step"
    TRUST_REGION = "trust_region"
    MAX_RATE = "max_rate"
    CUMULATED = "cumulated"
    NO_CALIBRATION = "no_calibration"
    CALIBRATION_DIFFERS = "calibration_differs"
    CALIBRATION_AGE = "calibration_age"
    OPTICS_DIFFER = "optics_differ"
    DISTRUST = "distrust"
    TIERS_DISAGREE = "tiers_disagree"
    NO_BOUND = "no_bound"
    BOUND_ORBIT_X = "bound_orbit_x"
    BOUND_ORBIT_Y = "bound_orbit_y"
    BOUND_SOURCE_X = "bound_source_x"
    BOUND_SOURCE_Y = "bound_source_y"
    BOUND_SOURCE_ANGLE_X = "bound_source_angle_x"
    BOUND_SOURCE_ANGLE_Y = "bound_source_angle_y"
    BOUND_TUNE = "bound_tune"
    RESONANCE = "resonance"
    BOUND_BETA_BEATING = "bound_beta_beating"
    BOUND_DISPERSION = "bound_dispersion"
    BOUND_CHROMATICITY = "bound_chromaticity"
    BOUND_COUPLING = "bound_coupling"
    BOUND_APERTURE = "bound_aperture"
    MISSED_BAND = "missed_band"
    CUSUM = "cusum"
    FAILED_CHECK = "failed_check"


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason against a command. `text` says which PV or observable, its value and unit, and the limit."""

    code: Code
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Meaning:
    """The meaning of a code in words, and the remedy."""

    meaning: str
    remedy: str


def _bound(of: str, limit: str) -> Meaning:
    return Meaning(
        f"The lower or the upper bound of {of} leaves its limits before, during or after the step.",
        f"Make smaller steps, another correction, or have `{limit}` of the limits file reviewed.",
    )


#: Meaning and remedy of each code.
MEANINGS: dict[Code, Meaning] = {
    Code.NOT_ARMED: Meaning("Nothing may be written: this is a dry run.", "Arm with a one-time token."),
    Code.AUTHORITY_EXPIRED: Meaning(
        "The half hour for which the token was given is over.",
        "Look at the machine, then arm again with a new token.",
    ),
    Code.CLOCK_JUMP: Meaning(
        "The computer's clock and its running time disagree about how long the token has been valid.",
        "Find out who sets the clock, then arm again.",
    ),
    Code.MACHINE_DIFFERS: Meaning(
        "Limits, recording, calibration and token are not all of one machine and one machine document.",
        "Use those of this machine.",
    ),
    Code.LIMITS_DIFFER: Meaning(
        "The limits file is not the one that the reviewer has signed and the token names.",
        "Use that one, or have the recording approved again with this one.",
    ),
    Code.NOT_APPROVED: Meaning(
        "The command is not on the way of the approved step: another PV, another unit, or a value beyond it.",
        "Replay what was approved, or have the change reviewed as a new recording.",
    ),
    Code.OUT_OF_ORDER: Meaning(
        "The command is not the next one of the approved recording: one is missing, repeated or in another place.",
        "Replay the recording from its start, or `--resume` it.",
    ),
    Code.PV_NOT_ALLOWED: Meaning(
        "No row of `settings` in the limits file names the PV, or it sets several settings at once.",
        "Do not write it, or have a row reviewed and added.",
    ),
    Code.NOT_FINITE: Meaning("A value of the command is NaN, infinite, or not a number.", "Correct the command."),
    Code.UNIT: Meaning(
        "The unit of the command, of the PV on the machine, and of the limits file are not the same one.",
        "Correct the unit; a machine that states no unit cannot be written.",
    ),
    Code.CONVERSION: Meaning(
        "The value to be written and the setting that the model is asked about are not the same, in their units.",
        "Use the PV document of this machine.",
    ),
    Code.DISCONNECTED: Meaning("A PV that the decision needs does not answer.", "Restore the connection."),
    Code.INVALID: Meaning("A PV that the decision needs is in alarm INVALID.", "Repair the device, or wait for it."),
    Code.STALE: Meaning("A reading is older than `fresh.max_age_s`.", "Find out why it is not updated."),
    Code.CLOCK_SKEW: Meaning(
        "A time stamp is further in the future than `fresh.max_skew_s`.", "Synchronise the clocks of both computers."
    ),
    Code.DEAD_MONITORS: Meaning(
        "More beam position monitors than `orbit.max_dead_monitors` show nothing, or the tune is not shown.",
        "Repair them, or have the limit reviewed.",
    ),
    Code.START_DIFFERS: Meaning(
        "The setpoint or its readback does not have the value from which the step begins.",
        "Wait until it has settled; if it was set by someone else, start again.",
    ),
    Code.BASELINE: Meaning(
        "A PV does not have the value with which the recording began.",
        "Restore that state, or make a new recording from this one and have it approved.",
    ),
    Code.FOREIGN_WRITE: Meaning(
        "A PV has changed since the first step, and not by us.", "Ask who has set it; nothing else is written."
    ),
    Code.BASELINE_ORBIT: Meaning(
        "The orbit at the start differs from that of the recording by more than `baseline.orbit_mm` or `orbit`.",
        "Correct the orbit, or make a new recording; on a twin, with `gnomon record start --reference-from PREFIX`.",
    ),
    Code.BASELINE_TUNE: Meaning(
        "The tunes at the start differ from those of the recording by more than `baseline.tune`.",
        "Correct the tunes, or make a new recording.",
    ),
    Code.CURRENT: Meaning("The beam current is too low, unknown, or has dropped.", "Inject, or find out why."),
    Code.LIFETIME: Meaning("The lifetime is too short, unknown, or has dropped.", "Find out why."),
    Code.MISSING_LIMIT: Meaning(
        "The machine or the limits file states no limit for something that needs one.",
        "Have the limit reviewed and added.",
    ),
    Code.STATIC_LIMIT: Meaning(
        "The value leaves the limits of the PV: the machine's, the machine document's, or the limits file's.",
        "Choose another value.",
    ),
    Code.MAX_STEP: Meaning("The step is larger than `max_step` of the PV's row.", "Make smaller steps."),
    Code.TRUST_REGION: Meaning(
        "The step is larger than the trust region, which grows with steps that came as predicted.",
        "Make smaller steps.",
    ),
    Code.MAX_RATE: Meaning("The PV would change faster than `max_rate` of its row.", "Wait longer between steps."),
    Code.CUMULATED: Meaning(
        "All steps together have moved the PV further than `max_total` of its row.",
        "Look at the machine, then start again from a state that was reviewed.",
    ),
    Code.NO_CALIBRATION: Meaning("There is no calibration, so there is no bound.", "`gnomon calibrate`"),
    Code.CALIBRATION_DIFFERS: Meaning(
        "The calibration is not the one with which the recording was reviewed.",
        "Use that one, or review and approve again with the new one.",
    ),
    Code.CALIBRATION_AGE: Meaning(
        "The calibration is older than it may be, or from the future.", "`gnomon calibrate` again"
    ),
    Code.OPTICS_DIFFER: Meaning(
        "The optics of the calibration are not those of the recording.", "Calibrate with these optics."
    ),
    Code.DISTRUST: Meaning(
        "The model itself says that its bound must not be relied on, and why.",
        "More held-out commands, a new calibration, or smaller steps, as the text says.",
    ),
    Code.TIERS_DISAGREE: Meaning(
        "The linear bounds and those of the ensemble do not agree.", "Make smaller steps, or calibrate again."
    ),
    Code.NO_BOUND: Meaning(
        "The limits file limits something for which the model has given no finite bound.",
        "Use a calibration that has it, or write `not checked` there, which is then shown.",
    ),
    Code.BOUND_ORBIT_X: _bound("the horizontal orbit at a monitor", "orbit"),
    Code.BOUND_ORBIT_Y: _bound("the vertical orbit at a monitor", "orbit"),
    Code.BOUND_SOURCE_X: _bound("the horizontal position of a source", "sources"),
    Code.BOUND_SOURCE_Y: _bound("the vertical position of a source", "sources"),
    Code.BOUND_SOURCE_ANGLE_X: _bound("the horizontal angle of a source", "sources"),
    Code.BOUND_SOURCE_ANGLE_Y: _bound("the vertical angle of a source", "sources"),
    Code.BOUND_TUNE: _bound("a tune", "tunes.max_change"),
    Code.RESONANCE: Meaning(
        "The way of the working point, with its bounds, touches a listed line of resonances or its half width.",
        "Choose another way in the tune diagram.",
    ),
    Code.BOUND_BETA_BEATING: _bound("the beta beating", "optics.beta_beating_percent"),
    Code.BOUND_DISPERSION: _bound("the dispersion", "optics.dispersion_m"),
    Code.BOUND_CHROMATICITY: _bound("a chromaticity", "optics.chromaticity"),
    Code.BOUND_COUPLING: _bound("the coupling", "optics.coupling"),
    Code.BOUND_APERTURE: _bound("the distance from the chamber", "aperture_mm"),
    Code.MISSED_BAND: Meaning(
        "After the step, the machine is outside of the predicted band, by more than `outcome.stop_band` allows.",
        "Roll back, and find out whether the magnet or the monitor is at fault.",
    ),
    Code.CUSUM: Meaning(
        "Small deviations from the prediction have added up over several steps: the model and the machine drift apart.",
        "Roll back, and calibrate again.",
    ),
    Code.FAILED_CHECK: Meaning(
        "A check has failed with an error of its own, and counts as not passed.", "Report the error."
    ),
}
