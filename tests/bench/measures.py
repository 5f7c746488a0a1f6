"""Measurements on a running server, by a client outside of it. Runs in a process of its own: see main.

Each measure first learns which reading belongs to which of two settings, so that it can tell a new output from an old.
"""

import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from bench_clients import CLIENTS, LIMIT_S, Client, ClientError
from jobs import Job, Samples, decode_jobs, encode_answers

MS = 1e3
STREAM_S = 3.0
STREAM_LIMIT_S = 20.0
POLL_S = 0.01
PATIENCE = 10  # a server's settle_s is given this often before its output counts as unmoved


@dataclass(frozen=True, slots=True)
class Swing:
    """Two settings and the reading that belongs to each."""

    settings: tuple[float, float]
    readings: tuple[float, float]

    def shows(self, reading: float, which: int) -> bool:
        """True if `reading` is that of setting `which`, rather than of the other one or of something between."""
        mine, other = self.readings[which], self.readings[1 - which]
        return abs(reading - mine) < 0.01 * abs(other - mine)


@contextmanager
def learnt(client: Client, job: Job) -> Iterator[Swing]:
    """The swing of a job's setpoint around its present value, which is restored at the end."""
    start = client.get(job.setpoint)
    settings = (start + job.step, start - job.step)
    try:
        readings = [_settled(client, job, setting) for setting in settings]
        if readings[0] == readings[1]:
            raise ClientError(f"{job.output} does not follow {job.setpoint}: {readings[0]:g} at both settings")
        yield Swing(settings, (readings[0], readings[1]))
    finally:
        client.end_monitors()
        client.put(job.setpoint, start, wait=True)
        time.sleep(job.settle_s)


def _settled(client: Client, job: Job, setting: float) -> float:
    """The reading after a put, once it has moved and then stayed the same for `settle_s`."""
    before = client.get(job.output)
    client.put(job.setpoint, setting, wait=True)
    last = before
    for _ in range(PATIENCE):
        time.sleep(job.settle_s)
        reading = client.get(job.output)
        if reading == last != before:
            break
        last = reading
    return last


def put_with_wait(client: Client, job: Job) -> Samples:
    """Put, wait for completion, read at once: `put` until completion, `put_read` until the reading is there.

    `stale` counts readings that were still the old ones although the put had completed; the next put waits for the new.
    """
    put_ms, put_read_ms, stale = [], [], 0
    with learnt(client, job) as swing:
        if job.watched:
            client.monitor(job.watched, Watch())
        for k in range(job.count):
            which = k % 2
            sent = time.perf_counter()
            client.put(job.setpoint, swing.settings[which], wait=True)
            done = time.perf_counter()
            reading = client.get(job.output)
            read = time.perf_counter()
            put_ms.append((done - sent) * MS)
            put_read_ms.append((read - sent) * MS)
            if not swing.shows(reading, which):
                stale += 1
                _await_reading(client, job, swing, which)
    return Samples({"put": put_ms, "put_read": put_read_ms}, {"stale": stale, "puts": job.count})


def _await_reading(client: Client, job: Job, swing: Swing, which: int) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not swing.shows(client.get(job.output), which):
        if time.monotonic() > deadline:
            raise ClientError(f"{job.output} did not follow {job.setpoint} within {LIMIT_S:g} s")
        time.sleep(POLL_S)


def put_to_event(client: Client, job: Job) -> Samples:
    """Put without waiting; `seen` is the time until a monitor of the output brings the new value."""
    seen_ms, missed = [], 0
    watch = Watch()
    with learnt(client, job) as swing:
        client.monitor(job.output, watch)
        time.sleep(job.settle_s)
        for k in range(job.count):
            which = k % 2
            watch.expect(partial(swing.shows, which=which))
            sent = time.perf_counter()
            client.put(job.setpoint, swing.settings[which], wait=False)
            seen = watch.wait(LIMIT_S)
            if seen is None:
                missed += 1
            else:
                seen_ms.append((seen - sent) * MS)
            time.sleep(job.pause_s)
    return Samples({"seen": seen_ms}, {"missed": missed, "puts": job.count})


def stream(client: Client, job: Job) -> Samples:
    """Puts at a fixed rate without waiting; the last one is to win.

    `updates_per_s` counts the output's events that changed it while puts were coming, `final` is the time from the last
    put until the output shows it, `rate` is what the client really sent per second, `results_per_s` what the server
    itself counted.
    """
    rng = random.Random(1)
    watch = Watch()
    with learnt(client, job) as swing:
        low, high = sorted(swing.settings)
        client.monitor(job.output, watch)
        time.sleep(job.settle_s)
        puts = round(job.rate * STREAM_S)
        watch.expect(lambda reading: False)
        count = client.get(job.counter) if job.counter else 0.0
        begin = time.perf_counter()
        for k in range(puts - 1):
            client.put(job.setpoint, rng.uniform(low, high), wait=False)
            time.sleep(max(0.0, begin + (k + 1) / job.rate - time.perf_counter()))
        changes = watch.changes
        watch.expect(lambda reading: swing.shows(reading, 0))
        last = time.perf_counter()
        client.put(job.setpoint, swing.settings[0], wait=False)
        counted = client.get(job.counter) - count if job.counter else 0.0
        counted_s = time.perf_counter() - begin
        seen = watch.wait(STREAM_LIMIT_S)
        holds = swing.shows(client.get(job.output), 0) and client.get(job.setpoint) == swing.settings[0]
    elapsed = last - begin
    numbers = {
        "rate": puts / elapsed,
        "updates_per_s": changes / elapsed,
        "last_wins": float(seen is not None and holds),
    }
    if job.counter:
        numbers["results_per_s"] = counted / counted_s
    return Samples({"final": [] if seen is None else [(seen - last) * MS]}, numbers)


class Watch:
    """Events of one monitored PV: counts those that bring another value, and tells when an expected one comes."""

    def __init__(self) -> None:
        self.changes = 0
        self._last: float | None = None
        self._expected: Callable[[float], bool] = lambda reading: False
        self._seen_at: float | None = None
        self._seen = threading.Event()

    def expect(self, condition: Callable[[float], bool]) -> None:
        self._seen.clear()
        self._seen_at = None
        self._expected = condition
        self.changes = 0

    def wait(self, limit_s: float) -> float | None:
        """Return the time at which the expected value came, on the clock of perf_counter; None if it did not."""
        return self._seen_at if self._seen.wait(limit_s) else None

    def __call__(self, reading: float) -> None:
        now = time.perf_counter()
        if reading != self._last:
            self._last = reading
            self.changes += 1
        if not self._seen.is_set() and self._expected(reading):
            self._seen_at = now
            self._seen.set()


MEASURES: dict[str, Callable[[Client, Job], Samples]] = {
    "put_with_wait": put_with_wait,
    "put_to_event": put_to_event,
    "stream": stream,
}


def main() -> None:
    """Do the jobs given as the only argument, one after the other; print the answers."""
    clients: dict[str, Client] = {}
    answers: dict[str, Samples | str] = {}
    for job in decode_jobs(sys.argv[1]):
        if job.protocol not in clients:
            clients[job.protocol] = CLIENTS[job.protocol]()
        try:
            answers[job.name] = MEASURES[job.measure](clients[job.protocol], job)
        except ClientError as error:
            answers[job.name] = str(error)
    print(encode_answers(answers), flush=True)


if __name__ == "__main__":
    main()
