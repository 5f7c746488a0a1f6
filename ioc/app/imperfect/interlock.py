"""The interlock of an imperfect machine: it dumps the beam, and no beam is back before somebody injects one."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gnomon.propagator import Answer, BeamState

#: A beam of less current has been lost [mA].
LOST_MA = 1e-3

INJECT = "put 1 to dt:inject to inject again"


@dataclass(frozen=True, slots=True)
class Envelope:
    """Largest orbit at a monitor [m] in x and y before the beam is dumped; inf for any."""

    x_m: float
    y_m: float

    def violation(self, monitors: tuple[str, ...], x: NDArray[np.float64], y: NDArray[np.float64]) -> str:
        """Describe the first violation by an orbit x, y (n,) [m], empty without one."""
        for plane, orbit, limit in (("x", x, self.x_m), ("y", y, self.y_m)):
            if len(orbit) and np.abs(orbit).max() > limit:
                at = int(np.abs(orbit).argmax())
                return f"{plane} = {1e3 * orbit[at]:.3f} mm at {monitors[at]}, outside +-{1e3 * limit:g} mm"
        return ""


class Interlock:
    """Lets answers pass while there is a beam; after a dump, they have none until `inject`.

    `monitors` are names, and `at` the elements where the orbit is looked at.
    """

    def __init__(
        self, envelope: Envelope, monitors: tuple[str, ...], at: tuple[int, ...], current_ma: Callable[[], float]
    ) -> None:
        self._envelope = envelope
        self._monitors = monitors
        self._at = list(at)
        self._current_ma = current_ma
        self._stored = False
        self.reason = ""

    def passed(self, answer: Answer, dumped: str = "") -> Answer:
        """Return an answer as clients may see it: dumped, if the orbit is outside, was outside, or does not exist.

        `dumped` is another reason for a dump, if there is one.
        """
        beam = answer.beam
        if beam is None:
            return answer
        if not self.reason:
            self.reason = dumped or self._lost(beam)
        if self.reason and (beam.found or dumped):
            return replace(answer, beam=replace(beam, found=False, reason=f"{self.reason}; {INJECT}"))
        return answer

    def is_all_lost(self) -> bool:
        """Notice that no current is left; True once when that happens."""
        if self.reason or not self._stored:
            self._stored = not self.reason and self._current_ma() > LOST_MA
            return False
        if self._current_ma() <= LOST_MA:
            self.reason, self._stored = "the beam was lost: its lifetime was too short", False
            return True
        return False

    def inject(self) -> None:
        """Inject a beam: the next answer has one, if it can be stored."""
        self.reason, self._stored = "", False

    def _lost(self, beam: BeamState) -> str:
        if not beam.found:
            return f"the beam was lost: {beam.reason}"
        outside = self._envelope.violation(self._monitors, beam.orbit[self._at, 0], beam.orbit[self._at, 2])
        return f"the interlock dumped the beam: {outside}" if outside else ""
