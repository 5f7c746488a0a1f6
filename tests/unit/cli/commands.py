"""Commands as a user types them, and a server that answers remote calls from memory."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from gnomon.cli import app
from gnomon.recorder import Reader


def gnomon(*arguments: object) -> Result:
    """Run a command; what it raises on purpose comes through, as it does to `gnomon.cli.main`."""
    result = CliRunner().invoke(app, [str(a) for a in arguments], env={"TERM": "dumb", "COLUMNS": "200"})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@dataclass
class FakeCall:
    """Stands in for `call_procedure`: keeps the calls, and gives `answer` as JSON, or raises it."""

    answer: Any = None
    calls: list[tuple[str, dict[str, Any], float]] = field(default_factory=list)

    def __call__(self, name: str, arguments: Mapping[str, Any], timeout_s: float, environment: object = None) -> str:
        self.calls.append((name, dict(arguments), timeout_s))
        if isinstance(self.answer, Exception):
            raise self.answer
        return json.dumps(self.answer)


def tell_journal(path: Path) -> Callable[[object], dict[str, object]]:
    """Make what a server of a journal answers to `dt:journal`."""

    def ask(target: object) -> dict[str, object]:
        with Reader(path) as reader:
            run = reader.newest_run()
        return {"journal": str(path), "run": float(run.run), "machine": run.machine, "prefix": run.prefix}

    return ask
