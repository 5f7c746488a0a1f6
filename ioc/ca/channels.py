"""Channels of caproto that hold no value of their own: whatever is read stands in the bank."""

import asyncio
import math
from typing import Any, Protocol

import numpy as np
from caproto import (
    AccessRights,
    ChannelData,
    ChannelDouble,
    ChannelEnum,
    ChannelInteger,
    ChannelString,
    ChannelType,
    TimeStamp,
    native_type,
    native_types,
)

from gnomon.db.pvs import Kind, PvSpec
from gnomon.ioc.bank import Bank, Reading
from gnomon.ioc.puts import PutSink
from gnomon.lattice import Client

#: Seconds from 1970 to the EPICS epoch of 1990.
EPOCH_S = 631_152_000

#: What a put that was not accepted is answered with: ECA_PUTFAIL of the protocol, code 20, severity warning.
PUT_FAILED = 160

#: What a value can come as.
PLAIN_TYPES = native_types

#: Longest text of a DBR_STRING, which ends with a zero byte.
LONGEST_STRING = 39

#: Longest text that a long-string read gives.
LONG_STRING = 1000


class Subscriber(Protocol):
    """Takes over the subscriptions of a channel."""

    def subscribe(self, channel: "BankChannel", specification: Any, subscription: Any) -> bool:
        """Serve a subscription from now on, beginning with the present value; False leaves it to caproto."""
        ...


class BankChannel(ChannelData):
    """What all channels of the bank have in common; mixed into caproto's classes.

    Reads come from the bank, subscriptions go to the publisher, and puts go to the sink: this object's own value is
    a copy made for caproto's conversions, just before each of them.
    """

    def attach(self, bank: Bank, index: int, sink: PutSink, subscriber: Subscriber) -> None:
        """Tie the channel to its PV."""
        self.bank = bank
        self.index = index
        self._sink = sink
        self._subscriber = subscriber

    def refresh(self) -> None:
        """Copy the bank's present reading for the conversions of caproto."""
        reading = self.bank.reading(self.index)
        seconds, nanoseconds = divmod(reading.time_ns, 1_000_000_000)
        self._data["value"] = self._own(reading)
        self._data["timestamp"] = TimeStamp(max(seconds - EPOCH_S, 0), nanoseconds)
        alarm = self.alarm._data
        alarm["status"], alarm["severity"] = int(reading.status), int(reading.severity)

    def _own(self, reading: Reading) -> Any:
        return reading.value

    async def _read(self, data_type: Any) -> Any:
        self.refresh()
        return await super()._read(data_type)

    def check_access(self, hostname: str, username: str) -> AccessRights:
        """All may read; setpoints may be written."""
        writable = self.bank.specs[self.index].writable
        return AccessRights.READ | AccessRights.WRITE if writable else AccessRights.READ

    async def auth_write(
        self,
        hostname: str,
        username: str,
        data: Any,
        data_type: Any,
        metadata: Any,
        *,
        flags: int = 0,
        user_address: Any = None,
    ) -> Any:
        """Hand a put on; nothing is awaited before the sink has it, so the order of puts is kept.

        Returns the status for the client. Refusals are the sink's: even what has the wrong type is handed on.
        """
        if data_type not in PLAIN_TYPES:
            return PUT_FAILED  # acknowledging an alarm, for one, is no value: nothing may move
        host = hostname or (user_address[0] if user_address else "")
        value = self._sent(data, data_type)
        reply = await asyncio.wrap_future(self._sink.put(self.index, value, Client(username or "", host, "ca")))
        return True if reply.accepted else PUT_FAILED

    def _sent(self, data: Any, data_type: Any) -> Any:
        """What the client sent, as Python values; a single value stands alone."""
        kind = native_type(data_type)
        if kind is ChannelType.STRING:
            values: list[Any] = [_text(item) for item in data]
        elif kind is ChannelType.CHAR and len(data) > 1:
            values = [_text(bytes(bytearray(data)))]  # a long string
        else:
            values = [item.item() if hasattr(item, "item") else item for item in data]
        states = self.bank.specs[self.index].states
        values = [states.index(v) if isinstance(v, str) and v in states else v for v in values]
        return values[0] if len(values) == 1 else values

    async def subscribe(self, queue: Any, sub_spec: Any, sub: Any) -> None:
        """Give the subscription to the publisher; those with filters stay caproto's."""
        if not self._subscriber.subscribe(self, sub_spec, sub):
            self._content.clear()
            await super().subscribe(queue, sub_spec, sub)


class DoubleChannel(BankChannel, ChannelDouble):
    """A number, or an array of numbers of its present length."""

    def _own(self, reading: Reading) -> Any:
        return reading.value.tolist() if isinstance(reading.value, np.ndarray) else reading.value


class IntegerChannel(BankChannel, ChannelInteger):
    """A whole number; 32 bits, so a count begins anew after 2^31."""

    def _own(self, reading: Reading) -> Any:
        return (reading.value + 2**31) % 2**32 - 2**31


class IntegersChannel(BankChannel, ChannelInteger):
    """An array of whole numbers of its present length."""

    def _own(self, reading: Reading) -> Any:
        return reading.value.tolist()


class EnumChannel(BankChannel, ChannelEnum):
    """One of a few named states."""


class StringChannel(BankChannel, ChannelString):
    """A text, or an array of texts; 39 characters unless a client reads NAME.VAL$."""

    async def _read(self, data_type: Any) -> Any:
        metadata, values = await super()._read(data_type)
        if native_type(data_type) is ChannelType.STRING:
            values = [bytes(value)[:LONGEST_STRING] for value in values]
        return metadata, values


def channel(bank: Bank, index: int, sink: PutSink, subscriber: Subscriber) -> BankChannel:
    """A channel for a PV of the bank."""
    spec = bank.specs[index]
    made: BankChannel
    match spec.kind:
        case Kind.FLOAT:
            made = DoubleChannel(value=0.0, precision=spec.precision, **_numeric(spec))
        case Kind.FLOATS:
            made = DoubleChannel(value=[0.0], max_length=spec.length, precision=spec.precision, **_numeric(spec))
        case Kind.INT:
            made = IntegerChannel(value=0, **_numeric(spec))
        case Kind.INTS:
            made = IntegersChannel(value=[0], max_length=spec.length, **_numeric(spec))
        case Kind.ENUM:
            made = EnumChannel(value=0, enum_strings=list(spec.states), reported_record_type=spec.record_type)
        case Kind.STRING:
            made = StringChannel(value="", long_string_max_length=LONG_STRING, reported_record_type=spec.record_type)
        case Kind.STRINGS:
            made = StringChannel(value=[""], max_length=spec.length, reported_record_type=spec.record_type)
        case Kind.TABLE:
            raise KeyError(spec.name)  # PV Access only
    made.attach(bank, index, sink, subscriber)
    return made


def limits(spec: PvSpec) -> dict[str, float]:
    """The limits of a numeric PV by the names of the protocol; 0 to 0 where there is none, as records have it."""
    display = spec.display or spec.drive or (0.0, 0.0)
    drive = spec.drive or (0.0, 0.0)
    alarm = spec.alarm
    names = ("lower_alarm_limit", "lower_warning_limit", "upper_warning_limit", "upper_alarm_limit")
    values = (alarm.lolo, alarm.low, alarm.high, alarm.hihi)
    given = any(v is not None for v in values)
    # Where others are given, a missing one is not-a-number: 0 would read as a limit.
    missing = math.nan if given and spec.kind not in (Kind.INT, Kind.INTS) else 0.0
    return {
        "lower_disp_limit": display[0],
        "upper_disp_limit": display[1],
        "lower_ctrl_limit": drive[0],
        "upper_ctrl_limit": drive[1],
        **{name: missing if v is None else v for name, v in zip(names, values, strict=True)},
    }


def _numeric(spec: PvSpec) -> dict[str, Any]:
    numbers: dict[str, Any] = limits(spec)
    if spec.kind in (Kind.INT, Kind.INTS):
        numbers = {name: int(value) for name, value in numbers.items()}
    return numbers | {"units": spec.unit, "reported_record_type": spec.record_type}


def _text(item: Any) -> str:
    return item if isinstance(item, str) else bytes(item).split(b"\0")[0].decode("latin-1")
