import json
import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from p4p.nt import NTScalar
from p4p.server import Server, StaticProvider
from p4p.server.thread import SharedPV
from patience import PATIENCE_S

from gnomon.recorder import RemoteError
from gnomon.recorder.remote import PvaRemote, Reply, client_settings, read_reply
from gnomon.recorder.review import Assignment

SETTINGS = (Assignment("Q1", "current", "A", 2.0, 1.0), Assignment("M1", "k1_trim", "1/m^2", 0.1, 0.0))


class Procedure:
    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.refusal = ""

    def rpc(self, pv: object, operation: Any) -> None:
        self.calls.append(dict(operation.value().query.todict()))
        if self.refusal:
            operation.done(error=self.refusal)
        else:
            answer = json.dumps({"sequence": 5, "lattice_id": "abc"})
            operation.done(NTScalar("s").wrap(answer))


@pytest.fixture
def served() -> Iterator[tuple[Procedure, PvaRemote]]:
    procedure = Procedure()
    pv = SharedPV(nt=NTScalar("s"), initial="", handler=procedure)
    provider = StaticProvider("test")
    provider.add("TWIN:dt:set", pv)
    conf = {
        "EPICS_PVAS_INTF_ADDR_LIST": "127.0.0.1",
        "EPICS_PVAS_SERVER_PORT": "0",
        "EPICS_PVAS_BROADCAST_PORT": str(free_port()),
        "EPICS_PVAS_AUTO_BEACON_ADDR_LIST": "NO",
    }
    with Server(providers=[provider], conf=conf, useenv=False) as server:
        used = server.conf()
        environment = {
            "EPICS_PVA_ADDR_LIST": "127.0.0.1",
            "EPICS_PVA_AUTO_ADDR_LIST": "NO",
            "EPICS_PVA_BROADCAST_PORT": used["EPICS_PVAS_BROADCAST_PORT"],
        }
        yield procedure, PvaRemote(timeout_s=PATIENCE_S, environment=environment)


@pytest.mark.network
def test_settings_are_sent_as_one_call_with_their_note(served: tuple[Procedure, PvaRemote]) -> None:
    procedure, remote = served
    reply = remote.send("TWIN:", SETTINGS, "undo 12")
    assert reply.lattice_id == "abc"
    (call,) = procedure.calls
    assert list(call["devices"]) == ["Q1", "M1"]
    assert list(call["properties"]) == ["current", "k1_trim"]
    assert list(call["values"]) == [1.0, 0.0]
    assert call["note"] == "undo 12"


@pytest.mark.network
def test_a_refusal_by_the_server_is_raised_with_its_reason(served: tuple[Procedure, PvaRemote]) -> None:
    procedure, remote = served
    procedure.refusal = "Q1 current: outside its limits"
    with pytest.raises(RemoteError, match="the server refused: Q1 current: outside its limits"):
        remote.send("TWIN:", SETTINGS, "undo 12")


@pytest.mark.network
def test_a_missing_server_is_an_error() -> None:
    environment = {"EPICS_PVA_ADDR_LIST": "127.0.0.1", "EPICS_PVA_BROADCAST_PORT": str(free_port())}
    with pytest.raises(RemoteError, match=r"TWIN:dt:set: no server answered within 0\.3 s"):
        PvaRemote(0.3, environment).send("TWIN:", SETTINGS, "")


def test_the_client_looks_on_this_computer_unless_told_otherwise() -> None:
    assert client_settings({"HOME": "/"}) == {"EPICS_PVA_ADDR_LIST": "127.0.0.1", "EPICS_PVA_AUTO_ADDR_LIST": "NO"}
    told = {"EPICS_PVA_ADDR_LIST": "10.0.0.1"}
    assert client_settings(told) == told


@pytest.mark.parametrize(
    ("text", "lattice_id"), [('{"lattice_id": "abc"}', "abc"), ('{"ok": true}', ""), ("[1]", ""), ("fine", "")]
)
def test_any_answer_is_read(text: str, lattice_id: str) -> None:
    assert read_reply(text) == Reply(lattice_id, text)


def free_port() -> int:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
