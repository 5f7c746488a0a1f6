"""Algebra on recorded numbers: the sums and products that a person would write so that a particle needs few operations.

Only what differs from particle to particle is regrouped, and only the last digits of the results change:

- factors that are the same for all particles are gathered in front: b (x x) for (b x) x;
- in a longer sum they are multiplied into a sum whose terms have such factors already: (u b) x + u a for u (b x + a);
- terms with the same factor, of either kind, are taken together: (b + c) x for b x + c x, b (u + v) for b u + b v;
- so are the terms that a slice does not change.

A sum that is used more than once is kept as it is.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import reduce

from gnomon.propagator.codegen.recorded_numbers import Level, Recorded, Tape, Value, is_operation, level_of

#: A term of a sum: True if it is subtracted, its factor that is the same for all particles, and the rest or None.
Term = tuple[bool, Value, Value]


def users(roots: Iterable[Value]) -> Counter[int]:
    """Count the operations and roots that use each number, by the number's id."""
    counts: Counter[int] = Counter()
    waiting = [root for root in roots if isinstance(root, Recorded)]
    while waiting:
        number = waiting.pop()
        counts[id(number)] += 1
        if counts[id(number)] == 1:
            waiting.extend(o for o in number.operands if isinstance(o, Recorded))
    return counts


def regrouped(tape: Tape, roots: Sequence[Value]) -> list[Value]:
    """Return numbers that are equal to `roots` but for rounding, and take fewer operations for each particle."""
    algebra = _Algebra(tape, users(roots))
    return [algebra.simple(root) for root in roots]


class _Algebra:
    def __init__(self, tape: Tape, counts: Counter[int]) -> None:
        self.tape, self.counts = tape, counts
        self.done: dict[int, Value] = {}
        #: Regrouped numbers that more than one other number uses.
        self.shared: set[int] = set()

    def simple(self, number: Value) -> Value:
        """Return a number regrouped."""
        if level_of(number) < Level.PARTICLE or number.operation == "input":
            return number
        if id(number) not in self.done:
            if number.operation in ("+", "-", "neg", "*"):
                result = self.sum_of(self.terms(number, True))
            else:
                result = self.tape.record(number.operation, *map(self.simple, number.operands))
            self.done[id(number)] = result
            if self.counts[id(number)] > 1:
                self.shared.add(id(result))
        return self.done[id(number)]

    def terms(self, number: Value, alone: bool = False) -> list[Term]:
        """Split a number into the terms of a sum; a sum that others use, too, is a single term unless `alone`."""
        if level_of(number) < Level.PARTICLE:
            return [(False, number, None)]
        own = alone or self.counts[id(number)] == 1
        if own and number.operation == "neg":
            return _signed(True, self.terms(number.operands[0]))
        if own and number.operation in ("+", "-"):
            first, second = number.operands
            return [*self.terms(first), *_signed(number.operation == "-", self.terms(second))]
        factor, parts = self.factors(number)
        if own and not alone and factor != 1.0 and len(parts) == 1:
            inner = self.terms(parts[0])
            if all(rest is None or f != 1.0 or is_operation(rest, "input") for _, f, rest in inner):
                return [(sign, self.tape.multiply(factor, f), rest) for sign, f, rest in inner]
        if parts == [number] and number.operation == "*":
            return [(False, 1.0, self.tape.multiply(*map(self.simple, number.operands)))]
        return [(False, factor, reduce(self.tape.multiply, map(self.simple, parts)))]

    def factors(self, number: Value) -> tuple[Value, list[Value]]:
        """Split a product into the factor that is the same for all particles, and the other factors."""
        if level_of(number) < Level.PARTICLE:
            return number, []
        if number.operation != "*" or number.level == Level.PARTICLE:
            return 1.0, [number]
        (a, first), (b, second) = (self.factors(o) for o in number.operands)
        if a == b == 1.0:
            return 1.0, [number]
        return self.tape.multiply(a, b), first + second

    def sum_of(self, terms: list[Term]) -> Value:
        """Add terms, taking together those that have something in common."""
        kept = self.of_a_particle(_joined(terms, self.same_rest))
        kept = _joined(self.shared_factor(kept), self.same_factor)
        kept.insert(0, kept.pop(_beginning(kept)))
        total: Value = 0.0
        for negative, factor, rest in kept:
            value = factor if rest is None else self.tape.multiply(factor, rest)
            total = self.tape.subtract(total, value) if negative else self.tape.add(total, value)
        return total

    def same_rest(self, one: Term, other: Term) -> Term | None:
        """Return b x + c x as (b + c) x."""
        (negative, factor, rest), (turned, factor_2, rest_2) = one, other
        if rest is not rest_2:
            return None
        return negative, (self.tape.add if negative == turned else self.tape.subtract)(factor, factor_2), rest

    def of_a_particle(self, terms: list[Term]) -> list[Term]:
        """Take the terms that a slice does not change together, since the next kick may need them again."""
        levels = [Level.CALL if rest is None else level_of(rest) for _, _, rest in terms]
        if set(levels) <= {Level.CALL, Level.LANE} or Level.LANE not in levels:
            return terms
        own = [term for term, level in zip(terms, levels, strict=True) if level < Level.LANE]
        others = [term for term, level in zip(terms, levels, strict=True) if level == Level.LANE]
        return [*others, (False, 1.0, self.sum_of(own))]

    def shared_factor(self, terms: list[Term]) -> list[Term]:
        """Return b x u + c x v as x (b u + c v), for the x that the most terms have."""
        products = [set(map(id, rest.operands)) if is_operation(rest, "*") else set() for _, _, rest in terms]
        ((common, count),) = Counter(part for parts in products for part in parts).most_common(1) or [(0, 0)]
        if count < 2:
            return terms
        apart, inner, shared = list[Term](), list[Term](), None
        for (negative, factor, rest), parts in zip(terms, products, strict=True):
            if common in parts:
                a, b = rest.operands
                shared, other = (a, b) if id(a) == common else (b, a)
                inner.append((negative, factor, other))
            else:
                apart.append((negative, factor, rest))
        return [*apart, (False, 1.0, self.tape.multiply(shared, self.sum_of(inner)))]

    def same_factor(self, one: Term, other: Term) -> Term | None:
        """Return b u + b v as b (u + v), where v may be the same for all particles."""
        (negative, factor, rest), (turned, factor_2, rest_2) = one, other
        if rest is None or not isinstance(factor, Recorded):
            return None
        turn = negative != turned
        parts = self.parts(rest)
        if factor is factor_2 and rest_2 is not None:
            parts += _signed(turn, self.parts(rest_2))
        elif rest_2 is None and (quotient := self.quotient(factor_2, factor)) is not None:
            parts.insert(1 if turn else 0, (turn, 1.0, quotient))
        else:
            return None
        total: Value = 0.0
        for minus, _, part in parts:
            total = self.tape.subtract(total, part) if minus else self.tape.add(total, part)
        return negative, factor, total

    def parts(self, rest: Value) -> list[Term]:
        """Split a regrouped number that is a sum, and not used elsewhere, into its parts."""
        if rest.operation not in ("+", "-") or id(rest) in self.shared:
            return [(False, 1.0, rest)]
        first, second = rest.operands
        return [*self.parts(first), (rest.operation == "-", 1.0, second)]

    def quotient(self, number: Value, factor: Value) -> Value:
        """Return `number` / `factor` if both are products and the second is part of the first, else None."""
        left = _factors(number)
        for part in _factors(factor):
            if part not in left:
                return None
            left.remove(part)
        return reduce(self.tape.multiply, left) if left and factor != 1.0 else None


def _joined(terms: Iterable[Term], join: Callable[[Term, Term], Term | None]) -> list[Term]:
    """Join each term with the first before it that it can be joined with."""
    kept: list[Term] = []
    for term in terms:
        for place, other in enumerate(kept):
            if (both := join(other, term)) is not None:
                kept[place] = both
                break
        else:
            kept.append(term)
    return kept


def _beginning(terms: Sequence[Term]) -> int:
    """Return the place of the term to begin a sum with: one that is added and is not a product, if there is one."""
    added = [place for place, (negative, _, _) in enumerate(terms) if not negative]
    plain = (place for place in added if terms[place][2] is None or _is_plain(*terms[place][1:]))
    return next(plain, added[0] if added else 0)


def _is_plain(factor: Value, rest: Value) -> bool:
    return bool(factor == 1.0) and not is_operation(rest, "*")


def _factors(number: Value) -> list[Value]:
    """Split a product into its factors."""
    if not is_operation(number, "*"):
        return [number]
    return [factor for operand in number.operands for factor in _factors(operand)]


def _signed(turn: bool, terms: list[Term]) -> list[Term]:
    return [(negative != turn, factor, rest) for negative, factor, rest in terms]
