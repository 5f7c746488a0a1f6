"""Setpoints of a twin put before and after snapshots, and written back as a tool of somebody else's does."""

import random

import epics
from patience import PATIENCE_S

from programs.access import caput, pva
from programs.restoring import lattice


def put(**values: float) -> str:
    """Put the setpoints `<name>:set`: the id of the lattice afterwards."""
    for name, value in values.items():
        caput(f"TWIN:{name}:set", value)
    return lattice("TWIN:")


def put_trim(name: str, value: float) -> None:
    """Put a strength of a single magnet."""
    caput(f"TWIN:{name}:Cm:set", value)


def lattice_and(name: str) -> list[object]:
    """The id of the lattice, and a number."""
    return [lattice("TWIN:"), float(pva().get("TWIN:" + name))]


def write_back(lines: list[tuple[str, str]], seed: int, **moved: float) -> str:
    """Move something, then put all lines in a random order, strengths last: the id of the lattice afterwards."""
    random.Random(seed).shuffle(lines)
    strengths = [line for line in lines if line[0].endswith(":Cm:set")]
    pvs = {name: epics.PV(name, auto_monitor=False) for name, _ in lines}
    for pv in pvs.values():
        pv.wait_for_connection(timeout=PATIENCE_S)
    put(**moved)
    for name, value in [line for line in lines if line not in strengths] + strengths:
        pvs[name].put(float(value), wait=True, timeout=PATIENCE_S)
    return lattice("TWIN:")
