"""The monomials of a truncated power series, their order, and the table for multiplying two series."""

import math
from itertools import chain, combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

#: Maximum order of a series.
MAX_ORDER = 4


def monomial_count(variables: int, order: int) -> int:
    """Count the monomials up to an order, the constant included."""
    return math.comb(variables + order, order)


def product_count(variables: int, order: int) -> int:
    """Count the products of two monomials within the order; they equal the monomials in twice as many variables."""
    return math.comb(2 * variables + order, order)


def memory_needed(variables: int, order: int) -> int:
    """Estimate the peak memory [bytes] for making the tables, from above."""
    return product_count(variables, order) * 8 * (2 * order + 8) + monomial_count(variables, order) * 8 * (order + 4)


class Monomials:
    """All monomials of `variables` variables up to `order`, by degree and then by variables.

    `factors` (m, order) are the variables of each monomial, numbered from 1, sorted and padded with 0: x0^2 x3 is
    (0, 1, 1, 4) at order 4. `degree` (m,) is its degree. `left`, `right` and `target` list the products: coefficient
    left times coefficient right adds to coefficient target.
    """

    def __init__(self, variables: int, order: int) -> None:
        self.order = order
        self.factors: Integers = np.zeros((monomial_count(variables, order), order), dtype=np.int64)
        begin = 1
        for degree in range(1, order + 1):
            count = math.comb(variables + degree - 1, degree)
            chosen = chain.from_iterable(combinations_with_replacement(range(1, variables + 1), degree))
            block = np.fromiter(chosen, np.int64, count * degree).reshape(count, degree)
            self.factors[begin : begin + count, order - degree :] = block
            begin += count
        self.degree: Integers = np.count_nonzero(self.factors, axis=1).astype(np.int64)
        self._base = variables + 1
        keys = self._key(self.factors)
        self._by_key = np.argsort(keys)
        self._keys = keys[self._by_key]
        left, right, target = [], [], []
        bounds = np.searchsorted(self.degree, range(order + 2))
        for first in range(order + 1):
            for second in range(order + 1 - first):
                a = np.arange(bounds[first], bounds[first + 1])
                b = np.arange(bounds[second], bounds[second + 1])
                a, b = (grid.ravel() for grid in np.meshgrid(a, b, indexing="ij"))
                both = np.concatenate([self.factors[a][:, order - first :], self.factors[b][:, order - second :]], 1)
                left.append(a)
                right.append(b)
                target.append(self.find(both))
        self.left: Integers = np.concatenate(left)
        self.right: Integers = np.concatenate(right)
        self.target: Integers = np.concatenate(target)

    def find(self, factors: Integers) -> Integers:
        """Find the indices of monomials by their factors (k, at most order), numbered from 1, in any order."""
        padded = np.zeros((len(factors), self.order), dtype=np.int64)
        padded[:, self.order - factors.shape[1] :] = factors
        padded.sort(axis=1)
        found: Integers = self._by_key[np.searchsorted(self._keys, self._key(padded))]
        return found

    def _key(self, factors: Integers) -> Integers:
        key = np.zeros(len(factors), dtype=np.int64)
        for column in factors.T:
            key = key * self._base + column
        return key
