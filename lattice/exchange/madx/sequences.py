"""Sequences: elements at positions, drifts between them, sequences within sequences."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from gnomon.lattice.exchange.madx.attributes import Scalar
from gnomon.lattice.exchange.madx.madx_error import MadxError

#: What MAD-X takes for no gap and for no overlap [m].
TOLERANCE = 1e-6
#: Sequences within each other, and positions that are given from other positions.
MAX_DEPTH = 50


@dataclass(frozen=True, slots=True)
class Node:
    """An element or sequence at a position [m] of its reference point, or that far behind the middle of `origin`."""

    name: str
    at: Scalar
    origin: str
    place: str


@dataclass(slots=True)
class Sequence:
    """A sequence as defined; `refer` is 1, 0 or -1 for positions of entries, centres and exits."""

    name: str
    length: Scalar
    refer: int
    refpos: str
    place: str
    nodes: list[Node] = field(default_factory=list)
    names: dict[str, Node] = field(default_factory=dict)

    def add(self, node: Node) -> None:
        """Append a node; the first of a name is the one that others are placed from."""
        self.nodes.append(node)
        self.names.setdefault(node.name, node)


@dataclass(slots=True)
class Expander:
    """Expansion: the sequences, an element's length on the beam's way [m], the value of a position, a bound."""

    sequences: Mapping[str, Sequence]
    length: Callable[[str], float]
    value: Callable[[Scalar], float]
    max_steps: int
    steps: int = 0

    def expand(self, sequence: Sequence, depth: int = 0) -> Iterator[str | float]:
        """Names of elements and, between them, the lengths of drifts, in order. Raises MadxError."""
        if depth > MAX_DEPTH:
            raise MadxError(sequence.place, f"the sequence {sequence.name} contains itself")
        before, end = sequence.name, 0.0
        for node in sequence.nodes:
            self._step(sequence)
            length = self._length(node)
            begin = self._middle(node, sequence, 0) - length / 2.0
            yield from self._gap(begin - end, before, node.name, node.place)
            if node.name in self.sequences:
                yield from self.expand(self.sequences[node.name], depth + 1)
            else:
                yield node.name
            before, end = node.name, begin + length
        yield from self._gap(self.value(sequence.length) - end, before, "the end", sequence.place)

    def _step(self, sequence: Sequence) -> None:
        self.steps += 1
        if self.steps > self.max_steps:
            raise MadxError(sequence.place, f"the sequence {sequence.name} takes more than {self.max_steps} steps")

    def _length(self, node: Node) -> float:
        inner = self.sequences.get(node.name)
        return self.length(node.name) if inner is None else self.value(inner.length)

    def _gap(self, gap: float, before: str, after: str, place: str) -> Iterator[float]:
        if gap < -TOLERANCE:
            raise MadxError(place, f"{after} overlaps {before} by {-gap:g} m: a sequence must be in order of positions")
        if gap > TOLERANCE * (1.0 - 1e-6):
            yield gap

    def _middle(self, node: Node, sequence: Sequence, depth: int) -> float:
        """The position of a node's middle [m]."""
        if depth > MAX_DEPTH:
            raise MadxError(node.place, f"the position of {node.name} is given from itself")
        at = self.value(node.at)
        inner = self.sequences.get(node.name)
        if inner is not None and inner.refpos:
            reference = self._find(inner.refpos, inner, depth)
            if reference is None:
                raise MadxError(inner.place, f"refpos={inner.refpos} is not in the sequence {inner.name}")
            at += self.value(inner.length) / 2.0 - reference
        else:
            at += sequence.refer * self._length(node) / 2.0
        if node.origin:
            origin = self._find(node.origin, sequence, depth)
            if origin is None:
                raise MadxError(node.place, f"from={node.origin} is not in the sequence {sequence.name}")
            at += origin
        return at

    def _find(self, name: str, sequence: Sequence, depth: int) -> float | None:
        """The middle of a named node, also of one in a sequence within this one."""
        if name in sequence.names:
            return self._middle(sequence.names[name], sequence, depth + 1)
        for node in sequence.names.values():
            self._step(sequence)
            inner = self.sequences.get(node.name)
            if inner is not None and depth < MAX_DEPTH and (found := self._find(name, inner, depth + 1)) is not None:
                return self._middle(node, sequence, depth + 1) - self.value(inner.length) / 2.0 + found
        return None
