"""A limits file for the simulated machine, and variants of it."""

from collections.abc import Mapping
from typing import Any

import yaml

LIMITS = """
schema: gnomon.gate_limits/1
machine: mls
note: of tests
fresh: {max_age_s: 30.0, max_skew_s: 2.0, max_severity: minor}
baseline: {share: 5.0e-5, orbit_mm: 0.1, tune: 0.01}
orbit:
  {x_mm: 3.0, y_mm: 3.0, rms_x_mm: not checked, rms_y_mm: not checked, absolute_x_mm: 4.0, absolute_y_mm: 4.0,
   max_dead_monitors: 2}
sources: {x_mm: not checked, y_mm: not checked, angle_x_mrad: not checked, angle_y_mrad: not checked}
tunes:
  max_change: 0.02
  lines:
    - {x: 1, y: 0, half_width: 0.005}
    - {x: 0, y: 1, half_width: 0.005}
    - {x: 2, y: 0, half_width: 0.005}
    - {x: 0, y: 2, half_width: 0.005}
optics:
  beta_beating_percent: not checked
  dispersion_m: {x: not checked, y: not checked}
  chromaticity: {x: not checked, y: not checked}
  coupling: not checked
aperture_mm: not checked
beam: {min_current_ma: 1.0, max_current_drop: 0.1, min_lifetime_h: not checked, max_lifetime_drop: not checked}
bounds: {coverage: 0.99, ramp_points: 1, second_tier_step: 1.0, second_tier_distance: 0.0, agreement: 0.5}
trust_region: {start: 0.5, smallest: 0.05, grow_after: 2}
outcome: {near_miss: 0.9, stop_band: 1.2, cusum_slack: 1.0, cusum_alarm: 30.0}
settings:
  - {pvs: ["*:setCur"], unit: A, low: -1.0, high: 1.0, max_step: 0.2, max_rate: 100.0, max_total: 0.5}
"""


def limits_text(changed: Mapping[str, Mapping[str, Any]], settings: list[Mapping[str, Any]]) -> str:
    """The same file with some values changed, by section and key, and with other rows of settings."""
    data = yaml.safe_load(LIMITS)
    for section, values in changed.items():
        assert set(values) <= set(data[section])
        data[section] |= values
    text: str = yaml.safe_dump(data | {"settings": settings}, sort_keys=False)
    return text
