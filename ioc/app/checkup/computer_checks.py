"""Checks of the computer: clock, disk, open files, compiled kernels, files that others can read."""

import ctypes
import ctypes.util
import os
import resource
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from gnomon.ioc.app.checkup.check_results import Finding, error, good, warning
from gnomon.lattice.files import others_have_access

#: Free space of a disk below which to warn, and below which nothing can be relied on [bytes].
LOW_BYTES, FULL_BYTES = 2 * 2**30, 100 * 2**20
#: Earliest time that a clock that was set can show [s since 1970]: 2025.
PLAUSIBLE_S = 1_735_689_600
#: Answer of adjtimex(2) for a clock that nothing keeps right.
TIME_ERROR = 5


def check_clock(
    now_s: Callable[[], float] = time.time, synchronised: Callable[[], bool | None] | None = None
) -> Finding:
    """Check that the clock is set and kept right: time stamps of PVs, journal and shadow rest on it."""
    now = now_s()
    if now < PLAUSIBLE_S:
        return error("clock", f"shows {time.strftime('%Y-%m-%d', time.gmtime(now))}", "set the clock, and start NTP")
    kept = (is_synchronised if synchronised is None else synchronised)()
    if kept is False:
        return warning(
            "clock",
            "is not synchronised",
            "start chrony or systemd-timesyncd: a shadow compares its time stamps with those of the machine",
        )
    return good("clock", "synchronised" if kept else "set; the system does not tell whether it is synchronised")


def is_synchronised() -> bool | None:
    """Ask the kernel whether something keeps the clock right; None where it does not tell."""
    name = ctypes.util.find_library("c")
    try:
        libc = ctypes.CDLL(name)
        buffer = ctypes.create_string_buffer(512)  # struct timex, with modes 0: only read
        answer = libc.adjtimex(buffer)
    except (AttributeError, OSError, TypeError):
        return None
    return None if answer < 0 else answer != TIME_ERROR


def check_disks(folders: Mapping[str, Path], usage: Callable[[Path], int] | None = None) -> Iterator[Finding]:
    """Check that files can be written in each folder, and that there is room."""
    free = (lambda path: shutil.disk_usage(path).free) if usage is None else usage
    for what, folder in folders.items():
        there = next((each for each in (folder, *folder.parents) if each.exists()), folder)
        if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
            yield error(what, f"{folder} cannot be written", f"give the user the right to write in {there}")
            continue
        left = free(there)
        told = f"{folder}: {left / 2**30:.1f} GiB free"
        if left < FULL_BYTES:
            yield error(what, told, "make room: without it no command is taken")
        elif left < LOW_BYTES:
            yield warning(what, told, "make room, or move old journals and results away")
        else:
            yield good(what, told)


def check_open_files(wanted: int) -> Finding:
    """Check that the process may have as many connections and files as it wants."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < wanted:
        return warning(
            "open files",
            f"at most {most}, and guard.max_connections needs {wanted}",
            "raise the limit: LimitNOFILE= in the unit, or ulimit -n",
        )
    return good("open files", "no limit" if most == resource.RLIM_INFINITY else f"at most {most}")


def check_kernels(are_cached: Callable[[], bool]) -> Finding:
    """Check that the kernels are compiled, so that a start takes a second and no minute."""
    if are_cached():
        return good("kernels", "compiled")
    return warning("kernels", "not compiled", "the first gnomon serve compiles them, which takes up to a minute")


def check_secrets(files: Mapping[str, Path]) -> Iterator[Finding]:
    """Check that nobody else can read the files of tokens, keys and passwords that there are."""
    for what, file in files.items():
        if not file.exists():
            continue
        if others_have_access(file):
            yield error(
                what, f"{file}: others can read it", f"chmod 600 {file}, and make a new one if others had access"
            )
        else:
            yield good(what, f"{file}: for its owner alone")
