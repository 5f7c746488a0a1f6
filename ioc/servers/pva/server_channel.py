"""The channel `server` of every PV Access server: which PVs are here, and what the server is. What `pvlist` asks for.

pvxs has one of its own, which would list all names to everybody. Ours lists what the client may read. The guard gives
clients that ask for `server` the channel of the name below, since pvxs would take that name for its own.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from p4p import Type, Value

from gnomon._version import __version__
from gnomon.ioc.servers.pva.operations import arguments_of

if TYPE_CHECKING:
    from gnomon.lattice import Client

#: Lists that are kept, one for each user at an address.
MAX_KEPT = 16

_NAMES = Type([("value", "as")], id="epics:nt/NTScalarArray:1.0")
_TEXT = Type([("value", "s")], id="epics:nt/NTScalar:1.0")
_INFO = Type([("implLang", "s"), ("version", "s")])
_HELP = "op=channels: the PVs that you may read; op=info: the server's version"


class Listing:
    """The handler of the list channel. `names` gives, in order, what a client may read."""

    def __init__(self, names: Callable[["Client"], list[str]], client_of: Callable[[Any], "Client"]) -> None:
        self._names = names
        self._client_of = client_of
        self._kept: OrderedDict[tuple[str, str], list[str]] = OrderedDict()

    def forget(self) -> None:
        """Make the lists again: PVs have come or gone."""
        self._kept = OrderedDict()

    def rpc(self, pv: Any, operation: Any) -> None:
        """Answer `op`."""
        try:
            wanted, client = arguments_of(operation.value()).get("op"), self._client_of(operation)
        except UnicodeDecodeError:
            operation.done(error="a text that is not UTF-8")
            return
        match wanted:
            case "channels":
                operation.done(Value(_NAMES, {"value": self._list(client)}))
            case "info":
                operation.done(Value(_INFO, {"implLang": "Python", "version": f"gnomon {__version__}"}))
            case "help":
                operation.done(Value(_TEXT, {"value": _HELP}))
            case _:
                operation.done(error=f"unknown operation. {_HELP}")

    def put(self, pv: Any, operation: Any) -> None:
        """Say what to do instead."""
        operation.done(error=f"server cannot be written: call it (RPC). {_HELP}")

    def _list(self, client: "Client") -> list[str]:
        key = client.user, client.host
        names = self._kept.get(key)
        if names is None:
            names = self._kept[key] = self._names(client)
            if len(self._kept) > MAX_KEPT:
                self._kept.popitem(last=False)
        return names
