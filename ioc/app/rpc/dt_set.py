"""`dt:set`: many setpoints as one command."""

from concurrent.futures import Future
from typing import Any

from gnomon.ioc.base.protocols import PutReply
from gnomon.ioc.commands.dispatcher import Dispatcher
from gnomon.ioc.commands.setting_names import SettingNames
from gnomon.ioc.commands.validation import parse_set
from gnomon.ioc.outputs.bank import Bank
from gnomon.lattice import Client, GnomonError, Ring


class RefusedCommand(GnomonError):
    """A command that was not accepted; the text is the reason."""


class SetProcedure:
    """`dt:set`: names (of PVs) or devices and properties, and values, as one command: all or none.

    Ends when the outputs of the new lattice are out, with the fields sequence and lattice_id.
    """

    def __init__(self, bank: Bank, ring: Ring, prefix: str, dispatcher: Dispatcher) -> None:
        self._bank = bank
        self._prefix = prefix
        self._dispatcher = dispatcher
        self._names = SettingNames(bank.specs, ring, prefix)

    def writes(self, arguments: dict[str, Any]) -> list[str]:
        """Return the names whose rules count for a call: who may not write all of them may not call either."""
        settings = parse_set(self._bank, self._prefix, arguments).settings
        named = [setting.pv for setting in settings if setting.pv in self._bank.index]
        set_ = (name for setting in settings for name in self._names.names(setting.device, setting.property))
        return list(dict.fromkeys([*named, *set_]))

    def __call__(self, arguments: dict[str, Any], client: Client) -> "Future[dict[str, Any]]":
        """See `RpcHandler`."""
        request = parse_set(self._bank, self._prefix, arguments)
        answer: Future[dict[str, Any]] = Future()

        def complete(done: "Future[PutReply]") -> None:
            reply = done.result()
            if reply.accepted:
                answer.set_result({"sequence": reply.sequence, "lattice_id": reply.lattice_id})
            else:
                answer.set_exception(RefusedCommand(reply.message))

        self._dispatcher.command(request, client, str(arguments.get("note", ""))).add_done_callback(complete)
        return answer
