"""A shadow with a calibration shows the band of the machine's next reading, and INVALID where none can be relied on."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gnomon.ioc.base.config import Config, changed
from gnomon.ioc.base.machines import find_machine, pvs_of
from gnomon.ioc.outputs.bank import Severity
from gnomon.ioc.shadow import bound_watch, shadow_assembly
from gnomon.lattice import GnomonError
from unit.ioc.rig import Rig
from unit.ioc.shadow.fake_link import FakeLink
from unit.ioc.shadow.fake_predictor import MillimetrePerAmpere
from unit.ioc.shadow.test_shadow import QFP, STATE, caught_up, eventually, following, readings

BOUNDS = [f"{plane}:{end}" for plane in ("x", "y", "tune:x", "tune:y") for end in ("lower", "upper")]


class Stage:
    """A machine that shows one orbit again and again, as a real one does, and its shadow."""

    def __init__(self, rig: Rig, link: FakeLink) -> None:
        self.rig, self.link = rig, link
        self.orbit_mm = (1.0, -1.0)
        self.quiet = False

    async def beat(self) -> None:
        while True:
            if not self.quiet:
                self.link.say(readings(*self.orbit_mm))
            await asyncio.sleep(0.02)

    def value(self, name: str) -> Any:
        return self.rig.get(f"T:dt:bound:{name}").value

    def valid(self, *names: str) -> bool:
        return all(self.rig.get(f"T:dt:bound:{name}").severity < Severity.INVALID for name in names)

    def invalid(self, *names: str) -> bool:
        return all(self.rig.get(f"T:dt:bound:{name}").severity is Severity.INVALID for name in names)

    async def has_a_band(self) -> None:
        await eventually(lambda: self.valid(*BOUNDS, "outside"))


@asynccontextmanager
async def stage(
    folder: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[..., Any] = MillimetrePerAmpere, stale_s: float = 60.0
) -> AsyncIterator[Stage]:
    async with following(folder, monkeypatch, make_predictor=make, stale_s=stale_s) as (rig, link):
        made = Stage(rig, link)
        link.say(STATE | {"CP:set": 1.0})
        await caught_up(rig)
        beating = asyncio.create_task(made.beat())
        try:
            yield made
        finally:
            beating.cancel()
            with suppress(asyncio.CancelledError):
                await beating


async def test_while_nothing_changes_the_band_is_around_the_last_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(tmp_path, monkeypatch) as shadow:
        await shadow.has_a_band()
        assert (shadow.value("x:lower"), shadow.value("x:upper")) == (pytest.approx([0.99]), pytest.approx([1.01]))
        assert shadow.value("y:upper") == pytest.approx([-0.99])
        assert shadow.value("tune:x:lower") == pytest.approx(0.24)
        assert shadow.value("tune:y:upper") == pytest.approx(0.41)
        assert shadow.value("x:measured") == pytest.approx([1.0])
        assert (shadow.value("kind"), shadow.value("coverage")) == (bound_watch.NO_CHANGE, 0.95)
        assert (shadow.value("calibration"), shadow.value("reason")) == ("0123456789", "")
        shadow.orbit_mm = (2.0, -1.0)
        await eventually(lambda: bool(shadow.value("x:lower") == pytest.approx([1.99])))


async def test_after_a_change_the_band_is_the_reading_before_it_and_the_predicted_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[MillimetrePerAmpere] = []

    def make(*_: Any) -> MillimetrePerAmpere:
        made.append(MillimetrePerAmpere())
        return made[-1]

    async with stage(tmp_path, monkeypatch, make) as shadow:
        await shadow.has_a_band()
        shadow.quiet = True
        shadow.link.say({"CP:set": 1.5})
        await eventually(lambda: shadow.value("kind") == bound_watch.LAST_CHANGE and shadow.valid(*BOUNDS))
        assert shadow.invalid("outside")  # no reading has come since
        assert (shadow.value("x:lower"), shadow.value("x:upper")) == (pytest.approx([1.4]), pytest.approx([1.6]))
        assert shadow.value("tune:x:upper") == pytest.approx(0.35)
        shadow.orbit_mm, shadow.quiet = (1.55, -1.0), False
        await eventually(lambda: shadow.valid("outside") and shadow.value("outside") == 0)
        shadow.orbit_mm = (1.75, -1.2)
        await eventually(lambda: bool(shadow.value("outside") == 2))
        assert shadow.rig.get("T:dt:bound:outside").severity is Severity.MINOR
        assert shadow.value("x:lower") == pytest.approx([1.4])  # it does not follow what it is compared with
        (one,) = made
        assert one.asked == [{("CP", "current"): 1.5}]
        assert all(name.startswith("bounds") for name in one.threads)  # never in the event loop


async def test_the_band_of_a_change_ends_since_drift_is_no_part_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bound_watch, "HOLD_S", 0.3)
    async with stage(tmp_path, monkeypatch) as shadow:
        await shadow.has_a_band()
        shadow.link.say({"CP:set": 1.5})
        shadow.orbit_mm = (1.55, -1.0)
        await eventually(lambda: bool(shadow.value("x:lower") == pytest.approx([1.54])))
        assert shadow.value("kind") == bound_watch.NO_CHANGE


async def test_a_band_that_cannot_be_relied_on_is_invalid_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(tmp_path, monkeypatch) as shadow:
        await shadow.has_a_band()
        shadow.link.say({"QFP:set": 1.01 * QFP})
        await eventually(lambda: bool(shadow.value("reason") == "no held-out commands of the kind k1"))
        assert shadow.invalid(*BOUNDS, "outside")
        assert shadow.valid("x:measured", "reason", "calibration")


async def test_without_fresh_readings_there_is_no_band(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with stage(tmp_path, monkeypatch, stale_s=0.6) as shadow:
        await shadow.has_a_band()
        shadow.quiet = True
        await eventually(lambda: shadow.invalid(*BOUNDS, "outside", "x:measured", "tune:y:measured"))
        assert shadow.value("reason") == "no reading of the machine since its last change is fresh"
        shadow.quiet = False
        await shadow.has_a_band()
        assert shadow.value("reason") == ""


async def test_a_calibration_that_cannot_predict_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def make(*_: Any) -> MillimetrePerAmpere:
        tried.append(1)
        raise GnomonError("calibration abc is of another machine document")

    async with stage(tmp_path, monkeypatch, make) as shadow:
        await eventually(lambda: shadow.valid("x:measured"))
        await eventually(lambda: bool(shadow.value("reason") == "calibration abc is of another machine document"))
        assert shadow.invalid(*BOUNDS, "outside")
        assert shadow.rig.get("T:dt:residual:x").severity is Severity.NO_ALARM  # all else goes on
    assert tried == [1]


async def test_a_newer_calibration_is_used_once_it_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = ["1111"]

    class Newest(MillimetrePerAmpere):
        def __init__(self, *_: Any) -> None:
            super().__init__()
            if known[-1] == "broken":
                raise GnomonError("cannot be read")
            self.calibration_id = known[-1]

    monkeypatch.setattr(bound_watch, "RENEW_S", 0.05)
    monkeypatch.setattr(shadow_assembly, "known_calibrations", lambda config: tuple(known))
    async with stage(tmp_path, monkeypatch, Newest) as shadow:
        await shadow.has_a_band()
        assert shadow.value("calibration") == "1111"
        known.append("2222")
        await eventually(lambda: bool(shadow.value("calibration") == "2222"))
        known.append("broken")
        await asyncio.sleep(0.2)
        assert shadow.value("calibration") == "2222"
        known.append("4444")
        await eventually(lambda: bool(shadow.value("calibration") == "4444"))
        assert shadow.valid(*BOUNDS)


async def test_a_shadow_that_becomes_a_twin_has_no_band(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with stage(tmp_path, monkeypatch) as shadow:
        await shadow.has_a_band()
        await shadow.rig.put("T:par:mode", 0)
        assert shadow.invalid(*BOUNDS, "outside", "x:measured")
        assert shadow.value("reason") == "no machine is followed"
        await shadow.rig.put("T:par:mode", 1)
        assert shadow.value("reason") != "no machine is followed"


def test_the_pvs_are_there_only_with_a_calibration() -> None:
    config = changed(Config(machine="mls"), {"shadow": {"calibration": "newest"}})
    without = pvs_of(find_machine(Config(machine="mls")), "")
    added = pvs_of(find_machine(config), "")[len(without) :]
    assert not any(spec.name.startswith("dt:bound:") for spec in without)
    assert len(added) == 17
    assert all(spec.name.startswith("dt:bound:") for spec in added)
    assert not any(spec.writable for spec in added)
    assert np.all([spec.length in (1, len(find_machine(config).ring.bpms)) for spec in added])
    assert config.forked("F:").shadow.calibration is None
