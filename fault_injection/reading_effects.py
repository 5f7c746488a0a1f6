"""Effects of faults on the values that are read: pure, with what a fault remembers of its readings passed in."""

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gnomon.fault_injection.draws import Draws, Lane
from gnomon.fault_injection.injector import Active
from gnomon.fault_injection.kinds.readings import (
    Dead,
    Drift,
    InvertedReading,
    Late,
    Noise,
    NotANumber,
    Offset,
    Spikes,
    Stuck,
)

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


@dataclass
class Memory:
    """Memory of one fault: the values that it holds, by slot, and those of the past with their times [s]."""

    held: dict[int, float] = field(default_factory=dict)
    past: deque[tuple[float, Floats]] = field(default_factory=deque)


def disturbed(
    active: Active, values: Floats, slots: Indices, number: int, now_s: float, draws: Draws, memory: Memory
) -> Floats:
    """Disturb values (n,) of one reading; `number` is its count, `slots` (n,) the values' lasting places in the fault.

    A value of the same slot and number gets the same noise, whatever else is read with it.
    """
    request, fault = active.fault.request, active.fault.id
    match request:
        case Stuck() | Dead():
            for slot, value in zip(slots.tolist(), values.tolist(), strict=True):
                memory.held.setdefault(slot, value)
            return np.array([memory.held[slot] for slot in slots.tolist()])
        case Offset():
            return values + request.offset
        case Drift():
            grown = request.rate_per_s * active.since_s
            limit = np.inf if request.limit is None else request.limit
            return values + float(np.clip(grown, -limit, limit))
        case Noise():
            drawn = draws.normals(fault, number, Lane.NOISE, _count(slots))
            return values + request.rms * drawn[slots]
        case Spikes():
            has_one = draws.uniforms(fault, number, Lane.SPIKE, _count(slots))[slots] < request.share
            up = draws.uniforms(fault, number, Lane.SPIKE_SIGN, _count(slots))[slots] < 0.5
            return values + np.where(has_one, np.where(up, request.size, -request.size), 0.0)
        case InvertedReading():
            return -values
        case NotANumber():
            return np.full_like(values, np.nan)
        case Late():
            return _of_the_past(values, now_s, request.delay_s, memory)
        case _:
            return values


def _count(slots: Indices) -> int:
    return int(slots.max()) + 1 if len(slots) else 0


def _of_the_past(values: Floats, now_s: float, delay_s: float, memory: Memory) -> Floats:
    """The values that were read `delay_s` ago; at the beginning, the first ones that the fault has seen."""
    memory.past.append((now_s, values))
    while len(memory.past) > 1 and memory.past[1][0] <= now_s - delay_s:
        memory.past.popleft()
    return memory.past[0][1]
