"""A bank hosted for PV Access without a server: p4p's PVs are opened and posted to in this process."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock
from typing import Any

import numpy as np

from gnomon.db.pvs import Kind, PvSpec
from gnomon.ioc.base.config import AccessConfig, AccessRule
from gnomon.ioc.base.protocols import PutFuture
from gnomon.ioc.outputs.bank import Bank
from gnomon.ioc.servers.access import AccessRules
from gnomon.ioc.servers.pva.hosting import Hosted
from gnomon.ioc.servers.pva.permits import Permits
from gnomon.lattice import Client
from system.fake_sink import FakeSink
from unit.ioc.servers.pva.fake_operation import FakeOperation, client_of

RULES = AccessRules(
    AccessConfig(
        user_groups={"guests": ("guest",)},
        rules=(AccessRule(users=("guests",), allow="read"), AccessRule(allow="write")),
    )
)


def pv(name: str, kind: Kind = Kind.FLOAT, **more: Any) -> PvSpec:
    return PvSpec(name=name, kind=kind, **({"source": "", "description": "what it is"} | more))


class Bell:
    """A doorbell that counts."""

    def __init__(self) -> None:
        self.open = True
        self.calls: list[str] = []

    def ready(self) -> bool:
        self.calls.append("ready")
        return self.open

    def wake(self) -> None:
        self.calls.append("wake")

    def close_if_idle(self) -> None:
        self.calls.append("close if idle")


class Procedure:
    """A remote procedure that sets the PVs in `sets`."""

    def __init__(self, *sets: str) -> None:
        self.sets = sets
        self.calls: list[tuple[dict[str, Any], Client]] = []

    def writes(self, arguments: dict[str, Any]) -> tuple[str, ...]:
        return self.sets

    def __call__(self, arguments: dict[str, Any], client: Client) -> Future[str]:
        self.calls.append((arguments, client))
        future: Future[str] = Future()
        future.set_result("called")
        return future


class Stage:
    """A hosted bank; `open` does what p4p does for a PV's first client and gives p4p's PV."""

    def __init__(self, *specs: PvSpec, rpcs: dict[str, Any] | None = None) -> None:
        self.bank = Bank(specs, 0)
        self.sink = FakeSink(self.bank)
        self.bell = Bell()
        self.ordered: list[tuple[FakeOperation, PutFuture]] = []
        self.hosted = Hosted(
            self.bank,
            self.sink,
            rpcs or {},
            Lock(),
            self.bell,  # type: ignore[arg-type]
            client_of,
            Permits(RULES),
            lambda call: call(),
            lambda operation, future: self.ordered.append((operation, future)),
        )
        self.pvs = dict(self.hosted.channels())
        self.hosted.listen()

    def handler(self, name: str) -> Any:
        pv = self.pvs[name] if name in self.pvs else self.hosted.field(name)
        return pv._handler

    def open(self, name: str) -> Callable[[], Any]:
        """Return what a client of this name has now."""
        pv = self.pvs[name] if name in self.pvs else self.hosted.field(name)
        self.handler(name).onFirstConnect(pv)
        return pv.current

    def close(self, name: str) -> None:
        pv = self.pvs[name] if name in self.pvs else self.hosted.field(name)
        self.handler(name).onLastDisconnect(pv)

    def put(self, time_ns: int = 1, generation: int = 1, /, **values: Any) -> None:
        numbers = {self.bank.index[n]: v for n, v in values.items() if isinstance(v, float)}
        objects = {self.bank.index[n]: v for n, v in values.items() if not isinstance(v, float)}
        scalars = (np.array(list(numbers), dtype=np.intp), np.array(list(numbers.values())))
        self.bank.publish(scalars, objects, time_ns=time_ns, generation=generation)
