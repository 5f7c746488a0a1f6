"""A soak: a machine and its shadow side by side, with clients, an operator, saboteurs, and judges who watch."""

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from p4p.client.thread import Disconnected, RemoteError
from patience import PATIENCE_S

from fault.soak.oracle import FOUND, NO_BEAM_S, Judge, LostBeam, Seen, newest
from fault.soak.plan import Keys, Targets, draw
from fault.soak.servers import Server

#: What a client may meet while faults act.
TROUBLE = (RemoteError, TimeoutError, Disconnected)
#: As many faults at once are enough; then all are cleared.
MAX_ACTIVE = 25
#: A shadow says within 3.5 s that its machine is silent, and later where the computer is busy [s].
SILENT_S = 3.5
#: Age at which a reading that is repeated once a second is stale, and residuals after `shadow.stale_s` of 5 s [s].
REPEATED_S, RESIDUAL_S = 1.0 + 3.0, 5.0 + 2.0
#: Time after which a shadow has what was put to its machine, or says that it has not; later where the computer is busy.
FOLLOWED_S = 1.0


class Soak:
    """Everything that goes on between the start of both servers and the end; `problems` has what was wrong.

    `setpoints` are the PVs that are set back from time to time, `probe` is one that only a judge puts to.
    """

    def __init__(
        self, machine: Server, shadow: Server, targets: Targets, setpoints: Sequence[str], probe: str, seed: int
    ) -> None:
        self.machine = machine
        self.shadow = shadow
        self.targets = targets
        self.probe = probe
        self.seed = seed
        self.counts: Counter[str] = Counter()
        self.problems: list[str] = []
        self.judges: dict[Server, Judge] = {}
        self.baseline = {name: one.value for name, one in machine.look([*setpoints, probe], 10.0).items()}
        self._following = 0  # an even number while the shadow follows, another one each time
        self._stopped = False
        self._resumed_s = 0.0
        self._running = threading.Event()

    def begin(self, watched: Sequence[str], healthy_s: float = 4.0) -> None:
        """Find what is repeated while all is well, on both servers."""
        servers = (self.machine, self.shadow)
        first = {server: server.look(watched, 5.0) for server in servers}
        time.sleep(healthy_s)
        for server in servers:
            was, now = first[server], server.look(watched, 5.0)
            names = [
                n for n in was.keys() & now.keys() if now[n].valid and now[n].time_s > was[n].time_s + healthy_s - 2.0
            ]
            self.judges[server] = Judge({n: RESIDUAL_S if "residual" in n else REPEATED_S for n in sorted(names)})

    def run(self, for_s: float) -> None:
        """Let everybody work for a time."""
        end_s = time.monotonic() + for_s
        self._running.set()
        roles = (
            self._sabotage,
            self._sabotage_shadow,
            self._operate,
            self._silence,
            self._judge_freshness,
            self._judge_following,
        )
        threads = [threading.Thread(target=self._guarded, args=(role, end_s), name=role.__name__) for role in roles]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(end_s - time.monotonic() + 3.0 * PATIENCE_S)
            if thread.is_alive():
                self.problems.append(f"{thread.name} has not ended")
        self._running.clear()

    def complaints(self) -> list[str]:
        """List what was wrong with answers and with what was read."""
        return [
            *self.problems,
            *(f"{server.name}: {c}" for server, judge in self.judges.items() for c in judge.complaints),
        ]

    def recover(self, within_s: float) -> float:
        """Clear all faults, set back and inject as an operator does; the time until both are healthy [s]."""
        began_s = time.monotonic()
        self._ask(self.machine, "clear")
        with suppress(*TROUBLE):
            self.shadow.put("par:mode", "shadow")
        self._ask(self.shadow, "clear")
        while troubles := self._troubles():
            if time.monotonic() - began_s > within_s:
                self.problems.append(f"not healthy after {within_s:g} s: {troubles}")
                break
            with suppress(*TROUBLE):
                self._set_back()
            time.sleep(0.2)
        return time.monotonic() - began_s

    def _troubles(self) -> list[str]:
        """List what an operator would see amiss on either server."""
        wanted = {FOUND: 1.0, "dt:recorder": 0.0, "dt:faults:count": 0.0, "dt:reason": 0.0, "dt:model:hung": 0.0}
        found = []
        for server, judge in self.judges.items():
            more = {} if server is self.machine else {"dt:machine:connected": 3.0, **self.baseline}
            expected = wanted | more
            seen = server.look([*judge.limits, *expected], 2.0)
            now_s = time.time()
            found += [f"{server.name}: {n} does not answer" for n in (*judge.limits, *expected) if n not in seen]
            found += [f"{server.name}: {n} is INVALID" for n, one in seen.items() if not one.valid]
            found += [
                f"{server.name}: {n} is old"
                for n in judge.limits
                if n in seen and now_s - seen[n].time_s > judge.limits[n]
            ]
            found += [
                f"{server.name}: {n} is {seen[n].value:g}"
                for n, v in expected.items()
                if n in seen and seen[n].value != v
            ]
        return found

    def _guarded(self, role: Callable[[float], None], end_s: float) -> None:
        try:
            role(end_s)
        except Exception as error:  # noqa: BLE001  it is told at the end
            self.problems.append(f"{role.__name__}: {type(error).__name__}: {error}")

    def _sabotage(self, end_s: float) -> None:
        """Add and clear faults of all groups on the machine."""
        chance, ids = random.Random(self.seed), list[str]()
        while time.monotonic() < end_s:
            time.sleep(chance.uniform(0.02, 0.2))
            what = chance.random()
            if what < 0.65 and len(ids) < MAX_ACTIVE:
                self._add(self.machine, draw(chance, self.targets, f"{self.probe} > -100"), ids)
            elif what < 0.93 and ids:
                self._ask(self.machine, "clear", id=ids.pop(chance.randrange(len(ids))))
            elif what < 0.96:
                self._ask(self.machine, "list")
            else:
                self._ask(self.machine, "clear")
                ids.clear()

    def _sabotage_shadow(self, end_s: float) -> None:
        """Let the shadow be a twin for a while, with faults of its own, some of which it takes along."""
        chance, ids = random.Random(self.seed + 1), list[str]()
        while time.monotonic() + 12.0 < end_s:
            time.sleep(7.0)
            self._following += 1
            self.shadow.put("par:mode", "twin")
            for _ in range(8):
                self._add(self.shadow, draw(chance, self.targets, f"{self.probe} > -100"), ids)
                with suppress(*TROUBLE):
                    self.shadow.put(self.probe, self.baseline[self.probe] + chance.uniform(-0.01, 0.01), 1.0)
            try:
                self.shadow.put("par:mode", "shadow")
            except TROUBLE:  # a fault may deny it, and has to be cleared first
                self._ask(self.shadow, "clear")
                self.shadow.put("par:mode", "shadow")
            if chance.random() < 0.5:
                self._ask(self.shadow, "clear")
            self._following += 1
            self.counts["was a twin"] += 1

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

    def _ask(self, server: Server, do: str, **keys: str) -> None:
        """List or clear faults, which always works."""
        try:
            server.call("dt:fault", do=do, **keys)
        except RemoteError as error:
            if "is active" not in str(error):  # it has ended by itself
                self.problems.append(f"{server.name}: {do} {keys} is refused: {error}")
        except TROUBLE as error:
            self.problems.append(f"{server.name}: no answer to {do} {keys}: {error!r}")
            server.send_signal(signal.SIGUSR1)  # the log has the stacks of all threads
        self.counts[do] += 1

    def _operate(self, end_s: float) -> None:
        """Set everything back and inject from time to time, save reference orbits, archive."""
        while time.monotonic() + 3.0 < end_s:
            time.sleep(3.0)
            with suppress(*TROUBLE):
                self._set_back()
            for server in (self.machine, self.shadow):
                with suppress(*TROUBLE):
                    server.put("dt:orbit:ref:save", "soak", 2.0)
                    server.put("dt:orbit:ref:use", "soak", 2.0)
                    self.counts["references"] += 1
            with suppress(*TROUBLE):
                self.machine.call("dt:archive")
                self.counts["archived"] += 1

    def _set_back(self) -> None:
        names = [name for name in self.baseline if name != self.probe or not self._running.is_set()]
        try:
            self.machine.call("dt:set", names=names, values=tuple(self.baseline[name] for name in names))
            self.counts["set back"] += 1
        finally:
            found = self.machine.look([FOUND]).get(FOUND)
            if found is not None and not found.value:
                self.machine.put("dt:inject", 1, 3.0)
                self.counts["injected"] += 1

    def _silence(self, end_s: float) -> None:
        """Stop the machine's process for a while: the shadow must say so, and go on by itself."""
        while time.monotonic() + 18.0 < end_s:
            time.sleep(13.0)
            self._stopped, followed = True, self._following
            self.machine.send_signal(signal.SIGSTOP)
            try:
                time.sleep(SILENT_S)
                found = self._still_valid(followed)
            finally:
                self.machine.send_signal(signal.SIGCONT)
                self._stopped, self._resumed_s = False, time.monotonic()
            if followed == self._following and not followed % 2:
                self.judges[self.shadow].stopped(found, f"the machine has been silent for {PATIENCE_S:g} s")
                self.counts["silenced"] += 1

    def _still_valid(self, followed: int) -> Mapping[str, Seen]:
        """Wait until the shadow says of everything that its machine is silent; what it does not say it of."""
        end_s = time.monotonic() + PATIENCE_S
        found: dict[str, Seen] = {}
        while followed == self._following and not followed % 2:
            look = self.shadow.look([*self.judges[self.shadow].limits, *self.baseline], 2.0)
            found = {name: one for name, one in look.items() if one.valid}
            if not found or time.monotonic() > end_s:
                break
            time.sleep(0.2)
        return found

    def _judge_freshness(self, end_s: float) -> None:
        lost = {server: LostBeam() for server in self.judges}
        while time.monotonic() < end_s:
            time.sleep(0.2)
            for server, judge in self.judges.items():
                asked_s, asked_steady_s = time.time(), time.monotonic()
                found = server.look([*judge.limits, FOUND], 1.0)
                if server is self.machine and (self._stopped or asked_steady_s < self._resumed_s + 2.0):
                    lost[server] = LostBeam()
                    continue
                judge.look({name: one for name, one in found.items() if name != FOUND}, asked_s)
                stale = lost[server].still_valid(found, asked_steady_s, min(asked_s, newest(found)))
                judge.stopped(stale, f"there has been no beam for {NO_BEAM_S:g} s")
                self.counts[f"{server.name} without beam"] += lost[server].for_long

    def _judge_following(self, end_s: float) -> None:
        """Put to the machine; the shadow's setpoint has the value soon, or is INVALID."""
        chance = random.Random(self.seed + 3)
        while time.monotonic() + FOLLOWED_S < end_s:
            value = self.baseline[self.probe] + round(chance.uniform(-0.01, 0.01), 6)
            followed = self._following
            try:
                self.machine.put(self.probe, value, 2.0)
            except TROUBLE:
                self.counts["probe not put"] += 1
                time.sleep(0.3)
                continue
            time.sleep(FOLLOWED_S)
            until_s = time.monotonic() + PATIENCE_S
            while (ours := self.shadow.look([self.probe]).get(self.probe)) is not None and time.monotonic() < until_s:
                if not ours.valid or ours.value == value or followed != self._following:
                    break
                time.sleep(0.2)
            if followed != self._following or followed % 2 or ours is None:
                continue
            self.counts["probe compared" if ours.valid else "probe INVALID"] += 1
            if ours.valid and ours.value != value:
                what = f"{self.probe} is {ours.value}, and {value} at the machine for {PATIENCE_S:g} s"
                self.judges[self.shadow].complain(what)
