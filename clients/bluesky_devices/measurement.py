"""A device that is triggered: its reading is newer than the last setting."""

import asyncio
import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from bluesky.protocols import Hints, Reading, Triggerable
from event_model import DataKey
from ophyd_async.core import (
    AsyncStatus,
    SignalR,
    StandardReadable,
    make_datakey,
    soft_signal_rw,
)
from ophyd_async.core import StandardReadableFormat as Format

from gnomon.clients.bluesky_devices.server_session import Served, Session, age_of, read_now
from gnomon.clients.errors import NoBeamError, StaleReadingError

__all__ = ["INVALID", "Measurement"]

#: Severity of a value that must not be taken for a fresh one, as ophyd-async has it.
INVALID = -1
#: Longest time that a reading takes, from when it can show the last setting [s], and how often it is looked for.
FRESH_S, POLL_S = 10.0, 0.02

Readings = Sequence[Reading[Any]]


class Measurement(Served, StandardReadable, Triggerable):
    """A device whose `trigger` waits for a reading newer than the last setting made with the same ring's devices.

    On a twin it is the reading of the generation in which that setting is. On a machine it has come after the arrival
    of the readback, the supply's settling time, and `NAME-settle`, over which the meter averages: then its average
    began after the setting. It is not the one that was taken last, by time stamp and count. Only time stamps of the
    same PV are compared. Raises StaleReadingError, NoBeamError when it is INVALID, and NoAnswerError.
    """

    def __init__(self, session: Session, name: str, *, averaging_s: float) -> None:
        self._session = session
        self._count: SignalR[int] | None = None
        self._last: tuple[float, int | None] = (0.0, None)
        self._settled_s = 0.0
        self._taken: dict[str, Reading[Any]] | None = None
        with self.add_children_as_readables(Format.CONFIG_SIGNAL):
            self.settle = soft_signal_rw(float, averaging_s, units="s", precision=3)
        super().__init__(name=name)

    @abstractmethod
    def _signals(self) -> Sequence[SignalR[Any]]:
        """List the signals that are read together."""

    @abstractmethod
    def _values(self, readings: Readings) -> Mapping[str, Any]:
        """Return the meaning of the readings, by suffix of the key."""

    @abstractmethod
    async def _describe_values(self) -> Mapping[str, DataKey]:
        """Describe each value, by suffix of the key."""

    _hinted: Sequence[str] = ()

    @AsyncStatus.wrap
    async def trigger(self) -> None:
        """Take a reading."""
        self._taken = await self._take()

    async def read(self) -> dict[str, Reading[Any]]:
        """Return the reading that was triggered last; without a trigger, take one."""
        if self._taken is None:
            self._taken = await self._take()
        return {**await super().read(), **self._taken}

    async def describe(self) -> dict[str, DataKey]:
        """Describe what `read` returns."""
        own = {**await self._describe_values(), **self._describe_number()}
        return {**await super().describe(), **{f"{self.name}-{key}": told for key, told in own.items()}}

    @property
    def hints(self) -> Hints:
        """Name the keys that tables and plots show."""
        return {"fields": [f"{self.name}-{key}" for key in self._hinted]}

    def _describe_number(self) -> dict[str, DataKey]:
        """Describe what tells a reading from others, where there is such a thing."""
        generation = self._session.generation
        if self._session.is_mock:
            return {}
        if self._session.is_twin and generation is not None:
            return {"generation": make_datakey(int, 0, generation.source, {})}
        return {} if self._count is None else {"count": make_datakey(int, 0, self._count.source, {})}

    async def _next(self) -> tuple[Readings, Mapping[str, Any]]:
        """Wait for readings that are newer than those that were taken last, of a twin too."""
        return await (self._take_raw() if self._session.is_mock else self._after_last_setting())

    async def _take(self) -> dict[str, Reading[Any]]:
        readings, more = await self._take_raw()
        time_s = max(reading["timestamp"] for reading in readings)
        severity = max((reading.get("alarm_severity", 0) for reading in readings), default=0)
        values = {**self._values(readings), **more}
        return {
            f"{self.name}-{key}": Reading(value=value, timestamp=time_s, alarm_severity=severity)
            for key, value in values.items()
        }

    async def _take_raw(self) -> tuple[Readings, Mapping[str, Any]]:
        """Take readings that belong together, and what tells them from others: generation or count."""
        if self._session.is_mock:
            return await self._read_all(), {}
        if self._session.is_twin:
            return await self._of_generation()
        return await self._after_last_setting()

    async def _read_all(self) -> Readings:
        readings = await asyncio.gather(*(read_now(signal) for signal in self._signals()))
        if all(reading.get("alarm_severity", 0) == INVALID for reading in readings):
            raise NoBeamError(await self._why_invalid())
        return readings

    async def _why_invalid(self) -> str:
        trouble = await self._session.trouble()
        return f"{self.name}: {self._signals()[0].source} is INVALID" + (f": {trouble}" if trouble else "")

    async def _of_generation(self) -> tuple[Readings, Mapping[str, Any]]:
        """Read until all readings are of the generation that the server shows before and after."""
        generation = self._session.generation
        assert generation is not None  # else it is no twin
        end = time.monotonic() + FRESH_S
        shown = await read_now(generation)
        while True:
            readings = await self._read_all()
            again = await read_now(generation)
            # A repeated reading has a later time stamp than its generation, an older one an earlier.
            fresh = min(reading["timestamp"] for reading in readings) >= shown["timestamp"]
            if fresh and again["value"] == shown["value"]:
                self._last = (max(reading["timestamp"] for reading in readings), None)
                self._settled_s = self._session.settled_s
                return readings, {"generation": int(shown["value"])}
            if time.monotonic() > end:
                raise self._stale(readings[0], shown["timestamp"])
            if not fresh:
                await asyncio.sleep(POLL_S)
            shown = again

    async def _after_last_setting(self) -> tuple[Readings, Mapping[str, Any]]:
        last_s, last_count = self._last
        settled_s, than_s = self._session.settled_s, [last_s] * len(self._signals())
        if settled_s > self._settled_s:  # none of this device's readings has shown that setting so far
            await asyncio.sleep(max(0.0, settled_s + await self.settle.get_value() - time.monotonic()))
            than_s = [max(last_s, each["timestamp"]) for each in await self._read_all()]
        end = time.monotonic() + FRESH_S
        while True:
            count = (await read_now(self._count))["value"] if self._count is not None else None
            reading = await read_now(self._signals()[0])
            if reading["timestamp"] > than_s[0] and (count is None or count != last_count):
                readings = await self._read_all()
                shown = [each.get("alarm_severity", 0) != INVALID for each in readings]
                stamps = [each["timestamp"] for each in readings]
                if all(stamps[n] > than_s[n] for n, valid in enumerate(shown) if valid):
                    self._last = (max(stamp for stamp, valid in zip(stamps, shown, strict=True) if valid), count)
                    self._settled_s = settled_s
                    return readings, {} if count is None else {"count": int(count)}
            elif reading.get("alarm_severity", 0) == INVALID:
                await self._read_all()
            if time.monotonic() > end:
                raise self._stale(reading, than_s[0])
            await asyncio.sleep(POLL_S)

    def _stale(self, reading: Reading[Any], after_s: float) -> StaleReadingError:
        return StaleReadingError(
            f"{self.name}: no reading of {self._signals()[0].source} came within {FRESH_S:g} s that is newer than "
            f"{time.strftime('%H:%M:%S', time.localtime(after_s))}; the last one is {age_of(reading['timestamp'])}"
        )
