"""Promises of every `MachineClient`, whatever is behind it.

The machine under test has `c:set` = 1 within 0 to 10, `c:rdbk` that follows it and cannot be written, `c:free` = 2
without limits, `c:bad` = 3 with severity INVALID, `c:text` that is not a number; `c:nobody` does not exist.
"""

from gnomon.recorder import MachineError
from gnomon.recorder.replay_machine import MachineClient, PvState

TIMEOUT = 5.0
PVS = ("c:set", "c:rdbk", "c:free", "c:bad", "c:text")


def check_machine_client(machine: MachineClient) -> None:
    for call in (lambda: machine.get("c:set", TIMEOUT), lambda: machine.put("c:set", 1.0, TIMEOUT)):
        assert "c:set" in refusal(call), "a PV must be connected before it is used"
    assert machine.connect([*PVS, "c:nobody"], 2.0) == ("c:nobody",)
    assert machine.connect(PVS, TIMEOUT) == ()
    assert machine.get("c:set", TIMEOUT) == PvState(1.0, 0)
    assert machine.get_all(("c:set", "c:free", "c:bad"), TIMEOUT) == {
        "c:set": PvState(1.0, 0),
        "c:free": PvState(2.0, 0),
        "c:bad": PvState(3.0, 3),
    }
    assert machine.get_all((), TIMEOUT) == {}
    assert "c:nobody" in refusal(lambda: machine.get_all(("c:set", "c:nobody"), TIMEOUT))
    machine.put("c:set", 4.5, TIMEOUT)
    assert machine.get("c:set", TIMEOUT).value == 4.5
    assert machine.get("c:rdbk", TIMEOUT).value == 4.5
    assert machine.limits("c:set", TIMEOUT) == (0.0, 10.0)
    assert machine.unit("c:set", TIMEOUT) == "A"
    low, high = machine.limits("c:free", TIMEOUT)
    assert not low < high, "no limits must not look like limits"
    assert machine.get("c:bad", TIMEOUT) == PvState(3.0, 3)
    assert "c:rdbk" in refusal(lambda: machine.put("c:rdbk", 1.0, TIMEOUT))
    assert "c:nobody" in refusal(lambda: machine.get("c:nobody", TIMEOUT))
    assert "c:nobody" in refusal(lambda: machine.limits("c:nobody", TIMEOUT))
    assert "c:nobody" in refusal(lambda: machine.unit("c:nobody", TIMEOUT))
    assert "c:text" in refusal(lambda: machine.get("c:text", TIMEOUT))


def refusal(call: object) -> str:
    try:
        call()  # type: ignore[operator]
    except MachineError as error:
        return str(error)
    raise AssertionError("no MachineError")
