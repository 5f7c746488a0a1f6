"""The two documents of any facility say which PVs each device has."""

from pathlib import Path

import pytest

from gnomon.clients.machine_pvs import find_machine_pvs
from gnomon.db import sources
from gnomon.lattice import DocumentError


def test_supplies_have_setpoint_readback_tolerance_and_the_times_of_the_document() -> None:
    pvs = find_machine_pvs("bessy2", "TWIN:")
    assert len(pvs.supplies) == 180  # the multiplexer's is the last one
    steerer = pvs.supplies["HS4P1D1R"]
    assert (steerer.setpoint.name, steerer.readback.name) == ("TWIN:HS4P1D1R:set", "TWIN:HS4P1D1R:rdbk")
    assert steerer.tolerance == pytest.approx(5e-5 * 20.0)
    assert (steerer.settle_s, steerer.timeout_s) == (0.5, 2.0)
    assert list(pvs.supplies)[-1] == "QSPAZR"


def test_a_setpoint_without_a_readback_reads_itself() -> None:
    voltage = find_machine_pvs("bessy2", "").others["rf", "voltage"]
    assert voltage.readback is voltage.setpoint


def test_a_readback_with_an_offset_is_not_that_of_a_setpoint() -> None:
    clock = find_machine_pvs("mls", "").others["rf", "frequency"]
    assert clock.readback.name == "MCLKHGP:rdFrq"  # not MCLKHGP:rdFrq499


def test_magnets_have_what_can_be_set_and_what_can_only_be_read() -> None:
    pvs = find_machine_pvs("bessy2", "")
    sets, reads = pvs.magnets["Q1M2D1R"]
    assert set(sets) == {"k1", "hw2phys", "dx", "dy", "roll"}
    assert [(key, spec.name) for key, spec in reads.items()] == [("current", "Q1M2D1R:im:I")]
    assert find_machine_pvs("mls", "").magnets == {}


def test_another_naming_of_the_same_ring_has_the_same_devices() -> None:
    areas = find_machine_pvs("bessy2", "", "bessy2-areas")
    assert list(areas.supplies) == list(find_machine_pvs("bessy2", "").supplies)
    assert areas.supplies["HS4P1D1R"].setpoint.name != "HS4P1D1R:set"


def test_documents_of_a_facility_are_found_beside_each_other(tmp_path: Path) -> None:
    shipped = Path(sources.__file__).parent / "machines"
    (tmp_path / "ring.json").write_text((shipped / "mls.json").read_text())
    (tmp_path / "mls.pvs.json").write_text((shipped / "mls.pvs.json").read_text().replace(":setCur", ":SP"))
    for machine in (tmp_path / "ring.json", tmp_path):
        assert find_machine_pvs(machine, "P:").supplies["Q1P1K1RP"].setpoint.name == "P:Q1P1K1RP:SP"
    with pytest.raises(DocumentError, match="there is no machine"):
        find_machine_pvs(tmp_path / "none.json")
