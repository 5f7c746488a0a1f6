"""A server, and programs of facilities that run against it in processes of their own."""

import importlib
from dataclasses import dataclass
from typing import Any

from system.twin_process import TwinProcess


@dataclass(frozen=True)
class Server:
    """A running server under the prefix T:."""

    twin: TwinProcess

    def run(self, client: str, **arguments: Any) -> Any:
        """Run a client, given as `module.function` of `facility.clients`; what it returns comes as JSON."""
        module, _, function = client.partition(".")
        program = getattr(importlib.import_module(f"facility.clients.{module}"), function)
        return self.twin.client(program, **arguments)
