"""The child of `isolation`: reads a request from standard input, imports within limits, answers on standard output."""

import contextlib
import importlib
import json
import os
import resource
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gnomon.lattice._errors import GnomonError
from gnomon.lattice.exchange.findings import RefusedLattice
from gnomon.lattice.exchange.importing import ImportOptions, import_machine
from gnomon.lattice.exchange.readers import OWN

#: Processor time after which the child ends, should its parent be gone [s].
MAX_PROCESSOR_SECONDS = 90


def limit_memory(max_memory: int) -> None:
    """Bound the address space so that the resident memory stays below a number of bytes: MemoryError beyond.

    Libraries reserve address space that they never touch; what is reserved now is allowed on top. Without
    /proc, as on macOS, nothing is bounded.
    """
    try:
        size, resident = (int(n) * resource.getpagesize() for n in Path("/proc/self/statm").read_text().split()[:2])
    except (OSError, ValueError):
        return
    bound = size + max(max_memory - resident, 0)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_AS, (bound, bound))


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """The answer to a request: what `isolation` makes an Imported or an error of."""
    options = request["options"] | {"drop": tuple(request["options"]["drop"])}
    file, format = request["file"], request["format"]
    try:
        imported = import_machine(Path(file), format, ImportOptions(**options))
        return {
            "outcome": "imported",
            "document": imported.document,
            "findings": [asdict(finding) for finding in imported.findings],
        }
    except RefusedLattice as refused:
        return {"outcome": "refused", "where": refused.where, "findings": [asdict(f) for f in refused.findings]}
    except MemoryError:
        return {"outcome": "memory"}
    except GnomonError as error:
        if isinstance(error.__cause__, MemoryError):
            return {"outcome": "memory"}
        return {"outcome": "error", "message": str(error)}
    except Exception as error:  # noqa: BLE001 whatever a reader does, the user gets a message
        why = f"its reader failed ({type(error).__name__}); please report this with the file"
        return {"outcome": "error", "message": f"{file}: cannot be read as {format}: {why}"}


def main() -> None:
    """Answer one request."""
    request = json.load(sys.stdin)
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as out:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what libraries print is not an answer
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_CPU, (MAX_PROCESSOR_SECONDS, MAX_PROCESSOR_SECONDS))
        if request["format"] not in OWN:
            with contextlib.suppress(ImportError):
                importlib.import_module("at")  # before the limits: its libraries take address space
        limit_memory(request["max_memory"])
        result = answer(request)
        try:
            text = json.dumps(result)
        except MemoryError:
            result = {"outcome": "memory"}
            text = json.dumps(result)
        out.write(text)


if __name__ == "__main__":
    main()
