"""Residuals are published while readings are fresh and belong to what the model has, and are INVALID otherwise."""

import asyncio
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from gnomon.db import sources
from gnomon.db.sources import Source
from gnomon.ioc.base.config import ShadowConfig
from gnomon.ioc.shadow.comparison import Comparison
from gnomon.ioc.shadow.link import Update
from gnomon.ioc.shadow.machine_readings import MachineReadings
from gnomon.ioc.shadow.residuals import Noise
from gnomon.ioc.shadow.watched_pvs import ReadingSource
from unit.ioc.rig import RING

NOW_NS = 10**18
RESIDUALS = {
    source.name
    for both in (
        sources.RESIDUAL, sources.RESIDUAL_RMS, sources.RESIDUAL_LARGEST, sources.RESIDUAL_WHERE, sources.RESIDUAL_Z,
        sources.RESIDUAL_Z_LARGEST, sources.RESIDUAL_TUNE, sources.RESIDUAL_TUNE_Z,
    )
    for source in both
}  # fmt: skip


class Published:
    """Outputs that keep what they are told; the model predicts 1 mm and -1 mm at the one monitor."""

    def __init__(self) -> None:
        self.shown: dict[str, Any] = {}
        self.invalid: set[str] = set()
        self.readings: Any = SimpleNamespace(
            x=np.array([1e-3]), y=np.array([-1e-3]), names=("BPM1",), lattice=RING.nominal,
            beam=SimpleNamespace(tune=np.array([3.25, 2.4])),
        )  # fmt: skip

    def show_many(self, values: dict[Source, Any], **_: Any) -> None:
        named = {source.name: value for source, value in values.items()}
        self.shown |= named
        self.invalid -= named.keys()

    def invalidate(self, lost: Iterable[Source]) -> None:
        self.invalid |= {source.name for source in lost}


class Stage:
    """A comparison whose clock stands still; `follower` has taken all that the machine has told."""

    def __init__(self) -> None:
        self.now_ns = NOW_NS
        self.outputs = Published()
        settings = ShadowConfig(settle_s=0.001, stale_s=1.0)
        measured = MachineReadings(
            {0: ReadingSource(sources.MONITOR.x, 0, 1e3), 1: ReadingSource(sources.MONITOR.y, 0, 1e3)}, 1
        )
        noise = Noise(np.array([1e-6]), 1e-4)
        model: Any = self.outputs
        self.comparison = Comparison(settings, measured, noise, model, model, lambda: self.now_ns)
        self.follower = SimpleNamespace(caught_up=True, settled=True, changed_ns=0)
        self.look()

    def look(self) -> None:
        self.comparison.look(self.follower)  # type: ignore[arg-type]

    async def read(self, x_mm: float, y_mm: float, time_ns: int = NOW_NS) -> None:
        self.comparison.updated([Update(0, x_mm, 0, time_ns, False), Update(1, y_mm, 0, time_ns, False)])
        await asyncio.sleep(0.01)


@pytest.fixture
async def stage() -> Stage:
    return Stage()


async def test_without_a_reading_all_is_invalid_and_the_reason_is_said(stage: Stage) -> None:
    assert stage.outputs.invalid >= RESIDUALS
    assert stage.comparison.reason == "no reading of the machine is fresh"


async def test_a_residual_is_measured_minus_predicted(stage: Stage) -> None:
    await stage.read(1.25, -1.5)
    assert stage.outputs.shown["residual.x"] == pytest.approx([0.25e-3])
    assert stage.outputs.shown["residual.y"] == pytest.approx([-0.5e-3])
    assert stage.outputs.shown["residual.where.x"] == "BPM1"
    assert "residual.x" not in stage.outputs.invalid
    assert "residual.tune.x" in stage.outputs.invalid  # no tune has come
    assert stage.comparison.reason == ""


async def test_a_reading_from_before_the_last_change_is_not_compared(stage: Stage) -> None:
    stage.follower.changed_ns = NOW_NS
    await stage.read(1.25, -1.5)
    assert "residual.x" not in stage.outputs.shown
    await stage.read(1.25, -1.5, NOW_NS + 2_000_000)
    assert stage.outputs.shown["residual.x"] == pytest.approx([0.25e-3])


@pytest.mark.parametrize("missing", ["caught_up", "settled"])
async def test_while_the_model_is_on_its_way_nothing_is_compared(stage: Stage, missing: str) -> None:
    setattr(stage.follower, missing, False)
    await stage.read(1.25, -1.5)
    assert "residual.x" not in stage.outputs.shown


async def test_without_a_predicted_beam_the_reason_is_said(stage: Stage) -> None:
    stage.outputs.readings = None
    await stage.read(1.25, -1.5)
    assert stage.comparison.reason == "the model has no beam"
    assert stage.outputs.invalid >= RESIDUALS


async def test_a_residual_of_an_old_reading_becomes_invalid_and_its_age_is_shown(stage: Stage) -> None:
    await stage.read(1.25, -1.5)
    stage.now_ns += 500_000_000
    stage.look()
    assert stage.outputs.shown["machine.age"] == pytest.approx(0.5)
    assert "residual.x" not in stage.outputs.invalid
    stage.now_ns += 1_000_000_000
    stage.look()
    assert "residual.x" in stage.outputs.invalid
    assert stage.outputs.shown["residual.fresh"].tolist() == [0.0]
    assert stage.comparison.reason == "no reading of the machine is fresh"


async def test_monitors_lost_before_the_comparison_do_not_count(stage: Stage) -> None:
    stage.comparison.updated([Update(0, 1.25, 0, NOW_NS, False)])
    stage.comparison.lost([0])
    await asyncio.sleep(0.01)
    assert "residual.x" not in stage.outputs.shown


async def test_after_the_end_nothing_is_published(stage: Stage) -> None:
    stage.comparison.updated([Update(0, 1.25, 0, NOW_NS, False)])
    stage.comparison.close()
    await asyncio.sleep(0.01)
    assert "residual.x" not in stage.outputs.shown
    assert {"machine.age", "residual.fresh"} <= stage.outputs.invalid
