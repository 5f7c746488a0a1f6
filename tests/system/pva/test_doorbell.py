"""Large batches go out fast through the doorbell, and complete with or without it."""

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from p4p import _logger_level_set
from p4p.client.thread import Context
from patience import PATIENCE_S, wait_for

from gnomon.db.pvs import Kind, PvSpec
from gnomon.ioc.outputs.bank import Bank
from gnomon.ioc.servers.pva.doorbell import Doorbell
from gnomon.ioc.servers.pva.pvxs_log import quieten
from system.pva.stage import START_NS, FakeSink, Served, server_of

N = 100
WARNINGS = 30
DEEP = "record[queueSize=9000]field()"


@pytest.fixture
def many() -> Iterator[Served]:
    bank = Bank([PvSpec(name=f"T:rd{i}", kind=Kind.FLOAT, source="", description="") for i in range(N)], START_NS)
    server = server_of(bank)
    yield Served(bank, FakeSink(bank), server, server.start())
    server.stop()


def _publish(served: Served, number: int) -> None:
    values = np.full(N, float(number))
    served.bank.publish((np.arange(N), values), {}, time_ns=START_NS + number, generation=number)


def _watch(context: Context, seen: list[list[float]]) -> list[object]:
    seen.extend([] for _ in range(N))
    return [context.monitor(f"T:rd{i}", lambda v, i=i: seen[i].append(v.value), request=DEEP) for i in range(N)]


@pytest.mark.parametrize("bell", ["rings", "hung up", "nobody there"])
def test_every_update_of_a_large_batch_arrives(many: Served, bell: str) -> None:
    seen: list[list[float]] = []
    with many.context(nt=False) as context:
        subscriptions = _watch(context, seen)
        assert wait_for(lambda: all(seen))
        for number in range(1, 51):
            if bell == "hung up":
                many.server.server._bell.close()
            elif bell == "nobody there":
                many.server.server._bell.close()
                many.server.server._bell.set_address("127.0.0.1", 9)
            _publish(many, number)
        assert wait_for(lambda: all(len(values) == 51 for values in seen))
        assert all(values == list(range(51)) for values in seen)
        assert len(subscriptions) == N


def test_clients_that_connect_during_batches_miss_nothing_and_see_nothing_twice(many: Served) -> None:
    stop = threading.Event()
    published = [0]

    def publish_at_200_hz() -> None:
        while not stop.wait(0.005):
            published[0] += 1
            _publish(many, published[0])

    publisher = threading.Thread(target=publish_at_200_hz)
    publisher.start()
    runs: list[list[list[float]]] = []
    try:
        for _ in range(4):
            runs.append([])
            before = published[0]
            with many.context(nt=False) as context:
                subscriptions = _watch(context, runs[-1])
                assert wait_for(lambda: all(len(values) > 5 for values in runs[-1]))
                assert len(subscriptions) == N
            assert all(values[0] >= before for values in runs[-1])
            assert wait_for(lambda: many.server.connected == 0)
    finally:
        stop.set()
        publisher.join()
    for values in (values for run in runs for values in run):
        assert values == [values[0] + i for i in range(len(values))]


def test_the_server_hanging_up_is_answered_with_a_new_call(many: Served) -> None:
    bell = many.server.server._bell
    assert bell.ready()
    bell.wake()
    assert wait_for(bell.ready)
    assert bell._socket is not None
    bell._socket.shutdown(1)  # as if idle for too long: the server closes its end
    assert wait_for(bell.ready)
    bell.wake()
    assert wait_for(bell.ready)


def test_a_bell_without_a_server_gives_up_at_once() -> None:
    bell = Doorbell(threading.Lock())
    bell.set_address("127.0.0.1", 9)
    started = time.monotonic()
    assert not bell.ready()
    bell.wake()
    assert time.monotonic() - started < PATIENCE_S


def test_hanging_up_causes_neither_a_reset_nor_a_warning(many: Served, capfd: pytest.CaptureFixture[str]) -> None:
    _logger_level_set("pvxs.tcp.*", WARNINGS)  # the server switches them off
    bell = many.server.server._bell
    for _ in range(20):
        assert wait_for(bell.ready)
        bell.wake()
        bell.close()
    many.server.stop()
    quieten()
    assert capfd.readouterr().err == ""


def test_an_idle_connection_is_given_up_before_the_server_does(many: Served) -> None:
    bell = many.server.server._bell
    assert bell.ready()
    bell.close_if_idle()
    assert bell._socket is not None
    bell._used_at -= 20.0
    many.publish("T:rd0", 1.0, time_ns=START_NS, generation=1)
    assert bell._socket is None
