"""Every PV of both rings, read by other people's clients: caproto's, pyepics (libca) and p4p (pvxs)."""

from pathlib import Path
from typing import Any

import pytest
from conftest import EpicsPorts

from gnomon.db.pvs import Kind, PvSpec
from gnomon.ioc.app.machines import find_machine, pvs_of
from gnomon.ioc.base.config import Config
from system.twin_process import TwinProcess

#: Each gives {name: [unit, number of values]}.
CAPROTO = """
from caproto.threading.client import Context
pvs = Context().get_pvs(*names, timeout=20)
for pv in pvs: pv.wait_for_connection(timeout=20)
answers = [pv.read(data_type='control', timeout=20) for pv in pvs]
def unit(answer):
    units = getattr(answer.metadata, 'units', b'')
    return units.decode() if isinstance(units, bytes) else units
result = {name: [unit(answer), len(answer.data)] for name, answer in zip(names, answers)}
"""
PYEPICS = """
import epics
pvs = [epics.PV(name, form='ctrl') for name in names]
for pv in pvs: assert pv.wait_for_connection(timeout=20), pv.pvname
result = {}
for pv in pvs:
    assert pv.get(timeout=20) is not None or pv.count == 0, pv.pvname
    result[pv.pvname] = [pv.units or '', pv.count]
"""
P4P = """
from p4p.client.thread import Context
values = Context('pva', nt=False).get(names, timeout=20)
result = {name: [value.get('display.units', '') if value.has('display.units') else '', 1]
          for name, value in zip(names, values)}
"""
NUMBERS = (Kind.FLOAT, Kind.FLOATS, Kind.INT, Kind.INTS)


@pytest.mark.parametrize("machine", ["bessy2", "mls"])
def test_clients_of_others_read_every_pv_with_its_unit(machine: str, epics_ports: EpicsPorts, tmp_path: Path) -> None:
    specs = {spec.name: spec for spec in pvs_of(find_machine(Config(machine=machine)), "T:")}
    over_ca = [name for name, spec in specs.items() if spec.kind is not Kind.TABLE]
    with TwinProcess(epics_ports.environment, tmp_path, "--machine", machine, "--prefix", "T:") as twin:
        for client, names in ((CAPROTO, over_ca), (PYEPICS, over_ca), (P4P, list(specs))):
            found: dict[str, Any] = twin.code(client, names=names)
            assert list(found) == names
            wrong = {name: answer for name, answer in found.items() if not agrees(specs[name], *answer)}
            assert not wrong, client.split()[1]


def agrees(spec: PvSpec, unit: str, count: int) -> bool:
    """Whether what a client was told is what the PV is."""
    return (spec.kind not in NUMBERS or unit == spec.unit) and count <= spec.length
