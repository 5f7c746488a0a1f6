"""Resources that a process and its children use."""

import psutil


def _family(pid: int) -> list[psutil.Process]:
    parent = psutil.Process(pid)
    return [parent, *parent.children(recursive=True)]


def cpu_s(pid: int) -> float:
    """CPU seconds, user and system, since the start."""
    times = [process.cpu_times() for process in _family(pid)]
    return float(sum(time.user + time.system for time in times))


def rss_mb(pid: int) -> float:
    """Resident memory in MiB."""
    return float(sum(process.memory_info().rss for process in _family(pid)) / 2**20)
