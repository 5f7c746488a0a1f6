"""Each fault of readings, as clients are shown it; the model and the journal never have it."""

import asyncio
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gnomon.fault_injection import Fault
from gnomon.ioc.app import injected_readings
from gnomon.ioc.outputs.bank import NOTHING, Severity
from unit.ioc.rig import Rig, running

BPM = "T:BPM1:rdX"


def inject(rig: Rig, kind: str, **keys: Any) -> int:
    """Inject as `dt:fault` does."""
    number = rig.injector.add(Fault.from_request({"kind": kind} | keys))
    rig.faults.show()
    return number


def clear(rig: Rig) -> None:
    rig.injector.clear()
    rig.faults.show()


@pytest.mark.parametrize(
    ("kind", "keys", "shown"),
    [
        ("reading_stuck", {}, 1.0),
        ("reading_offset", {"offset": 0.25}, 2.25),
        ("reading_polarity", {}, -2.0),
        ("reading_spikes", {"size": 5, "share": 1}, (7.0, -3.0)),
    ],
)
@pytest.mark.parametrize("target", [{"device": "BPM1"}, {"pv": "BPM1:rd[XY]"}])
async def test_a_value_is_wrong_with_a_fresh_time_stamp_and_right_again(
    tmp_path: Path, kind: str, keys: dict[str, Any], shown: Any, target: dict[str, str]
) -> None:
    async with running(tmp_path) as rig:
        await rig.put("T:CP:set", 1.0)
        inject(rig, kind, **target, **keys)
        before = rig.get(BPM).time_ns
        await rig.put("T:CP:set", 2.0)
        reading = rig.get(BPM)
        allowed = shown if isinstance(shown, tuple) else (shown,)
        assert any(reading.value == pytest.approx(value) for value in allowed)
        assert reading.severity is Severity.NO_ALARM
        assert reading.time_ns > before
        assert rig.services.state.readings is not None
        assert rig.services.state.readings.x[0] == pytest.approx(2e-3)  # the model's own
        clear(rig)
        assert rig.get(BPM).value == pytest.approx(2.0)


async def test_a_monitor_lies_in_arrays_tables_and_differences_alike(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        await rig.put("T:CP:set", 1.0)
        inject(rig, "reading_offset", device="BPM1", property="x", offset=3.0)
        assert rig.get(BPM).value == pytest.approx(4.0)
        assert rig.get("T:BPM1:dx").value == pytest.approx(4.0)
        assert rig.get("T:BPM1:rdY").value == pytest.approx(-1.0)
        table = rig.get("T:ORBITCC:rdBpm").value
        assert (table["X"][0], table["Y"][0]) == pytest.approx((4e6, -1e6))  # nm


async def test_a_drift_grows_between_results(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        await rig.put("T:CP:set", 1.0)
        inject(rig, "reading_drift", pv="CP:rdbk", rate_per_s=10.0)
        seen = []
        for _ in range(3):
            rig.faults.show()
            seen.append(rig.get("T:CP:rdbk").value)
            await asyncio.sleep(0.02)
        assert seen == sorted(set(seen))
        assert rig.dispatcher.lattice["CP", "current"] == 1.0
        clear(rig)
        assert rig.get("T:CP:rdbk").value == 1.0


async def test_noise_changes_with_each_reading_and_is_the_same_for_the_same_seed(tmp_path: Path) -> None:
    async def shown(folder: Path) -> list[float]:
        folder.mkdir()
        async with running(folder) as rig:
            rig.injector.add(Fault.from_request({"kind": "reading_noise", "device": "*", "rms": 0.1}))
            values = []
            for n in range(20):
                await rig.put("T:CP:set", n / 10)
                values.append(rig.get(BPM).value - n / 10)
            return values

    first = await shown(tmp_path / "a")
    assert 0.03 < np.std(first) < 0.3
    assert await shown(tmp_path / "b") == first


async def test_a_dead_monitor_is_invalid_with_its_old_value_and_time(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        await rig.put("T:CP:set", 1.0)
        inject(rig, "reading_dead", device="BPM1")
        old = rig.get(BPM)
        await rig.put("T:CP:set", 2.0)
        dead = rig.get(BPM)
        assert (dead.severity, dead.value, dead.time_ns) == (Severity.INVALID, old.value, old.time_ns)
        assert rig.get("T:ORBITCC:rdBpm").value["X"][0] == pytest.approx(1e6)  # nm
        clear(rig)
        assert (rig.get(BPM).severity, rig.get(BPM).value) == (Severity.NO_ALARM, pytest.approx(2.0))


async def test_nan_is_shown_invalid(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        inject(rig, "reading_nan", device="BPM1", property="x")
        await rig.put("T:CP:set", 2.0)
        assert np.isnan(rig.get(BPM).value)
        assert rig.get(BPM).severity is Severity.INVALID


@pytest.mark.parametrize("target", [{"device": "BPM1"}, {"pv": "BPM1:rdX"}])
async def test_a_severity_can_be_wrong_beside_a_right_value(tmp_path: Path, target: dict[str, str]) -> None:
    async with running(tmp_path) as rig:
        inject(rig, "reading_severity", severity="MAJOR", **target)
        await rig.put("T:CP:set", 2.0)
        assert (rig.get(BPM).severity, rig.get(BPM).value) == (Severity.MAJOR, pytest.approx(2.0))


@pytest.mark.parametrize("target", [{"device": "BPM1"}, {"pv": "BPM1:rdX"}])
async def test_a_time_stamp_can_be_an_hour_off_or_frozen(tmp_path: Path, target: dict[str, str]) -> None:
    async with running(tmp_path) as rig:
        inject(rig, "reading_time", offset_s=-3600, **target)
        await rig.put("T:CP:set", 2.0)
        assert rig.get(BPM).time_ns == pytest.approx(time.time_ns() - 3600e9, abs=5e9)
        assert rig.get(BPM).value == pytest.approx(2.0)
        clear(rig)
        await rig.put("T:CP:set", 1.0)
        frozen = rig.get(BPM).time_ns
        assert frozen == pytest.approx(time.time_ns(), abs=5e9)
        inject(rig, "reading_time", frozen="true", **target)
        await rig.put("T:CP:set", 3.0)
        assert (rig.get(BPM).time_ns, rig.get(BPM).value) == (frozen, pytest.approx(3.0))


async def test_a_late_readback_comes_with_its_own_time_stamp(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        inject(rig, "reading_late", device="CP", delay_s=0.1)
        await rig.put("T:CP:set", 2.0)
        put = time.time_ns()
        assert rig.get("T:CP:rdbk").value == 0.0
        await asyncio.sleep(0.2)
        assert rig.get("T:CP:rdbk").value == 2.0
        assert rig.get("T:CP:rdbk").time_ns <= put


async def test_a_late_reading_never_comes_after_something_newer(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        number = inject(rig, "reading_late", device="CP", delay_s=0.2)
        await rig.put("T:CP:set", 2.0)
        await rig.put("T:CP:set", 3.0)
        rig.injector.clear(number)
        rig.faults.show()
        assert rig.get("T:CP:rdbk").value == 3.0
        shown = rig.get("T:CP:rdbk").time_ns
        await asyncio.sleep(0.3)
        assert (rig.get("T:CP:rdbk").value, rig.get("T:CP:rdbk").time_ns) == (3.0, shown)


async def test_a_reading_that_is_in_time_ends_the_wait_for_a_late_one(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        inject(rig, "reading_late", device="CP", delay_s=0.2, condition="CP:set < 2.5")
        await rig.put("T:CP:set", 2.0)
        assert rig.get("T:CP:rdbk").value == 0.0
        await rig.put("T:CP:set", 3.0)
        assert rig.get("T:CP:rdbk").value == 3.0
        await asyncio.sleep(0.3)
        assert rig.get("T:CP:rdbk").value == 3.0


async def test_a_late_reading_does_not_make_valid_what_is_invalid_by_then(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        index = rig.bank.index["T:beam:orbit:x"]
        inject(rig, "reading_late", pv="beam:orbit:x", delay_s=0.2)
        await rig.put("T:CP:set", 2.0)
        rig.bank.publish((NOTHING, np.zeros(0)), {}, time_ns=time.time_ns(), generation=9, invalid=np.array([index]))
        await asyncio.sleep(0.3)
        assert rig.get("T:beam:orbit:x").severity is Severity.INVALID


async def test_many_late_readings_are_held_in_a_limited_number_of_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(injected_readings, "MAX_HELD", 1)
    async with running(tmp_path) as rig:
        inject(rig, "reading_late", device="CP", delay_s=0.3)
        for n in range(50):
            await rig.put("T:CP:set", 0.1 * n)
        await asyncio.sleep(0.7)
        assert rig.get("T:CP:rdbk").value == pytest.approx(4.9)
        assert 0 < sum("T:CP:rdbk" in names for names in rig.published) < 25


async def test_late_monitors_show_what_was_there(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        await rig.put("T:CP:set", 1.0)
        inject(rig, "reading_late", device="BPM1", delay_s=0.1)
        await rig.put("T:CP:set", 2.0)
        assert rig.get(BPM).value == pytest.approx(1.0)
        await asyncio.sleep(0.15)
        rig.faults.show()
        assert rig.get(BPM).value == pytest.approx(2.0)


@pytest.mark.parametrize("length", [0, 3, 8])
async def test_an_array_can_have_another_length(tmp_path: Path, length: int) -> None:
    async with running(tmp_path) as rig:
        right = len(rig.get("T:beam:orbit:x").value)
        inject(rig, "reading_length", pv="beam:orbit:x", length=length)
        assert len(rig.get("T:beam:orbit:x").value) == length
        clear(rig)
        assert len(rig.get("T:beam:orbit:x").value) == right


async def test_a_fault_that_ends_by_itself_leaves_the_truth(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        inject(rig, "reading_offset", pv="CP:rdbk", offset=1.0, for_s=0.3)
        assert rig.get("T:CP:rdbk").value == 1.0
        await asyncio.sleep(0.4)
        rig.faults.show()
        assert rig.get("T:CP:rdbk").value == 0.0


async def test_a_fault_acts_on_so_many_readings_as_it_was_told(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        rig.injector.add(Fault.from_request({"kind": "reading_offset", "device": "BPM1", "offset": 1.0, "count": 2}))
        seen = []
        for n in range(4):
            await rig.put("T:CP:set", float(n))
            seen.append(round(rig.get(BPM).value - n, 6))
        assert seen == [1.0, 1.0, 0.0, 0.0]
        assert rig.injector.active() == ()


async def test_several_faults_act_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        inject(rig, "reading_offset", device="BPM1", offset=1.0)
        inject(rig, "reading_polarity", device="BPM1")
        await rig.put("T:CP:set", 2.0)
        assert rig.get(BPM).value == pytest.approx(-3.0)


async def test_readings_of_a_follower_are_true(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        await rig.put("T:CP:set", 2.0)
        inject(rig, "reading_offset", device="BPM1", offset=1.0)
        right = rig.dispatcher.reserve("somebody follows")
        rig.faults.show()
        assert rig.get(BPM).value == pytest.approx(2.0)
        rig.dispatcher.release(right)
        rig.faults.show()
        assert rig.get(BPM).value == pytest.approx(3.0)


async def test_without_a_reading_fault_nothing_is_asked(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        inject(rig, "abandon", device="CP")
        await rig.put("T:OCP:set", 1.0)
        assert rig.readings.idle
