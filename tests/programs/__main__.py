"""Run a function of a client module, `python -m programs MODULE.FUNCTION`, with `[[...], {...}]` from standard input.

The last line that it prints is RESULT and what the function returned, as JSON.
"""

import importlib
import json
import os
import sys

from patience import make_clients_patient

from gnomon.cli.light_imports import import_p4p_without_setuptools

MARK = "RESULT"


def main(program: str) -> None:
    """Run it, and leave at once: threads of client libraries need not end."""
    import_p4p_without_setuptools()
    module, _, function = program.rpartition(".")
    values, named = json.load(sys.stdin)
    function_to_run = getattr(importlib.import_module(module), function)
    make_clients_patient()
    result = function_to_run(*values, **named)
    print(MARK + json.dumps(result), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
