#!/usr/bin/env python3
"""`gnomon serve` with PV Access in a process of its own: a prototype, to measure whether that would be better.

The bank is copied into shared memory at each publication, and a pipe says which PVs. Enough for clients that watch:
puts and procedures over PV Access are refused, other banks cannot be added. See docs/decisions/0029.
"""

import asyncio
import multiprocessing
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.shared_memory import SharedMemory
from typing import Any

import numpy as np

from gnomon.db.pvs import Kind, PvSpec
from gnomon.ioc.app import servers
from gnomon.ioc.base.protocols import PutFuture, PutReply, PutSink, RpcHandler
from gnomon.ioc.outputs.bank import Bank, Indices
from gnomon.ioc.servers.pva.pva_server import PvaServer
from gnomon.ioc.servers.pva.settings import Endpoint, Settings
from gnomon.lattice import Client


@dataclass(frozen=True, slots=True)
class Block:
    """A bank's arrays in shared memory, those of its array PVs included; all else goes through the pipe."""

    memory: SharedMemory
    scalars: dict[str, Any]
    places: dict[int, slice]
    numbers: Any

    @classmethod
    def of(cls, specs: tuple[PvSpec, ...], name: str | None = None) -> "Block":
        """A new block, or the one of that name."""
        places, end = {}, 0
        for index, spec in enumerate(specs):
            if spec.kind is Kind.FLOATS:
                places[index] = slice(end, end + spec.length)
                end += spec.length
        layout = {"values": "f8", "time_ns": "i8", "generation": "i8", "severity": "u1", "status": "u1"}
        size = sum(np.dtype(code).itemsize for code in layout.values()) * len(specs) + 8 * end
        memory = SharedMemory(name, create=name is None, size=size)
        numbers = np.frombuffer(memory.buf, "f8", end)
        at, scalars = 8 * end, {}
        for field, code in layout.items():
            scalars[field] = np.frombuffer(memory.buf, code, len(specs), at)
            at += scalars[field].nbytes
        return cls(memory, scalars, places, numbers)


class NoPuts:
    """Refuses what the prototype cannot do."""

    def put(self, index: int, value: Any, client: Client) -> PutFuture:
        done = PutFuture()
        done.set_result(PutReply(False, "this prototype takes no puts over PV Access"))
        return done


def serve(specs: tuple[PvSpec, ...], settings: Settings, block_name: str, pipe: Connection) -> None:
    """The child: its own bank, fed from the block; of publications that wait, the newest state is posted once."""
    asyncio.run(_serve(specs, settings, block_name, pipe))


async def _serve(specs: tuple[PvSpec, ...], settings: Settings, block_name: str, pipe: Connection) -> None:
    block = Block.of(specs, block_name)
    bank = Bank(specs, time.time_ns())
    server = PvaServer(settings)
    server.add(bank, NoPuts())
    _take(bank, block, *pipe.recv())
    pipe.send(server.start())
    ended = asyncio.Event()

    def published() -> None:
        try:
            indices, objects = pipe.recv()
            while pipe.poll():
                more, others = pipe.recv()
                indices, objects = np.union1d(indices, more), objects | others
        except EOFError:
            ended.set()
            asyncio.get_running_loop().remove_reader(pipe)
            return
        _take(bank, block, indices, objects)
        bank._tell(indices)

    asyncio.get_running_loop().add_reader(pipe, published)
    await ended.wait()
    server.stop()


def _take(bank: Bank, block: Block, indices: Indices, objects: Mapping[int, Any]) -> None:
    with bank._lock:
        for field, values in block.scalars.items():
            getattr(bank, field)[indices] = values[indices]
        for index, stored in objects.items():
            bank.objects[index] = (
                block.numbers[block.places[index]][:stored].copy() if index in block.places else stored
            )


class PvaProcess:
    """Stands in for PvaServer in the parent."""

    connected = 0

    def __init__(self, settings: Settings, *_: Any) -> None:
        self._settings = settings

    def add(self, bank: Bank, sink: PutSink, rpcs: Mapping[str, RpcHandler]) -> None:
        self._bank = bank

    def start(self) -> Endpoint:
        context = multiprocessing.get_context("spawn")
        self._block = Block.of(self._bank.specs)
        self._pipe, theirs = context.Pipe()
        arguments = (self._bank.specs, self._settings, self._block.memory.name, theirs)
        self._process = context.Process(target=serve, args=arguments, daemon=True)
        self._process.start()
        theirs.close()
        self._send(np.arange(len(self._bank.specs)))
        endpoint: Endpoint = self._pipe.recv()
        self._unlisten = self._bank.listen(self._send)
        return endpoint

    def stop(self) -> None:
        self._unlisten()
        self._pipe.close()
        self._process.join(5.0)
        self._block.memory.unlink()

    def _send(self, indices: Indices) -> None:
        bank, block = self._bank, self._block
        for field, values in block.scalars.items():
            values[indices] = getattr(bank, field)[indices]
        objects: dict[int, Any] = {}
        for index in indices.tolist():
            stored = bank.objects[index]
            if stored is not None:
                objects[index] = stored
                if index in block.places:
                    objects[index] = count = len(stored)
                    block.numbers[block.places[index]][:count] = stored
        self._pipe.send((indices, objects))


if __name__ == "__main__":
    from gnomon.cli import main

    assert threading.active_count() == 1
    servers.PvaServer = PvaProcess  # type: ignore[assignment, misc]
    main()
