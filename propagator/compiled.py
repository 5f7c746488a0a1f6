"""Compilation of kernels, and the cache of their machine code.

numba sees a change in the file of a cached function, not in the functions that it calls, and a package may be
installed where nothing can be written. So the machine code goes to a folder of the user's cache that is named after a
digest of the propagator's sources, their place, numba's version and the processor.
"""

import hashlib
import importlib
import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import llvmlite.binding
import numba
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

F = TypeVar("F", bound=Callable[..., Any])

#: numba's settings, shared with all its other users in this process.
settings: Any = importlib.import_module("numba.core.config")

#: The folder whose modules decide what the machine code is.
FOLDER = Path(__file__).parent


@cache
def source_digest(folder: Path = FOLDER) -> str:
    """Digest (hexadecimal) of all modules below `folder`, read once in each process.

    Modules without kernels count too: any constant can be part of the machine code, and a list of those that matter
    would be forgotten one day. Of modules with entry points the time counts as well, because numba goes by it.
    """
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        text = path.read_bytes()
        time = path.stat().st_mtime_ns if b"\n@kernel\n" in text else 0
        digest.update(f"{path.relative_to(folder).as_posix()} {len(text)} {time} ".encode())
        digest.update(text)
    return digest.hexdigest()


def cache_folder() -> Path:
    """Folder of this installation's machine code, below `NUMBA_CACHE_DIR`, `XDG_CACHE_HOME` or `~/.cache`.

    Where that cannot be written, as for a service without a home, it is below the installation, in `var/cache`. Its
    name follows from the sources, their place, numba's version and the processor.
    """
    digest = hashlib.sha256(f"{source_digest()} {os.path.abspath(FOLDER)}".encode())
    digest.update(f"{numba.__version__} {llvmlite.binding.get_host_cpu_name()}".encode())
    below = Path("gnomon") / f"kernels-{digest.hexdigest()[:16]}"
    if given := os.environ.get("NUMBA_CACHE_DIR"):
        return Path(given) / below
    first = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / below
    beside = Path(sys.prefix) / "var" / "cache" / below
    return next((folder for folder in (first, beside) if usable(folder)), first)


def usable(folder: Path) -> bool:
    """Return whether files can be kept in `folder`, which is made when missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)


def compiled(function: F) -> F:
    """Mark a function that only kernels call; it is compiled as part of them.

    Of fastmath, only the fusing of multiplications into additions is on: tests for NaN and infinity must hold.
    """
    return cast(F, numba.njit(nogil=True, error_model="numpy", fastmath={"contract"})(function))


def inlined(function: F) -> F:
    """Mark a function as `compiled` whose text takes the place of every call.

    For what short loops call: the compiler makes vector instructions of a loop only without calls in it.
    """
    return cast(F, numba.njit(nogil=True, error_model="numpy", fastmath={"contract"}, inline="always")(function))


def kernel(function: F) -> F:
    """Mark an entry point; its machine code is kept in `cache_folder` when that can be written.

    numba's global cache folder is changed for the moment of the decoration alone.
    """
    folder = cache_folder()
    keep = usable(folder)
    before = settings.CACHE_DIR
    if keep:
        settings.CACHE_DIR = str(folder)
    try:
        return cast(F, numba.njit(nogil=True, error_model="numpy", fastmath={"contract"}, cache=keep)(function))
    finally:
        settings.CACHE_DIR = before
