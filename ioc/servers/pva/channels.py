"""Handlers that p4p calls for each PV when clients come, go, write or call; in pvxs' thread, so they never wait.

A handler that raises has a bug: p4p then answers the client with the error and logs the traceback.
"""

from typing import Any

from gnomon.ioc.base.protocols import Query, RpcHandler, Writer
from gnomon.ioc.servers.pva.channel_host import ChannelHost
from gnomon.ioc.servers.pva.operations import answer_call, arguments_of
from gnomon.ioc.servers.pva.values import written

#: Why an operation is refused whose texts, or whose user's name, are none.
NO_TEXT = "a text that is not UTF-8; nothing was changed"


class BankChannel:
    """The handler of a PV of the bank: it is open, and costs something, only while a client is connected."""

    def __init__(self, host: ChannelHost, index: int) -> None:
        self._host = host
        self._index = index

    def onFirstConnect(self, pv: Any) -> None:
        """Open the PV; p4p calls this before the client can ask for anything."""
        self._host.open_pv(self._index, pv)

    def onLastDisconnect(self, pv: Any) -> None:
        """Close the PV: publications cost nothing again."""
        self._host.close_pv(self._index, pv)

    def put(self, pv: Any, operation: Any) -> None:
        """Hand on what a client wrote; refusing it is the sink's business."""
        spec = self._host.bank.specs[self._index]
        try:
            value, client = written(spec, operation.value()), self._host.client_of(operation)
        except UnicodeDecodeError:
            operation.done(error=NO_TEXT)
            return
        if (reason := self._host.permits.refusal(spec.name, client, "write")) is not None:
            operation.done(error=reason)
            return
        self._host.put(operation, self._index, value, client)

    def rpc(self, pv: Any, operation: Any) -> None:
        """Call the procedure of this name, if there is one."""
        procedure = self._host.procedure(self._host.bank.specs[self._index].name)
        if procedure is None:
            operation.done(error=f"{operation.name()} is not a remote procedure: read, monitor or write it.")
        else:
            _call(self._host, procedure, operation)


class ProcedureChannel:
    """The handler of a PV that is a remote procedure and nothing else."""

    def __init__(self, host: ChannelHost, name: str) -> None:
        self._host = host
        self._name = name

    def put(self, pv: Any, operation: Any) -> None:
        """Say what to do instead."""
        operation.done(error=f"{operation.name()} is a remote procedure: call it (RPC), it cannot be written.")

    def rpc(self, pv: Any, operation: Any) -> None:
        """Call it."""
        procedure = self._host.procedure(self._name)
        assert procedure is not None  # that of a name never goes
        _call(self._host, procedure, operation)


def _call(host: ChannelHost, procedure: RpcHandler, operation: Any) -> None:
    try:
        arguments, client = arguments_of(operation.value()), host.client_of(operation)
    except UnicodeDecodeError:
        operation.done(error=NO_TEXT)
        return
    reason = None if isinstance(procedure, Query) else host.permits.refusal(operation.name(), client, "call")
    if reason is None and isinstance(procedure, Writer):
        refusals = (host.permits.refusal(name, client, "write") for name in procedure.writes(arguments))
        reason = next((refusal for refusal in refusals if refusal is not None), None)
    if reason is not None:
        operation.done(error=reason)
        return
    answer_call(operation, procedure(arguments, client))
