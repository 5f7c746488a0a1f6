"""`dt:pvs`: the PVs of a twin, with what each one is about, for clients that look for them."""

from collections.abc import Sequence
from concurrent.futures import Future
from fnmatch import fnmatchcase
from typing import Any

from gnomon.db.pvs import PvSpec
from gnomon.ioc.base.protocols import Table
from gnomon.ioc.servers.access import AccessRules, Rights
from gnomon.lattice import Client, GnomonError
from gnomon.lattice.text import shorten


class PvsQueryError(GnomonError):
    """A query that cannot be answered."""


class PvsProcedure:
    """Answer the PVs that the client may read, as a table: name, source, device, property, unit, writable, description.

    Arguments: `match`, a pattern of names with or without prefix (`*`, `?`), and `source`, a pattern of sources.
    """

    changes_nothing = True

    def __init__(self, specs: Sequence[PvSpec], prefix: str, access: AccessRules) -> None:
        self._specs = specs
        self._prefix = prefix
        self._access = access

    def __call__(self, arguments: dict[str, Any], client: Client) -> "Future[Table]":
        """See `RpcHandler`."""
        answer: Future[Table] = Future()
        try:
            answer.set_result(self._answer(dict(arguments), client))
        except PvsQueryError as error:
            answer.set_exception(error)
        return answer

    def _answer(self, arguments: dict[str, Any], client: Client) -> Table:
        match, source = arguments.pop("match", "*"), arguments.pop("source", "*")
        if arguments:
            raise PvsQueryError(
                f"{self._prefix}dt:pvs: unknown argument {', '.join(sorted(arguments))}; known arguments: match, source"
            )
        for pattern in (match, source):
            if not isinstance(pattern, str):
                raise PvsQueryError(f"{self._prefix}dt:pvs: {shorten(str(pattern))} is not a pattern of names")
        found = [
            spec
            for spec in self._specs
            if fnmatchcase(spec.source, source)
            and (fnmatchcase(spec.name, match) or fnmatchcase(spec.name.removeprefix(self._prefix), match))
            and Rights.READ in self._access.rights(spec.name, client.user, client.host)
        ]
        return Table(
            {
                "name": [spec.name for spec in found],
                "source": [spec.source for spec in found],
                "device": [spec.device for spec in found],
                "property": [spec.property for spec in found],
                "unit": [spec.unit for spec in found],
                "writable": [spec.writable for spec in found],
                "description": [spec.description for spec in found],
            }
        )
