"""gnomon: a digital shadow of a synchrotron storage ring that any EPICS client can talk to."""

from importlib import import_module
from typing import Any

__all__ = ["__version__", "connect"]  # noqa: F822: found by __getattr__

__version__ = "0.1.0"

#: Names that are imported on first use, with their modules: `import gnomon` itself loads nothing.
_LAZY = {"connect": "gnomon.clients.remote_ring"}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
