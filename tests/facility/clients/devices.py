"""Whole devices: all PVs of a device connect with the type and the rights that it expects, or the device does not."""

from typing import Any

import epics
from patience import PATIENCE_S

from facility.clients.ca import PREFIX

TIMEOUT_S = PATIENCE_S


def over_channel_access(names: list[str]) -> dict[str, list[Any]]:
    """{name: [type, number of values, unit, whether it can be written, severity]}. Raises TimeoutError."""
    pvs = {name: epics.PV(PREFIX + name, form="time") for name in names}
    missing = [name for name, found in pvs.items() if not found.wait_for_connection(TIMEOUT_S)]
    if missing:
        raise TimeoutError(f"do not connect: {missing}")
    answers: dict[str, list[Any]] = {}
    for name, found in pvs.items():
        found.get(timeout=TIMEOUT_S)
        unit = (found.get_ctrlvars(timeout=TIMEOUT_S) or {}).get("units", "")
        answers[name] = [found.type.removeprefix("time_"), found.nelm, unit, found.write_access, found.severity]
    return answers


def over_pv_access(names: list[str]) -> dict[str, list[Any]]:
    """{name: [structure, type of the value, unit]}. Raises TimeoutError."""
    from p4p.client.thread import Context

    values = Context("pva", nt=False).get([PREFIX + name for name in names], timeout=TIMEOUT_S)
    answers: dict[str, list[Any]] = {}
    for name, value in zip(names, values, strict=True):
        unit = value.get("display.units", "") if value.has("display.units") else ""
        answers[name] = [value.getID(), str(value.type()["value"]), unit]
    return answers


def table(name: str) -> dict[str, list[Any]]:
    """The columns of a table."""
    from p4p.client.thread import Context

    value = Context("pva", nt=False).get(PREFIX + name, timeout=TIMEOUT_S)
    return {column: [*value["value"][column]] for column in value["labels"]}
