"""Python source of passes that act on a block of particles (`ensembles/lanes.py`), from recorded physics.

A number that changes from particle to particle is computed within a loop over the lanes, one that changes from slice to
slice before it, and one that is the same for all particles at the pass's beginning.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from gnomon.propagator.codegen.lane_recording import WEIGHT, LaneLoop, Repetition
from gnomon.propagator.codegen.recorded_numbers import Level, Recorded, Value, level_of
from gnomon.propagator.codegen.regrouping import users
from gnomon.propagator.physics.phase_space import COORDINATES

#: Where a block has the lanes of a row.
PLACES = {
    "x": "i", "px": "PX + i", "y": "Y + i", "py": "PY + i", "delta": "DELTA + i", "ct": "CT + i", "w": "WEIGHT + i",
}  # fmt: skip

#: Longest expression of which no part gets a name.
MAX_LENGTH = 88

#: How tight an operation binds; a name or a call binds tightest.
BINDING = {"+": 1, "-": 1, "neg": 2, "*": 3, "/": 3}
TIGHTEST = 4
SUMS = ("+", "-")

NAME = re.compile(r"[A-Za-z_]\w*")

#: Beginning of the name of a number that continues no input.
PREFIX = {Level.CALL: "c", Level.SLICE: "v", Level.LANE: "t"}


class PassWriter:
    """Writes the statements of one pass.

    `sources` are the expressions of inputs that are not arguments of the pass, such as elements of an array.
    """

    def __init__(self, parts: Sequence[Repetition], sources: Mapping[str, str]) -> None:
        self.parts, self.sources = parts, sources
        roots = [value for part in parts for value in (part.count, part.between, part.last)]
        self.counts = users([*roots, *(value for part in parts for loop in part.loops for value in loop.results)])
        self.names: dict[int, str] = {}
        self.written: dict[Level, set[int]] = {level: set() for level in Level}
        self.lines: dict[Level, list[str]] = {level: [] for level in Level}
        self.numbering: Counter[str] = Counter()

    def body(self) -> list[str]:
        """Return the lines of the pass."""
        parts = [line for part in self.parts for line in self.repetition(part)]
        return [*self.lines[Level.CALL], *parts]

    def repetition(self, part: Repetition) -> list[str]:
        """Return the lines of loops over the lanes, which add to those at the beginning of the pass."""
        self.written[Level.SLICE], self.lines[Level.SLICE] = set(), []
        loops = [line for loop in part.loops for line in self.loop(loop)]
        if part.count is None:
            return loops
        count, between, last = (self.text(v, Level.CALL)[0] for v in (part.count, part.between, part.last))
        ahead = f"ahead = {between} if number < {count} - 1 else {last}"
        return [f"for number in range({count}):", *_indented([ahead, *self.lines[Level.SLICE], *loops])]

    def loop(self, loop: LaneLoop) -> list[str]:
        """Return the lines of one loop over the lanes."""
        if loop.length is not None:
            return [f"drift({self.text(loop.length, Level.SLICE)[0]}, s)"]
        self.written[Level.LANE], self.lines[Level.LANE] = set(), []
        stores = []
        if loop.end.delta is not loop.start.delta:
            delta = self.name(loop.end.delta)
            stores.append(f"s[{PLACES[WEIGHT]}] = 1.0 / (1.0 + {delta}) if {delta} > -1.0 else math.nan")
        for name, start, end in zip(COORDINATES, loop.start, loop.end, strict=True):
            if end is not start:
                stores.append(f"s[{PLACES[name]}] = {self.text(end, Level.LANE)[0]}")
        return ["for i in range(LANES):", *_indented(scheduled([*self.lines[Level.LANE], *stores]))]

    def text(self, number: Value, user: Level) -> tuple[str, int]:
        """Return the expression of a number within a statement of the `user` level, and how tight it binds."""
        if not isinstance(number, Recorded):
            return repr(float(number)), BINDING["neg"] if number < 0.0 else TIGHTEST
        if (
            number.operation == "input"
            or place_of(number) < user
            or self.counts[id(number)] > 1
            or self.has_name(number)
        ):
            return self.name(number), TIGHTEST
        return self.expression(number)

    def expression(self, number: Recorded) -> tuple[str, int]:
        """Return the expression of an operation; of a long one, the longer part gets a name."""
        parts = [self.part(o, number) for o in number.operands]
        if sum(len(text) for text, _ in parts) > MAX_LENGTH:
            longest = max(range(len(parts)), key=lambda place: len(parts[place][0]))
            parts[longest] = self.name(number.operands[longest]), TIGHTEST
        operation = number.operation
        if operation not in BINDING:
            return f"math.{operation}({parts[0][0]})", TIGHTEST
        own = BINDING[operation]
        if operation == "neg":
            return f"-{_within(parts[0], own + 1)}", own
        return f"{_within(parts[0], own)} {operation} {_within(parts[1], own + 1)}", own

    def part(self, operand: Value, number: Recorded) -> tuple[str, int]:
        """Return the expression of an operand; a sum in a sum gets a name, so that it can be computed early."""
        place = place_of(number)
        if place == place_of(operand) == Level.LANE and number.operation in SUMS and operand.operation in SUMS:
            return self.name(operand), TIGHTEST
        return self.text(operand, place)

    def name(self, number: Recorded) -> str:
        """Return the name of a number; when it is used first, the statement that computes it is written."""
        if not self.has_name(number):
            self.written[place_of(number)].add(id(number))
            if number.operation == "input":
                self.names[id(number)] = number.name
                self.load(number)
            else:
                expression, _ = self.expression(number)
                if id(number) not in self.names:
                    stem = number.name or PREFIX[place_of(number)]
                    self.numbering[stem] += 1
                    self.names[id(number)] = f"{stem}_{self.numbering[stem]}"
                self.lines[place_of(number)].append(f"{self.names[id(number)]} = {expression}")
        return self.names[id(number)]

    def has_name(self, number: Recorded) -> bool:
        """Return True if the statement that computes a number is written already."""
        return id(number) in self.written[place_of(number)]

    def load(self, number: Recorded) -> None:
        """Write the statement that gives an input its value, if it needs one."""
        if place_of(number) == Level.LANE:
            self.lines[Level.LANE].append(f"{number.name} = s[{PLACES[number.name]}]")
        elif number.name in self.sources:
            self.lines[Level.CALL].append(f"{number.name} = {self.sources[number.name]}")


def place_of(number: Value) -> Level:
    """Return where a number is computed: numbers of a particle are computed within the loop over the lanes."""
    level = level_of(number)
    return Level.LANE if level == Level.PARTICLE else level


def scheduled(statements: Sequence[str]) -> list[str]:
    """Order assignments so that few numbers wait for their last use, because there are few registers.

    Among those that can be computed, the next is the one after which the fewest wait.
    """
    targets = [statement.split(" = ", 1)[0] for statement in statements]
    known = set(targets)
    needs = [known.intersection(NAME.findall(statement.split(" = ", 1)[1])) for statement in statements]
    users = Counter(name for names in needs for name in names)
    waiting, done, ordered = list(range(len(statements))), set[str](), []
    while waiting:
        ready = [place for place in waiting if needs[place] <= done]
        place = max(ready, key=lambda place: sum(users[n] == 1 for n in needs[place]) - (users[targets[place]] > 0))
        users.subtract(needs[place])
        done.add(targets[place])
        waiting.remove(place)
        ordered.append(statements[place])
    return ordered


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _within(part: tuple[str, int], binding: int) -> str:
    text, own = part
    return text if own >= binding else f"({text})"
