"""pyepics in a process of its own: an operator's console that reads and writes PVs, one request a line."""

import json
import sys

import epics
from patience import PATIENCE_S


def main() -> None:
    """Answer requests until the end of the input: `["get", NAMES]` with values, `["put", NAME, VALUE]` with null."""
    for line in sys.stdin:
        what, *words = json.loads(line)
        if what == "get":
            pvs = [epics.get_pv(name) for name in words[0]]
            answer = [pv.get(timeout=PATIENCE_S, use_monitor=False) for pv in pvs]
        else:
            answer = epics.get_pv(words[0]).put(words[1], wait=True, timeout=PATIENCE_S)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
