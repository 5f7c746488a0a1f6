"""The right to command alone: a token that who reserves gets, gives with each command, and gives back."""

from dataclasses import dataclass

from gnomon.lattice import GnomonError


class ReservedError(GnomonError):
    """Somebody has the right already; the text is the reason that all others are told."""


@dataclass(frozen=True, slots=True)
class Right:
    """A right to command alone. `number` tells it from earlier ones; `reason` is what all others are told."""

    number: int
    reason: str


class Reservation:
    """The exclusive right to send commands, and its holder. Changed in the event loop, read from any thread."""

    def __init__(self) -> None:
        self._right: Right | None = None
        self._given = 0

    def reserve(self, reason: str) -> Right:
        """Give the right. Raises ReservedError as long as somebody has it."""
        if self._right is not None:
            raise ReservedError(self._right.reason)
        self._given += 1
        self._right = Right(self._given, reason)
        return self._right

    def release(self, right: Right) -> None:
        """End a right; one that has ended already stays ended, and ends no other."""
        if right == self._right:
            self._right = None

    def holds(self, right: Right | None) -> bool:
        """Tell whether this right is the one in force."""
        return right is not None and right == self._right

    def refusal(self, right: Right | None) -> str:
        """Give the reason to refuse a command that comes with this right, or with none; empty when it is allowed."""
        current = self._right
        return "" if current is None or right == current else current.reason
