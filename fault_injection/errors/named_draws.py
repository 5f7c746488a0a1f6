"""Random numbers by name: the same on every machine, and each independent of which others are drawn.

A uniform number is the first 53 bits of SHA-256 over seed, kind and device: a hash is a generator by counter whose
counter is a text, so that no list of devices gives anybody a place. It becomes normal by the inverse of the cut
distribution.
"""

import hashlib
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from gnomon.fault_injection.draws import HALF_STEP, normal_quantile, philox_uniforms, unit_interval

Floats = NDArray[np.float64]


def uniforms(seed: int, kind: str, devices: Sequence[str]) -> Floats:
    """Draw a number (devices,) for each device, strictly between 0 and 1."""
    words = [hashlib.sha256(f"{seed}\n{kind}\n{device}".encode()).digest()[:8] for device in devices]
    return unit_interval(np.frombuffer(b"".join(words), dtype=">u8")) + HALF_STEP


def cut_normals(seed: int, kind: str, devices: Sequence[str], cut: float) -> Floats:
    """Draw a number (devices,) for each device, normal with mean 0 and standard deviation 1, cut at +-`cut`.

    What is cut off is spread over the rest: with u uniform, it is the quantile at P(-cut) + u (1 - 2 P(-cut)), so that
    one number makes one draw. The standard deviation of what is left is smaller than 1: 0.987 with a cut at 3.
    """
    below = tail(cut)
    return np.clip(normal_quantile(below + uniforms(seed, kind, devices) * (1.0 - 2.0 * below)), -cut, cut)


def normals(seed: int, kind: str, number: int, count: int) -> Floats:
    """Draw numbers (count,), normal with mean 0 and standard deviation 1: those that `kind` has for a reading's number.

    They are Philox4x64-10's (Salmon et al., SC'11, doi:10.1145/2063384.2063405), keyed by the hash and counted by
    number, since a hash for each number of each reading would take too long.
    """
    key = np.frombuffer(hashlib.sha256(f"{seed}\n{kind}".encode()).digest()[:16], dtype="<u8").astype(np.uint64)
    return normal_quantile(philox_uniforms(key, [0, number, 0, 0], count) + HALF_STEP)


@cache
def tail(cut: float) -> float:
    """Find the probability P(-cut) of the normal distribution by halving, with the quantile that has the same bits."""
    low, high = 0.0, 0.5
    for _ in range(128):
        middle = 0.5 * (low + high)
        if normal_quantile(np.array([middle]))[0] < -cut:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)
