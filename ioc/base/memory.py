"""Memory of the process, and a limit to how much clients can make it take.

A message of sixty bytes can announce 4e9 values, and a decoder that trusts it asks for as many at once. With the limit
that request fails, the decoder gives up and its client is disconnected; without it the system ends some process.
"""

import asyncio
import ctypes
import os
import resource
from collections.abc import Callable
from pathlib import Path


def resident_bytes() -> float:
    """Memory in use [bytes]; NaN where the system does not tell."""
    return _statm(1)


def data_bytes() -> float:
    """Memory that the process has requested, as the limit counts it [bytes]; NaN where the system does not tell."""
    return _statm(5)


def limit_memory_growth(growth: int) -> None:
    """Make requests for more than `growth` bytes beyond the present memory fail (Linux only)."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return
    data_kb = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmData:"))
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = data_kb * 1024 + growth
    if hard == resource.RLIM_INFINITY or wanted < hard:
        resource.setrlimit(resource.RLIMIT_DATA, (wanted, hard))


def raise_memory_limit(by: int) -> None:
    """Raise the limit to `by` bytes above the present memory, if it is lower.

    So the limit rises only while memory is really taken, by a little at a time.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if soft != resource.RLIM_INFINITY and (wanted := int(data_bytes()) + by) > soft:
        resource.setrlimit(
            resource.RLIMIT_DATA, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard)
        )


def give_back() -> None:
    """Return to the system what the C library keeps of freed memory, where it can."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def survive(loop: asyncio.AbstractEventLoop, relieve: Callable[[], None]) -> None:
    """Keep an event loop running when its own work, and not only that of a callback, finds no memory.

    asyncio reports what callbacks raise, but lets what its turns raise end the loop, and so the process.
    """
    turn = loop._run_once  # type: ignore[attr-defined]

    def sturdy() -> None:
        try:
            turn()
        except MemoryError:
            relieve()

    loop._run_once = sturdy  # type: ignore[attr-defined]


def _statm(column: int) -> float:
    try:
        return float(Path("/proc/self/statm").read_text(encoding="ascii").split()[column]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return float("nan")
