"""Physics recorded as loops over the lanes of a block of particles."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gnomon.propagator.codegen.codegen_error import CodegenError
from gnomon.propagator.codegen.recorded_numbers import Level, Recorded, Tape, Value
from gnomon.propagator.codegen.regrouping import regrouped
from gnomon.propagator.physics.element_physics import drift
from gnomon.propagator.physics.number_types import Number
from gnomon.propagator.physics.phase_space import COORDINATES, PhaseSpace
from gnomon.propagator.physics.repetition import Stage

#: Name of the row of 1 / (1 + delta), which a block has besides the coordinates.
WEIGHT = "w"


@dataclass
class LaneLoop:
    """One loop over the lanes: the coordinates at its beginning and at its end.

    One that drifts by a `length` [m] alone is the pass `drift`; else that is None.
    """

    start: PhaseSpace
    end: PhaseSpace
    length: Value = None

    @property
    def results(self) -> tuple[Value, ...]:
        """Numbers that the loop needs."""
        return self.end if self.length is None else (self.length,)


@dataclass
class Repetition:
    """Loops over the lanes, one after the other, and how often they are repeated; None for once.

    The length [m] of their last free space is `between` two repetitions, and `last` in the last one.
    """

    loops: list[LaneLoop]
    count: Value = None
    between: Value = None
    last: Value = None


class LaneRecording:
    """A tape for physics whose phase space is the rows of a block; what is repeated becomes loops of its own.

    With `split`, these are one for each stage, and otherwise one for all stages.
    """

    def __init__(self, split: bool = False) -> None:
        self.split = split
        self.tape = Tape(self.repeat)
        self.delta = self.tape.input("delta", Level.PARTICLE)
        self.tape.assume(1 / (1 + self.delta), self.tape.input(WEIGHT, Level.PARTICLE))
        self.ray = self._rows()
        self._parts: list[Repetition] = []

    def parts(self, physics: Callable[[PhaseSpace], PhaseSpace], regroup: bool = True) -> list[Repetition]:
        """Record physics; return the loops that change something."""
        end = physics(self.ray)
        self._parts.append(Repetition([LaneLoop(self.ray, end)]))
        for part in self._parts:
            part.loops = [loop for loop in part.loops if loop.start != loop.end]
            for loop in part.loops if regroup else ():
                if loop.length is None:
                    loop.end = PhaseSpace._make(regrouped(self.tape, loop.end))
        return [part for part in self._parts if part.loops]

    def repeat(
        self, count: Number, stages: Sequence[Stage], ray: PhaseSpace, between: Number, last: Number
    ) -> PhaseSpace:
        """Record repeated stages (`physics.repetition.repeated`)."""
        self._parts.append(Repetition([LaneLoop(self.ray, ray, _drifted(self.ray, ray))]))
        ahead = self.tape.input("ahead", Level.SLICE)
        loops = []
        for group in [[stage] for stage in stages] if self.split else [stages]:
            start = end = self._rows()
            for stage in group:
                end = stage(end, ahead)
            loops.append(LaneLoop(start, end))
        if any(end.delta is not self.delta for end in (ray, *(loop.end for loop in loops))):
            raise CodegenError("delta changes in or before a repeated stage, where 1 / (1 + delta) is known only once")
        self._parts.append(Repetition(loops, count, between, last))
        self.ray = self._rows()
        return self.ray

    def _rows(self) -> PhaseSpace:
        """Return the rows of a block as they are now."""
        rows = {name: self.tape.input(name, Level.LANE) for name in COORDINATES}
        return PhaseSpace(**{**rows, "delta": self.delta})


def _drifted(start: PhaseSpace, end: PhaseSpace) -> Value:
    """Return the length [m] by which a ray has drifted; None if it has not, or if something else happened to it."""
    waiting, lengths = [end.x], []
    while waiting:
        number = waiting.pop()
        if isinstance(number, Recorded):
            lengths += [number] if number.level == Level.CALL else []
            waiting.extend(number.operands)
    return next((length for length in lengths if drift(start, length) == end), None)
