"""Interface between a channel of PV Access and the bank behind it: what a channel may ask for, and what it reports."""

from threading import Lock
from typing import Any, Protocol

from gnomon.ioc.base.protocols import RpcHandler
from gnomon.ioc.outputs.bank import Bank
from gnomon.ioc.servers.pva.permits import Permits
from gnomon.lattice import Client


class FieldListener(Protocol):
    """A channel that a host posts to after each publication of its record."""

    name: str
    index: int

    def post(self) -> None:
        """Post what is new. The caller has the host's lock."""
        ...


class ChannelHost(Protocol):
    """A bank as its channels see it. Channels call it in pvxs' thread."""

    bank: Bank
    permits: Permits
    lock: Lock

    def client_of(self, operation: Any) -> Client:
        """Return who sent an operation. Raises UnicodeDecodeError for a name that is not UTF-8."""
        ...

    def open_pv(self, index: int, pv: Any) -> None:
        """Start serving a PV, with the bank's present reading."""
        ...

    def close_pv(self, index: int, pv: Any) -> None:
        """Stop serving a PV."""
        ...

    def opened(self, channel: FieldListener) -> None:
        """Post to a field from now on. The caller has the lock."""
        ...

    def closed(self, channel: FieldListener) -> None:
        """Forget a field. The caller has the lock."""
        ...

    def put(self, operation: Any, index: int, value: Any, client: Client) -> None:
        """Hand on a put, and have the client answered."""
        ...

    def procedure(self, name: str) -> RpcHandler | None:
        """Return the procedure behind a name, if there is one."""
        ...

    def process(self, index: int) -> None:
        """Have a PV published once more."""
        ...
