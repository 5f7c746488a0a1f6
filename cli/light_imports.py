"""Keep libraries from importing what no command needs: seconds, for what starts hundreds of times a day.

`epicscorelibs.path` and `pvxslibs.path` import two functions of `setuptools_dso.runtime` that find shared libraries.
The package `setuptools_dso` itself imports setuptools for builds, which no command does. So it gets only these two.

numba imports every package that extends it, such as awkward and sparse, which tiled installs; our kernels use none.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType

PACKAGE = "setuptools_dso"
FUNCTIONS = ("dylink_prepare_dso", "find_dso")
EXTENSIONS = "numba.core.entrypoints"


class LightPackage(MetaPathFinder, Loader):
    """Finds `setuptools_dso`, once, and gives it the run-time functions; without them it is the real one."""

    def __init__(self) -> None:
        self._real: ModuleSpec | None = None

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Answer for that package alone."""
        if fullname != PACKAGE:
            return None
        sys.meta_path.remove(self)
        self._real = find_spec(PACKAGE)
        if self._real is None:
            return None
        light = ModuleSpec(PACKAGE, self, origin=self._real.origin, is_package=True)
        light.submodule_search_locations = self._real.submodule_search_locations
        return light

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Leave it to the import system."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Fill the package."""
        assert self._real is not None
        assert self._real.loader is not None
        try:
            runtime = import_module(f"{PACKAGE}.runtime")
            if hasattr(runtime, "_auto_pkg"):
                vars(runtime)["_auto_pkg"] = _calling_package
            vars(module).update({name: getattr(runtime, name) for name in FUNCTIONS})
        except (ImportError, AttributeError):
            self._real.loader.exec_module(module)


def _calling_package() -> str:
    """Name the module that called the function that asks.

    The original lists all frames with their sources, which takes longer the more modules there are: 15 ms in a command,
    more than a second in a large program.
    """
    return str(sys._getframe(2).f_globals["__name__"])


class NumbaWithoutExtensions(MetaPathFinder, Loader):
    """Finds numba's list of extensions, once, and says that it has been gone through."""

    def __init__(self) -> None:
        self._real: Loader | None = None

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Answer for that module alone."""
        if fullname != EXTENSIONS:
            return None
        sys.meta_path.remove(self)
        spec = find_spec(EXTENSIONS)
        if spec is None or spec.loader is None:
            return None
        self._real, spec.loader = spec.loader, self
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Leave it to the import system."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Run the module; a numba that keeps its list otherwise imports its extensions."""
        assert self._real is not None
        self._real.exec_module(module)
        if hasattr(module, "_already_initialized"):
            vars(module)["_already_initialized"] = True


def import_numba_without_extensions() -> None:
    """From now on, the first import of numba, and what it compiles, load no other packages.

    For processes of our own, not for a user's Python.
    """
    if EXTENSIONS not in sys.modules:
        sys.meta_path.insert(0, NumbaWithoutExtensions())


def import_p4p_without_setuptools() -> None:
    """From now on, the first import of p4p loads nothing that only builds need."""
    if PACKAGE not in sys.modules:
        sys.meta_path.insert(0, LightPackage())
