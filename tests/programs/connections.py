"""Faults of connections beside EPICS's own server in the same state, as pyepics, p4p and command line tools see both.

What clients are told is collected in the words of their libraries, for one PV of each server: a setpoint that nobody
else moves.
"""

import os
import re
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import epics
from epics_tools import run
from p4p.client.thread import Context
from patience import PATIENCE_S

from programs.faults import MONITOR, OTHER, call

THIRD = "HS4P2D1R"
#: Puts that hang are given up after this time [s].
HANGS_S = 0.3
RULES = {
    "write": "ASG(DEFAULT) { RULE(1,READ) RULE(1,WRITE) }",
    "read": "ASG(DEFAULT) { RULE(1,READ) }",
    "none": "UAG(nobody) {nobody} ASG(DEFAULT) { RULE(1,READ) { UAG(nobody) } }",
}
DATABASE = """
record(ao, "X:set") { field(VAL, "0") field(PINI, "YES") }
record(calcout, "X:slow1") { field(CALC, "A") field(ODLY, "1000") }
record(calcout, "X:slow2") { field(CALC, "A") field(ODLY, "1000") }
"""


class SoftIoc:
    """EPICS's own server, in the folder given, which is told what to do by its shell."""

    def __init__(self, program: str, environment: dict[str, str], folder: str) -> None:
        self._command = [program, "-a", f"{folder}/write.acf", "-d", f"{folder}/x.db"]
        self._environment = os.environ | environment
        self._folder = folder
        for name, text in RULES.items():
            with open(f"{folder}/{name}.acf", "w") as file:
                file.write(text)
        with open(f"{folder}/x.db", "w") as file:
            file.write(DATABASE)
        self.start()

    def start(self) -> None:
        """Start it, or start it once more."""
        pipe, nobody = subprocess.PIPE, subprocess.DEVNULL
        self._process = subprocess.Popen(
            self._command, env=self._environment, stdin=pipe, stdout=nobody, stderr=nobody, text=True
        )

    def allow(self, what: str) -> None:
        """Change its access security."""
        assert self._process.stdin is not None
        self._process.stdin.write(f'asSetFilename("{self._folder}/{what}.acf")\nasInit\n')
        self._process.stdin.flush()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()
        with suppress(BrokenPipeError):
            self._process.communicate()


class Watched:
    """One PV, monitored over both protocols: what the libraries tell since it was asked last."""

    def __init__(self, name: str, context: Context, environment: dict[str, str] | None = None) -> None:
        self.name = name
        self.environment = os.environ | (environment or {})
        self.told: list[str] = []
        self.stamps: dict[str, list[float]] = {"ca": [], "pva": []}
        self.pv = epics.PV(
            name, form="time", connection_callback=self._connection, access_callback=self._access, auto_monitor=True
        )
        self.pv.add_callback(self._value)
        self.context = context
        self.subscription = context.monitor(name, self._structure, notify_disconnect=True)

    def _connection(self, conn: bool, **_: Any) -> None:
        self.told.append(f"ca {'connected' if conn else 'disconnected'}")

    def _access(self, read: bool, write: bool, **_: Any) -> None:
        self.told.append(f"ca rights {'r' * read}{'w' * write}")

    def _value(self, value: float, timestamp: float, **_: Any) -> None:
        self.told.append(f"ca value {value:g}")
        self.stamps["ca"].append(timestamp)

    def _structure(self, value: Any) -> None:
        if isinstance(value, Exception):
            self.told.append(f"pva {type(value).__name__}")
        else:
            self.told.append(f"pva value {value.value:g}")
            self.stamps["pva"].append(value.timeStamp.secondsPastEpoch + 1e-9 * value.timeStamp.nanoseconds)

    def run(self, tool: str, *more: str, wait_s: float = 30.0) -> tuple[str, str]:
        """Run one of EPICS's tools on it: what it prints, errors included."""
        return run(tool, "-w", f"{wait_s}", self.name, *more, environment=self.environment)

    def taken(self) -> list[str]:
        """Take the words since the last call; their order differs between the two threads of EPICS's server."""
        told, self.told = sorted(self.told), []
        return told


def until(condition: Callable[[], bool], timeout_s: float = PATIENCE_S) -> bool:
    """Wait for something."""
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def tried(act: Callable[[], Any]) -> str:
    """Say what came of it: a result, or the error as its library tells it."""
    try:
        return str(act())
    except Exception as error:  # noqa: BLE001  whatever the client library tells its user
        return f"{type(error).__name__}: {error}"


def puts(watched: Watched, value: float, wait_s: float) -> list[str]:
    """Put, and put without waiting, over both protocols and by EPICS's tools; read what came of it."""
    name = watched.name
    answers = [
        tried(lambda: watched.pv.put(value, wait=True, timeout=HANGS_S)),
        tried(lambda: watched.context.put(name, value, timeout=HANGS_S)),
        *(watched.run(tool, f"{value}", wait_s=wait_s)[1] for tool in ("caput", "pvput")),
        tried(lambda: watched.pv.get(use_monitor=False, timeout=PATIENCE_S)),
        tried(lambda: watched.context.get(name, timeout=PATIENCE_S).value),
        watched.run("cainfo")[0].partition("Access:")[2].partition("\n")[0].strip(),
    ]
    return [re.sub(r"\x1b\[[0-9;]*m|\d+:\d+:\d+\.\d+ *|" + name, "", answer).strip() for answer in answers]


def hanging(put_to: str, reads: str, context: Context, protocol: str, value: float) -> list[str]:
    """Put and wait in vain; then read what the PV shows."""
    if protocol == "ca":
        pv = epics.PV(put_to)
        pv.wait_for_connection(timeout=PATIENCE_S)
        return [tried(lambda: pv.put(value, wait=True, timeout=HANGS_S)), tried(lambda: epics.PV(reads).get())]
    waited = tried(lambda: context.put(put_to, value, wait=True, timeout=HANGS_S))
    return [waited.partition(":")[0], tried(lambda: context.get(reads, timeout=PATIENCE_S).value)]


def compare(
    prefix: str, device: str, program: str, environment: dict[str, str], folder: str, ports: dict[str, list[int]]
) -> dict[str, Any]:
    """Bring both servers into each state, one after the other: what their clients are told, by state and server."""
    os.environ["EPICS_CA_ADDR_LIST"] = " ".join(f"127.0.0.1:{port}" for port in ports["ca"])
    os.environ["EPICS_PVA_ADDR_LIST"] = " ".join(f"127.0.0.1:{port}" for port in ports["pva"])
    own = {name: value for name, value in os.environ.items() if name.startswith("EPICS_PVA")}
    context = Context("pva", conf=own, useenv=False, nt=False)
    ioc = SoftIoc(program, environment, folder)
    setpoint, other, third = (f"{prefix}{name}:set" for name in (device, OTHER, THIRD))
    both = {"gnomon": Watched(setpoint, context), "epics": Watched("X:set", context, environment)}
    moving, one = Watched(f"{prefix}TUNEZR:rdH", context), Watched(f"{prefix}{MONITOR}:rdX", context)
    found: dict[str, Any] = {}

    def told(state: str, complete: Callable[[list[str]], bool]) -> None:
        until(lambda: all(complete(each.told) for each in both.values()))
        time.sleep(0.2)  # for what must not come
        found[state] = {server: each.taken() for server, each in both.items()}

    try:
        told("found", lambda told: "ca value 0" in told and "pva value 0" in told)

        for state, allow in (("read only", "read"), ("no access", "none")):
            call(prefix, do="add", kind="connection_denied", device=device, allow=allow)
            ioc.allow(allow)
            told(state, lambda told: any("rights" in line for line in told))
            wait_s = 5.0 if allow == "none" else 30.0  # caput waits in vain for what it may not read
            found[f"puts, {state}"] = {server: puts(each, 0.1, wait_s) for server, each in both.items()}
            call(prefix, do="clear")
            ioc.allow("write")
            told(f"after {state}", lambda told: "ca rights rw" in told and "ca value 0" in told)

        found["hangs"] = {"gnomon": [], "epics": []}
        # Of other PVs, one each: a second put with completion to a channel would stop the circuit, and pyepics does not
        # read again what it was once refused to read.
        call(prefix, do="add", kind="connection_put_hangs", device=OTHER)
        for number, protocol in enumerate(("ca", "pva"), 1):
            hung = hanging(other, other, context, protocol, 0.1 * number)
            found["hangs"]["gnomon"] += hung
            found["hangs"]["epics"] += hanging(
                f"X:slow{number}.A", f"X:slow{number}.A", context, protocol, 0.1 * number
            )
        call(prefix, do="clear")
        call(prefix, do="add", kind="connection_put_hangs", device=THIRD, accepted="false")
        found["not accepted"] = [
            answer for protocol in ("ca", "pva") for answer in hanging(third, third, context, protocol, 0.9)
        ]
        call(prefix, do="clear")
        context.put(other, 0.0, timeout=PATIENCE_S)

        began = time.monotonic()
        late = []
        for step in ("search", "channel"):
            call(prefix, do="add", kind="connection_slow", device=device, delay_s=0.3, step=step)
            late += [both["gnomon"].run(tool)[0] for tool in ("caget", "pvget")]
            call(prefix, do="clear")
        found["slow"] = {"took_s": time.monotonic() - began, "late": late}

        for each in (*both.values(), moving, one):
            each.taken()
        call(prefix, do="add", kind="connection_lost", device=MONITOR)
        until(lambda: "ca disconnected" in one.told and "pva Disconnected" in one.told)
        found["one lost"] = [line for line in one.taken() if "value" not in line]
        context.put(other, 0.1, timeout=PATIENCE_S)  # the beam moves, and nobody sees it there
        found["others"] = [line for line in both["gnomon"].taken() if "value" not in line]
        call(prefix, do="add", kind="connection_lost")
        ioc.kill()
        told("everything lost", lambda told: "ca disconnected" in told and "pva Disconnected" in told)
        until(lambda: "ca disconnected" in moving.told and "pva Disconnected" in moving.told)
        moving.taken()
        seen = {protocol: len(stamps) for protocol, stamps in moving.stamps.items()}
        found["not found"] = {
            server: [each.run(tool, wait_s=0.5)[1].replace(each.name, "PV") for tool in ("caget", "pvget")]
            for server, each in both.items()
        }
        found["meanwhile"] = moving.taken() + one.taken()
        back_s = time.time()
        call(prefix, do="clear")
        ioc.start()
        told("everything back", lambda told: "ca value 0" in told and "pva value 0" in told)
        until(lambda: all(len(moving.stamps[protocol]) > count for protocol, count in seen.items()))
        until(lambda: any("ca value" in t for t in one.told) and any("pva value" in t for t in one.told))
        found["one back"] = [next(t for t in one.told if f"{p} value" in t).split()[-1] for p in ("ca", "pva")]
        found["true"] = f"{context.get(one.name, timeout=PATIENCE_S).value:g}"
        found["age_s"] = {p: back_s - moving.stamps[p][count] for p, count in seen.items()}
    finally:
        ioc.kill()
    return found
