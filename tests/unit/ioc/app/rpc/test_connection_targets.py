"""A fault of connections that is about no PV is refused, with names that are near."""

from types import SimpleNamespace

import pytest

from gnomon.fault_injection import ConnectionLost, ConnectionPutHangs, FaultRequest
from gnomon.ioc.app.rpc.connection_targets import disturbs_nothing

NAMES = {"X:HS1:set": "HS1", "X:HS1:rdbk": "HS1", "X:ORBIT:x": ""}


def reason(request: FaultRequest) -> str:
    served = SimpleNamespace(prefix="X:", names=NAMES, always_there=("X:dt:fault",), named=lambda _: frozenset())
    return disturbs_nothing(request, served)


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (ConnectionLost(pv="HS1:st"), "no PV matches 'HS1:st'; near names: X:HS1:set"),
        (ConnectionLost(device="HS2"), "no device with PVs matches 'HS2'; near names: HS1"),
        (ConnectionLost(device="ORBIT"), "give pv=ORBIT:*"),
        (ConnectionPutHangs(device="HS1"), "no device that matches 'HS1' has a PV that can be written"),
        (ConnectionLost(pv="dt:fault"), "X:dt:fault is never disturbed"),
    ],
)
def test_a_target_that_is_not_there_is_refused(request_: FaultRequest, said: str) -> None:
    assert said in reason(request_)
