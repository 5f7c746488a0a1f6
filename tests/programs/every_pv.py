"""Reads very many PVs at a time, by three client libraries."""

from typing import Any

import epics
from caproto.threading.client import Context as CaprotoContext
from patience import PATIENCE_S

from programs.access import pva, pva_structures


def by_caproto(names: list[str]) -> dict[str, list[Any]]:
    """{name: [unit, number of values]}."""
    pvs = CaprotoContext().get_pvs(*names, timeout=PATIENCE_S)
    for pv in pvs:
        pv.wait_for_connection(timeout=PATIENCE_S)
    answers = [pv.read(data_type="control", timeout=PATIENCE_S) for pv in pvs]
    return {name: [_unit(answer), len(answer.data)] for name, answer in zip(names, answers, strict=True)}


def _unit(answer: Any) -> Any:
    units = getattr(answer.metadata, "units", b"")
    return units.decode() if isinstance(units, bytes) else units


def by_pyepics(names: list[str]) -> dict[str, list[Any]]:
    """{name: [unit, number of values]}."""
    pvs = [epics.PV(name, form="ctrl") for name in names]
    for pv in pvs:
        assert pv.wait_for_connection(timeout=PATIENCE_S), pv.pvname
    found = {}
    for pv in pvs:
        assert pv.get(timeout=PATIENCE_S) is not None or pv.count == 0, pv.pvname
        found[pv.pvname] = [pv.units or "", pv.count]
    return found


def by_p4p(names: list[str]) -> dict[str, list[Any]]:
    """{name: [unit, 1]}."""
    values = pva_structures().get(names, timeout=PATIENCE_S)
    units = [value.get("display.units", "") if value.has("display.units") else "" for value in values]
    return {name: [unit, 1] for name, unit in zip(names, units, strict=True)}


def missing(over_ca: list[str], over_pva: list[str]) -> list[str]:
    """List the PVs that give no value over the protocol that they are asked for."""
    ca_values = epics.caget_many(over_ca, timeout=PATIENCE_S)
    pva_values = pva().get(over_pva, timeout=PATIENCE_S, throw=False)
    found = [name for name, value in zip(over_ca, ca_values, strict=True) if value is None]
    return found + [name for name, value in zip(over_pva, pva_values, strict=True) if isinstance(value, Exception)]
