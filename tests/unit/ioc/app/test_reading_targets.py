"""A fault of readings finds the monitors and the PVs that it is about."""

from typing import Any

import pytest

from gnomon.fault_injection import Fault, ReadingFault
from gnomon.ioc.app.reading_targets import find_target, is_reading
from unit.ioc.rig import RING, specs

SPECS = specs()


def found(**keys: Any) -> tuple[list[int], set[str], set[str]]:
    request = Fault.from_request({"kind": "reading_stuck"} | keys).request
    assert isinstance(request, ReadingFault)
    target = find_target(request, RING, SPECS, "T:")
    names = [{SPECS[i].name for i in some} for some in (target.monitor_pvs, target.pvs)]
    return target.monitors.tolist(), *names


def test_a_monitor_is_found_with_both_planes_and_its_own_pvs() -> None:
    assert found(device="BPM1") == ([0, 1], {"T:BPM1:rdX", "T:BPM1:rdY", "T:BPM1:dx", "T:BPM1:dy"}, set())
    assert found(device="BPM1", property="y") == ([1], {"T:BPM1:rdY", "T:BPM1:dy"}, set())


def test_a_supply_is_found_by_its_readback() -> None:
    assert found(device="CP", property="current") == ([], set(), {"T:CP:rdbk"})


@pytest.mark.parametrize("pattern", ["CP:rdbk", "T:CP:rdbk", "*CP:rdbk"])
def test_pvs_are_found_with_and_without_prefix(pattern: str) -> None:
    assert "T:CP:rdbk" in found(pv=pattern)[2]


def test_pvs_about_gnomon_and_setpoints_cannot_lie() -> None:
    everything = found(pv="*")[2]
    assert {"T:CP:set", "T:dt:faults:count", "T:dt:lattice", "T:dt:generation"} & everything == set()
    assert {"T:CP:rdbk", "T:BPM1:rdX", "T:TUNEZR:rdH"} <= everything
    assert not any(is_reading(spec) for spec in SPECS if spec.writable)
