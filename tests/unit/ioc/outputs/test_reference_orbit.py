"""The orbit that operators compare with: saved, chosen, kept across restarts."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from gnomon.db import shipped_document, sources
from gnomon.ioc.commands.reference_store import OrbitError, ReferenceStore
from gnomon.ioc.outputs.bank import Severity
from gnomon.ioc.outputs.readings import REFERENCED, Readings
from gnomon.ioc.outputs.reference_orbit import ReferenceOrbit
from gnomon.lattice import Ring
from gnomon.propagator import BeamState
from unit.ioc.rig import RING, running

OF_ORBIT = ("T:BPM1:rdX", "T:dt:orbit:diff:x", "T:dt:orbit:diff:rms:y", "T:dt:orbit:diff:where:x", "T:BPM1:dx")


async def test_differences_are_to_the_design_orbit_until_another_reference_is_chosen(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        await rig.put("T:CP:set", 1.5)
        assert rig.get("T:dt:orbit:ref:use").value == "zero"
        assert rig.get("T:dt:orbit:diff:x").value == pytest.approx([1.5] * len(RING.bpms))
        assert rig.get("T:dt:orbit:diff:y").value == pytest.approx([-1.5] * len(RING.bpms))
        assert rig.get("T:dt:orbit:diff:rms:y").value == pytest.approx(1.5)
        assert rig.get("T:dt:orbit:diff:max:y").value == pytest.approx(1.5)
        assert (await rig.put("T:dt:orbit:ref:save", "golden")).accepted
        assert (await rig.put("T:dt:orbit:ref:use", "golden")).accepted
        assert rig.get("T:dt:orbit:diff:max:x").value == rig.get("T:BPM1:dx").value == 0.0
        assert rig.get("T:dt:orbit:ref:x").value == pytest.approx([1.5] * len(RING.bpms))
        await rig.put("T:CP:set", 2.0)
        assert rig.get("T:dt:orbit:diff:rms:x").value == pytest.approx(0.5)
        assert rig.get("T:BPM1:dx").value == pytest.approx(0.5)
        assert rig.get("T:BPM1:dy").value == pytest.approx(-0.5)


def test_the_monitor_with_the_largest_difference_is_named() -> None:
    ring = Ring(shipped_document("mls"))
    n = len(ring.bpms)
    orbit = np.zeros((len(ring.elements) + 1, 4))
    orbit[ring.monitors[3], 0], orbit[ring.monitors[5], 0], orbit[ring.monitors[7], 2] = 1e-3, -2e-3, 3e-3
    beam = SimpleNamespace(orbit=orbit)
    reference = ReferenceOrbit("r", np.zeros(n), np.full(n, 2e-3))
    readings = Readings(ring.nominal, cast(BeamState, beam), 1, reference)
    assert REFERENCED[sources.ORBIT_DIFFERENCE_WHERE.x](readings) == ring.bpms[5].name
    assert REFERENCED[sources.ORBIT_DIFFERENCE_LARGEST.x](readings) == pytest.approx(2e-3)
    assert REFERENCED[sources.ORBIT_DIFFERENCE_RMS.x](readings) == pytest.approx((5e-6 / n) ** 0.5)
    assert REFERENCED[sources.ORBIT_DIFFERENCE_WHERE.y](readings) == ring.bpms[0].name
    assert REFERENCED[sources.ORBIT_DIFFERENCE.y](readings)[7] == pytest.approx(1e-3)


async def test_differences_have_the_orbit_s_time_stamp_and_generation_and_are_invalid_without_beam(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as rig:
        await rig.put("T:CP:set", 1.0)
        assert len({(r.time_ns, r.generation) for r in map(rig.get, OF_ORBIT)}) == 1
        await rig.put("T:dt:active", 0)
        assert {rig.get(name).severity for name in OF_ORBIT} == {Severity.INVALID}
        reply = await rig.put("T:dt:orbit:ref:save", "golden")
        assert reply.message == "there is no beam, and so no orbit to save as a reference"
        assert (await rig.put("T:dt:orbit:ref:use", "zero")).accepted
        assert {rig.get(name).severity for name in OF_ORBIT} == {Severity.INVALID}


async def test_a_reference_and_the_choice_outlive_the_server(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        await rig.put("T:CP:set", 1.0)
        await rig.put("T:dt:orbit:ref:save", "golden")
        await rig.put("T:dt:orbit:ref:use", "golden")
        saved = rig.get("T:dt:orbit:ref:saved").value
    async with running(tmp_path) as rig:
        assert rig.get("T:dt:orbit:ref:use").value == "golden"
        assert rig.get("T:dt:orbit:ref:names").value == ["zero", "golden"]
        assert rig.get("T:dt:orbit:ref:saved").value == saved
        assert f"lattice {RING.nominal.updated({('CP', 'current'): 1.0}).id}" in saved
        assert rig.get("T:dt:orbit:diff:max:x").value == pytest.approx(1.0)


async def test_saving_anew_what_is_in_use_changes_the_differences(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        await rig.put("T:dt:orbit:ref:save", "golden")
        await rig.put("T:dt:orbit:ref:use", "golden")
        await rig.put("T:CP:set", 1.0)
        assert rig.get("T:dt:orbit:diff:max:x").value == pytest.approx(1.0)
        await rig.put("T:dt:orbit:ref:save", "golden")
        assert rig.get("T:dt:orbit:diff:max:x").value == 0.0


@pytest.mark.parametrize("name", ["zero", "", "a/b", "x" * 40, "\u00e4" * 20, "a\nb", "\udc80"])
async def test_names_that_cannot_be_are_refused(tmp_path: Path, name: str) -> None:
    async with running(tmp_path) as rig:
        reply = await rig.put("T:dt:orbit:ref:save", name)
        assert not reply.accepted
        assert "cannot be the name of a reference orbit" in reply.message


async def test_an_unknown_reference_is_refused_and_the_one_in_use_stays(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        reply = await rig.put("T:dt:orbit:ref:use", "silver")
        assert reply.message == "there is no reference orbit 'silver'; there are zero"
        assert rig.get("T:dt:orbit:ref:use").value == "zero"


async def test_a_reference_of_other_monitors_is_refused(tmp_path: Path) -> None:
    here = ReferenceStore(tmp_path / "documents", "ring", "T:", ["A", "B"])
    await here.save("golden", np.zeros(2), np.zeros(2), "abc")
    changed = ReferenceStore(tmp_path / "documents", "ring", "T:", ["A", "C"])
    with pytest.raises(OrbitError, match="saved with other monitors"):
        await changed.load("golden")
    other = ReferenceStore(tmp_path / "documents", "other ring", "T:", ["A", "B"])
    assert await other.names() == ["zero"]
