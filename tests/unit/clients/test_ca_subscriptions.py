"""A subscription over Channel Access that was ended leaves nothing behind, and calls nobody any more."""

import gc
import weakref
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from caproto import ChannelType

from gnomon.clients.ca import CaClient


@pytest.fixture
def client() -> Iterator[CaClient]:
    """A client whose searches reach nobody: its PVs and subscriptions are caproto's own."""
    with CaClient({"EPICS_CA_ADDR_LIST": "127.0.0.1:9"}) as made:
        yield made


class Callback:
    def __init__(self) -> None:
        self.got: list[Any] = []

    def __call__(self, reading: Any) -> None:
        self.got.append(reading)


def test_a_callback_is_released_when_its_subscription_ends(client: CaClient) -> None:
    gc.freeze()  # so that only what is new is looked through
    callback = Callback()
    released = weakref.ref(callback)
    end = client.monitor("NOT:THERE", callback)
    del callback
    gc.collect()
    assert released() is not None
    end()
    gc.collect()
    assert released() is None
    assert client._kept == {}
    end()


def test_subscribing_and_ending_a_thousand_times_keeps_nothing(client: CaClient) -> None:
    for _ in range(1000):
        client.monitor("NOT:THERE", lambda _: None)()
    (pv,) = client._context.get_pvs("NOT:THERE")
    assert client._kept == {}
    assert [len(each.callbacks) for each in pv.subscriptions.values()] == [0]
    assert len(pv.connection_state_callback.callbacks) == 0


def test_an_event_that_was_on_its_way_reaches_nobody_after_the_end(client: CaClient) -> None:
    callback = Callback()
    end = client.monitor("NOT:THERE", callback)
    ((connection, learn, show),) = client._kept.values()
    stamp = SimpleNamespace(secondsSinceEpoch=1, nanoSeconds=0)
    timed = SimpleNamespace(
        metadata=SimpleNamespace(severity=0, status=0, stamp=stamp), data=[1.5], data_count=2,
        data_type=ChannelType.TIME_DOUBLE,
    )  # fmt: skip
    about = SimpleNamespace(metadata=SimpleNamespace(units=b"mm"))
    learn(about)
    show(None, timed)
    connection(None, "disconnected")
    assert [each and each.value for each in callback.got] == [[1.5], None]
    end()
    learn(about)
    show(None, timed)
    connection(None, "disconnected")
    assert len(callback.got) == 2


def test_closing_the_client_releases_all(client: CaClient) -> None:
    gc.freeze()  # so that only what is new is looked through
    callback = Callback()
    released = weakref.ref(callback)
    client.monitor("NOT:THERE", callback)
    del callback
    client.close()
    gc.collect()
    assert released() is None
