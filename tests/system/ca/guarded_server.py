"""A Channel Access server as a process of its own, so that its memory can be watched: a long wave, published at 50 Hz.

Arguments: the port, and the limits of the guard as JSON.
"""

import asyncio
import json
import signal
import sys
import time

import numpy as np

from gnomon.db.pvs import Kind, PvSpec
from gnomon.ioc.base.config import GuardConfig
from gnomon.ioc.outputs.bank import Bank
from gnomon.ioc.servers.ca.ca_server import CaServer, CaSettings
from system.fake_sink import FakeSink

LENGTH = 100_000
PERIOD_S = 0.02
SPECS = (
    PvSpec(name="G:wave", kind=Kind.FLOATS, source="", description="a long wave", length=LENGTH),
    PvSpec(name="G:count", kind=Kind.FLOAT, source="", description="publications so far"),
    PvSpec(name="G:set", kind=Kind.FLOAT, source="set", description="can be written", writable=True),
)


async def serve(port: int, limits: dict[str, float]) -> None:
    """Publish until told to stop."""
    bank = Bank(SPECS, time.time_ns())
    server = CaServer(CaSettings(("127.0.0.1",), port), guard=GuardConfig.model_validate(limits))
    server.add(bank, FakeSink(bank))
    await server.start()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    print("ready", server.port, flush=True)
    count, wave = 0, np.zeros(LENGTH)
    while not stop.is_set():
        count += 1
        wave = wave + 1.0
        scalars = (np.array([1]), np.array([float(count)]))
        bank.publish(scalars, {0: wave}, time_ns=time.time_ns(), generation=count)
        await asyncio.sleep(PERIOD_S)
    await server.stop()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), json.loads(sys.argv[2])))
