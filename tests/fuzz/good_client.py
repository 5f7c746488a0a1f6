"""A well-behaved client of both protocols that measures how long it waits, until its standard input is closed.

Prints one line of JSON: the times [s] of gets over each protocol, and what failed.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Callable

import epics
from p4p.client.thread import Context
from patience import PATIENCE_S

PAUSE_S = 0.02
READING, SETPOINT = "TWIN:TUNEZRP:measX", "TWIN:HS3P2K1RP:setCur"


def main() -> None:
    """Get and put in turns, over both protocols."""
    stop = threading.Event()

    def wait_for_the_end() -> None:
        sys.stdin.read()
        stop.set()

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    context = Context("pva")
    reading, setpoint = epics.PV(READING, auto_monitor=False), epics.PV(SETPOINT, auto_monitor=False)
    works: dict[str, Callable[[], bool]] = {
        "ca get": lambda: reading.get(timeout=PATIENCE_S, use_monitor=False) is not None,
        "ca put": lambda: setpoint.put(0.01, wait=True, timeout=PATIENCE_S) == 1,
        "pva get": lambda: context.get(READING, timeout=PATIENCE_S) is not None,
    }
    times: dict[str, list[float]] = {work: [] for work in works}
    failures: list[str] = []
    ready = reading.wait_for_connection(timeout=PATIENCE_S) and setpoint.wait_for_connection(timeout=PATIENCE_S)
    print("ready" if ready else "no connection", flush=True)
    while not stop.wait(PAUSE_S):
        for name, work in works.items():
            begin = time.perf_counter()
            try:
                if not work():
                    failures.append(f"{name}: no answer")
            except Exception as error:  # noqa: BLE001 - whatever it is, it is counted
                failures.append(f"{name}: {type(error).__name__}: {error}")
            times[name].append(time.perf_counter() - begin)
    print(json.dumps({"times": times, "failures": failures}), flush=True)


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # libca and pvxs take their time to part
