"""Keep p4p from importing setuptools, with which its libraries were built: a third of a second for each command.

`epicscorelibs.path` and `pvxslibs.path` import two functions of `setuptools_dso.runtime` that find shared libraries.
The package `setuptools_dso` itself imports setuptools for builds, which no command does. So it gets only these two.
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


def import_p4p_without_setuptools() -> None:
    """From now on, the first import of p4p loads nothing that only builds need."""
    if PACKAGE not in sys.modules:
        sys.meta_path.insert(0, LightPackage())
