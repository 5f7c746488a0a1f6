"""The conformal shell: the factor on a band's scale that gives the stated coverage in finite samples.

One score per command, max |measured - expected| / scale over the observables, makes the coverage simultaneous. With
n held-out commands of the same bin, the factor is their ceil((n+1) coverage)-th smallest score: the next command, if it
is exchangeable with them, is inside with that probability at least, whatever the distribution (V. Vovk, A. Gammerman,
G. Shafer, Algorithmic Learning in a Random World, 2005, ch. 2). With fewer than coverage / (1 - coverage) commands,
there is no such score: the factor is infinite. Under drift, commands are not exchangeable; adaptive conformal inference
moves the asked rate of misses by gamma (rate - miss) after each, so that its long-run mean is right nevertheless (I.
Gibbs, E. Candes, NeurIPS 2021).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Commands of one kind that a bin of step sizes has at least, where there are enough for two.
MIN_PER_BIN = 500
#: Step of adaptive conformal inference.
GAMMA = 0.005
#: The largest step of a kind that is in the domain, by the largest that was held out.
MARGIN = 1.25


@dataclass(frozen=True, slots=True, eq=False)
class Bin:
    """Scores (n,), sorted, of held-out commands of one `kind` with step sizes from `low` to `high`.

    A size is that of the effect that was predicted, in units of the readings' noise.
    """

    kind: str
    low: float
    high: float
    scores: Floats

    @property
    def name(self) -> str:
        """Name for messages."""
        return f"{self.kind}, sizes {self.low:.3g} to {self.high:.3g}"


def needed(coverage: float) -> int:
    """Number of held-out commands below which there is no finite band: 99 for 99 %."""
    return math.ceil(coverage / (1.0 - coverage) - 1e-9)


def quantile(scores: Floats, coverage: float) -> float:
    """Find the conformal quantile of sorted scores (n,); infinite if there are too few."""
    rank = math.ceil((scores.size + 1) * coverage - 1e-9)
    if rank > scores.size:
        return math.inf
    return float(scores[max(rank, 1) - 1])


def make_bins(kinds: list[str], sizes: Floats, scores: Floats, min_per_bin: int = MIN_PER_BIN) -> tuple[Bin, ...]:
    """Sort commands (n,) into bins of equal numbers, by kind and then by step size, at least `min_per_bin` in each."""
    found: list[Bin] = []
    for kind in sorted(set(kinds)):
        mine = np.flatnonzero(np.array([k == kind for k in kinds]))
        order = mine[np.argsort(sizes[mine], kind="stable")]
        parts = np.array_split(order, max(1, mine.size // max(min_per_bin, 1)))
        edges = [0.0, *(0.5 * float(sizes[a[-1]] + sizes[b[0]]) for a, b in pairwise(parts))]
        edges.append(MARGIN * float(sizes[order[-1]]))
        for part, (low, high) in zip(parts, pairwise(edges), strict=True):
            found.append(Bin(kind, low, high, np.sort(scores[part])))
    return tuple(found)


@dataclass(frozen=True, slots=True, eq=False)
class ConformalShell:
    """Bins of held-out scores. `rates` are the present rates of misses, by bin and asked rate, where they adapted."""

    bins: tuple[Bin, ...]
    rates: Mapping[tuple[int, float], float] = field(default_factory=dict)

    def find(self, kind: str, size: float) -> tuple[int, str]:
        """Find the bin of a command; -1 and the reason why there is none."""
        mine = [number for number, each in enumerate(self.bins) if each.kind == kind]
        if not mine:
            return -1, f"no held-out commands of the kind {kind}"
        for number in mine:
            if size <= self.bins[number].high:
                return number, ""
        largest = self.bins[mine[-1]].high
        return -1, f"step too large for the calibration: size {size:.3g}, above {largest:.3g} of {kind}; split it"

    def factor(self, number: int, coverage: float) -> float:
        """Find the factor of a bin for a coverage."""
        asked = 1.0 - coverage
        return quantile(self.bins[number].scores, 1.0 - self.rates.get((number, round(asked, 9)), asked))

    def missing(self, number: int, coverage: float) -> int:
        """Number of held-out commands that a bin lacks for a coverage."""
        return max(0, needed(coverage) - self.bins[number].scores.size)

    def adapted(self, number: int, coverage: float, missed: bool, gamma: float = GAMMA) -> "ConformalShell":
        """Return the shell after a command of a bin was inside its band, or `missed` it.

        A rate below 0 has an infinite band, and is remembered: only so is the long-run mean the asked one.
        """
        asked = round(1.0 - coverage, 9)
        rate = self.rates.get((number, asked), asked) + gamma * (asked - missed)
        return replace(self, rates={**self.rates, (number, asked): min(rate, 2.0 * asked)})
