"""Settings sent to a running server as one command, over PV Access."""

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from gnomon.recorder.recorder_errors import RemoteError
from gnomon.recorder.review import Assignment

__all__ = [
    "PROCEDURE",
    "PvaRemote",
    "Remote",
    "Reply",
    "answer_text",
    "call_procedure",
    "client_settings",
    "read_reply",
    "type_code",
]

#: Name of the procedure behind a server's prefix.
PROCEDURE = "dt:set"


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer of a server: the id of the new lattice, empty if not given, and the whole text."""

    lattice_id: str
    text: str


class Remote(Protocol):
    """A server that takes many settings as one command, all or none."""

    def send(self, prefix: str, assignments: Sequence[Assignment], note: str) -> Reply:
        """Make all assignments. Raises RemoteError if the server refuses, or none answers; then none is made."""
        ...


@dataclass(frozen=True, slots=True)
class PvaRemote:
    """`Remote` by a remote procedure call. The EPICS variables are taken from `environment`."""

    timeout_s: float = 5.0
    environment: Mapping[str, str] | None = None

    def send(self, prefix: str, assignments: Sequence[Assignment], note: str) -> Reply:
        """See `Remote`."""
        arguments: dict[str, str | list[str] | list[float]] = {
            "devices": [a.device for a in assignments],
            "properties": [a.setting for a in assignments],
            "values": [a.value for a in assignments],
            "note": note,
        }
        return read_reply(call_procedure(prefix + PROCEDURE, arguments, self.timeout_s, self.environment))


def call_procedure(
    name: str,
    arguments: Mapping[str, str | list[str] | list[float]],
    timeout_s: float,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Call a remote procedure of a running server and return its answer as JSON, or as the text that it is.

    Raises RemoteError if the server refuses, or if none answers.
    """
    from p4p.client.thread import Context, Disconnected
    from p4p.client.thread import RemoteError as Refused
    from p4p.nt import NTURI

    call = NTURI([(key, type_code(value)) for key, value in arguments.items()]).wrap(name, kws=arguments, scheme="pva")
    conf = client_settings(os.environ if environment is None else environment)
    with Context("pva", conf=conf, useenv=False, nt=False) as context:
        try:
            return answer_text(context.rpc(name, call, timeout=timeout_s))
        except (TimeoutError, Disconnected) as error:
            raise RemoteError(
                f"{name}: no server answered within {timeout_s:g} s. Check that it is running, and that its address is "
                "in EPICS_PVA_ADDR_LIST (default 127.0.0.1). `gnomon log` shows whether the command arrived"
            ) from error
        except Refused as error:
            raise RemoteError(f"{name}: the server refused: {error}; nothing was changed") from error


def answer_text(answer: Any) -> str:
    """Return a procedure's answer (a `p4p.Value`) as JSON: of rows if it is a table, of its fields, or its text."""
    described, fields = answer.getID(), answer.todict()
    if described.startswith("epics:nt/NTScalar:"):
        return str(fields["value"])
    if not described.startswith("epics:nt/NTTable:"):
        return json.dumps({name: _plain(value) for name, value in fields.items()})
    columns = {name: _plain(column) for name, column in dict(fields["value"]).items()}
    return json.dumps([dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)])


def _plain(value: Any) -> Any:
    """Convert to what JSON has; NaN stands for nothing among numbers."""
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def type_code(value: str | list[str] | list[float]) -> str:
    """Find the structure code of an argument."""
    if isinstance(value, str):
        return "s"
    return "as" if value and isinstance(value[0], str) else "ad"


def client_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Make the PV Access client's settings: the EPICS variables, by default for this computer."""
    settings = {name: value for name, value in environment.items() if name.startswith("EPICS_PVA_")}
    if not settings.keys() & {"EPICS_PVA_ADDR_LIST", "EPICS_PVA_NAME_SERVERS"}:
        settings["EPICS_PVA_ADDR_LIST"] = "127.0.0.1"
        settings.setdefault("EPICS_PVA_AUTO_ADDR_LIST", "NO")
    return settings


def read_reply(text: str) -> Reply:
    """Read the server's answer: a JSON object with `lattice_id`, or any text."""
    try:
        answer = json.loads(text)
    except ValueError:
        return Reply("", text)
    lattice_id = answer.get("lattice_id", answer.get("lattice", "")) if isinstance(answer, dict) else ""
    return Reply(str(lattice_id), text)
