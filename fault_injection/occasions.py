"""Occasions of faults that last and come again: when one begins, whether it acts, and when it is over. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from gnomon.fault_injection.kinds.repeated import RepeatedFault


class Look(Enum):
    """State of a fault that was looked at: it begins to act, it goes on, or it does not act now."""

    BEGINS = auto()
    GOES_ON = auto()
    QUIET = auto()


@dataclass(slots=True)
class Occasions:
    """The occasions of one fault: the present one has the number `number`, from 1, and began at `began_s`.

    They come every `every_s` from `rose_s` on, when its window began or its condition became true.
    """

    number: int = 0
    began_s: float = 0.0
    rose_s: float = 0.0
    holds: bool = False
    index: int = -1
    acts: bool = False

    def look(
        self, request: RepeatedFault, now_s: float, since_s: float, *, holds: bool, draw: Callable[[int], bool]
    ) -> Look:
        """Look at the time: does it act?

        `holds` says that its window is open, since `since_s`, and its condition true; `draw` decides about the occasion
        with a number.
        """
        if not holds:
            self.holds = self.acts = False
            return Look.QUIET
        if not self.holds:
            self.holds, self.index = True, -1
            self.rose_s = now_s if request.condition is not None else since_s
        every_s = request.every_s
        index = 0 if every_s is None else int((now_s - self.rose_s) / every_s)
        new = index != self.index
        if new:
            self.index, self.number = index, self.number + 1
            self.began_s = self.rose_s + index * (every_s or 0.0)
            self.acts = draw(self.number)
        if self.acts and request.lasts_s is not None and now_s >= self.began_s + request.lasts_s:
            self.acts = False
        return Look.QUIET if not self.acts else Look.BEGINS if new else Look.GOES_ON
