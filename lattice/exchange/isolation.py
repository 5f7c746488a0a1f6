"""Imports in a child process with limits of time and memory: a lattice file is somebody else's text.

Nothing that a file makes a reader do lasts longer or takes more than the limits, and whatever happens to the child
becomes a message.
"""

import json
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gnomon.lattice.exchange.findings import ExchangeError, Finding, RefusedLattice
from gnomon.lattice.exchange.importing import ADVICE, Imported, ImportOptions

#: Time for an import, with the start of the child [s].
MAX_SECONDS = 60.0
#: Resident memory of an import [bytes].
MAX_MEMORY = 1_000_000_000

REMEDY = "is this a lattice of that format? A part of it may be imported with --use"


def import_isolated(
    file: Path,
    format: str,
    options: ImportOptions | None = None,
    *,
    max_seconds: float = MAX_SECONDS,
    max_memory: int = MAX_MEMORY,
) -> Imported:
    """`import_machine` in a child process with limits of time [s] and memory [bytes].

    Raises what `import_machine` raises, and ExchangeError when a limit is reached or the reader fails.
    """
    options = options or ImportOptions()
    request = {"file": str(file), "format": format, "options": asdict(options), "max_memory": max_memory}
    command = [sys.executable, "-P", "-m", "gnomon.lattice.exchange.import_worker"]
    try:
        done = subprocess.run(
            command,
            input=json.dumps(request).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=max_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ExchangeError(f"{file}: not read as {format} within {max_seconds:g} s: {REMEDY}") from error
    except OSError as error:
        raise ExchangeError(f"{file}: the import could not be started: {error}") from error
    if done.returncode == -signal.SIGXCPU:
        raise ExchangeError(f"{file}: not read as {format} within {max_seconds:g} s: {REMEDY}")
    try:
        answer = json.loads(done.stdout)
    except ValueError as error:
        ended = f"signal {-done.returncode}" if done.returncode < 0 else f"exit code {done.returncode}"
        why = f"its reader ended by itself ({ended}), perhaps for lack of memory ({max_memory / 1e6:g} MB)"
        raise ExchangeError(f"{file}: cannot be read as {format}: {why}: {REMEDY}") from error
    return _result(answer, file, format, max_memory)


def _result(answer: dict[str, Any], file: Path, format: str, max_memory: int) -> Imported:
    findings = [Finding(**finding) for finding in answer.get("findings", ())]
    match answer["outcome"]:
        case "imported":
            return Imported(answer["document"], findings)
        case "refused":
            raise RefusedLattice(answer["where"], findings, ADVICE)
        case "memory":
            why = f"more than {max_memory / 1e6:g} MB of memory would be needed"
            raise ExchangeError(f"{file}: not read as {format}: {why}: {REMEDY}")
    raise ExchangeError(answer["message"])
