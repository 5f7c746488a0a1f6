"""An injected fault: what was requested, by whom and when, and how far it is."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from gnomon.fault_injection.kinds import read_request
from gnomon.fault_injection.request import FaultRequest


class Phase(StrEnum):
    """State of a fault: it has not begun, it acts, or it is over and leaves the list."""

    WAITING = "waiting"
    ACTIVE = "active"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. `remaining` counts what it will still act on, None for all; `id` is 0 until the injector has it."""

    request: FaultRequest
    id: int = 0
    created_by: str = ""
    created_ns: int = 0
    remaining: int | None = None
    phase: Phase = Phase.WAITING

    @classmethod
    def from_request(
        cls, request: Mapping[str, Any], *, created_by: str = "", clock_ns: Callable[[], int] = time.time_ns
    ) -> Self:
        """Read a client's request. Raises FaultError for unknown kinds and keys, wrong types and contradictions."""
        asked = read_request(request)
        return cls(asked, created_by=created_by, created_ns=clock_ns(), remaining=asked.count)

    @property
    def kind(self) -> str:
        """Name of the kind."""
        return str(self.request.kind)  # type: ignore[attr-defined]

    def describe(self) -> str:
        """Describe the fault for the journal and the status PV, for example `fault 3: abandon Q1P*`."""
        return f"fault {self.id}: {self.request.describe()}"

    def to_json(self) -> dict[str, Any]:
        """List the keys of the request that were given, and how far the fault is, ready for json.dumps."""
        return {
            "id": self.id,
            "kind": self.kind,
            **self.request.model_dump(exclude={"kind"}, exclude_unset=True),
            "remaining": self.remaining,
            "phase": self.phase.value,
            "created_by": self.created_by,
            "created_ns": self.created_ns,
            "text": self.describe(),
        }
