"""Banks that come and go while the server runs."""

import numpy as np
import pytest

from gnomon.db.pvs import Kind, PvSpec
from gnomon.ioc.outputs.bank import Bank
from gnomon.ioc.servers.ca.ca_server import CaError
from system.ca.stage import CLEAR, EVENT_ADD, START_NS, RawClient, Served
from system.fake_sink import FakeSink

DISCONNECTED = 27


def another(*names: str) -> Bank:
    return Bank(
        [PvSpec(name=n, kind=Kind.FLOAT, source="", description="of another", writable=True) for n in names], START_NS
    )


def add(served: Served, bank: Bank) -> FakeSink:
    async def here() -> FakeSink:
        sink = FakeSink(bank)
        served.server.add(bank, sink)
        return sink

    return served.run(here())


def remove(served: Served, bank: Bank) -> None:
    async def here() -> None:
        served.server.remove(bank)

    served.run(here())


def publish(served: Served, bank: Bank, value: float) -> None:
    async def here() -> None:
        bank.publish((np.array([0]), np.array([value])), {}, time_ns=START_NS, generation=1)

    served.run(here())


def test_a_bank_is_served_from_when_it_is_added(served: Served, client: RawClient) -> None:
    bank = another("U:x", "U:y")
    sink = add(served, bank)
    client.connect("T:x1", "U:x")
    client.subscribe("T:x1", 1)
    client.subscribe("U:x", 2)
    client.wait(EVENT_ADD)
    client.wait(EVENT_ADD)
    publish(served, bank, 2.5)
    update = client.wait(EVENT_ADD)
    assert (update.second, update.double[3]) == (2, 2.5)
    client.put("U:x", 4.0, 1)
    client.wait(19)
    assert [value for _, value, _ in sink.puts] == [4.0]
    assert not served.sink.puts


def test_a_removed_bank_s_channels_are_disconnected_and_others_go_on(served: Served, client: RawClient) -> None:
    bank = another("U:x", "U:y")
    add(served, bank)
    client.connect("T:x1", "U:x", "U:x.DESC")
    client.subscribe("T:x1", 1)
    client.subscribe("U:x", 2)
    client.wait(EVENT_ADD)
    client.wait(EVENT_ADD)
    remove(served, bank)
    assert {client.wait(DISCONNECTED).first for _ in range(2)} == {1, 2}
    publish(served, bank, 2.5)
    served.publish({"T:x1": 3.0})
    update = client.wait(EVENT_ADD)
    assert (update.second, update.double[3]) == (1, 3.0)


def test_names_served_already_are_refused_and_nothing_changes(served: Served, client: RawClient) -> None:
    with pytest.raises(CaError, match="1 of these names are served already, the first is T:x1"):
        add(served, another("U:x", "T:x1"))
    with pytest.raises(CaError, match="not served"):
        remove(served, another("U:x"))
    client.connect("T:x1")


def test_requests_for_a_channel_that_has_gone_do_not_end_the_connection(served: Served, client: RawClient) -> None:
    bank = another("U:x")
    add(served, bank)
    client.connect("T:x1", "U:x")
    client.subscribe("T:x1", 1)
    client.wait(EVENT_ADD)
    remove(served, bank)
    client.wait(DISCONNECTED)
    client.put("U:x", 1.0, 3)  # it has crossed the news
    client.subscribe("U:x", 2)
    client.send(CLEAR, first=client.sids["U:x"], second=1)
    assert client.wait(CLEAR).first == client.sids["U:x"]
    served.publish({"T:x1": 3.0})
    assert client.wait(EVENT_ADD).double[3] == 3.0
