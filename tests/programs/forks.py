"""A twin and its forks, seen side by side."""

import json
import threading
import time
from typing import Any

import epics
from p4p.client.thread import Disconnected
from patience import PATIENCE_S

from gnomon.recorder.recorder_errors import RemoteError
from gnomon.recorder.remote import call_procedure
from programs.access import caget, caput, pva, pvput
from programs.restoring import lattice


def put_and_look(name: str, value: float, prefix: str = "TWIN:") -> str:
    """Put, and the id of the lattice afterwards."""
    caput(name, value)
    return lattice(prefix)


def part_ways() -> list[list[Any]]:
    """The fork WHATIF as it began; both after the fork's steerer and quadrupole were set; the fork after the twin's."""
    rows: list[list[Any]] = [[lattice("WHATIF:"), caget("WHATIF:HS4P1D1R:set"), caget("WHATIF:TUNEZR:rdH")]]
    old = caget("TWIN:BPMZ6D1R:rdX"), caget("TWIN:dt:generation")
    pvput("WHATIF:HS4P1D1R:set", 1.0)
    caput("WHATIF:Q1PDR:set", caget("WHATIF:Q1PDR:set") * 1.001)
    new = caget("TWIN:BPMZ6D1R:rdX"), caget("TWIN:dt:generation")
    readings = ("TWIN:HS4P1D1R:rdbk", "WHATIF:HS4P1D1R:rdbk", "TWIN:BPMZ6D1R:rdX", "WHATIF:BPMZ6D1R:rdX")
    rows.append([lattice("TWIN:"), lattice("WHATIF:"), old == new, *(caget(name) for name in readings)])
    caput("TWIN:HS4P1D1R:set", 0.2)
    return [*rows, [caget("WHATIF:HS4P1D1R:rdbk"), lattice("WHATIF:")]]


def ask(calls: list[dict[str, str]]) -> list[Any]:
    """The answers of the procedure that makes forks, or what it refuses with; `on` is the prefix, by default TWIN:."""
    answers: list[Any] = []
    for call in calls:
        prefix = call.pop("on", "TWIN:")
        try:
            answers.append(json.loads(call_procedure(prefix + "dt:fork", call, PATIENCE_S)))
        except RemoteError as error:
            answers.append(str(error))
    return answers


def drop_while_connected() -> list[Any]:
    """Drop the fork WHATIF under clients of it and of the twin.

    Connected over both protocols before; how long until neither was [s], and whether each still is; whether the client
    of the twin is connected, a value of it, and its breaks.
    """
    breaks = []

    def connection(conn: bool | None = None, **_: Any) -> None:
        if not conn:
            breaks.append(1)

    fork = epics.PV("WHATIF:HS4P1D1R:set")
    twin = epics.PV("TWIN:HS4P1D1R:rdbk", connection_callback=connection)
    fork.wait_for_connection(timeout=PATIENCE_S)
    twin.wait_for_connection(timeout=PATIENCE_S)
    gone, got = threading.Event(), threading.Event()

    def event(value: Any) -> None:
        got.set()
        if isinstance(value, Disconnected):
            gone.set()

    subscription = pva().monitor("WHATIF:HS4P1D1R:rdbk", event, notify_disconnect=True)
    got.wait(PATIENCE_S)
    time.sleep(0.2)
    gone.clear()
    seen: list[Any] = [fork.connected, gone.is_set()]
    start = time.monotonic()
    arguments = ("TWIN:dt:fork", {"do": "drop", "name": "WHATIF"}, PATIENCE_S)
    drop = threading.Thread(target=call_procedure, args=arguments)
    drop.start()
    while fork.connected and time.monotonic() - start < PATIENCE_S:
        try:
            fork.put(0.1, timeout=0.05)
            epics.ca.poll(1e-4, 1e-3)
        except (epics.ca.ChannelAccessException, epics.ca.CASeverityException):
            break
    drop.join()
    while time.monotonic() - start < PATIENCE_S and (fork.connected or not gone.is_set()):
        time.sleep(0.01)
    seen += [time.monotonic() - start, fork.connected, gone.is_set()]
    subscription.close()
    return [*seen, twin.connected, caget("TWIN:HS4P1D1R:rdbk"), breaks]
