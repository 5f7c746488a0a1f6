"""Processes with a bound on their memory: `python -m programs.memory bounded|surviving`."""

import asyncio
import sys
from typing import Any

from gnomon.ioc.base.memory import limit_memory_growth, raise_memory_limit, survive


def bounded() -> None:
    """Take memory within the bound and ask for more than it allows."""
    limit_memory_growth(2**28)
    kept = bytearray(2**27)
    try:
        bytearray(2**29)
    except MemoryError:
        print("refused")
    print(len(kept))


def surviving() -> None:
    """Let an event loop find no memory in its own turn; then reach the bound, and raise it."""
    asyncio.run(_failing_turn())
    limit_memory_growth(2**28)
    kept = bytearray(2**28 - 2**24)
    try:
        bytearray(2**25)
    except MemoryError:
        raise_memory_limit(2**26)
        print(len(bytearray(2**25)))
    del kept


async def _failing_turn() -> None:
    loop: Any = asyncio.get_running_loop()
    relieved: list[int] = []
    survive(loop, lambda: relieved.append(1))
    turn, fails = loop._selector.select, [True]

    def select(timeout: float | None) -> Any:  # where an event loop itself needs memory
        if fails and fails.pop():
            raise MemoryError
        return turn(timeout)

    loop._selector.select = select
    await asyncio.sleep(0.05)
    print("went on", len(relieved))


if __name__ == "__main__":
    {"bounded": bounded, "surviving": surviving}[sys.argv[1]]()
