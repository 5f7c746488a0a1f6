"""Errors of monitors in what clients read: set through the RPC, shown by all readings and by nothing else."""

import asyncio
from pathlib import Path

import numpy as np
import pytest
from patience import PATIENCE_S

from gnomon.ioc.commands.planning import changes
from gnomon.ioc.commands.validation import SetpointRequest, parse_set
from gnomon.ioc.outputs.readings import Readings
from gnomon.ioc.outputs.reference_orbit import ReferenceOrbit
from gnomon.lattice import Ring, Setting
from gnomon.propagator.physics.frames import into_frame
from gnomon.propagator.physics.phase_space import PhaseSpace
from unit.ioc.rig import CLIENT, RING, Rig, beam, running

NOMINAL = RING.nominal


async def set_monitor(rig: Rig, **errors: float) -> str:
    """Set errors of the monitor with one RPC; returns the lattice's id."""
    arguments = {"devices": ["BPM1"] * len(errors), "properties": list(errors), "values": list(errors.values())}
    request: SetpointRequest = parse_set(rig.bank, "T:", arguments)
    assert request.refusal == ""
    reply = await asyncio.wait_for(asyncio.wrap_future(rig.dispatcher.command(request, CLIENT)), PATIENCE_S)
    assert reply.accepted, reply.message
    return reply.lattice_id


async def test_all_readings_of_a_monitor_show_its_errors_and_the_orbit_does_not(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        await rig.put("T:CP:set", 2.0)  # x 2 mm, y -2 mm
        before = rig.get("T:dt:lattice").value
        identity = await set_monitor(rig, offset_x=5e-4, offset_y=-2e-4, gain_x=1.1, gain_y=0.9)
        x, y = 1.1 * (2.0 - 0.5), 0.9 * (-2.0 + 0.2)
        assert rig.get("T:dt:lattice").value == identity != before
        assert rig.get("T:BPM1:rdX").value == pytest.approx(x, rel=1e-14)
        assert rig.get("T:BPM1:rdY").value == pytest.approx(y, rel=1e-14)
        np.testing.assert_allclose(rig.get("T:ORBITCC:rdPos").value, [x * 1e6, y * 1e6], rtol=1e-14)
        bdata = rig.get("T:MDIZ2T5G:bdata").value
        np.testing.assert_allclose(bdata[[0, 128]], np.array([x, y]) * 2**15 / 10.0, rtol=1e-14)
        table = rig.get("T:ORBITCC:rdBpm").value
        np.testing.assert_allclose([table["X"][0], table["Y"][0]], [x * 1e6, y * 1e6], rtol=1e-14)
        signals = [float(table[button][0]) for button in "ABCD"]  # of difference over sum, with factors of 10 mm
        assert 10.0 * (signals[0] + signals[3] - signals[1] - signals[2]) / sum(signals) == pytest.approx(x, rel=1e-12)
        assert 10.0 * (signals[0] + signals[1] - signals[2] - signals[3]) / sum(signals) == pytest.approx(y, rel=1e-12)
        assert list(rig.get("T:ORBITCC:rdButtons").value) == signals
        np.testing.assert_array_equal(rig.get("T:beam:orbit:x").value, np.full(len(RING.elements) + 1, 2e-3))


def test_a_roll_of_a_monitor_has_the_direction_of_a_magnets_roll() -> None:
    lattice = NOMINAL.updated({("BPM1", "roll"): 0.03, ("CP", "current"): 1.0})
    shown = Readings(lattice, beam(lattice), 1, ReferenceOrbit.zero(len(lattice.ring.bpms)))
    inside = into_frame(PhaseSpace(1e-3, 0.0, -1e-3, 0.0, 0.0, 0.0), 0.0, 0.0, 0.0, 0.03)
    assert (shown.x[0], shown.y[0]) == pytest.approx((inside.x, inside.y), rel=1e-12)


def test_the_journal_keeps_a_monitor_s_error_without_a_strength_behind_it() -> None:
    after = NOMINAL.updated({("BPM1", "gain_x"): 1.2})
    (change,) = changes(NOMINAL, (Setting("T:dt:set", "BPM1", "gain_x", 1.2),), after, done=True)
    assert (change.old, change.done, change.setting, change.unit) == (1.0, 1.2, "gain_x", "")
    assert change.physics_old == change.physics_new == {}
    assert isinstance(after.ring, Ring)


def test_the_journal_keeps_the_strength_behind_a_setting_that_changes_it_and_no_other() -> None:
    clock = NOMINAL["rf", "frequency"] + 1e-3
    after = NOMINAL.updated({("rf", "frequency"): clock})
    settings = (Setting("T:rf", "rf", "frequency", clock),)
    (change,) = changes(NOMINAL, settings, after, done=True)
    assert change.physics_old == {"rf.frequency": NOMINAL.rf_frequency}
    assert change.physics_new == {"rf.frequency": after.rf_frequency}
    (again,) = changes(after, settings, after, done=True)
    assert again.physics_old == again.physics_new == {}
