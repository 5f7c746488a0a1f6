"""Every PV of both rings, read by other people's clients: caproto's, pyepics (libca) and p4p (pvxs)."""

from pathlib import Path
from typing import Any

import pytest
from conftest import EpicsPorts

from gnomon.db.pvs import Kind, PvSpec
from gnomon.ioc.base.config import Config
from gnomon.ioc.base.machines import find_machine, pvs_of
from programs import every_pv
from system.twin_process import TwinProcess

NUMBERS = (Kind.FLOAT, Kind.FLOATS, Kind.INT, Kind.INTS)


@pytest.mark.parametrize("machine", ["bessy2", "mls"])
def test_clients_of_others_read_every_pv_with_its_unit(machine: str, epics_ports: EpicsPorts, tmp_path: Path) -> None:
    specs = {spec.name: spec for spec in pvs_of(find_machine(Config(machine=machine)), "T:")}
    over_ca = [name for name, spec in specs.items() if spec.kind is not Kind.TABLE]
    with TwinProcess(epics_ports.environment, tmp_path, "--machine", machine, "--prefix", "T:") as twin:
        clients = ((every_pv.by_caproto, over_ca), (every_pv.by_pyepics, over_ca), (every_pv.by_p4p, list(specs)))
        for client, names in clients:
            found: dict[str, Any] = twin.client(client, names)
            assert list(found) == names
            wrong = {name: answer for name, answer in found.items() if not agrees(specs[name], *answer)}
            assert not wrong, client.__name__


def agrees(spec: PvSpec, unit: str, count: int) -> bool:
    """Tell whether what a client was told is what the PV is."""
    return (spec.kind not in NUMBERS or unit == spec.unit) and count <= spec.length
