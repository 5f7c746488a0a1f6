"""The live values under one prefix: one subscription for all pages that show them, in a thread of its own."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from gnomon.clients.epics_client import EpicsClient, PvInfo
from gnomon.clients.errors import ClientError
from gnomon.clients.overview import Overview
from gnomon.clients.reading import Reading
from gnomon.clients.sampled_values import SampledValues
from gnomon.clients.server_choice import Target
from gnomon.db import sources
from gnomon.ioc.base.running_servers import running_servers
from gnomon.services.dashboard.live_fragments import reading_json

#: Time between two looks at the subscriptions [s].
PERIOD_S = 0.2
#: Time without a heartbeat after which a server that is connected is shown as hanging [s].
SILENT_S = 5.0
#: Time between tries to find a server [s].
RETRY_S = 2.0

State = Literal["looking", "live", "lost", "hangs"]

#: Key of the list of what needs attention, which is made here, from the values of these sources.
ATTENTION_KEY = "attention"
ATTENTION = (
    *(sources.ACTIVE, sources.BEAM_FOUND, sources.BEAM_REASON, sources.MODEL_HUNG, sources.RECORDER_STATE),
    *(sources.FAULTS_COUNT, sources.FAULTS_ACTIVE, sources.MACHINE_ROLE, sources.MACHINE_CONNECTED),
    *(sources.MACHINE_REASON, sources.MACHINE_REFUSED),
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Values that a page shows: the first PV of each of `sources`, and all PVs of each of `every`, by source name.

    A first one is known by its source's name, the others by their names without the prefix. `properties` narrows
    `every` to PVs of these properties of devices; empty: all.
    """

    sources: frozenset[str] = frozenset()
    every: frozenset[str] = frozenset()
    properties: frozenset[str] = frozenset()

    def keys(self, pvs: Iterable[PvInfo], prefix: str) -> dict[str, str]:
        """Find the keys of the values, and the full name of the PV of each."""
        found: dict[str, str] = {}
        for info in pvs:
            if info.source in self.sources:
                found.setdefault(info.source, info.name)
            if info.source in self.every and (not self.properties or info.property in self.properties):
                found[info.name.removeprefix(prefix)] = info.name
        return found


@dataclass(slots=True)
class Fragment:
    """A value as JSON with its key, and the version that it came with."""

    version: int
    text: str


@dataclass(slots=True)
class _Known:
    """The values that are known of a server, while it is connected."""

    keys: dict[Wanted, dict[str, str]] = field(default_factory=dict)
    fragments: dict[str, Fragment] = field(default_factory=dict)
    by_pv: dict[str, tuple[str, ...]] = field(default_factory=dict)
    about: dict[str, Reading] = field(default_factory=dict)  # what attention is made from


#: What every feed follows.
HEARTBEAT_KEY = sources.HEARTBEAT.name
ATTENTION_KEYS = frozenset(source.name for source in ATTENTION)
ALWAYS = Wanted(ATTENTION_KEYS | {HEARTBEAT_KEY})


class PrefixFeed:
    """Follows the values that pages want. Its thread writes, streams read `news`, under one lock.

    `connect` makes a client; it fails as long as the server is not there. `connections` counts the servers that it has
    found: values of an earlier one must not be shown as those of the present one.
    """

    def __init__(
        self,
        target: Target,
        connect: Callable[[Target], EpicsClient] = EpicsClient,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._target = target
        self._connect = connect
        self._clock = clock
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._wanted: Counter[Wanted] = Counter({ALWAYS: 1})
        self._known = _Known()
        self._client: EpicsClient | None = None
        self._values: SampledValues | None = None
        self._infos: Collection[PvInfo] = ()
        self._beat_at = self._look_again_at = 0.0
        self._has_beat = False
        self._version = 0
        self.connections = 0
        self._state: tuple[State, str] = ("looking", "looking for the server")
        self.unused_since: float | None = None

    @property
    def state(self) -> tuple[State, str]:
        """State of the connection, and the reason when it is not live."""
        return self._state

    def add(self, wanted: Wanted) -> None:
        """Follow the values that one more page wants."""
        with self._lock:
            self._wanted[wanted] += 1
            self.unused_since = None

    def remove(self, wanted: Wanted) -> None:
        """Take a page's wish back; values that no page wants are followed no longer."""
        with self._lock:
            self._wanted[wanted] -= 1
            self._wanted += Counter()  # drops what has no user
            if len(self._wanted) == 1:
                self.unused_since = self._clock()

    def news(self, wanted: Wanted, since: int) -> tuple[int, list[str]]:
        """Return the present version, and the values of a page, as JSON, that have changed since another one."""
        with self._lock:
            known = self._known
            keys = known.keys.get(wanted)
            if keys is None:  # not followed yet: what is known already is news to the page then
                return since, []
            found = [known.fragments.get(key) for key in (*keys, ATTENTION_KEY)]
            return self._version, [each.text for each in found if each is not None and each.version > since]

    def close(self) -> None:
        """End the thread and disconnect; does not wait for either."""
        self._closed.set()

    def start(self) -> "PrefixFeed":
        """Start the thread."""
        threading.Thread(target=self._run, name=f"dashboard {self._target.prefix}", daemon=True).start()
        return self

    def _run(self) -> None:
        while not self._closed.is_set():
            self._closed.wait(self.step())
        self._disconnect()

    def step(self) -> float:
        """Connect or look once; returns the time until the next step [s]. Only the feed's thread may call it."""
        try:
            if self._client is None:
                self._begin()
            self._look()
        except ClientError as error:
            self._disconnect()
            self._state = "looking", str(error)
            return RETRY_S
        return PERIOD_S - time.monotonic() % PERIOD_S

    def _begin(self) -> None:
        self._target = _present(self._target)
        client = self._connect(self._target)
        try:
            infos = list(client.pvs.values())
        except ClientError:
            client.close()
            raise
        self._client, self._infos, self._values = client, infos, client.sampled()
        with self._lock:
            self._known = _Known()
            self.connections += 1
        self._beat_at, self._has_beat = self._clock(), False
        self._state = "live", ""

    def _look(self) -> None:
        assert self._values is not None
        self._follow()
        taken = self._values.take()
        with self._lock:
            came_back = self._take(taken)
        if came_back:  # another program may answer now, with other PVs
            self._disconnect()
            self._state = "looking", "the server is back"
        elif self._state[0] == "lost":
            self._look_elsewhere()
        elif self._has_beat and (silent := self._clock() - self._beat_at) > SILENT_S:
            self._state = "hangs", f"no heartbeat for {silent:.0f} s"
        else:
            self._state = "live", ""

    def _take(self, taken: Mapping[str, Reading | None]) -> bool:
        """Keep news as JSON; True if the server has come back with them."""
        known = self._known
        came_back = tell = False
        if taken:
            self._version += 1
        for name, reading in taken.items():
            keys = known.by_pv.get(name, ())
            text = reading_json(reading)
            for key in keys:
                known.fragments[key] = Fragment(self._version, f"{json.dumps(key)}:{text}")
                if key in ATTENTION_KEYS:
                    tell = True
                    if reading is None:
                        known.about.pop(key, None)
                    else:
                        known.about[key] = reading
            if HEARTBEAT_KEY in keys:
                came_back = self._beat(reading)
        if tell:
            noticed = Overview(self._target, known.about, time_ns=time.time_ns()).attention()
            text = json.dumps({"v": [str(each) for each in noticed]})
            known.fragments[ATTENTION_KEY] = Fragment(self._version, f'"{ATTENTION_KEY}":{text}')
        return came_back

    def _beat(self, reading: Reading | None) -> bool:
        """Take a heartbeat; True if the server was lost before."""
        if reading is None:
            self._state = "lost", "the server is gone; waiting for it"
            return False
        self._beat_at, self._has_beat = self._clock(), True
        return self._state[0] == "lost"

    def _look_elsewhere(self) -> None:
        """Leave a server that is gone if it was restarted: waiting for the old connection takes far longer."""
        if self._clock() >= self._look_again_at:
            self._look_again_at = self._clock() + RETRY_S / 2
            if _present(self._target) != self._target:
                self._disconnect()

    def _follow(self) -> None:
        """Subscribe to what the open pages want, and to nothing else."""
        assert self._values is not None
        with self._lock:
            wanted = set(self._wanted)
            known = self._known
            if wanted == known.keys.keys():
                return
            known.keys = {each: known.keys.get(each) or each.keys(self._infos, self._target.prefix) for each in wanted}
            by_pv: dict[str, set[str]] = {}
            for keys in known.keys.values():
                for key, name in keys.items():
                    by_pv.setdefault(name, set()).add(key)
            known.by_pv = {name: tuple(keys) for name, keys in by_pv.items()}
            followed = {key for keys in by_pv.values() for key in keys}
            followed.add(ATTENTION_KEY)
            known.fragments = {key: each for key, each in known.fragments.items() if key in followed}
        self._values.follow(known.by_pv)

    def _disconnect(self) -> None:
        if self._values is not None:
            self._values.close()
        if self._client is not None:
            self._client.close()
        self._client = self._values = None


def _present(target: Target) -> Target:
    """Find a twin that ran on this computer as it runs now; the same one if it does not, or runs elsewhere."""
    old = target.server
    if old is None:
        return target
    for each in running_servers():
        if (each.prefix, each.machine) == (old.prefix, old.machine) and each != old:
            return Target(each.prefix, each.environment, each)
    return target
