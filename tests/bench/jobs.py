"""Jobs that the runner gives to its client processes, and their results: the words that both sides share."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Job:
    """One measurement on a running server: write `setpoint` to and fro by `step`, watch `output`.

    `settle_s` is how long the server needs, at most, to show what a put did; `pause_s` is waited between puts that are
    measured one by one. An array output is judged by the element in its middle.
    """

    name: str
    measure: str  # a function of measures.MEASURES
    protocol: str  # "ca" or "pva"
    setpoint: str
    step: float
    output: str
    count: int = 100
    settle_s: float = 0.5
    pause_s: float = 0.0
    rate: float = 0.0  # puts per second, for a stream
    watched: str = ""  # a PV that the client monitors meanwhile; empty: none
    counter: str = ""  # a PV that counts results, for a stream; empty: the server has none


@dataclass(frozen=True, slots=True)
class Samples:
    """Result of a job: times [ms] by name, and counts or other single numbers by name."""

    times_ms: dict[str, list[float]] = field(default_factory=dict)
    numbers: dict[str, float] = field(default_factory=dict)


def encode_jobs(jobs: list[Job]) -> str:
    return json.dumps([asdict(job) for job in jobs])


def decode_jobs(text: str) -> list[Job]:
    return [Job(**fields) for fields in json.loads(text)]


def encode_answers(answers: dict[str, Samples | str]) -> str:
    """By name of the job: what it found, or why it could not."""
    return json.dumps({name: a if isinstance(a, str) else asdict(a) for name, a in answers.items()})


def decode_answers(text: str) -> dict[str, Samples | str]:
    answers: dict[str, Any] = json.loads(text)
    return {name: a if isinstance(a, str) else Samples(**a) for name, a in answers.items()}
