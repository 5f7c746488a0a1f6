"""A server in a process of its own, whose memory can be watched: a setpoint, an array published at 50 Hz, scalars.

Run with the guard's limits as JSON (and `allow`, what clients may do); prints the TCP and UDP ports, then what it
publishes goes on until SIGTERM.
"""

import asyncio
import json
import logging
import signal
import sys
import time
from concurrent.futures import Future
from typing import Any

import numpy as np

from gnomon.cli.light_imports import import_p4p_without_setuptools
from gnomon.db.pvs import Kind, PvSpec
from gnomon.ioc.base.config import AccessConfig, GuardConfig
from gnomon.ioc.base.protocols import PutFuture, PutReply
from gnomon.ioc.outputs.bank import Bank
from gnomon.ioc.servers.access import AccessRules
from gnomon.lattice import Client

LENGTH, SCALARS, RATE_HZ = 100_000, 100, 50.0


class Sink:
    """Takes every put, and publishes what it got."""

    def __init__(self, bank: Bank) -> None:
        self._bank = bank
        self._loop = asyncio.get_running_loop()

    def put(self, index: int, value: Any, client: Client) -> PutFuture:
        done = PutFuture()
        self._loop.call_soon_threadsafe(self._apply, index, value, done)
        return done

    def _apply(self, index: int, value: Any, done: PutFuture) -> None:
        if not isinstance(value, int | float):
            done.set_result(PutReply(False, "not a number"))
            return
        self._bank.publish((np.array([index]), np.array([float(value)])), {}, time_ns=time.time_ns(), generation=0)
        done.set_result(PutReply(True))


def call(arguments: dict[str, Any], client: Client) -> "Future[str]":
    """A procedure with a bug."""
    raise OverflowError(f"cannot do {arguments}")


async def serve(limits: GuardConfig, port: int, broadcast_port: int, access: AccessConfig) -> None:
    from gnomon.ioc.servers.pva.pva_server import PvaServer
    from gnomon.ioc.servers.pva.settings import Settings

    specs = [
        PvSpec(name="G:set", kind=Kind.FLOAT, source="", description="", writable=True),
        PvSpec(name="G:wave", kind=Kind.FLOATS, source="", description="", length=LENGTH),
        *(PvSpec(name=f"G:x{i}", kind=Kind.FLOAT, source="", description="") for i in range(SCALARS)),
    ]
    bank = Bank(specs, time.time_ns())
    server = PvaServer(Settings(port=port, broadcast_port=broadcast_port), AccessRules(access), guard=limits)
    server.add(bank, Sink(bank), {"G:call": call})
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
    logging.basicConfig(level=logging.INFO)
    import_p4p_without_setuptools()
    given = json.loads(sys.argv[1])
    rules = AccessConfig.model_validate({"rules": [{"allow": given.pop("allow", "write")}]})
    asyncio.run(serve(GuardConfig(**given), int(sys.argv[2]), int(sys.argv[3]), rules))
