"""A sink that stands in for the dispatcher behind a server."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gnomon.db.pvs import Kind
from gnomon.ioc.base.protocols import PutFuture, PutReply
from gnomon.ioc.outputs.bank import Bank
from gnomon.lattice import Client


@dataclass
class FakeSink:
    """Keeps what servers hand on, refuses what no PV takes, and completes a put when `complete` says so."""

    bank: Bank
    puts: list[tuple[str, Any, Client]] = field(default_factory=list)
    complete: Callable[[int, Any, PutFuture], None] | None = None

    def put(self, index: int, value: Any, client: Client) -> PutFuture:
        spec = self.bank.specs[index]
        self.puts.append((spec.name, value, client))
        future = PutFuture()
        number = isinstance(value, int | float)
        if not spec.writable:
            future.set_result(PutReply(False, f"{spec.name} is read-only."))
        elif isinstance(value, dict):
            future.set_result(PutReply(False, f"{spec.name} got no value."))
        elif spec.kind is Kind.FLOAT and not (number and np.isfinite(value)):
            future.set_result(PutReply(False, f"{spec.name} = {value} A is not finite."))
        elif spec.kind is Kind.ENUM and not (number and 0 <= value < len(spec.states)):
            future.set_result(PutReply(False, f"{spec.name} has no state {value}."))
        elif self.complete is not None:
            self.complete(index, value, future)
        else:
            future.set_result(PutReply(True))
        return future
