"""Values and what belongs to them, packed into any of the protocol's data types (DBR) as EPICS's own server packs them.

Source: `db_access.h` of EPICS base, which defines the structures; conversions between types follow its `dbConvert`.
"""

import math
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnomon.ioc.wire.ca_framing import EPOCH_S
from gnomon.lattice.text import NotANumberError, parse_number

STRING, SHORT, FLOAT, ENUM, CHAR, LONG, DOUBLE = range(7)
PLAIN, STS, TIME, GR, CTRL = range(5)  # a type is 7 x form + native type
PUT_ACKT, PUT_ACKS, STSACK_STRING, CLASS_NAME = 35, 36, 37, 38
TIME_DOUBLE = 7 * TIME + DOUBLE

#: Bytes of a text, the zero at its end included.
STRING_SIZE = 40
UNITS_SIZE, STATES, STATE_SIZE = 8, 16, 26

WIRE_TYPES = {SHORT: ">i2", FLOAT: ">f4", ENUM: ">u2", CHAR: "u1", LONG: ">i4", DOUBLE: ">f8"}
SIZES = {STRING: STRING_SIZE, SHORT: 2, FLOAT: 4, ENUM: 2, CHAR: 1, LONG: 4, DOUBLE: 8}
ONE_DOUBLE = struct.Struct(">d")
LIMIT_CODES = {SHORT: "h", FLOAT: "f", CHAR: "B", LONG: "i", DOUBLE: "d"}
WHOLE = {t: (int(np.iinfo(WIRE_TYPES[t]).min), int(np.iinfo(WIRE_TYPES[t]).max)) for t in (SHORT, ENUM, CHAR, LONG)}
#: Numbers are clipped to this magnitude before they become integers.
MAX_WHOLE = 2.0**62
#: Zero bytes between alarm (and time stamp) and value.
STS_PADS, TIME_PADS = {CHAR: 1, DOUBLE: 4}, {SHORT: 2, ENUM: 2, CHAR: 3, DOUBLE: 4}


class Unconvertible(ValueError):
    """A value that cannot be had as the type that was asked for."""


class NotATextError(ValueError):
    """A value put as a text is not one: its bytes are not UTF-8, or there are none."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Properties of a PV besides its value.

    `limits` are upper and lower display limits, upper alarm, upper warning, lower warning and lower alarm limits, upper
    and lower control limits, NaN where there is none.
    """

    units: str = ""
    precision: int = 0
    states: tuple[str, ...] = ()
    limits: tuple[float, ...] = (0.0, 0.0, math.nan, math.nan, math.nan, math.nan, 0.0, 0.0)
    record_type: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """A value at one moment: a number, a text, an array, a list of texts, or bytes; with its alarm and time."""

    value: Any
    status: int
    severity: int
    time_ns: int


def is_readable(data_type: int) -> bool:
    """Tell whether values can be sent as this type."""
    return 0 <= data_type <= CLASS_NAME and data_type not in (PUT_ACKT, PUT_ACKS)


def encode(state: State, facts: Facts, data_type: int, count: int) -> tuple[bytes, int]:
    """The payload and the number of values in it.

    `count` values are sent, missing ones as zeros; 0 asks for as many as there are. Raises Unconvertible.
    """
    if data_type == CLASS_NAME:
        return _texts([facts.record_type]), 1
    if data_type == STSACK_STRING:
        head, native = struct.pack(">HHHH", state.status, state.severity, 1, state.severity), STRING
    else:
        form, native = divmod(data_type, 7)
        head = _head(state, facts, form, native)
    body, present = _values(state.value, facts, native)
    if count and count != present:
        size = SIZES[native]
        body = body[: count * size].ljust(count * size, b"\0")
        present = count
    # Without any value there is still room for one, as EPICS's server leaves it: clients look at the whole structure.
    return head + (body or bytes(SIZES[native])), present


def decode(data_type: int, count: int, payload: bytes) -> list[Any]:
    """The values that a client sent: numbers, or texts.

    Raises Unconvertible for an incomplete value, NotATextError for bytes that are not a text.
    """
    if not STRING <= data_type <= DOUBLE:
        raise Unconvertible(f"type {data_type} is not a plain value")
    if len(payload) < count * SIZES[data_type] and not (data_type == STRING and count == 1 and payload):
        raise Unconvertible(f"{count} values were announced, but {len(payload)} bytes came")
    if data_type == DOUBLE and count == 1:
        return list(ONE_DOUBLE.unpack_from(payload))
    if data_type == STRING:
        cells = (payload[i * STRING_SIZE : (i + 1) * STRING_SIZE] for i in range(count))
        return [text_of(cell) for cell in cells]
    values: list[Any] = np.frombuffer(payload, WIRE_TYPES[data_type], count).tolist()
    return values


def _head(state: State, facts: Facts, form: int, native: int) -> bytes:
    """Encode what precedes the value."""
    if form == PLAIN:
        return b""
    alarm = struct.pack(">HH", state.status, state.severity)
    if form == TIME:
        seconds, nanoseconds = divmod(state.time_ns, 1_000_000_000)
        return alarm + struct.pack(">II", max(seconds - EPOCH_S, 0), nanoseconds) + bytes(TIME_PADS.get(native, 0))
    if form == STS or native == STRING:
        return alarm + (bytes(STS_PADS.get(native, 0)) if form == STS else b"")
    if native == ENUM:
        states = facts.states[:STATES]
        names = b"".join(_cell(name, STATE_SIZE) for name in states)
        return alarm + struct.pack(">H", len(states)) + names.ljust(STATES * STATE_SIZE, b"\0")
    precision = struct.pack(">hH", facts.precision, 0) if native in (FLOAT, DOUBLE) else b""
    limits = facts.limits if form == CTRL else facts.limits[:6]
    numbers: tuple[float, ...] = limits if native in (FLOAT, DOUBLE) else tuple(_whole(v, native) for v in limits)
    packed = struct.pack(f">{len(limits)}{LIMIT_CODES[native]}", *numbers)
    return alarm + precision + _cell(facts.units, UNITS_SIZE) + packed + (b"\0" if native == CHAR else b"")


def _values(value: Any, facts: Facts, native: int) -> tuple[bytes, int]:
    """The values alone, and how many there are."""
    if native == DOUBLE and isinstance(value, float):
        return ONE_DOUBLE.pack(value), 1
    if isinstance(value, bytes):  # a long text
        if native == STRING:
            return _texts([text_of(value)]), 1
        return _numbers(np.frombuffer(value, np.uint8), native)
    if native == STRING:
        texts = _as_texts(value, facts)
        return _texts(texts), len(texts)
    if isinstance(value, str | list):
        try:
            value = [_number_of(item) for item in ([value] if isinstance(value, str) else value)]
        except NotANumberError as error:
            raise Unconvertible(str(error)) from error
    return _numbers(np.atleast_1d(np.asarray(value, dtype=float)), native)


def _number_of(item: Any) -> float:
    if isinstance(item, str):
        return parse_number(item) if item else 0.0
    return float(item)


def _numbers(values: NDArray[Any], native: int) -> tuple[bytes, int]:
    if native in WHOLE:
        # What is still too large for the type wraps around.
        values = np.clip(np.nan_to_num(values), -MAX_WHOLE, MAX_WHOLE).astype(np.int64)
    with np.errstate(over="ignore"):
        return values.astype(WIRE_TYPES[native]).tobytes(), len(values)


def _as_texts(value: Any, facts: Facts) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return value
    if isinstance(value, np.ndarray):
        return [_number_text(number, facts.precision) for number in value.tolist()]
    if facts.states and 0 <= value < len(facts.states):
        return [facts.states[int(value)]]
    return [_number_text(value, facts.precision)]


def _number_text(value: float, precision: int) -> str:
    """A number as records show it: fixed point, exponents for what is very large or very precise.

    Up to 1e7 the digit behind the last one shown decides, and a half goes up; beyond, at most three decimals are shown.
    Found out by reading records of EPICS 7's soft IOC (tests/system/ca/test_as_soft_ioc.py).
    """
    if isinstance(value, int):
        return str(value)
    precision = max(precision, 0)
    if precision > 8 or abs(value) > 1e16:
        precision = min(precision, 17)
        return f"{value:{precision + 7}.{precision}e}"
    if not abs(value) <= 1e7:  # NaN, too
        precision = min(precision, 3)
        return f"{value:{precision or ''}.{precision}f}"
    whole = int(abs(value))
    fraction = (int((abs(value) - whole) * 10 ** (precision + 1)) + 5) // 10
    if fraction >= 10**precision:
        whole, fraction = whole + 1, fraction - 10**precision
    decimals = f".{fraction:0{precision}d}" if precision else ""
    return f"{'-' if value < 0 else ''}{whole}{decimals}"


def _texts(texts: list[str]) -> bytes:
    return b"".join(_cell(item, STRING_SIZE) for item in texts)


def _cell(item: str, size: int) -> bytes:
    """Encode a text in a cell of fixed size, cut so that a zero byte ends it."""
    return cut(item, size - 1).ljust(size, b"\0")


def cut(item: str, size: int) -> bytes:
    """Encode a text as UTF-8 in at most `size` bytes, cut between two characters."""
    data = item.encode(errors="replace")
    return data if len(data) <= size else data[:size].decode(errors="ignore").encode()


def text_of(data: bytes) -> str:
    """Decode the text before the first zero byte. Raises NotATextError."""
    try:
        return data.split(b"\0", 1)[0].decode()
    except UnicodeDecodeError as error:
        raise NotATextError("a text that is not UTF-8; nothing was changed") from error


def _whole(value: float, native: int) -> int:
    if not math.isfinite(value):
        return 0
    low, high = WHOLE[native]
    return (int(value) - low) % (high - low + 1) + low
