"""Use of a server whose files are kept as those of a version."""

from typing import Any

from programs.access import caget, caput, pvget


def refused(name: str, value: float) -> Any:
    """Put what cannot be: the value that is in force afterwards."""
    caput(name, value)
    return caget(name)


def served(prefix: str) -> dict[str, Any]:
    """The settings, the tunes and the lattice in force."""
    names = ["QFP:set", "QDP:set", "QDP:read", "SFP:set", "CP:set", "TUNE:X", "TUNE:Y"]
    return {name: caget(prefix + name) for name in names} | {"lattice": str(pvget(prefix + "dt:lattice").value)}
