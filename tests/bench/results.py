"""Samples of a run, joined over its rounds, and what is said of them."""

import math
from dataclasses import dataclass, field
from typing import Any

from jobs import Samples


@dataclass
class Result:
    """Samples by job, of one server or of the parts; for a job that failed, why."""

    samples: dict[str, Samples] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def add(self, job: str, answer: Samples | str) -> None:
        """Join samples of one more time that the job was done; counts add up."""
        if isinstance(answer, str):
            self.failures[job] = answer
            return
        known = self.samples.setdefault(job, Samples())
        for name, values in answer.times_ms.items():
            known.times_ms.setdefault(name, []).extend(values)
        for name, number in answer.numbers.items():
            known.numbers[name] = known.numbers.get(name, 0.0) + number

    def merge(self, other: "Result") -> None:
        for job, samples in other.samples.items():
            self.add(job, samples)
        self.failures |= other.failures

    def times(self, job: str, name: str) -> list[float]:
        return sorted(self.samples.get(job, Samples()).times_ms.get(name, []))

    def number(self, job: str, name: str) -> float | None:
        return self.samples.get(job, Samples()).numbers.get(name)

    def document(self) -> dict[str, Any]:
        jobs = {
            job: {name: statistics(times) for name, times in s.times_ms.items()} | s.numbers
            for job, s in self.samples.items()
        }
        return {"jobs": jobs, "failures": self.failures}


def percentile(ordered: list[float], percent: float) -> float:
    """Nearest rank of sorted values."""
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


def statistics(times: list[float]) -> dict[str, float]:
    ordered = sorted(times)
    if not ordered:
        return {"n": 0}
    ranks = {"median_ms": 50, "p90_ms": 90, "p99_ms": 99, "max_ms": 100}
    return {name: round(percentile(ordered, p), 4) for name, p in ranks.items()} | {"n": len(ordered)}
