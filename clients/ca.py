"""PVs over Channel Access, by caproto. It starts no repeater process, unlike libca and caproto's command line."""

import logging
import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from caproto import CaprotoError, ChannelType, ErrorResponse
from caproto.threading.client import Context, SharedBroadcaster

from gnomon.clients.errors import NoAnswerError, RefusedError
from gnomon.clients.reading import Reading
from gnomon.clients.sampled_values import CallbackSampler
from gnomon.lattice.text import is_port

#: Longest text that Channel Access has room for, without the zero at its end [bytes].
_TEXT_BYTES = 39
_PORT = 5064
#: Seconds from 1970 to the EPICS epoch of 1990.
EPOCH_S = 631_152_000

# Late answers and the like are told by our errors; caproto's own lines would go to standard error.
logging.getLogger("caproto").addHandler(logging.NullHandler())


class CaClient:
    """A connection to servers of Channel Access, for names with their prefix; close it, or use it in a `with`."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        found = addresses(os.environ if environment is None else environment)
        self._context = Context(broadcaster=_Broadcaster(found))
        self._kept: dict[object, Any] = {}  # caproto itself keeps callbacks by weak references

    def get(self, names: Sequence[str], timeout_s: float) -> list[Reading | None]:
        """Read PVs; None for one that no server answers in time. Raises RefusedError where reading is not allowed."""
        end = time.monotonic() + timeout_s
        readings: list[Reading | None] = []
        for name, pv in zip(names, self._context.get_pvs(*names), strict=True):
            try:
                pv.wait_for_connection(timeout=max(0.001, end - time.monotonic()))
                readings.append(self._read(name, pv, max(0.1, end - time.monotonic())))
            except CaprotoError:
                readings.append(None)
        return readings

    def _read(self, name: str, pv: Any, timeout_s: float) -> Reading:
        about = pv.read(data_type="control", timeout=timeout_s)
        timed = pv.read(data_type="time", timeout=timeout_s)
        for response in (about, timed):
            if isinstance(response, ErrorResponse):
                raise RefusedError(f"{name}: the server refused to read it: {response.status.description}")
        reading = reading_of(name, about, timed)
        if isinstance(reading.value, str) and reading.index is None and len(reading.value.encode()) >= _TEXT_BYTES:
            with suppress(CaprotoError):
                (whole,) = self._context.get_pvs(f"{name}.VAL$")
                whole.wait_for_connection(timeout=timeout_s)
                text = bytes(whole.read(timeout=timeout_s).data).split(b"\0", 1)[0].decode(errors="replace")
                return Reading(name, text, severity=reading.severity, alarm=reading.alarm, time_ns=reading.time_ns)
        return reading

    def put(self, name: str, value: Any, timeout_s: float, *, wait: bool = True) -> None:
        """Write a PV; a state by its number. Without `wait`, return when the server has taken the value.

        Raises RefusedError, without the server's reason, for which Channel Access has no place, and NoAnswerError.
        """
        (pv,) = self._context.get_pvs(name)
        try:
            pv.wait_for_connection(timeout=timeout_s)
            values = value if isinstance(value, list | tuple) else [value]
            data_type = None
            if isinstance(value, str):
                data_type, values = ChannelType.STRING, [value.encode()]
            if not wait:
                pv.write(values, data_type=data_type, notify=False, wait=False, timeout=timeout_s)
                pv.read(timeout=timeout_s)  # answered when the put before it shows in the PV, or is refused
                return
            answer = pv.write(values, data_type=data_type, notify=True, wait=True, timeout=timeout_s)
        except CaprotoError as error:
            raise NoAnswerError(f"{name}: the put was not completed within {timeout_s:g} s") from error
        if isinstance(answer, ErrorResponse) or not answer.status.success:
            raise RefusedError(
                f"{name}: the server refused {value} ({answer.status.name}); Channel Access does not tell why: "
                "`gnomon log` does, and so does --protocol pva"
            )

    def sampler(self) -> CallbackSampler:
        """Make subscriptions whose news are asked for."""
        return CallbackSampler(self.monitor)

    def monitor(self, name: str, callback: Callable[[Reading | None], None]) -> Callable[[], None]:
        """Have `callback` called, in a thread, with each new reading, and with None whenever the PV disconnects.

        Returns a function that ends it.
        """
        about: list[Any] = []
        early: list[Any] = []
        subscribed = object()

        def connection(pv: Any, state: str) -> None:
            if state == "disconnected" and subscribed in self._kept:
                about.clear()
                callback(None)

        def learn(response: Any) -> None:
            about.append(response)
            while early and subscribed in self._kept:
                callback(reading_of(name, response, early.pop(0)))

        def show(_: Any, response: Any) -> None:
            # Events come in one thread, which must not wait for the answer about units and states.
            if subscribed not in self._kept:
                return
            if about:
                callback(reading_of(name, about[-1], response))
                return
            early.append(response)
            if len(early) == 1:
                with suppress(CaprotoError):
                    pv.read(data_type="control", wait=False, callback=learn)

        self._kept[subscribed] = connection, learn, show
        (pv,) = self._context.get_pvs(name, connection_state_callback=connection)
        subscription = pv.subscribe(data_type="time")
        token = subscription.add_callback(show)

        def end() -> None:
            if self._kept.pop(subscribed, None) is not None:
                with suppress(CaprotoError, AttributeError):  # of caproto, where the PV is not connected any more
                    subscription.remove_callback(token)

        return end

    def close(self) -> None:
        """Disconnect."""
        self._context.disconnect()
        self._kept.clear()

    def __enter__(self) -> "CaClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Broadcaster(SharedBroadcaster):  # type: ignore[misc]
    """A search for PVs at given addresses, whatever the environment of the process says."""

    def __init__(self, where: Sequence[tuple[str, int]]) -> None:
        self._where = where
        super().__init__()

    def send(self, *commands: Any) -> None:
        """Send to all addresses; one that cannot be reached can hold no server for us."""
        data = self.broadcaster.send(*commands)
        for address in self._where:
            if self.udp_sock is not None:
                with suppress(OSError):
                    self.udp_sock.sendto(data, address)

    def _register(self) -> None:
        """Register with no repeater: beacons only make a new search earlier."""
        self._registration_last_sent = time.monotonic()
        self._searching_enabled.set()


def addresses(environment: Mapping[str, str]) -> list[tuple[str, int]]:
    """List host and port of where to search: EPICS_CA_ADDR_LIST, by default this computer."""
    port = _port(environment.get("EPICS_CA_SERVER_PORT", "").strip(), _PORT)
    found = []
    for entry in environment.get("EPICS_CA_ADDR_LIST", "").split() or ["127.0.0.1"]:
        host, _, own = entry.partition(":")
        with suppress(OSError, UnicodeError):
            found.append((socket.gethostbyname(host), _port(own, port)))
    return found


def _port(text: str, default: int) -> int:
    """Read a port; the default for what is not one, as EPICS's own clients do."""
    return int(text) if is_port(text) else default


def reading_of(name: str, about: Any, timed: Any) -> Reading:
    """Read what caproto got: `about` with units, states and limits, `timed` with value, alarm and time."""
    facts, state = about.metadata, timed.metadata
    states = tuple(_text(each) for each in getattr(facts, "enum_strings", ())[: getattr(facts, "strs_in_use", None)])
    severity = int(state.severity)
    value: Any
    index: int | None = None
    if states or timed.data_type == ChannelType.TIME_ENUM:
        index = int(timed.data[0])
        value = states[index] if 0 <= index < len(states) else str(index)
    elif timed.data_type == ChannelType.TIME_STRING:
        texts = [_text(each) for each in timed.data]
        value = texts[0] if len(texts) == 1 else texts
    else:
        value = timed.data[0].item() if timed.data_count == 1 else timed.data
    low, high = getattr(facts, "lower_ctrl_limit", 0.0), getattr(facts, "upper_ctrl_limit", 0.0)
    return Reading(
        name=name,
        value=value,
        unit=_text(getattr(facts, "units", b"")),
        severity=severity,
        alarm=getattr(state.status, "name", str(state.status)) if severity else "",
        time_ns=(state.stamp.secondsSinceEpoch + EPOCH_S) * 1_000_000_000 + state.stamp.nanoSeconds,
        states=states,
        index=index,
        limits=(float(low), float(high)) if low < high else None,
    )


def _text(value: bytes | str) -> str:
    return value.split(b"\0", 1)[0].decode(errors="replace") if isinstance(value, bytes) else value
