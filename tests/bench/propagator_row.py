"""The row that every measurement of the propagator gives."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One line: times [us] of both sides, and the ratios that are asked for."""

    work: str
    against: str
    ours_us: float
    theirs_us: float
    least: float
    stretch: float

    @property
    def ratio(self) -> float:
        return self.theirs_us / self.ours_us
