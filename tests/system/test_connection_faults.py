"""Faults of connections: what clients see of gnomon is what they see of EPICS's own server in the same state."""

import asyncio
import json
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from conftest import EpicsPorts, free_port
from epics_tools import tools
from p4p.client.thread import Context, RemoteError
from p4p.nt import NTURI
from patience import PATIENCE_S

from gnomon.ioc.base.config import NetworkConfig
from gnomon.ioc.servers.ca.ca_name_search import find_ca_servers
from gnomon.ioc.servers.duplicate_pvs import DuplicatePvError, refuse_duplicate_pvs
from gnomon.ioc.servers.pva.pva_name_search import find_pva_servers
from gnomon.ioc.shadow.client.ca_link import CaLink
from gnomon.ioc.shadow.client.pva_link import PvaLink
from gnomon.ioc.shadow.link import Update
from programs import connections
from system.twin_process import TwinProcess

pytestmark = pytest.mark.slow  # a server, and clients that search again only after ten seconds

DEVICE, MONITOR = "HS4P1D1R", "BPMZ1D1R"
PORTS = EpicsPorts(free_port(), free_port(), free_port())
LOCAL = ["127.0.0.1"]


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwinProcess]:
    with TwinProcess(PORTS.environment, tmp_path_factory.mktemp("connections")) as process:
        yield process


def test_clients_see_what_they_see_of_epics_own_server(twin: TwinProcess, tmp_path: Path) -> None:
    ioc = EpicsPorts(free_port(), free_port(), free_port())
    environment = ioc.environment | {"LD_LIBRARY_PATH": str(tools() / "lib")}
    ports = {"ca": [PORTS.ca, ioc.ca], "pva": [PORTS.pva_udp, ioc.pva_udp]}
    program = str(tools() / "bin" / "softIocPVA")
    found = twin.client(connections.compare, "TWIN:", DEVICE, program, environment, str(tmp_path), ports)
    text = json.dumps(found, indent=1)
    states = ("read only", "after read only", "no access", "after no access", "everything lost")
    for state in (*states, *(f"puts, {state}" for state in states[::2][:2])):
        assert found[state]["gnomon"] == found[state]["epics"], f"{state}: {text}"
    assert found["hangs"]["gnomon"] == found["hangs"]["epics"], text
    assert found["not accepted"] == ["-1", "0.0", "TimeoutError", "0.0"], text
    assert found["not found"]["gnomon"] == found["not found"]["epics"], text
    back = found["everything back"]
    # pyepics says the rights before the connection; how often p4p has tried in between is the client's affair.
    assert set(back["gnomon"]) - {"pva Disconnected"} == set(back["epics"]) - {"pva Disconnected"}, text
    assert found["meanwhile"] == [], text
    assert all(age_s < 1.5 for age_s in found["age_s"].values()), text
    assert found["one lost"] == ["ca disconnected", "ca rights ", "pva Disconnected"], text
    assert found["others"] == [], text
    assert found["one back"] == [found["true"]] * 2, text
    assert abs(float(found["true"])) > 0.01, text
    assert found["slow"]["took_s"] >= 4 * 0.3, text
    assert all(" 0" in line for line in found["slow"]["late"]), text


def _ca_message(command: int, payload: bytes = b"", first: int = 0, second: int = 0) -> bytes:
    payload += bytes(-len(payload) % 8)
    return struct.pack(">HHHHII", command, len(payload), 0, 0, first, second) + payload


class CaWire:
    """A circuit of Channel Access, byte by byte."""

    def __init__(self, *names: str) -> None:
        self.sock = socket.create_connection(("127.0.0.1", PORTS.ca), timeout=PATIENCE_S)
        creates = (_ca_message(18, n.encode() + b"\0", cid, 13) for cid, n in enumerate(names, 1))
        self.sock.sendall(_ca_message(0, second=13) + _ca_message(20, b"me\0") + b"".join(creates))
        self.heard(count=1 + 2 * len(names))

    def heard(self, count: int) -> list[tuple[int, int]]:
        """So many messages: command and first number; fewer if the circuit is closed."""
        found: list[tuple[int, int]] = []
        data = b""
        while len(found) < count:
            try:
                data += (got := self.sock.recv(4096))
            except ConnectionResetError:
                got = b""
            if not got:
                return [*found, (-1, -1)]
            while len(data) >= 16 and len(data) >= 16 + struct.unpack_from(">H", data, 2)[0]:
                command, size, _, _, first, _ = struct.unpack_from(">HHHHII", data)
                found.append((command, first))
                data = data[16 + size :]
        return found


class PvaWire:
    """A connection of PV Access, byte by byte."""

    def __init__(self, *names: str) -> None:
        self.sock = socket.create_connection(("127.0.0.1", PORTS.pva_tcp), timeout=PATIENCE_S)
        self._data = b""
        self.heard(1)
        self._send(1, struct.pack(">IHH", 0x10000, 0x7FFF, 0) + b"\x09anonymous\xff")
        self.heard(9)
        self.sids = []
        for cid, name in enumerate(names, 1):
            self._send(7, struct.pack(">HIB", 1, cid, len(name)) + name.encode())
            self.sids.append(struct.unpack_from("<4xI", self.heard(7))[0])

    def _send(self, command: int, body: bytes) -> None:
        self.sock.sendall(struct.pack(">BBBBI", 0xCA, 2, 0x80, command, len(body)) + body)

    def heard(self, command: int) -> bytes:
        """The body of the next message of this kind; empty when the connection is closed."""
        while True:
            while len(self._data) >= 8:
                flags, kind, size = struct.unpack_from("<xxBBI", self._data)
                size = 0 if flags & 1 else size
                if len(self._data) < 8 + size:
                    break
                body, self._data = self._data[8 : 8 + size], self._data[8 + size :]
                if kind == command and not flags & 1:
                    return body
            try:
                got = self.sock.recv(4096)
            except ConnectionResetError:
                got = b""
            if not got:
                return b""
            self._data += got


def _found(*names: str, expected: Sequence[str]) -> dict[str, list[str]]:
    """The names that are found by a search, by protocol; one for `expected` ones takes the time that it needs."""
    wanted = [f"TWIN:{name}" for name in names]
    for timeout_s in (0.5, 5.0, 20.0):
        ca = asyncio.run(find_ca_servers(wanted, LOCAL, PORTS.ca, timeout_s))
        pva = find_pva_servers(wanted, LOCAL, PORTS.pva_udp, timeout_s)
        found = {
            protocol: sorted(n.removeprefix("TWIN:") for n in each) for protocol, each in (("ca", ca), ("pva", pva))
        }
        if all(set(expected) <= set(each) for each in found.values()):
            break
    return found


def _search_until_refused(names: Sequence[str], network: NetworkConfig) -> None:
    """Search as a server that starts does, for half a second, but often: a busy computer may not answer in time."""
    for _ in range(20):
        asyncio.run(refuse_duplicate_pvs(names, network))


def _fault(**keys: Any) -> Any:
    """Call `dt:fault`."""
    uri = NTURI([(key, "s") for key in keys]).wrap("TWIN:dt:fault", kws=keys)
    with Context("pva", conf=PORTS.environment, useenv=False, nt=False) as context:
        return context.rpc("TWIN:dt:fault", uri)


def test_lost_channels_end_on_the_wire_and_are_not_found(twin: TwinProcess) -> None:
    lost, kept = f"{MONITOR}:rdX", f"{DEVICE}:rdbk"
    ca, pva = CaWire(f"TWIN:{lost}", f"TWIN:{kept}"), PvaWire(f"TWIN:{lost}", f"TWIN:{kept}")
    with closing(ca.sock), closing(pva.sock):
        _fault(do="add", kind="connection_lost", device=MONITOR)
        assert ca.heard(1) == [(27, 1)]  # CA_PROTO_SERVER_DISCONN of the first channel
        assert struct.unpack("<II", pva.heard(8)) == (pva.sids[0], 1)  # CMD_DESTROY_CHANNEL
        assert _found(lost, kept, expected=[kept]) == {p: [kept] for p in ("ca", "pva")}
        _fault(do="add", kind="connection_lost")
        assert ca.heard(1) == [(-1, -1)]
        assert pva.heard(8) == b""
    only, both = PvaWire("TWIN:dt:faults:count"), CaWire("TWIN:dt:faults:count")
    with closing(only.sock), closing(both.sock):
        names = (f"{DEVICE}:rdbk", "dt:queue", "dt:faults:count", "dt:faults:active")
        assert _found(*names, expected=names[2:]) == {p: sorted(names[2:]) for p in ("ca", "pva")}
        network = NetworkConfig(ca_port=PORTS.ca, pva_port=PORTS.pva_tcp, pva_broadcast_port=PORTS.pva_udp)
        with pytest.raises(DuplicatePvError, match="already serves 'TWIN:dt:faults:"):
            _search_until_refused([f"TWIN:{name}" for name in names], network)
        _fault(do="clear")
    assert _found(*names, expected=names) == {p: sorted(names) for p in ("ca", "pva")}


def test_faults_are_listed_and_cleared_while_all_connections_are_disturbed(twin: TwinProcess) -> None:
    for keys in (
        {"kind": "connection_slow", "delay_s": "60"},
        {"kind": "connection_slow", "delay_s": "60", "step": "channel"},
        {"kind": "connection_denied", "allow": "none"},
        {"kind": "connection_put_hangs", "accepted": "false"},
        {"kind": "connection_lost", "every_s": "1", "lasts_s": "0.9"},
        {"kind": "connection_lost", "pv": "*"},
    ):
        _fault(do="add", **keys)
    with pytest.raises(RemoteError, match="TWIN:dt:fault is never disturbed, so that faults can be listed and cleared"):
        _fault(do="add", kind="connection_lost", pv="dt:fault*")
    assert len(json.loads(twin.gnomon("fault", "list", "--json").stdout)) == 6
    assert len(json.loads(twin.gnomon("fault", "clear", "--all", "--json").stdout)) == 6
    assert _found("dt:queue", expected=["dt:queue"]) == {protocol: ["dt:queue"] for protocol in ("ca", "pva")}


class Followed:
    """Two PVs as a shadow's link follows them: the newest update of each, and whether it is connected."""

    def __init__(self) -> None:
        self.newest: dict[int, Update] = {}

    def updated(self, updates: Sequence[Update]) -> None:
        self.newest |= {update.channel: update for update in updates}

    def lost(self, channels: Sequence[int]) -> None:
        for channel in channels:
            self.newest.pop(channel, None)

    async def until(self, connected: set[int]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while self.newest.keys() != connected:
                await asyncio.sleep(0.01)


@pytest.mark.parametrize("protocol", ["ca", "pva"])
async def test_a_shadow_takes_a_lost_or_denied_pv_as_lost_and_goes_on_with_fresh_values(
    twin: TwinProcess, protocol: str
) -> None:
    link: CaLink | PvaLink = CaLink([f"127.0.0.1:{PORTS.ca}"], 2.0)
    if protocol == "pva":
        link = PvaLink([f"127.0.0.1:{PORTS.pva_udp}"], 2.0)
    followed = Followed()
    link.start((f"TWIN:{MONITOR}:rdX", "TWIN:TUNEZR:rdH"), followed)
    states = [({"kind": "connection_lost", "device": MONITOR}, {1}), ({"kind": "connection_lost"}, set[int]())]
    if protocol == "ca":  # over PV Access reading is never denied
        states.append(({"kind": "connection_denied", "pv": "TUNEZR:*", "allow": "none"}, {0}))
    try:
        for keys, left in states:
            await followed.until({0, 1})
            await asyncio.to_thread(_fault, do="add", **keys)
            await followed.until(left)
            began_ns = time.time_ns()
            await asyncio.to_thread(_fault, do="clear")
            await followed.until({0, 1})
            if 1 not in left:  # it is published every second
                assert followed.newest[1].time_ns > began_ns - 1_500_000_000
    finally:
        link.close()
