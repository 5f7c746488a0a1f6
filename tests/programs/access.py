"""Common parts of client programs: plain gets and puts over both protocols, each one asking the server."""

from collections.abc import Iterable
from functools import cache
from typing import Any

import epics
from p4p.client.thread import Context
from patience import PATIENCE_S

TIMEOUT_S = PATIENCE_S


def caget(name: str, **options: Any) -> Any:
    """The value of a PV over Channel Access, None when nobody answers."""
    return epics.caget(name, timeout=PATIENCE_S, use_monitor=False, **options)


def caput(name: str, value: Any) -> Any:
    """Put over Channel Access and wait until it has been done: 1 is done."""
    return epics.caput(name, value, wait=True, timeout=TIMEOUT_S)


def caget_all(names: Iterable[str]) -> list[Any]:
    """The values of PVs, one after the other."""
    return [caget(name) for name in names]


def caput_all(puts: Iterable[tuple[str, Any]]) -> bool:
    """Put values one after the other. Raises AssertionError at the first that is not done."""
    for name, value in puts:
        done = epics.PV(name).put(value, wait=True, timeout=TIMEOUT_S)
        assert done == 1, name
    return True


@cache
def pva() -> Context:
    """The process's PV Access client, which gives plain values."""
    return Context("pva")


@cache
def pva_structures() -> Context:
    """The process's PV Access client that gives whole structures."""
    return Context("pva", nt=False)


def pvget(name: str) -> Any:
    """The whole structure of a PV over PV Access."""
    return pva().get(name, timeout=PATIENCE_S).raw


def pvput(name: str, value: Any) -> None:
    """Put over PV Access. Raises RemoteError with the server's reason when it is refused."""
    pva().put(name, value, timeout=TIMEOUT_S)


def tried(name: str, value: Any, accepted: str = "accepted") -> str:
    """Put over PV Access: the reason of a refusal, or `accepted`."""
    try:
        pvput(name, value)
    except Exception as error:  # noqa: BLE001  whatever the client library tells its user
        return str(error)
    return accepted


def ca_severity(name: str) -> int:
    """The alarm severity of a PV over Channel Access."""
    pv = epics.PV(name, form="time", auto_monitor=False)
    pv.get(timeout=PATIENCE_S)
    return int(pv.severity)
