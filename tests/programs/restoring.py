"""Settings before a server is killed, and after."""

from programs.access import caput, pva, pvget


def lattice(prefix: str) -> str:
    """The id of the lattice in force."""
    return str(pvget(prefix + "dt:lattice").value)


def change(puts: list[tuple[str, float]]) -> list[object]:
    """Put to a twin and to its fork: lattice and tune of the twin, and the lattice of the fork."""
    for name, value in puts:
        caput("TWIN:" + name, value)
    caput("WHATIF:HS4P2D1R:set", 0.7)
    return [lattice("TWIN:"), float(pva().get("TWIN:TUNEZR:rdH")), lattice("WHATIF:")]


def look(names: list[str]) -> list[object]:
    """Lattice and tune of the twin, some of its values, and the lattice of its fork."""
    values = [float(pva().get("TWIN:" + name)) for name in names]
    return [lattice("TWIN:"), float(pva().get("TWIN:TUNEZR:rdH")), *values, lattice("WHATIF:")]
