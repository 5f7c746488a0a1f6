"""Types and values in a client's request: walked through before pvxs decodes them.

pvxs makes room for as many values as a message announces, before it looks whether they are there. So sizes are held
against the bytes that did come. Types that no request of ours takes, and that announce types of their own, are refused:
unions, values of any type, and arrays of structures.

Source: "pvAccess Protocol Specification", Data Encoding: sizes, introspection data, structured data.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

MAX_DEPTH = 16
#: Largest type, with all fields in it and in the types that it refers to; and how many fields of types with numbers are
#: kept for one client. A type can refer to another a hundred times, and that to a third.
MAX_FIELDS, MAX_KEPT = 1000, 20_000
_LONG, _NULL = 254, 255
_STRUCTURE, _STRING, _NOTHING, _NAMED, _NAME = 0x80, 0x60, 0xFF, 0xFD, 0xFE
_VARIABLE, _BOUNDED, _FIXED = 0x08, 0x10, 0x18
#: Bytes of a scalar by its code; a string has at least the one of its size.
_BYTES = {0x00: 1, 0x20: 1, 0x21: 2, 0x22: 4, 0x23: 8, 0x24: 1, 0x25: 2, 0x26: 4, 0x27: 8, 0x42: 4, 0x43: 8, _STRING: 1}


_FORMATS = {0x00: "?", 0x20: "b", 0x21: "h", 0x22: "i", 0x23: "q", 0x24: "B", 0x25: "H", 0x26: "I", 0x27: "Q",
            0x42: "f", 0x43: "d"}  # fmt: skip
#: Where a request has its options.
OPTIONS = "record._options."


class ContentsError(ValueError):
    """A request that announces what it does not bring, or what nobody here takes."""


@dataclass(frozen=True, slots=True)
class TypeDescription:
    """A type: the code of a scalar, or the fields of a structure; `count` is the fixed length of an array.

    `size` is the number of all types in it, itself included.
    """

    code: int
    fields: tuple["TypeDescription", ...] = ()
    count: int = 0
    size: int = 1
    names: tuple[bytes, ...] = ()


class Contents:
    """Reader of the requests of one client, who may give types numbers to refer to later."""

    def __init__(self) -> None:
        self._named: dict[int, TypeDescription] = {}
        self._kept = 0

    def check(self, body: bytes, at: int, order: str) -> dict[str, str]:
        """Walk through a type and its value from `at` on; more may follow. Raises ContentsError.

        Scalars that are options of a request (`record._options`) are returned as texts, by their whole names.
        """
        described, at = self._type(body, at, order, 0)
        if described is None:
            return {}
        end = _value(described, body, at, order)
        return dict(_options(described, body, at, order, "")) if end > at and b"_options" in body else {}

    def _type(self, body: bytes, at: int, order: str, depth: int) -> tuple[TypeDescription | None, int]:
        code, at = _byte(body, at)
        if depth > MAX_DEPTH:
            raise ContentsError(f"a type is deeper than {MAX_DEPTH} levels")
        if code == _NOTHING:
            return None, at
        if code in (_NAMED, _NAME):
            if at + 2 > len(body):
                raise ContentsError("the number of a type is cut off")
            (number,) = struct.unpack_from(order + "H", body, at)
            if code == _NAMED:
                described, at = self._type(body, at + 2, order, depth + 1)
                if described is not None:
                    self._keep(number, described)
                return described, at
            if number not in self._named:
                raise ContentsError(f"type {number} was never described")
            return self._named[number], at + 2
        if code == _STRUCTURE:
            return self._structure(body, at, order, depth)
        scalar, shape = code & ~_FIXED, code & _FIXED
        if scalar not in _BYTES:
            raise ContentsError(f"a value of type 0x{code:02x} is not accepted here")
        count = 0
        if shape in (_BOUNDED, _FIXED):
            count, at = _size(body, at, order)
        return TypeDescription(code, count=count), at

    def _keep(self, number: int, described: TypeDescription) -> None:
        before = self._named.get(number)
        self._kept += described.size - (before.size if before is not None else 0)
        if self._kept > MAX_KEPT:
            raise ContentsError(f"types are described that have more than {MAX_KEPT} fields together")
        self._named[number] = described

    def _structure(self, body: bytes, at: int, order: str, depth: int) -> tuple[TypeDescription, int]:
        at = _text(body, at, order)
        count, at = _size(body, at, order)
        if count > len(body) - at:
            raise ContentsError(f"a structure announces {count} fields in {len(body) - at} bytes")
        fields, names = [], []
        size = 1
        for _ in range(count):
            after = _text(body, at, order)
            name = body[at + 1 : after]  # of a name that is longer than any of interest, with the rest of its size
            described, at = self._type(body, after, order, depth + 1)
            if described is not None:
                fields.append(described)
                names.append(name)
            size += 1 if described is None else described.size
            if size > MAX_FIELDS:
                raise ContentsError(f"a type has more than {MAX_FIELDS} fields")
        return TypeDescription(_STRUCTURE, tuple(fields), size=size, names=tuple(names)), at


def _options(described: TypeDescription, body: bytes, at: int, order: str, where: str) -> Iterator[tuple[str, str]]:
    """The options of a request whose value, from `at` on, has been walked through."""
    for name, field in zip(described.names, described.fields, strict=True):
        inner = where + name.decode("latin-1")
        if field.code == _STRUCTURE:
            if OPTIONS.startswith(inner + "."):
                yield from _options(field, body, at, order, inner + ".")
        elif where == OPTIONS and field.code & _FIXED == 0:
            yield inner, _shown(field.code, body, at, order)
        at = _value(field, body, at, order)


def _shown(code: int, body: bytes, at: int, order: str) -> str:
    if code == _STRING:
        size, at = _size(body, at, order)
        return body[at : at + size].decode("latin-1")
    return str(struct.unpack_from(order + _FORMATS[code], body, at)[0])


def _value(described: TypeDescription, body: bytes, at: int, order: str) -> int:
    """Find where a value of this type ends."""
    if described.code == _STRUCTURE:
        for field in described.fields:
            at = _value(field, body, at, order)
        return at
    scalar, shape = described.code & ~_FIXED, described.code & _FIXED
    count = 1
    if shape == _FIXED:
        count = described.count
    elif shape:
        count, at = _size(body, at, order)
    if count * _BYTES[scalar] > len(body) - at:
        raise ContentsError(f"{count} values are announced in {len(body) - at} bytes")
    if scalar != _STRING:
        return at + count * _BYTES[scalar]
    return _texts(count, body, at, order)


def _texts(count: int, body: bytes, at: int, order: str) -> int:
    """Find where an array of strings ends; a message has room for a million of them, so short ones pass quickly."""
    end = len(body)
    for _ in range(count):
        if at < end and (size := body[at]) < _LONG:
            at += 1 + size
        else:
            at = _text(body, at, order)
    if at > end:
        raise ContentsError(f"{count} texts are announced, the last is cut off")
    return at


def _byte(body: bytes, at: int) -> tuple[int, int]:
    if at >= len(body):
        raise ContentsError("a request is cut off")
    return body[at], at + 1


def _size(body: bytes, at: int, order: str) -> tuple[int, int]:
    """A size and where the next thing starts; that of nothing is 0."""
    size, at = _byte(body, at)
    if size == _NULL:
        return 0, at
    if size == _LONG:
        if at + 4 > len(body):
            raise ContentsError("a size is cut off")
        return int(struct.unpack_from(order + "I", body, at)[0]), at + 4
    return size, at


def _text(body: bytes, at: int, order: str) -> int:
    """Find where a string ends."""
    size, at = _size(body, at, order)
    if size > len(body) - at:
        raise ContentsError(f"a text of {size} bytes is announced in {len(body) - at}")
    return at + size
