"""Compilation of kernels, and the cache of their machine code.

numba notices a change in the file of a cached function, but not in the functions that this one calls; and a package may
be installed where nothing can be written. So the machine code goes to a folder in the user's cache, named after a
digest of the propagator's sources, their path, numba's version and the processor.
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
from numba.extending import intrinsic
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

F = TypeVar("F", bound=Callable[..., Any])

#: numba's settings, shared by everything in this process that uses numba.
settings: Any = importlib.import_module("numba.core.config")
arrayobj: Any = importlib.import_module("numba.np.arrayobj")

#: The folder whose modules the machine code depends on.
FOLDER = Path(__file__).parent


@cache
def source_digest(folder: Path = FOLDER) -> str:
    """Compute the digest (hexadecimal) of all modules below `folder`, once per process.

    Modules without kernels count too: any constant can be part of the machine code, and a list of those that matter
    would not be kept up to date. Of modules with entry points the modification time counts as well, since numba checks
    it.
    """
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        text = path.read_bytes()
        time = path.stat().st_mtime_ns if b"\n@kernel\n" in text else 0
        digest.update(f"{path.relative_to(folder).as_posix()} {len(text)} {time} ".encode())
        digest.update(text)
    return digest.hexdigest()


def cache_folder() -> Path:
    """Return the folder for machine code, below `NUMBA_CACHE_DIR`, `XDG_CACHE_HOME` or `~/.cache`.

    If that cannot be written, as for a service without a home folder, it is in `var/cache` of the installation. The
    folder's name depends on the sources, their path, numba's version and the processor.
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
    """Return True if files can be kept in `folder`, which is made if missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)


def compiled(function: F) -> F:
    """Mark a function that only kernels call; it is compiled as part of them.

    Of fastmath, only fused multiply-add is on, so that tests for NaN and infinity still work.
    """
    return cast(F, numba.njit(nogil=True, error_model="numpy", fastmath={"contract"})(function))


def inlined(function: F) -> F:
    """Mark a function as `compiled` and inline it at every call.

    For functions that short loops call: the compiler vectorises a loop only if there are no calls in it.
    """
    return cast(F, numba.njit(nogil=True, error_model="numpy", fastmath={"contract"}, inline="always")(function))


def embedded(function: F) -> F:
    """Mark a function as `compiled` that the compiler must put in the place of every call.

    For what is called for every slice, where a call costs as much as its work. Unlike `inlined` code it is compiled and
    typed once.
    """
    return cast(F, numba.njit(nogil=True, error_model="numpy", fastmath={"contract"}, forceinline=True)(function))


def _borrowed(context: Any, array: Any) -> Any:
    """Return the numba signature of `borrowed` for its argument's type, and what builds its code."""

    def build(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        own = arrayobj.make_array(array)(target, builder, arguments[0])
        own.meminfo = own.meminfo.type(None)
        return own._getvalue()

    return array(array), build


#: Within compiled code, the same array without its count of references, which views of it in a loop would change each
#: time. For arrays that a kernel was handed; it must not return one.
borrowed: Callable[[Floats], Floats] = cast(Any, intrinsic)(_borrowed)


def kernel(function: F) -> F:
    """Mark an entry point; its machine code is kept in `cache_folder` if that can be written.

    numba's global cache folder is changed only during the decoration.
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
