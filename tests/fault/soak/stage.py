"""A soak: a machine and its shadow side by side, with clients, an operator, a saboteur, and a judge who watches."""

import json
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from p4p.client.thread import Disconnected, RemoteError

from fault.soak.oracle import Judge, Seen
from fault.soak.plan import Keys, Targets, draw
from fault.soak.servers import Server
from programs import soak_clients
from programs.__main__ import MARK

#: What a client may meet while faults act.
TROUBLE = (RemoteError, TimeoutError, Disconnected)
#: As many faults at once are enough; then all are cleared.
MAX_ACTIVE = 25
#: A shadow says within 3.5 s that its machine is silent; the rest is for a busy computer [s].
SILENT_S = 3.5 + 1.5
#: Time after which a shadow has what was put to its machine, or says that it has not [s].
FOLLOWED_S = 5.0


class Soak:
    """Everything that goes on between the start of both servers and the end; `judge` has what was wrong."""

    def __init__(
        self, machine: Server, shadow: Server, targets: Targets, setpoint: Callable[[str], str], seed: int
    ) -> None:
        self.machine = machine
        self.shadow = shadow
        self.targets = targets
        self.chance = random.Random(seed)
        self.counts: Counter[str] = Counter()
        self.problems: list[str] = []
        self.probe = setpoint(targets.steerers[-1])
        names = [setpoint(name) for name in (*targets.steerers, *targets.quadrupoles)]
        self.baseline = {name: one.value for name, one in machine.look(names, 10.0).items()}
        self._following = threading.Event()
        self._following.set()
        self._running = threading.Event()
        self._awake = threading.Lock()  # held while the machine is stopped
        self._ids: list[str] = []
        self._seed = seed

    def begin(self, watched: Sequence[str], healthy_s: float = 4.0) -> None:
        """Find what is repeated while all is well, on both servers."""
        self.judges = {
            server: self._watch_healthy(server, watched, healthy_s) for server in (self.machine, self.shadow)
        }
        self.watched = list(watched)

    def run(self, for_s: float) -> None:
        """Let everybody work for a time."""
        end_s = time.monotonic() + for_s
        self._running.set()
        clients = [self._client(soak_clients.over_ca, for_s, 1), self._client(soak_clients.over_pva, for_s, 2)]
        roles = (
            self._sabotage,
            self._operate,
            self._judge_freshness,
            self._judge_following,
            self._silence,
            self._sabotage_shadow,
        )
        threads = [threading.Thread(target=self._guarded, args=(role, end_s), name=role.__name__) for role in roles]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(for_s + 60.0)
            if thread.is_alive():
                self.problems.append(f"{thread.name} has not ended")
        for client in clients:
            out, complaint = client.communicate(timeout=60.0)
            found = [line for line in out.splitlines() if line.startswith(MARK)]
            if not found:
                self.problems.append(f"a client failed: {complaint[-2000:]}")
                continue
            self.counts.update({f"client: {key}": n for key, n in json.loads(found[-1].removeprefix(MARK)).items()})

    def complaints(self) -> list[str]:
        """What was wrong: with what was read, and with how the servers answered."""
        return [
            *self.problems,
            *(f"{server.name}: {c}" for server, judge in self.judges.items() for c in judge.complaints),
        ]

    def recover(self, within_s: float) -> float:
        """Clear all faults, as an operator sets the old values and injects; the time until both are healthy [s]."""
        began_s = time.monotonic()
        self.machine.call("dt:fault", do="clear")
        self.shadow.put("par:mode", "shadow")
        self.shadow.call("dt:fault", do="clear")
        while troubles := self._troubles():
            if time.monotonic() - began_s > within_s:
                self.problems.append(f"not healthy after {within_s:g} s: {troubles}")
                break
            with suppress(*TROUBLE):
                self._set_back()
            time.sleep(0.2)
        return time.monotonic() - began_s

    def _troubles(self) -> list[str]:
        """What an operator would see amiss on either server."""
        found = []
        for server in (self.machine, self.shadow):
            seen = server.look(
                [*self.judges[server].repeated, "beam:orbit:found", "dt:recorder", "dt:faults:count"], 2.0
            )
            now_s = time.time()
            missing = len(self.judges[server].repeated) + 3 - len(seen)
            found += [f"{server.name}: {missing} PVs do not answer"] if missing else []
            found += [f"{server.name}: {name} is INVALID" for name, one in seen.items() if not one.valid]
            found += [
                f"{server.name}: {name} is old"
                for name in self.judges[server].repeated & seen.keys()
                if now_s - seen[name].time_s > 2.5
            ]
            for name, wanted in (("beam:orbit:found", 1.0), ("dt:recorder", 0.0), ("dt:faults:count", 0.0)):
                if name in seen and seen[name].value != wanted:
                    found.append(f"{server.name}: {name} is {seen[name].value:g}")
        seen = self.shadow.look(["dt:machine:connected", "dt:residual:x:rms", "dt:residual:y:rms"], 2.0)
        if (connected := seen.get("dt:machine:connected")) is None or connected.value != 3.0:
            found.append(f"shadow: connected is {connected}")
        found += [f"shadow: {name} is INVALID" for name, one in seen.items() if not one.valid]
        ours = self.shadow.look(self.baseline, 2.0)
        found += [f"shadow: {name} is {one.value}" for name, one in ours.items() if one.value != self.baseline[name]][
            :5
        ]
        return found

    def _guarded(self, role: Callable[[float], None], end_s: float) -> None:
        try:
            role(end_s)
        except Exception as error:  # noqa: BLE001
            self.problems.append(f"{role.__name__}: {type(error).__name__}: {error}")

    def _watch_healthy(self, server: Server, watched: Sequence[str], for_s: float) -> Judge:
        first = server.look(watched, 5.0)
        time.sleep(for_s)
        last = server.look(watched, 5.0)
        repeated = {
            n for n in first.keys() & last.keys() if last[n].valid and last[n].time_s > first[n].time_s + for_s - 2.0
        }
        return Judge(frozenset(repeated), max_age_s=4.0)

    def _client(self, program: Callable[..., Any], for_s: float, number: int) -> "subprocess.Popen[str]":
        few = dict(list(self.baseline.items())[:20])
        monitored = [*few, *self.watched][:60]
        module = f"{program.__module__}.{program.__qualname__}"
        client = subprocess.Popen(
            [sys.executable, "-m", "programs", module],
            env=self.machine.twin.client_environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert client.stdin is not None
        client.stdin.write(json.dumps([[monitored, few, for_s, self._seed + number], {}]))
        client.stdin.flush()
        client.stdin.close()
        client.stdin = None
        return client

    def _sabotage(self, end_s: float) -> None:
        """Add and clear faults of all groups on the machine."""
        while time.monotonic() < end_s:
            time.sleep(self.chance.uniform(0.05, 0.4))
            what = self.chance.random()
            with self._awake:
                if what < 0.65 and len(self._ids) < MAX_ACTIVE:
                    self._add(self.machine, draw(self.chance, self.targets, f"{self.probe} > -100"), self._ids)
                elif what < 0.9 and self._ids:
                    self._answered(self.machine, "clear", id=self._ids.pop(self.chance.randrange(len(self._ids))))
                elif what < 0.95:
                    self._answered(self.machine, "list")
                else:
                    self._answered(self.machine, "clear")
                    self._ids.clear()

    def _sabotage_shadow(self, end_s: float) -> None:
        """Let the shadow be a twin for a while, with faults of its own, some of which it takes along."""
        chance = random.Random(self._seed + 7)
        while time.monotonic() + 20.0 < end_s:
            time.sleep(12.0)
            self._following.clear()
            self.shadow.put("par:mode", "twin")
            ids: list[str] = []
            for _ in range(8):
                self._add(self.shadow, draw(chance, self.targets, f"{self.probe} > -100"), ids)
                with suppress(*TROUBLE):
                    self.shadow.put(self.probe, self.baseline[self.probe] + chance.uniform(-0.01, 0.01), 1.0)
            if chance.random() < 0.5:
                self._answered(self.shadow, "clear")
            self.shadow.put("par:mode", "shadow")
            self._following.set()

    def _add(self, server: Server, keys: Keys, ids: list[str]) -> None:
        texts = {key: str(value) for key, value in keys.items()}
        try:
            ids.append(str(int(server.call("dt:fault", do="add", **texts)["id"])))
            self.counts[f"added {keys['kind']}"] += 1
        except RemoteError as error:
            if "cannot be recorded" not in str(error):
                self.problems.append(f"{server.name}: {texts} is refused: {error}")
            self.counts["not recorded"] += 1
        except TROUBLE as error:
            self.problems.append(f"{server.name}: no answer to {texts}: {error!r}")

    def _answered(self, server: Server, do: str, **keys: str) -> None:
        """Call `dt:fault`, which always answers."""
        try:
            server.call("dt:fault", do=do, **keys)
        except RemoteError as error:
            if "is active" not in str(error):  # it has ended by itself
                self.problems.append(f"{server.name}: {do} {keys} is refused: {error}")
        except TROUBLE as error:
            self.problems.append(f"{server.name}: no answer to {do} {keys}: {error!r}")
        self.counts[do] += 1

    def _operate(self, end_s: float) -> None:
        """Set everything back and inject from time to time, since a dumped beam stays away."""
        while time.monotonic() + 4.0 < end_s:
            time.sleep(4.0)
            with suppress(*TROUBLE), self._awake:
                self._set_back()

    def _set_back(self) -> None:
        names = list(self.baseline)
        try:
            self.machine.call("dt:set", names=names, values=tuple(self.baseline.values()))
            self.counts["set back"] += 1
        finally:
            if not self.machine.look(["beam:orbit:found"]).get("beam:orbit:found", Seen(1.0, 0, 0.0)).value:
                self.machine.put("dt:inject", 1, 3.0)
                self.counts["injected"] += 1

    def _judge_freshness(self, end_s: float) -> None:
        while time.monotonic() < end_s:
            time.sleep(0.25)
            for server, judge in self.judges.items():
                if server is self.shadow or self._awake.acquire(timeout=0.01):
                    asked_s = time.time()
                    try:
                        found = server.look(judge.repeated, 1.0)
                    finally:
                        if server is self.machine:
                            self._awake.release()
                    judge.look(found, asked_s)

    def _judge_following(self, end_s: float) -> None:
        """Put to the machine; the shadow's setpoint has the value soon, or is INVALID."""
        chance = random.Random(self._seed + 3)
        while time.monotonic() + FOLLOWED_S < end_s:
            value = self.baseline[self.probe] + round(chance.uniform(-0.01, 0.01), 6)
            with self._awake:
                try:
                    self.machine.put(self.probe, value, 2.0)
                except TROUBLE:
                    self.counts["probe not put"] += 1
                    time.sleep(0.5)
                    continue
            time.sleep(FOLLOWED_S)
            theirs = self.machine.look([self.probe]).get(self.probe)
            ours = self.shadow.look([self.probe]).get(self.probe)
            if theirs is None or ours is None or theirs.value != value or not self._following.is_set():
                continue  # others put meanwhile
            self.counts["probe compared"] += 1
            if ours.valid and ours.value != value:
                self.judges[self.shadow].complain(
                    f"{self.probe} is {ours.value}, and {value} at the machine for {FOLLOWED_S:g} s"
                )

    def _silence(self, end_s: float) -> None:
        """Stop the machine's process for a while: the shadow must say so, and go on by itself."""
        while time.monotonic() + 25.0 < end_s:
            time.sleep(17.0)
            with self._awake:
                was_following = self._following.is_set()
                self.machine.send_signal(signal.SIGSTOP)
                try:
                    time.sleep(SILENT_S)
                    found = self.shadow.look([*self.judges[self.shadow].repeated, *self.baseline], 2.0)
                finally:
                    self.machine.send_signal(signal.SIGCONT)
                if was_following and self._following.is_set():
                    self.judges[self.shadow].stopped(found, f"the machine has been silent for {SILENT_S:g} s")
                    self.counts["silenced"] += 1
