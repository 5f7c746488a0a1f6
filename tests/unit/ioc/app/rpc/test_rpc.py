"""Remote procedures describe themselves before they are called."""

from typing import Any, cast

import pytest

from gnomon.db.pvs import Kind, PvSpec
from gnomon.ioc.app.rpc.dt_set import SetProcedure
from gnomon.ioc.base.protocols import Writer
from gnomon.ioc.commands.dispatcher import Dispatcher
from gnomon.ioc.outputs.bank import Bank
from unit.ioc.rig import RING

SPECS = [
    PvSpec(name=f"T:{name}", kind=Kind.FLOAT, source="", description="", device=device, property="current",
           writable=writable)
    for name, device, writable in (("QF:set", "QF", True), ("QF:rdbk", "QF", False), ("QD:set", "QD", True))
]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ({"names": ["T:QF:set"], "values": [1.0]}, ["T:QF:set"]),
        ({"names": "QF:set QD:set", "values": "1 2"}, ["T:QF:set", "T:QD:set"]),
        ({"devices": ["QD"], "properties": ["current"], "values": [1.0]}, ["T:QD:set"]),
        ({"devices": ["QD"], "properties": ["k1_trim"], "values": [1.0]}, ["T:QD:set"]),
        ({"devices": ["ring"], "properties": ["energy"], "values": [1.7e9]}, ["T:ring:energy"]),
        ({}, []),
    ],
)
def test_a_command_of_many_tells_which_pvs_it_sets_however_they_are_named(
    arguments: dict[str, Any], names: list[str]
) -> None:
    procedure = SetProcedure(Bank(SPECS, 0), RING, "T:", cast("Dispatcher", None))
    assert isinstance(procedure, Writer)
    assert procedure.writes(arguments) == names
