"""Checks of a server that was fuzzed, and their results."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

#: Memory that may come [bytes].
GROWTH = 50e6
#: Nine of ten gets or puts of a good client take less than this [s], on a machine that does other things too. Without
#: those, 99 of 100 take less than 50 ms.
P90_ALLOWED_S = 1.0

#: What wrote a line of the log.
SPEAKERS = {
    "pvxs": re.compile(r" (ERR|WARN|CRIT) pvxs"),
    "Channel Access": re.compile(r"Channel Access"),
    "PV Access": re.compile(r"PV Access|pva"),
    "refusals": re.compile(r"refused"),
    "controls": re.compile(r" set to "),
    "operations": re.compile(r" ended with: "),
    "guard": re.compile(r" was disconnected"),
}
#: Logs of a line a second behind one name, where there are more than one: commands and controls are both refused.
LOGS = {"refusals": 2}


@dataclass(frozen=True)
class Verdict:
    """The findings of one run."""

    cases: int
    seconds: float
    exit_status: int | None
    silence: str
    grown: float
    times: Mapping[str, Sequence[float]]
    failures: Sequence[str]
    log: str

    def time(self, work: str, percent: int) -> float:
        """Time that so many of a hundred of a good client's gets or puts did not exceed [s]."""
        times = sorted(self.times.get(work, ()))
        return times[int(0.01 * percent * (len(times) - 1))] if times else float("nan")

    @property
    def lines(self) -> Counter[str]:
        """Lines of the log by who wrote them."""
        return Counter(speaker(line) for line in self.log.splitlines() if line.strip())

    def faults(self) -> list[str]:
        """List what is not as it should be; nothing when all is well."""
        found = []
        if self.exit_status is not None:
            found.append(f"the server ended with status {self.exit_status}")
        if self.silence:
            found.append(self.silence)
        if self.grown > GROWTH:
            found.append(f"memory grew by {self.grown / 1e6:.0f} MB, more than {GROWTH / 1e6:.0f} MB")
        p90s = {work: self.time(work, 90) for work in self.times}
        found += [f"{work}: p90 is {1e3 * p90:.0f} ms" for work, p90 in p90s.items() if not p90 < P90_ALLOWED_S]
        if self.failures:
            found.append(f"a good client failed {len(self.failures)} times, first: {self.failures[0]}")
        if "Traceback" in self.log:
            found.append("there is a traceback in the log: " + self.log[self.log.index("Traceback") :][:2000])
        found += [
            f"{n} lines of the log by {who} in {self.seconds:.0f} s"
            for who, n in self.lines.items()
            if n > LOGS.get(who, 1) * (self.seconds + 10.0)
        ]
        return found

    def __str__(self) -> str:
        times = ", ".join(f"{work} {1e3 * self.time(work, 99):.1f} ms" for work in self.times)
        return (
            f"{self.cases} cases in {self.seconds:.1f} s ({self.cases / max(self.seconds, 1e-9):.0f}/s), memory "
            f"{self.grown / 1e6:+.1f} MB, p99 of a good client: {times}, log lines: {dict(self.lines)}"
        )


def speaker(line: str) -> str:
    """Return the logger that wrote a line of the log."""
    return next((who for who, pattern in SPEAKERS.items() if pattern.search(line)), "others")
