"""A limits file to be filled in: rows of a machine's setpoints with their units and ranges, and no limit invented."""

from collections.abc import Iterable, Iterator
from textwrap import wrap

from gnomon.db.pvs import PvSpec
from gnomon.db.sources import SET
from gnomon.lattice import Ring
from gnomon.recorder.bounds import kind_of

__all__ = ["make_limits_template"]

#: Words for the kinds of settings.
_NAMES = {
    "kick_x": "horizontal steerers", "kick_y": "vertical steerers", "k1": "quadrupoles", "k1s": "skew quadrupoles",
    "b3": "sextupoles", "b4": "octupoles", "frequency": "RF frequency",
}  # fmt: skip

#: Kinds that the bounds know about.
_KINDS = tuple(_NAMES)

_HEAD = """\
# Limits of the safety gate for {machine}. The gate is not machine protection and must not be counted as such.
# No limit has a default: fill in each null, and remove rows of what must not be written. `not checked` in place of a
# number leaves a limit out; every verdict shows that. `gnomon gate check FILE` says what is missing.
# The orbit counts from the reference orbit of the recording. Good limits are about half of the interlock's envelope.
schema: gnomon.gate_limits/1
machine: {machine}
note: null                # source of the limits, who reviewed them, and when
fresh:
  max_age_s: null         # age of a reading by its time stamp, and of a value since it was read
  max_skew_s: null        # time by which a time stamp may be in the future, and the clock may have jumped
  max_severity: null      # highest alarm severity of a setpoint or readback: none, minor or major
baseline:                 # differences from the state with which the recording began that count as none
  share: null             # of a setpoint or readback, as a fraction of the range of its drive limits
  orbit_mm: null          # of the orbit at any monitor, from the reference orbit
  tune: null
orbit:
  x_mm: null              # largest distance from the reference orbit at any monitor
  y_mm: null
  rms_x_mm: null          # root mean square of it over all monitors
  rms_y_mm: null
  absolute_x_mm: null     # largest position at any monitor, whatever the reference orbit is
  absolute_y_mm: null
  max_dead_monitors: null # number of monitors that may show nothing
sources:                  # the beam at the centres of straights, as the model finds it from the monitors
  x_mm: null
  y_mm: null
  angle_x_mrad: null
  angle_y_mrad: null
tunes:
  max_change: null        # largest distance of each tune from that at the start
  lines:                  # x Qx + y Qy = p for all whole p; half widths are at least 0.005
    - {{x: 1, y: 0, half_width: null}}
    - {{x: 0, y: 1, half_width: null}}
    - {{x: 2, y: 0, half_width: null}}
    - {{x: 0, y: 2, half_width: null}}
    - {{x: 1, y: -1, half_width: null}}
    - {{x: 1, y: 1, half_width: null}}
    - {{x: 3, y: 0, half_width: null}}
    - {{x: 1, y: 2, half_width: null}}
    - {{x: 1, y: -2, half_width: null}}
optics:
  beta_beating_percent: null
  dispersion_m: {{x: {{low: null, high: null}}, y: {{low: null, high: null}}}}
  chromaticity: {{x: {{low: null, high: null}}, y: {{low: null, high: null}}}}
  coupling: null          # closest approach of the tunes
aperture_mm: null         # smallest distance of the beam from the chamber
beam:
  min_current_ma: null
  max_current_drop: null  # relative, in one step
  min_lifetime_h: null
  max_lifetime_drop: null # relative, in one step
bounds:
  coverage: 0.99              # probability with which all observables are inside of their bounds at once
  ramp_points: 1              # number of states along a step at which bounds are checked, besides both ends
  second_tier_step: 0.5       # fraction of max_step above which an ensemble checks the linear bounds
  second_tier_distance: 0.01  # distance from a line, beyond its half width, below which it does so too
  agreement: 0.5              # largest difference of both, in half widths
trust_region:                 # as a fraction of max_step
  start: 0.25
  smallest: 0.02
  grow_after: 3               # hits in a row after which it is doubled; a near miss halves it
outcome:                      # deviations in half widths of the band
  near_miss: 0.8
  stop_band: 1.0
  cusum_slack: 0.5            # in standard deviations; gnomon.recorder.gating.average_run_length tells what they mean
  cusum_alarm: 12.0
settings:                     # setpoints that may be written; the first row with a matching pattern counts
"""


def make_limits_template(ring: Ring, specs: Iterable[PvSpec]) -> str:
    """Write the limits file of a machine whose PVs are `specs`, without prefix."""
    return _HEAD.format(machine=ring.name) + "\n".join(_rows(ring, specs)) + "\n"


def _rows(ring: Ring, specs: Iterable[PvSpec]) -> Iterator[str]:
    groups: dict[tuple[str, str, float, float], list[str]] = {}
    for spec in specs:
        if (
            spec.source != SET.name
            or spec.drive is None
            or spec.presets
            or spec.property not in ("current", "frequency")
        ):
            continue
        groups.setdefault((kind_of(ring, [(spec.device, spec.property)]), spec.unit, *spec.drive), []).append(spec.name)
    for (kind, unit, low, high), names in sorted(groups.items(), key=lambda item: _order(item[0][0], item[1])):
        if kind not in _KINDS:
            continue
        yield f"  # {_NAMES[kind]}: drive limits {low:g} to {high:g} {unit}"
        pvs = wrap(", ".join(f'"{name}"' for name in names), 108, break_long_words=False, break_on_hyphens=False)
        yield "  - pvs: [" + "\n         ".join(pvs) + "]"
        yield f"    unit: {unit}"
        yield f"    low: {low!r}"
        yield f"    high: {high!r}"
        yield "    max_step: null"
        yield "    max_rate: null          # per second"
        yield "    max_total: null         # distance from the value before the first step"


def _order(kind: str, names: list[str]) -> tuple[int, str]:
    return (_KINDS.index(kind) if kind in _KINDS else len(_KINDS), names[0])
