"""gnomon's bank and both of its servers without a model: a put to the setpoint is published to all readings at once."""

import asyncio
import threading
import time
from typing import Any

import numpy as np
from common import STOP_SIGNALS, Settings, announce_ready, parse_settings

from gnomon.db.pvs import Kind, PvSpec
from gnomon.ioc.base.protocols import PutFuture, PutReply
from gnomon.ioc.outputs.bank import Bank
from gnomon.ioc.servers.ca.ca_server import CaServer
from gnomon.ioc.servers.ca.ca_server import settings as ca_settings
from gnomon.ioc.servers.pva.pva_server import PvaServer
from gnomon.lattice import Client


class Follow:
    """The put sink: the bank publishes setpoint and followers in the event loop, as it does in gnomon."""

    def __init__(self, bank: Bank, follow: int) -> None:
        self._bank = bank
        self._indices = np.arange(1 + follow)
        self._generation = 0
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()

    def put(self, index: int, value: Any, client: Client) -> PutFuture:
        """See `PutSink`."""
        done = PutFuture()
        if threading.get_ident() == self._thread:
            self._publish(float(value), done)
        else:
            self._loop.call_soon_threadsafe(self._publish, float(value), done)
        return done

    def _publish(self, value: float, done: PutFuture) -> None:
        self._generation += 1
        values = np.full(len(self._indices), value)
        self._bank.publish((self._indices, values), {}, time_ns=time.time_ns(), generation=self._generation)
        done.set_result(PutReply(True))


def create_bank(settings: Settings) -> Bank:
    setpoint = PvSpec(name=settings.setpoint, kind=Kind.FLOAT, source="set", description="setpoint", writable=True)
    readings = (
        PvSpec(name=name, kind=Kind.FLOAT, source="readback", description="reading") for name in settings.readings
    )
    bank = Bank([setpoint, *readings], time.time_ns())
    every = np.arange(len(bank.specs))
    bank.publish((every, np.zeros(len(every))), {}, time_ns=time.time_ns(), generation=0)
    return bank


async def serve(settings: Settings) -> None:
    bank = create_bank(settings)
    sink = Follow(bank, settings.follow)
    # In the order of gnomon's own server: PVA listens first, so a PVA update is out before a CA put is answered.
    pva = PvaServer()
    pva.add(bank, sink)
    if settings.pva:
        pva.start()
    ca = CaServer(ca_settings(["127.0.0.1"], 5064))
    ca.add(bank, sink)
    await ca.start()
    stop = asyncio.Event()
    for number in STOP_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    announce_ready()
    await stop.wait()
    await ca.stop()
    pva.stop()


if __name__ == "__main__":
    asyncio.run(serve(parse_settings(__doc__, pva_option=True)))
