"""A machine over Channel Access, by pyepics."""

import math
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from time import monotonic
from typing import Any

from epics import PV, ca

from gnomon.recorder.recorder_errors import MachineError
from gnomon.recorder.replay_machine import PvState

__all__ = ["EpicsMachine"]


class EpicsMachine:
    """`MachineClient` over Channel Access; the EPICS environment variables give the machine's address."""

    def __init__(self) -> None:
        # At the end of the process pyepics would wait for a machine that does not answer any more.
        ca.AUTO_CLEANUP = False
        self._pvs: dict[str, Any] = {}

    def connect(self, pvs: Iterable[str], timeout_s: float) -> tuple[str, ...]:
        """See `MachineClient`."""
        names = tuple(dict.fromkeys(pvs))
        for name in names:
            if name not in self._pvs:
                self._pvs[name] = PV(name, auto_monitor=False, connection_timeout=timeout_s)
        deadline = monotonic() + timeout_s
        while monotonic() < deadline and not all(self._pvs[name].connected for name in names):
            ca.poll(evt=0.01, iot=0.1)
        return tuple(name for name in names if not self._pvs[name].connected)

    def get(self, pv: str, timeout_s: float) -> PvState:
        """See `MachineClient`."""
        return self.get_all((pv,), timeout_s)[pv]

    def get_all(self, pvs: Iterable[str], timeout_s: float) -> Mapping[str, PvState]:
        """See `MachineClient`."""
        deadline = monotonic() + timeout_s
        asked = []
        for pv in dict.fromkeys(pvs):
            channel = self._connected(pv).chid
            with _machine_errors(pv):
                form = ca.promote_type(channel, use_time=True)
                ca.get_with_metadata(channel, ftype=form, wait=False)
            asked.append((pv, channel, form))
        ca.flush_io()
        states: dict[str, PvState] = {}
        for pv, channel, form in asked:
            rest_s = max(0.0, deadline - monotonic())
            with _machine_errors(pv), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # pyepics warns of errors that are reported here
                data = ca.get_complete_with_metadata(channel, ftype=form, timeout=rest_s, as_numpy=False)
            if data is None:
                raise MachineError(f"{pv}: no answer to a read within {timeout_s:g} s")
            states[pv] = _state(pv, data)
        return states

    def put(self, pv: str, value: float, timeout_s: float) -> None:
        """See `MachineClient`."""
        found = self._connected(pv)
        if not found.write_access:
            raise MachineError(f"{pv}: no write access on this machine")
        with _machine_errors(pv):
            status = found.put(value, wait=True, timeout=timeout_s)
        if status is None or status < 0:
            raise MachineError(f"{pv} = {value:g}: the write was not completed within {timeout_s:g} s")

    def limits(self, pv: str, timeout_s: float) -> tuple[float, float]:
        """See `MachineClient`."""
        found = self._connected(pv)
        with _machine_errors(pv):
            data = found.get_ctrlvars(timeout=timeout_s)
        if data is None:
            raise MachineError(f"{pv}: no answer to a request for its limits within {timeout_s:g} s")
        return _limit(data.get("lower_ctrl_limit")), _limit(data.get("upper_ctrl_limit"))

    def unit(self, pv: str, timeout_s: float) -> str:
        """See `MachineClient`."""
        found = self._connected(pv)
        with _machine_errors(pv):
            data = found.get_ctrlvars(timeout=timeout_s)
        if data is None:
            raise MachineError(f"{pv}: no answer to a request for its unit within {timeout_s:g} s")
        return str(data.get("units") or "")

    def _connected(self, pv: str) -> Any:
        found = self._pvs.get(pv)
        if found is None or not found.connected:
            raise MachineError(f"{pv}: not connected")
        return found


@contextmanager
def _machine_errors(pv: str) -> Iterator[None]:
    try:
        yield
    except (ca.ChannelAccessException, ca.CASeverityException) as error:
        raise MachineError(f"{pv}: {error}") from error


def _state(pv: str, data: Mapping[str, Any]) -> PvState:
    value, severity = data["value"], data["severity"]
    if not isinstance(value, int | float) or severity is None:
        raise MachineError(f"{pv}: {value!r} is not a number")
    return PvState(float(value), int(severity), _nanoseconds(data))


def _nanoseconds(data: Mapping[str, Any]) -> int:
    seconds, rest = data.get("posixseconds"), data.get("nanoseconds")
    return int(seconds) * 10**9 + int(rest) if seconds is not None and rest is not None else 0


def _limit(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else math.nan
