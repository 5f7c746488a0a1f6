"""A server, and programs of facilities that run against it in processes of their own."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from system.twin_process import TwinProcess

TESTS = Path(__file__).parents[1]


@dataclass(frozen=True)
class Server:
    """A running server under the prefix T:."""

    twin: TwinProcess

    def run(self, client: str, **arguments: Any) -> Any:
        """Run a client, given as `module.function` of `facility.clients`; what it returns comes as JSON."""
        module, _, function = client.partition(".")
        code = f"import sys\nsys.path.insert(0, {str(TESTS)!r})\n"
        code += f"from facility.clients.{module} import {function}\nresult = {function}(**arguments)\n"
        return self.twin.client(code, arguments=arguments)
