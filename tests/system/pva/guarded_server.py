"""A server in a process of its own, whose memory can be watched: a setpoint, an array published at 50 Hz, scalars.

Run with the guard's limits as JSON; prints the TCP and UDP ports, then what it publishes goes on until SIGTERM.
"""

import asyncio
import json
import signal
import sys
import time
from concurrent.futures import Future
from typing import Any

import numpy as np

from gnomon.db.pvs import Kind, PvSpec
from gnomon.ioc.bank import Bank
from gnomon.ioc.config import GuardConfig
from gnomon.ioc.puts import PutReply
from gnomon.ioc.pva.server import PvaServer
from gnomon.ioc.pva.settings import Settings
from gnomon.lattice import Client

LENGTH, SCALARS, RATE_HZ = 100_000, 100, 50.0


class Sink:
    """Takes every put."""

    def put(self, index: int, value: Any, client: Client) -> "Future[PutReply]":
        done: Future[PutReply] = Future()
        done.set_result(PutReply(True))
        return done


async def serve(limits: GuardConfig, port: int, broadcast_port: int) -> None:
    specs = [
        PvSpec(name="G:set", kind=Kind.FLOAT, source="", description="", writable=True),
        PvSpec(name="G:wave", kind=Kind.FLOATS, source="", description="", length=LENGTH),
        *(PvSpec(name=f"G:x{i}", kind=Kind.FLOAT, source="", description="") for i in range(SCALARS)),
    ]
    bank = Bank(specs, time.time_ns())
    server = PvaServer(Settings(port=port, broadcast_port=broadcast_port), guard=limits)
    server.add(bank, Sink())
    endpoint = server.start()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    print(endpoint.port, endpoint.broadcast_port, flush=True)
    number, scalars = 0, np.arange(2, 2 + SCALARS)
    while not stop.is_set():
        number += 1
        wave = np.full(LENGTH, float(number))
        values = (scalars, np.full(SCALARS, float(number)))
        bank.publish(values, {1: wave}, time_ns=time.time_ns(), generation=number)
        await asyncio.sleep(1.0 / RATE_HZ)
    server.stop()


if __name__ == "__main__":
    asyncio.run(serve(GuardConfig(**json.loads(sys.argv[1])), int(sys.argv[2]), int(sys.argv[3])))
