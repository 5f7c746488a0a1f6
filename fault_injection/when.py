"""Time at which a fault acts: its window in time and commands, and its condition. Pure; the clock is passed in."""

from dataclasses import dataclass
from datetime import datetime

from gnomon.fault_injection.conditions import Condition, parse_condition
from gnomon.fault_injection.request import FaultError, FaultRequest


@dataclass(slots=True)
class Window:
    """The time in which one fault acts: from `begins_s` on, or from command `begins_at` on, for `for_s`.

    Times [s] are those of one steady clock; commands are counted by whoever asks. It is told as soon as the count is
    reached, and so changes once.
    """

    begins_s: float
    begins_at: int | None
    for_s: float | None
    condition: Condition | None

    @classmethod
    def of(cls, request: FaultRequest, now_s: float, wall_ns: int, commands: int = 0) -> "Window":
        """Make the window of a fault that is added now. Raises FaultError for a time that has passed."""
        wait_s = request.after_s or 0.0
        if request.at is not None:
            wait_s = datetime.fromisoformat(request.at).astimezone().timestamp() - 1e-9 * wall_ns
            if wait_s < 0.0:
                raise FaultError(f"at: {request.at} has passed {-wait_s:.3g} s ago; give a time to come, or after_s")
        at = None if request.after_commands is None else commands + request.after_commands
        condition = None if request.condition is None else parse_condition(request.condition)
        return cls(now_s + wait_s, at, request.for_s, condition)

    def begun(self, now_s: float, commands: int) -> bool:
        """Return whether it has begun, now that so many commands have passed."""
        if self.begins_at is not None:
            if commands < self.begins_at:
                return False
            self.begins_s, self.begins_at = now_s, None
        return now_s >= self.begins_s

    def over(self, now_s: float) -> bool:
        """Return whether it has ended."""
        return self.begins_at is None and self.for_s is not None and now_s >= self.begins_s + self.for_s
