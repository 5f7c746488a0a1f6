"""Classic ophyd devices, with ophyd's simulated PVs."""

import time
from typing import Any

import numpy as np
import pytest
from ophyd.sim import FakeEpicsSignalRO, NullStatus, make_fake_device
from ophyd.utils import LimitError
from patience import PATIENCE_S

from gnomon.clients import classic


@pytest.fixture
def supply() -> Any:
    made = make_fake_device(classic.Setting)(
        name="HS1", setpoint_pv="HS1:set", readback_pv="HS1:rdbk", tolerance=1e-3, timeout_s=0.1, unit="A",
        limits=(-10.0, 10.0),
    )  # fmt: skip
    made.setpoint.sim_put(0.0)
    made.readback.sim_put(0.0)
    return made


def test_a_setting_is_done_when_the_readback_is_there(supply: Any) -> None:
    status = supply.set(0.5)
    with pytest.raises(TimeoutError, match=r"HS1:set = 0\.5 A: the readback HS1:rdbk is 0 A") as told:
        status.wait(PATIENCE_S)
    assert "tolerance 0.001 A" in str(told.value)
    status = supply.set(0.5)
    supply.readback.sim_put(0.4995)
    status.wait(PATIENCE_S)
    assert supply.position == 0.4995
    assert list(supply.read()) == ["HS1_setpoint", "HS1"]


def test_a_value_outside_the_limits_is_refused_at_once(supply: Any) -> None:
    for value in (10.1, float("nan")):
        with pytest.raises(LimitError, match="outside -10 to 10 A"):
            supply.set(value)
    assert supply.setpoint.get() == 0.0


def test_a_put_that_the_server_refuses_is_an_error(supply: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supply.setpoint, "set", lambda value: NullStatus())  # pyepics does not tell
    with pytest.raises(RuntimeError, match=r"HS1:set = 0\.5 A: refused; it is 0 A"):
        supply.set(0.5).wait(2.0)


@pytest.mark.parametrize(("interleaved", "x"), [(True, [0.0, 2e-6, 4e-6]), (False, [0.0, 1e-6, 2e-6])])
def test_monitors_show_planes_in_mm(interleaved: bool, x: list[float]) -> None:
    monitors = make_fake_device(classic.Monitors)(
        name="monitors", positions_pv="p", count_pv="c", factor=1e-6, interleaved=interleaved, new=True
    )
    monitors.positions.sim_put(np.arange(6.0))
    np.testing.assert_allclose(monitors.x.get(), x)
    assert len(monitors.y.get()) == 3
    monitors.count.sim_put(7)
    status = monitors.trigger()
    assert not status.done
    monitors.count.sim_put(8)
    status.wait(PATIENCE_S)


def test_readings_of_a_machine_are_those_that_come_after_the_trigger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classic, "EpicsSignalRO", FakeEpicsSignalRO)
    tunes = classic.readings(name="tunes", pvs={"x": "qx", "y": "qy"}, new=True)
    for signal in (tunes.x, tunes.y):
        signal.sim_put(0.17)
    status = tunes.trigger()
    tunes.x.sim_put(0.18)
    time.sleep(3 * classic.POLL_S)
    assert not status.done, "y is not new"
    tunes.y.sim_put(0.23)
    status.wait(PATIENCE_S)
    classic.readings(name="tunes", pvs={"x": "qx"}).trigger().wait(PATIENCE_S)  # of a twin, what is shown is new
