"""A shadow follows what operators set besides magnets: energy, voltage, optics, switches, the multiplexer."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from conftest import EpicsPorts, free_port
from p4p.client.thread import Context
from patience import PATIENCE_S

from system.twin_process import TwinProcess

MLS = {
    "MLSOPCCP:actOptRmpTblSet": 4,
    "PAHRP:setVoltCav": 80.0,
    "IGPF:X:FBCTRL": 1,
    "ORBITCCP:selRunMode": 2,
}
BESSY2 = {"QSPAZR:set": 1.5, "PMUXZR:Q1M2D1R": 1, "rf:voltage": 1300.0}
SHOWN = {
    "mls": ["ERMPCGP:rdRmp", "PAHRP:setVoltCav", "TUNEZRP:measX", "TUNEZRP:measZ", "IGPF:X:FBCTRL", "RMC00VP"],
    "bessy2": ["Q1M2D1R:im:I", "PMUXZR:Q1M2D1R", "TUNEZR:flq:rdH", "beam:synchrotron:frequency"],
}


def ports() -> EpicsPorts:
    return EpicsPorts(free_port(), free_port(), free_port())


def reader(where: EpicsPorts) -> Context:
    addresses = {"EPICS_PVA_ADDR_LIST": f"127.0.0.1:{where.pva_udp}", "EPICS_PVA_AUTO_ADDR_LIST": "NO"}
    return Context("pva", conf=addresses, useenv=False)


@pytest.mark.parametrize(("ring", "puts"), [("mls", MLS), ("bessy2", BESSY2)])
def test_a_shadow_has_the_operation_of_its_machine(ring: str, puts: dict[str, Any], tmp_path: Path) -> None:
    theirs, ours = ports(), ports()
    follow = ("--role", "shadow", "--follow", f"pva://127.0.0.1:{theirs.pva_udp}")
    for folder in ("m", "s"):
        (tmp_path / folder).mkdir()
    with ExitStack() as stack:
        options = ("--role", "machine", "--ideal", "--machine", ring)
        stack.enter_context(TwinProcess(theirs.environment, tmp_path / "m", *options))
        machine = stack.enter_context(reader(theirs))
        for name, value in list(puts.items())[:1]:  # before the shadow comes, and after
            machine.put(name, value)
        stack.enter_context(TwinProcess(ours.environment, tmp_path / "s", *follow, "--machine", ring))
        shadow = stack.enter_context(reader(ours))

        def alike() -> bool:
            found = [(machine.get(n), shadow.get("TWIN:" + n)) for n in SHOWN[ring]]
            return all(b.severity == 0 and float(a) == pytest.approx(float(b), rel=1e-9) for a, b in found)

        until(alike)
        for name, value in list(puts.items())[1:]:
            machine.put(name, value)
        until(alike)
        for name, value in puts.items():
            assert float(machine.get(name)) == value
        lattices = machine.get("dt:lattice"), shadow.get("TWIN:dt:lattice")
        assert str(lattices[0]) == str(lattices[1])


def until(condition: Callable[[], bool]) -> None:
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < PATIENCE_S, "it did not happen in time"
        time.sleep(0.05)
