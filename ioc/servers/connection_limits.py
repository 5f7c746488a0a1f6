"""Count connections, so that neither all clients together nor one address can take more than their share."""

from collections import Counter

from gnomon.ioc.base.config import GuardConfig


class Admission:
    """Rules on who may connect now."""

    def __init__(self, guard: GuardConfig) -> None:
        self._guard = guard
        self._by_address: Counter[str] = Counter()
        self._total = 0

    def enter(self, address: str) -> str:
        """Count a connection in; or the reason why it must not be had, and it is not counted."""
        if self._total >= self._guard.max_connections:
            return f"there are {self._total} connections already, guard.max_connections allows no more"
        if self._by_address[address] >= self._guard.max_connections_per_address:
            count = self._by_address[address]
            return f"{address} has {count} connections already, guard.max_connections_per_address allows no more"
        self._total += 1
        self._by_address[address] += 1
        return ""

    def leave(self, address: str) -> None:
        """Count a connection out."""
        self._total -= 1
        self._by_address[address] -= 1
        if not self._by_address[address]:
            del self._by_address[address]
