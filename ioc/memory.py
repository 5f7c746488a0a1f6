"""How much memory the process has, and a bound to how much it can be made to take.

A message of sixty bytes can announce 4e9 values, and a decoder that trusts it asks for as many at once. With the bound
that request fails, the decoder gives up and its client is disconnected; without it the system ends some process.
"""

import os
import resource
from pathlib import Path


def resident() -> float:
    """Memory in use [bytes]; not-a-number where the system does not tell."""
    try:
        return float(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return float("nan")


def bound(growth: int) -> None:
    """Let requests fail that would take the process more than `growth` bytes beyond what it has now (Linux only)."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return
    data_kb = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmData:"))
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = data_kb * 1024 + growth
    if hard == resource.RLIM_INFINITY or wanted < hard:
        resource.setrlimit(resource.RLIMIT_DATA, (wanted, hard))
