"""Random numbers of faults: from one seed, by counter, and so the same on every machine in whatever order.

A draw is Philox4x64-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC'11,
doi:10.1145/2063384.2063405) as numpy has it, with key (seed, fault) and counter (block, number, lane, 0): `number` is
that of the command or of the reading, `lane` what the number is for. A uniform number is the upper 53 bits of a word
times 2^-53. Logarithm and normal distribution are made of +, -, *, / and sqrt alone, which IEEE 754 rounds alike
everywhere; those of the system's library differ between machines in the last bit.
"""

from collections.abc import Sequence
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Words = NDArray[np.uint64]

#: Largest seed.
MAX_SEED = 2**63 - 1

#: Half the distance of two numbers in [0, 1): added, it keeps both ends out, symmetrically about 1/2.
HALF_STEP = 2.0**-54

_LN2 = 0.6931471805599453


class Lane(IntEnum):
    """Purpose of a draw; numbers are never given a second meaning, or the same seed would draw something else."""

    PROBABILITY = 0
    DELAY = 1
    SHARE = 2
    NOISE = 3
    SPIKE = 4
    SPIKE_SIGN = 5
    CHOICE = 6
    PHASE = 7


class Draws:
    """The random numbers of one seed."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def uniforms(self, fault: int, number: int, lane: Lane, count: int) -> Floats:
        """Draw numbers (count,) in [0, 1)."""
        return philox_uniforms([self.seed, fault], [0, number, int(lane), 0], count)

    def uniform(self, fault: int, number: int, lane: Lane) -> float:
        """Draw one number in [0, 1)."""
        return float(self.uniforms(fault, number, lane, 1)[0])

    def normals(self, fault: int, number: int, lane: Lane, count: int) -> Floats:
        """Draw numbers (count,) of the normal distribution with mean 0 and standard deviation 1."""
        return normal_quantile(self._inside(fault, number, lane, count))

    def exponential(self, fault: int, number: int, lane: Lane, mean: float) -> float:
        """Draw one number of the exponential distribution."""
        return float(-mean * logarithm(self._inside(fault, number, lane, 1))[0])

    def normal_between(
        self, fault: int, number: int, lane: Lane, mean: float, sigma: float, low: float, high: float
    ) -> float:
        """Draw one number of the normal distribution, cut at `low` and `high`; the mean lies between them."""
        for value in mean + sigma * self.normals(fault, number, lane, 64):
            if low <= value <= high:
                return float(value)
        return mean  # one of 64 lies on the wrong side of the mean with a probability of 2^-64 at the least

    def _inside(self, fault: int, number: int, lane: Lane, count: int) -> Floats:
        """Draw numbers strictly between 0 and 1."""
        return self.uniforms(fault, number, lane, count) + HALF_STEP


def philox_uniforms(key: Sequence[int] | Words, counter: Sequence[int], count: int) -> Floats:
    """Draw numbers (count,) in [0, 1) of Philox4x64-10 with this key (2,) and counter (4,)."""
    return unit_interval(np.random.Philox(key=key, counter=counter).random_raw(count))


def unit_interval(words: Words) -> Floats:
    """Turn words of 64 random bits into numbers in [0, 1), by their upper 53 bits."""
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53


def logarithm(x: Floats) -> Floats:
    """Calculate the natural logarithm of positive numbers, to 4e-16 relative, with the same bits on every machine.

    x = 2^e m with m in [sqrt(1/2), sqrt(2)); log m = 2 atanh((m - 1)/(m + 1)), as its power series.
    """
    mantissa, exponent = np.frexp(x)
    low = mantissa < 0.7071067811865476
    mantissa = np.where(low, 2.0 * mantissa, mantissa)
    exponent = np.where(low, exponent - 1, exponent).astype(np.float64)
    ratio = (mantissa - 1.0) / (mantissa + 1.0)
    square = ratio * ratio
    series = np.zeros_like(square)
    for n in range(27, 0, -2):
        series = series * square + 1.0 / n
    return exponent * _LN2 + 2.0 * ratio * series


# Wichura, algorithm AS 241 (PPND16), Applied Statistics 37 (1988) 477, doi:10.2307/2347330: numerators, denominators.
_CENTRE = (
    (3.3871328727963666080, 133.14166789178437745, 1971.5909503065514427, 13731.693765509461125,
     45921.953931549871457, 67265.770927008700853, 33430.575583588128105, 2509.0809287301226727),
    (1.0, 42.313330701600911252, 687.18700749205790830, 5394.1960214247511077,
     21213.794301586595867, 39307.895800092710610, 28729.085735721942674, 5226.4952788528545610),
)  # fmt: skip
_MIDDLE = (
    (1.42343711074968357734, 4.63033784615654529590, 5.76949722146069140550, 3.64784832476320460504,
     1.27045825245236838258, 0.241780725177450611770, 0.0227238449892691845833, 7.74545014278341407640e-4),
    (1.0, 2.05319162663775882187, 1.67638483018380384940, 0.689767334985100004550,
     0.148103976427480074590, 0.0151986665636164571966, 5.47593808499534494600e-4, 1.05075007164441684324e-9),
)  # fmt: skip
_TAIL = (
    (6.65790464350110377720, 5.46378491116411436990, 1.78482653991729133580, 0.296560571828504891230,
     0.0265321895265761230930, 0.00124266094738807843860, 2.71155556874348757815e-5, 2.01033439929228813265e-7),
    (1.0, 0.599832206555887937690, 0.136929880922735805310, 0.0148753612908506148525,
     7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15),
)  # fmt: skip


def normal_quantile(p: Floats) -> Floats:
    """Calculate the quantiles of the normal distribution at probabilities between 0 and 1, to 1e-15 relative."""
    q = p - 0.5
    centre = 0.180625 - q * q
    inside = np.abs(q) <= 0.425
    result = q * _ratio(_CENTRE, np.where(inside, centre, 0.0))
    r = np.sqrt(-logarithm(np.where(inside, 0.25, np.minimum(p, 1.0 - p))))
    outside, far = _ratio(_MIDDLE, r - 1.6), r > 5.0
    if far.any():  # one of 10^11
        outside = np.where(far, _ratio(_TAIL, r - 5.0), outside)
    return np.where(inside, result, np.where(q < 0.0, -outside, outside))


def _ratio(coefficients: tuple[tuple[float, ...], tuple[float, ...]], x: Floats) -> Floats:
    above, below = np.zeros_like(x), np.zeros_like(x)
    for a, b in zip(*(reversed(part) for part in coefficients), strict=True):
        above, below = above * x + a, below * x + b
    return above / below
