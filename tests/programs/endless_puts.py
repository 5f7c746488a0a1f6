"""Puts until the process or the server ends: `python -m programs.endless_puts tell|vanish NAME`."""

import os
import sys
import threading
import time

import epics
from p4p.client.thread import Context
from patience import PATIENCE_S


def put_and_tell(name: str) -> None:
    """Put 0.001, 0.002 ... over PV Access; print each number when the put has been done."""
    client = Context("pva")
    number = 0
    while True:
        number += 1
        client.put(name, number / 1000, timeout=PATIENCE_S)
        print(number, flush=True)


def put_and_vanish(name: str) -> None:
    """Put from twenty threads, and end the process amid that."""
    client = Context("pva")
    client.get(name, timeout=PATIENCE_S)

    def puts() -> None:
        while True:
            client.put(name, 0.1, timeout=PATIENCE_S)

    for _ in range(20):
        threading.Thread(target=puts, daemon=True).start()
    time.sleep(0.2)
    os._exit(0)


def many_over_ca(names: list[str]) -> int:
    """Put fifty values to each PV without waiting, then one with: 1 is done."""
    pvs = [epics.PV(name) for name in names]
    for pv in pvs:
        pv.wait_for_connection(timeout=PATIENCE_S)
    for number in range(50):
        for pv in pvs:
            pv.put(number / 100)
    return int(pvs[-1].put(0.5, wait=True, timeout=PATIENCE_S))


if __name__ == "__main__":
    {"tell": put_and_tell, "vanish": put_and_vanish}[sys.argv[1]](sys.argv[2])
