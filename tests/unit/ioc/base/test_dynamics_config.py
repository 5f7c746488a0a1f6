"""Sizes of what changes with time: none by default that a machine could not have, and each can be switched off."""

import pytest
from pydantic import BaseModel, ValidationError

from gnomon.ioc.base.dynamics_config import (
    DriftsConfig,
    MonitorsConfig,
    StoredBeamConfig,
    SuppliesConfig,
    TuneMeterConfig,
)

SECTIONS = (SuppliesConfig, MonitorsConfig, TuneMeterConfig, DriftsConfig, StoredBeamConfig)
#: Widths and times by which something is divided.
NEVER_ZERO = {
    "ripple_hz", "warming_h", "half_aperture_x_m", "half_aperture_y_m", "resonance_width",
}  # fmt: skip


@pytest.mark.parametrize("section", SECTIONS)
def test_each_size_can_be_zero_unless_something_is_divided_by_it(section: type[BaseModel]) -> None:
    for name in type(section()).model_fields:
        if name == "dead":
            continue
        if name in NEVER_ZERO:
            with pytest.raises(ValidationError):
                section.model_validate({name: 0})
        else:
            assert getattr(section.model_validate({name: 0}), name) == 0


@pytest.mark.parametrize("section", SECTIONS)
def test_sizes_are_numbers_and_only_the_warming_may_be_negative(section: type[BaseModel]) -> None:
    for name in type(section()).model_fields:
        for value in (float("nan"), float("inf"), -1e-3):
            if (name, value) == ("warming", -1e-3) or (value == float("inf") and name in UNBOUNDED):
                continue
            with pytest.raises(ValidationError):
                section.model_validate({name: value})


#: Without an upper limit: a current, rates and lengths where endless means never.
UNBOUNDED = {"min_current_ma", "warming_h", "resonance_rate", "envelope_x_m", "envelope_y_m"}
