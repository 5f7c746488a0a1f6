"""Devices of ophyd-async without a server: names, units, limits, refusals, and when a reading counts as fresh."""

import asyncio
import time
from functools import partial

import numpy as np
import pytest
from ophyd_async.core import NotConnectedError, callback_on_mock_put, set_mock_put_proceeds, set_mock_value
from ophyd_async.testing import assert_configuration, assert_reading, partial_reading

from gnomon.clients.bluesky_devices import RingDevices
from gnomon.clients.bluesky_devices import measurement as measuring
from gnomon.clients.errors import (
    ClientError,
    NoBeamError,
    NoDeviceError,
    NotReachedError,
    RefusedError,
    StaleReadingError,
)
from gnomon.clients.machine_pvs import find_machine_pvs

STEERER = "HS4P1D1R"


@pytest.fixture
def ring() -> RingDevices:
    return RingDevices(find_machine_pvs("bessy2", "TWIN:"))


@pytest.fixture
async def twin(ring: RingDevices) -> RingDevices:
    """Mock signals whose freshness counts, as those of a twin."""
    return await as_served(ring)


async def as_served(ring: RingDevices, kind: str = "twin") -> RingDevices:
    monitors, generation = ring.monitors, ring.session.generation
    assert generation is not None
    await asyncio.gather(*(each.connect(mock=True) for each in (monitors, generation, ring.supplies[STEERER])))
    ring.session.is_mock, ring.session._kind = False, kind  # type: ignore[assignment]
    set_mock_value(generation, 7)
    set_mock_value(monitors.positions, np.arange(246.0))
    return ring


def test_devices_have_the_names_of_the_control_room(ring: RingDevices) -> None:
    assert ring.supplies[STEERER].name == STEERER
    assert ring.supplies[STEERER].setpoint.name == f"{STEERER}-setpoint"
    assert [device.name for device in ring.supplies.match("HS4P1D[12]R")] == ["HS4P1D1R", "HS4P1D2R"]
    assert ring[STEERER] is ring.supplies[STEERER]
    assert ring["monitors"] is ring.monitors
    magnet = ring.magnets["Q1M2D1R"]
    assert (magnet.supply, magnet["k1"].name) == ("Q1PDR", "Q1M2D1R-k1")
    with pytest.raises(NoDeviceError, match="Q1M2D1R has no 'b3'; it has k1, hw2phys, dx, dy, roll, current"):
        magnet["b3"]
    other = RingDevices(find_machine_pvs("bessy2", ""), name="machine")
    assert (other.supplies[STEERER].name, other["tunes"].name) == (f"machine-{STEERER}", "machine-tunes")


def test_an_unknown_device_names_the_nearest(ring: RingDevices) -> None:
    with pytest.raises(NoDeviceError, match=r"no power supply 'HS4P1D1'; near names: HS4P1D1R"):
        ring.supplies["HS4P1D1"]
    with pytest.raises(NoDeviceError, match="has no device 'monitor'; near names: monitors"):
        ring["monitor"]
    with pytest.raises(NoDeviceError, match=r"no power supply fits 'HS9\*'"):
        ring.supplies.match("HS4*", "HS9*")
    assert "HS4P1D1" not in ring.supplies


def test_a_device_that_the_ring_does_not_have_is_told() -> None:
    mls = RingDevices(find_machine_pvs("mls", ""))
    assert ("multiplexer" in mls, "monitors" in mls, "Q1P1K1RP" in mls) == (False, True, True)
    with pytest.raises(NoDeviceError, match="mls has no multiplexer, or the PV document no PVs for it"):
        mls.multiplexer  # noqa: B018
    assert len(mls.magnets) == 0
    assert list(mls.others)[:2] == ["rf-voltage", "phase_modulation-state"]


async def test_a_supply_passes_the_checks_of_ophyd_async(ring: RingDevices) -> None:
    supply = ring.supplies[STEERER]
    await supply.connect(mock=True)
    await assert_configuration(supply, {f"{STEERER}-tolerance": partial_reading(0.001)})
    # The mock of a movable device is instantly there; limits are those of the machine document.
    await supply.set(0.25)
    await assert_reading(supply, {STEERER: partial_reading(0.25), f"{STEERER}-setpoint": partial_reading(0.25)})
    for value in (20.0, float("nan")):
        with pytest.raises(RefusedError, match=r"A: outside the drive limits -10 to 10 A; nothing was changed"):
            await supply.set(value)
    assert (await supply.locate())["setpoint"] == 0.25


async def test_a_readback_that_does_not_arrive_is_told_with_all_numbers(ring: RingDevices) -> None:
    supply = ring.supplies[STEERER]
    await supply.connect(mock=True)
    await supply.set(0.25)
    callback_on_mock_put(supply.setpoint, lambda value: None)
    set_mock_put_proceeds(supply.setpoint, False)  # a put that never completes
    with pytest.raises(NotReachedError, match=r"= 0\.5 A: the put was not completed within 0\.20 s; .*rdbk is 0\.25 A"):
        await supply.set(0.5, timeout=0.2)
    set_mock_put_proceeds(supply.setpoint, True)
    callback_on_mock_put(supply.setpoint, lambda value: set_mock_value(supply.readback, value - 0.002))
    with pytest.raises(NotReachedError, match=r"rdbk is 0\.498 A \(tolerance 0\.001 A\)"):
        await supply.set(0.5, timeout=0.2)
    # A step that is small has to be seen, too.
    callback_on_mock_put(supply.setpoint, lambda value: None)
    with pytest.raises(NotReachedError, match=r"tolerance 0\.0001 A"):
        await supply.set(0.4985, timeout=0.2)


async def test_readings_of_a_twin_are_of_the_generation_that_is_shown(twin: RingDevices) -> None:
    monitors, generation = twin.monitors, twin.session.generation
    assert generation is not None
    await monitors.trigger()
    read = await monitors.read()
    assert read["monitors-generation"]["value"] == 7
    np.testing.assert_allclose(read["monitors-x"]["value"], 1e-6 * np.arange(0, 246, 2))  # nm to mm
    np.testing.assert_allclose(read["monitors-y"]["value"], 1e-6 * np.arange(1, 246, 2))
    set_mock_value(generation, 8)  # later than the positions
    status = monitors.trigger()
    await asyncio.sleep(0.05)
    assert not status.done
    set_mock_value(monitors.positions, np.ones(246))
    await status
    read = await monitors.read()
    assert (read["monitors-generation"]["value"], read["monitors-x_rms"]["value"]) == (8, pytest.approx(1e-6))


async def test_readings_of_a_machine_are_later_than_the_last_setting_and_new(ring: RingDevices) -> None:
    await as_served(ring, "machine")
    monitors = ring.monitors
    await monitors.settle.set(0.05)
    await monitors.trigger()
    status = monitors.trigger()  # the same reading again is not a new one
    await asyncio.sleep(0.05)
    assert not status.done
    set_mock_value(monitors.counter, 1)
    set_mock_value(monitors.positions, np.ones(246))
    await status
    await ring.supplies[STEERER].set(0.1)  # settles in 0.5 s, and in 0.05 s of the monitors
    settled_s = ring.session.settled_s + time.time() - time.monotonic()
    status = monitors.trigger()
    for number in range(2, 100):
        if status.done:
            break
        set_mock_value(monitors.counter, number)
        set_mock_value(monitors.positions, np.full(246, number))
        await asyncio.sleep(0.02)
    await status
    read = await monitors.read()
    assert settled_s + 0.05 <= read["monitors-x"]["timestamp"] < settled_s + 0.2


@pytest.mark.parametrize("ahead_s", [-3600.0, 0.0, 3600.0])
async def test_a_reading_that_began_before_the_setting_does_not_count_whatever_the_clocks_say(
    ring: RingDevices, monkeypatch: pytest.MonkeyPatch, ahead_s: float
) -> None:
    """A meter that averages over 0.3 s shows a mean of both states; by its server's clock, it may be of tomorrow."""
    await as_served(ring, "machine")
    monitors, supply = ring.monitors, ring.supplies[STEERER]
    began, states = time.monotonic(), [(0.0, 0.0)]

    def show(now: float) -> None:
        """Show the mean of the last 0.3 s."""
        edges = [max(at, now - 0.3) for at, _ in states[1:]] + [now]
        starts = [now - 0.3, *edges[:-1]]
        mean = sum(value * (to - at) for (_, value), at, to in zip(states, starts, edges, strict=True)) / 0.3
        with monkeypatch.context() as patched:
            patched.setattr(time, "time", partial(float, wall + now + ahead_s))
            set_mock_value(monitors.counter, round(1e3 * (now - began)))
            set_mock_value(monitors.positions, np.full(246, mean))

    wall = time.time() - time.monotonic()
    await monitors.settle.set(0.3)
    show(time.monotonic())
    await supply.set(0.1)
    states.append((ring.session.settled_s, 1e6))
    status = monitors.trigger()
    while not status.done:
        show(time.monotonic())
        await asyncio.sleep(0.1)
    await status
    assert (await monitors.read())["monitors-x"]["value"][0] == pytest.approx(1.0)


async def test_several_samples_are_averaged(twin: RingDevices) -> None:
    monitors = twin.monitors
    await monitors.samples.set(3)
    set_mock_value(monitors.positions, np.full(246, 1e6))
    status = monitors.trigger()
    for value in (2e6, 3e6):
        await asyncio.sleep(0.06)
        set_mock_value(monitors.counter, int(value))
        set_mock_value(monitors.positions, np.full(246, value))
    await status
    read, described = await monitors.read(), await monitors.describe()
    assert read["monitors-x"]["value"][0] == pytest.approx(2.0)
    assert read["monitors-y_std"]["value"][122] == pytest.approx(1.0)
    assert described.keys() == read.keys()


async def test_monitors_describe_themselves(twin: RingDevices) -> None:
    monitors = twin.monitors
    await monitors.trigger()
    described = await monitors.describe()
    assert described.keys() == (await monitors.read()).keys()
    assert described["monitors-x"] | {"source": ""} == {
        "dtype": "array", "shape": [123], "dtype_numpy": "<f8", "units": "mm", "precision": 6, "source": "",
    }  # fmt: skip
    configuration = await monitors.read_configuration()
    assert configuration["monitors-monitor_names"]["value"][0] == monitors.names[0]
    assert monitors.hints == {"fields": ["monitors-x_rms", "monitors-y_rms"]}


async def test_an_old_reading_and_one_of_another_length_are_told(
    twin: RingDevices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monitors, generation = twin.monitors, twin.session.generation
    assert generation is not None
    monkeypatch.setattr(measuring, "FRESH_S", 0.05)
    set_mock_value(generation, 8)
    with pytest.raises(StaleReadingError, match=r"monitors: no reading of .*ORBITCC:rdPos came within 0\.05 s"):
        await monitors.trigger()
    set_mock_value(monitors.positions, np.ones(240))
    with pytest.raises(ClientError, match="240 values, of 123 monitors in the machine document 246 are expected"):
        await monitors.trigger()


async def test_without_a_beam_there_is_no_reading(twin: RingDevices, monkeypatch: pytest.MonkeyPatch) -> None:
    monitors = twin.monitors
    backend = monitors.positions._connector.backend
    reading = await backend.get_reading()
    invalid = partial(asyncio.sleep, 0.0, reading | {"alarm_severity": -1})
    monkeypatch.setattr(backend, "get_reading", invalid)
    monkeypatch.setattr(twin.session, "trouble", partial(asyncio.sleep, 0.0, "the RF is off"))
    with pytest.raises(NoBeamError, match=r"monitors: .*ORBITCC:rdPos is INVALID: the RF is off"):
        await monitors.trigger()


async def test_tunes_are_fractional_whatever_the_machine_shows() -> None:
    for machine, shown, frequency in (("bessy2", 17.85, 0.0), ("mls", 1e-3 * 0.178 * 499654e3 / 80, 499654.0)):
        ring = RingDevices(find_machine_pvs(machine, ""))
        tunes = ring.tunes
        await tunes.connect(mock=True)
        for signal in (tunes.x, tunes.y):
            set_mock_value(signal, shown)
        if frequency:
            set_mock_value(tunes.frequency, frequency)
        await tunes.trigger()
        assert (await tunes.read())["tunes-x"]["value"] == pytest.approx(0.85 if machine == "bessy2" else 0.178)


async def test_pvs_that_do_not_answer_are_told_in_a_line(ring: RingDevices) -> None:
    with pytest.raises(NotConnectedError) as told:
        await ring.supplies.connect(timeout=0.01)
    assert len(str(told.value)) < 300
    assert "ca://TWIN:S1PR:rdbk" in str(told.value)


async def test_a_ring_connects_whole_with_and_without_magnets() -> None:
    mls = RingDevices(find_machine_pvs("mls", ""))
    await mls.connect(mock=True)
    assert (await mls.supplies["Q1P1K1RP"].locate())["setpoint"] == 0.0
