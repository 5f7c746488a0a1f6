"""Several banks on one server, which come and go while clients are connected."""

import gc
import threading
import weakref
from concurrent.futures import Future

import numpy as np
import pytest
from p4p.client.thread import Context, Disconnected, RemoteError
from p4p.nt import NTURI
from patience import PATIENCE_S, wait_for

from gnomon.db.pvs import Kind, PvSpec
from gnomon.ioc.base.protocols import PutReply
from gnomon.ioc.outputs.bank import Bank
from gnomon.ioc.servers.pva.settings import PvaError
from system.pva.stage import START_NS, FakeSink, Served, procedure


def _bank(prefix: str, n: int = 40) -> Bank:
    return Bank(
        [PvSpec(name=f"{prefix}x{i}", kind=Kind.FLOAT, source="", description="", writable=True) for i in range(n)],
        START_NS,
    )


def _publish(bank: Bank, number: float) -> None:
    n = len(bank.specs)
    bank.publish((np.arange(n), np.full(n, number)), {}, time_ns=START_NS + 1, generation=1)


def test_a_bank_added_to_a_running_server_is_found_written_monitored_and_called(served: Served) -> None:
    bank = _bank("F:")
    sink = FakeSink(bank)
    seen: list[float] = []
    with served.context(nt=False) as context:
        assert context.get("T:current").value == 0.0
        served.server.add(bank, sink, {"F:call": procedure})
        with context.monitor("F:x7", lambda v: seen.append(v.value)):
            assert wait_for(lambda: bool(seen))
            _publish(bank, 2.0)
            assert wait_for(lambda: seen[-1] == 2.0)
        context.put("F:x3", 1.5)
        assert [put[:2] for put in sink.puts] == [("F:x3", 1.5)]
        assert served.sink.puts == []
        assert context.rpc("F:call", NTURI([]).wrap("F:call")).value == "{}"


def test_large_batches_of_two_banks_arrive_whole(served: Served) -> None:
    banks = [_bank("F:"), _bank("G:")]
    latest: dict[str, float] = {}
    with served.context(nt=False) as context:
        subscriptions = []
        for bank in banks:
            served.server.add(bank, FakeSink(bank))
            for spec in bank.specs:
                subscriptions.append(
                    context.monitor(spec.name, lambda v, name=spec.name: latest.__setitem__(name, v.value))
                )
        assert wait_for(lambda: len(latest) == 80)
        for number in range(1, 30):
            _publish(banks[0], number)
            _publish(banks[1], -number)
        assert wait_for(lambda: set(latest.values()) == {29.0, -29.0})
        assert all((value > 0) == name.startswith("F:") for name, value in latest.items())
        assert len(subscriptions) == 80


def test_removing_a_bank_closes_its_channels_and_leaves_the_others_alone(served: Served) -> None:
    bank = _bank("F:")
    served.server.add(bank, FakeSink(bank))
    events: list[object] = []
    with (
        served.context(nt=False) as context,
        context.monitor("F:x0", events.append, notify_disconnect=True),
        context.monitor("T:current", lambda v: None),
    ):
        assert wait_for(lambda: any(not isinstance(event, Disconnected) for event in events))
        served.server.remove(bank)
        assert wait_for(lambda: isinstance(events[-1], Disconnected))
        _publish(bank, 3.0)
        assert served.server.connected == 1
        with pytest.raises(TimeoutError):
            context.get("F:x1", timeout=0.2)
        served.publish("T:current", 4.0, time_ns=START_NS + 1, generation=1)
        assert context.get("T:current").value == 4.0
        with pytest.raises(PvaError, match="not served"):
            served.server.remove(bank)


def test_the_same_names_can_come_back_and_clients_with_them(served: Served) -> None:
    values: list[object] = []
    with served.context(nt=False) as context, context.monitor("F:x0", lambda v: values.append(v.value)):
        for number in (1.0, 2.0, 3.0):
            bank = _bank("F:")
            _publish(bank, number)
            served.server.add(bank, FakeSink(bank))
            assert wait_for(lambda number=number: values[-1:] == [number])  # type: ignore[misc]
            served.server.remove(bank)


def test_names_that_are_served_already_are_refused_and_nothing_changes(served: Served) -> None:
    with pytest.raises(PvaError, match=r"1 of these names are served already, the first is T:call"):
        served.server.add(_bank("F:"), served.sink, {"T:call": procedure})
    with served.context(nt=False) as context, pytest.raises(TimeoutError):
        context.get("F:x0", timeout=0.2)


def test_a_removed_bank_is_let_go_of(served: Served) -> None:
    bank = _bank("F:")
    sink = FakeSink(bank)
    served.server.add(bank, sink)
    with served.context(nt=False) as context:
        context.put("F:x0", 1.0)
        served.server.remove(bank)
        gone = weakref.ref(sink)
        del sink
        sink_is_gone = wait_for(lambda: gc.collect() >= 0 and gone() is None)
    assert sink_is_gone


def test_banks_come_and_go_while_clients_write_and_others_publish(served: Served) -> None:
    stop = threading.Event()
    waiting: list[Future[PutReply]] = []

    def write() -> None:
        with served.context(nt=False) as context:
            while not stop.is_set():
                try:
                    context.put("F:x0", 1.0, timeout=0.05)
                except (TimeoutError, RemoteError, Disconnected):
                    continue

    def read(context: Context) -> None:
        assert context.get("T:count", timeout=PATIENCE_S).value == 0

    threads = [threading.Thread(target=write) for _ in range(3)]
    for thread in threads:
        thread.start()
    with served.context(nt=False) as context:
        for number in range(30):
            bank = _bank("F:")
            sink = FakeSink(bank)
            sink.complete = lambda index, value, future: waiting.append(future)
            served.server.add(bank, sink)
            _publish(bank, number)
            wait_for(lambda sink=sink: bool(sink.puts), 0.05)  # type: ignore[misc]
            served.server.remove(bank)
            read(context)
    stop.set()
    for future in waiting:
        future.set_result(PutReply(True))
    for thread in threads:
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
