"""Targets of faults are found without a server as a server finds them."""

from typing import Any

import pytest

from gnomon.fault_injection import find_kind
from gnomon.ioc.app.offline_targets import OfflineTargets
from gnomon.ioc.base.config import Config
from gnomon.ioc.base.machines import find_machine

TARGETS = OfflineTargets(find_machine(Config(machine="mls")), "X:")


def reason(**keys: Any) -> str:
    return TARGETS.without_target(find_kind(keys["kind"]).model_validate(keys))


@pytest.mark.parametrize(
    "keys",
    [
        {"kind": "abandon", "device": "HS*"},
        {"kind": "connection_lost"},
        {"kind": "connection_lost", "pv": "HS1P2K1RP:*"},
        {"kind": "connection_put_hangs", "pv": "HS1P2K1RP:setCur"},
        {"kind": "model_hung"},
        {"kind": "reading_stuck", "device": "BPMZ5K1RP"},
    ],
)
def test_faults_that_a_server_would_take_have_a_target(keys: dict[str, Any]) -> None:
    assert reason(**keys) == ""


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"kind": "abandon", "device": "HX1*"}, "no device of mls matches 'HX1*'"),
        ({"kind": "connection_lost", "pv": "HS1P2K1RP:setCor"}, "near names: X:HS1P2K1RP:setCur"),
        ({"kind": "connection_put_hangs", "pv": "HS1P2K1RP:rdCur"}, "no PV that can be written matches"),
        ({"kind": "connection_lost", "pv": "dt:faults:count"}, "is never disturbed"),
        ({"kind": "connection_lost", "condition": "dt:queu > 2"}, "condition: no PV 'dt:queu'"),
    ],
)
def test_other_targets_are_refused_with_near_names(keys: dict[str, Any], said: str) -> None:
    assert said in reason(**keys)
