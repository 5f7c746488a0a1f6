"""The Archiver Appliance's own format: `.pb` files, and `getData.raw` (PB over HTTP).

Format: lines of one Protocol Buffers message each, in which escape, line feed and carriage return are written as 1B 01,
1B 02 and 1B 03. The first line of a chunk is a header (type, PV, year), each other line a sample (second of the year,
nanosecond, value, severity). An empty line ends a chunk. Messages: `EPICSEvent.proto` of the appliance.

Only scalars are read, five fields of two messages: a general decoder and generated code would be more than this module.
"""

import re
import struct
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from io import BytesIO
from typing import NamedTuple

from gnomon.lattice.text import printable
from gnomon.recorder.archives.archive_samples import Archive, ArchiveError, Sample, time_of

_ESCAPED = re.compile(rb"\x1b([\x01\x02\x03])")
_MEANT = {b"\x01": b"\x1b", b"\x02": b"\n", b"\x03": b"\r"}
#: Wire types of Protocol Buffers.
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
#: Fields of the header, and of a sample.
TYPE, PV, YEAR = 1, 2, 3
SECOND, NANO, VALUE, SEVERITY = 1, 2, 3, 4
#: First type of the header that is not a scalar.
FIRST_ARRAY = 7
MAX_VARINT_BYTES = 10

Field = int | bytes


class _Header(NamedTuple):
    kind: int
    pv: str
    start_s: int


class _WrongMessageError(ValueError):
    """A line that is not such a message."""


def is_pb(data: bytes) -> bool:
    """True if data begin with the header of a chunk."""
    try:
        _header(data.lstrip(b"\n").partition(b"\n")[0])
    except _WrongMessageError:
        return False
    return True


def parse_pb(data: bytes) -> Archive:
    """Read all chunks. A line that cannot be read is noted, and so is half of one at the end.

    Raises ArchiveError if the first line is not the header of a chunk.
    """
    if not data.strip(b"\n"):
        return Archive()  # the answer about a PV that is not archived
    if not is_pb(data):
        raise ArchiveError("not a file of the Archiver Appliance (PB)")
    found, header, wanted = Archive(), None, True
    number, rest = 0, False
    for number, whole in enumerate(BytesIO(data), 1):  # one line at a time: a list of them is larger than the file
        line = whole.removesuffix(b"\n")
        if line == whole:
            rest = True
        elif not line:
            header, wanted = None, True
        elif wanted:
            wanted = False
            try:
                header = _header(line)
            except _WrongMessageError as error:
                found.leave(f"line {number}: a header that {error}; its samples are left out")
                continue
            if header.kind >= FIRST_ARRAY:
                found.arrays.add(header.pv)
        elif header is not None and header.kind < FIRST_ARRAY:
            try:
                found.samples.append(_sample(line, header))
            except _WrongMessageError as error:
                found.leave(f"line {number}: a sample of {printable(header.pv)} that {error}")
    if rest:  # what is there may be a message of its own, with another value or without its severity
        found.unread.append(f"line {number}: the file ends within it")
    return found


def _header(line: bytes) -> _Header:
    fields = _fields(line)
    kind, pv, year = fields.get(TYPE), fields.get(PV), fields.get(YEAR)
    if not isinstance(kind, int) or not isinstance(pv, bytes) or not isinstance(year, int):
        raise _WrongMessageError("has no type, PV and year")
    try:
        return _Header(kind, pv.decode(), int(datetime(year, 1, 1, tzinfo=UTC).timestamp()))
    except (ValueError, OverflowError) as error:
        raise _WrongMessageError("has no name of a PV, or no year") from error


def _sample(line: bytes, header: _Header) -> Sample:
    fields = _fields(line)
    second, nano, value = fields.get(SECOND), fields.get(NANO), fields.get(VALUE)
    if not isinstance(second, int) or not isinstance(nano, int) or value is None:
        raise _WrongMessageError("has no time and value")
    severity = fields.get(SEVERITY, 0)
    try:
        converted = _VALUES[header.kind](value)
    except (struct.error, TypeError, ValueError) as error:
        raise _WrongMessageError("has a value of another type") from error
    try:
        time_ns = time_of(header.start_s + second, nano)
    except ValueError as error:
        raise _WrongMessageError("has a time before 1970 or after 2200") from error
    return Sample(time_ns, header.pv, converted, severity if isinstance(severity, int) else 0)


def _fields(line: bytes) -> dict[int, Field]:
    """Take a message apart: the last value of each field, by its number."""
    message = _ESCAPED.sub(lambda match: _MEANT[match[1]], line)
    found: dict[int, Field] = {}
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, wire = key >> 3, key & 7
        if wire == VARINT:
            found[number], at = _varint(message, at)
            continue
        if wire == BYTES:
            length, at = _varint(message, at)
        elif wire in _LENGTHS:
            length = _LENGTHS[wire]
        else:
            raise _WrongMessageError("is not a message")
        if at + length > len(message):
            raise _WrongMessageError("ends in a field")
        found[number], at = message[at : at + length], at + length
    return found


_LENGTHS = {FIXED64: 8, FIXED32: 4}


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    for byte in message[at : at + MAX_VARINT_BYTES]:
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise _WrongMessageError("ends in a number")


def _fixed(form: str) -> Callable[[Field], float]:
    return lambda value: struct.unpack(form, value)[0]  # type: ignore[arg-type]


def _zigzag(value: Field) -> float:
    if not isinstance(value, int):
        raise TypeError
    return (value >> 1) ^ -(value & 1)


def _text(value: Field) -> str:
    if not isinstance(value, bytes):
        raise TypeError
    return value.decode()


#: Conversions by the header's type: string, short, float, enumeration, byte, int, double.
_VALUES: Mapping[int, Callable[[Field], float | str]] = {
    0: _text,
    1: _zigzag,
    2: _fixed("<f"),
    3: _zigzag,
    4: _fixed("<b"),
    5: _fixed("<i"),
    6: _fixed("<d"),
}
