"""Access rules over PV Access: who may write and call, who may see, and by which address a client is known."""

import logging
import socket
import struct
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack
from typing import Any

import pytest
from p4p.client.thread import Context, RemoteError
from p4p.nt import NTURI
from patience import PATIENCE_S

from gnomon.ioc.base.config import AccessConfig
from gnomon.ioc.outputs.bank import Bank
from gnomon.ioc.servers.access import AccessRules
from gnomon.ioc.servers.pva.pva_name_search import find_pva_servers
from gnomon.ioc.wire.pva_framing import Command, message, string
from gnomon.lattice import Client
from system.pva.stage import SPECS, START_NS, FakeSink, Served, procedure, server_of
from system.pva.test_guard import HELLO

Serve = Callable[..., Served]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serves with these access rules."""
    with ExitStack() as stack:

        def started(*rules: dict[str, Any], **groups: Any) -> Served:
            bank = Bank(SPECS, START_NS)
            sink = FakeSink(bank)
            access = AccessRules(AccessConfig.model_validate({"rules": rules, **groups}))
            server = server_of(bank, sink, rpcs={"T:call": procedure}, access=access)
            endpoint = server.start()
            stack.callback(server.stop)
            return Served(bank, sink, server, endpoint)

        yield started


def test_a_put_that_is_not_allowed_says_so_to_client_and_log(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    served = serve({"pvs": ["T:current"], "allow": "write"}, {"allow": "read"})
    with served.context(nt=False) as context:
        context.put("T:current", 1.0)
        with caplog.at_level(logging.WARNING), pytest.raises(RemoteError, match=r"may not write T:count.*access rules"):
            context.put("T:count", 1)
    assert [name for name, _, _ in served.sink.puts] == ["T:current"]
    assert "127.0.0.1 may not write T:count" in caplog.text


def test_a_call_is_a_write(serve: Serve) -> None:
    served = serve({"allow": "read"})
    with served.context(nt=False) as context:
        assert context.get("T:call").value == ""
        with pytest.raises(RemoteError, match="may not call T:call"):
            context.rpc("T:call", NTURI([]).wrap("T:call"))


class Setter:
    """A procedure that sets what it is told."""

    def writes(self, arguments: dict[str, Any]) -> list[str]:
        return [str(name) for name in arguments["names"]]

    def __call__(self, arguments: dict[str, Any], client: Client) -> "Future[str]":
        return procedure({}, client)


def test_a_procedure_obeys_the_access_rules_of_the_pvs_that_it_sets(serve: Serve) -> None:
    served = serve({"pvs": ["T:mode"], "allow": "read"}, {"allow": "write"})
    bank = Bank([], START_NS)
    served.server.add(bank, FakeSink(bank), {"T:setter": Setter()})
    uri = NTURI([("names", "as")])
    with served.context(nt=False) as context:
        assert context.rpc("T:setter", uri.wrap("T:setter", kws={"names": ["T:current"]})).value == "{}"
        with pytest.raises(RemoteError, match="may not write T:mode"):
            context.rpc("T:setter", uri.wrap("T:setter", kws={"names": ["T:current", "T:mode"]}))


def test_the_user_and_host_that_a_client_states_count(serve: Serve) -> None:
    served = serve(
        {"users": ["none"], "allow": "write"}, {"allow": "read"}, user_groups={"none": ["nobody-of-this-name"]}
    )
    with served.context(nt=False) as context, pytest.raises(RemoteError, match="may not write"):
        context.put("T:current", 1.0)


def test_a_pv_that_may_not_be_read_is_not_found_and_not_connected(serve: Serve) -> None:
    served = serve({"pvs": ["T:reason"], "allow": "none"}, {"allow": "write"})
    port = served.endpoint.broadcast_port
    assert set(find_pva_servers(["T:current"], ["127.0.0.1"], port, PATIENCE_S)) == {"T:current"}
    assert find_pva_servers(["T:reason"], ["127.0.0.1"], port) == {}
    assert _created(served, "T:current")
    assert not _created(served, "T:reason")
    assert not _created(served, served.server.server._bell.name)


def test_a_name_server_search_finds_and_connects(served: Served) -> None:
    conf = {
        "EPICS_PVA_NAME_SERVERS": f"127.0.0.1:{served.endpoint.port}",
        "EPICS_PVA_ADDR_LIST": "",
        "EPICS_PVA_AUTO_ADDR_LIST": "NO",
        "EPICS_PVA_BROADCAST_PORT": "9",
    }
    with Context("pva", conf=conf, useenv=False, nt=False) as context:
        names = ["T:current", "T:orbit", "T:mode", "T:table"]
        assert all(value is not None for value in context.get(names))
        context.put("T:current", 3.0)
    assert served.sink.puts[0][2].host == "127.0.0.1"


def test_a_client_that_goes_around_the_guard_may_only_read(served: Served) -> None:
    private = served.server.server._server.conf()["EPICS_PVAS_SERVER_PORT"]
    conf = {"EPICS_PVA_NAME_SERVERS": f"127.0.0.1:{private}", "EPICS_PVA_AUTO_ADDR_LIST": "NO"}
    conf["EPICS_PVA_BROADCAST_PORT"] = "9"
    with (
        Context("pva", conf=conf, useenv=False, nt=False) as context,
        pytest.raises(RemoteError, match="unknown may not write"),
    ):
        context.put("T:current", 1.0)
    assert served.sink.puts == []


def _created(served: Served, name: str) -> bool:
    """Tell whether a client that does not search first gets a channel."""
    with socket.create_connection(("127.0.0.1", served.endpoint.port), timeout=PATIENCE_S) as sock:
        sock.sendall(HELLO + message(Command.CREATE_CHANNEL, struct.pack(">HI", 1, 1) + string(name)))
        data = b""
        while (at := data.find(bytes([Command.CREATE_CHANNEL]), 3)) < 0 or len(data) < at + 14:
            data += sock.recv(4096)
        at = next(i for i in range(len(data)) if data[i : i + 1] == b"\xca" and data[i + 3] == Command.CREATE_CHANNEL)
        return data[at + 12 : at + 16] != b"\xff\xff\xff\xff"
