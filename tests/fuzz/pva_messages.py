"""PV Access, right in its structure and wrong in what it says.

Source: "pvAccess Protocol Specification", EPICS 7 documentation: messages, and the encoding of types and values.
"""

import struct
from random import Random

from fuzz.ca_messages import name
from fuzz.mutations import edge

MAGIC, CONTROL, BIG = 0xCA, 0x01, 0x80
BEACON, VALIDATION, ECHO, SEARCH, AUTHNZ, CREATE, DESTROY = 0, 1, 2, 3, 5, 7, 8
GET, PUT, PUT_GET, MONITOR, ARRAY, DESTROY_REQUEST, PROCESS, GET_FIELD, MESSAGE = 10, 11, 12, 13, 14, 15, 16, 17, 18
MULTIPLE, RPC, CANCEL, ORIGIN = 19, 20, 21, 22
OPERATIONS = (GET, PUT, PUT_GET, MONITOR, PROCESS, RPC, ARRAY)
SEGMENTS = (0x10, 0x20, 0x30)

SCALARS = (0x00, 0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x42, 0x43, 0x60)
STRUCTURE, UNION, ANY, NOTHING = 0x80, 0x81, 0x82, 0xFF
EMPTY = bytes((STRUCTURE, 0, 0))

#: pvxs numbers the channels of a connection from here.
FIRST_SID = 0x07050301


def message(command: int, body: bytes, flags: int = 0, size: int | None = None) -> bytes:
    """One message, little-endian unless `flags` say otherwise; `size` is what it claims to be."""
    order = ">" if flags & BIG else "<"
    return (
        struct.pack("BBBB", MAGIC, 2, flags & 0xFF, command)
        + struct.pack(order + "I", len(body) if size is None else size)
        + body
    )


def size(number: int) -> bytes:
    """A size as the protocol encodes it."""
    return bytes((number,)) if number < 254 else b"\xfe" + struct.pack("<I", number & 0xFFFFFFFF)


def text(content: bytes) -> bytes:
    """A string."""
    return size(len(content)) + content


def description(random: Random, depth: int = 0) -> bytes:
    """The description of a type, of which some are endless, deep, or refer to what was never described."""
    choice = random.randrange(14) if depth < 6 else 0
    match choice:
        case 0 | 1 | 2 | 3:
            return bytes((random.choice(SCALARS) | random.choice((0, 0, 0x08, 0x10, 0x18)),))
        case 4:
            return bytes((random.randrange(256),))
        case 5 | 6 | 7:
            count = random.choice((0, 1, 2, 5))
            fields = b"".join(text(b"f%d" % i) + description(random, depth + 1) for i in range(count))
            claimed = count if random.random() < 0.8 else edge(random, 32)
            return bytes((random.choice((STRUCTURE, UNION)),)) + text(b"") + size(claimed) + fields
        case 8:
            return bytes((random.choice((0x88, 0x89)),)) + description(random, depth + 1)
        case 9:
            return b"\xfd" + struct.pack("<H", edge(random, 16)) + description(random, depth + 1)
        case 10:
            return b"\xfe" + struct.pack("<H", edge(random, 16))
        case 11:
            levels = random.choice((10, 200, 20_000))
            return bytes((STRUCTURE, 0, 1, 1, 0x61)) * levels + bytes((0x22,))
        case 12:
            return b"\x88" * random.choice((10, 20_000)) + bytes((0x22,))
        case _:
            return bytes((random.choice((ANY, 0x8A, NOTHING, 0x86)),)) + size(edge(random, 32))


def selection(random: Random) -> bytes:
    """Build the selection of a request: everything, mostly."""
    if random.random() < 0.6:
        return b"\xfd" + struct.pack("<H", 1) + EMPTY
    return description(random) + random.randbytes(random.choice((0, 4, 40)))


def login(random: Random) -> bytes:
    """The answer to the server's question who we are."""
    if random.random() < 0.9:
        account = (
            bytes((STRUCTURE, 0, 2)) + text(b"user") + b"\x60" + text(b"host") + b"\x60" + text(b"fuzz") + text(b"vm")
        )
        return message(VALIDATION, struct.pack("<IHH", 0x10000, 0x7FFF, 0) + text(b"ca") + account)
    body = struct.pack("<IHH", edge(random, 32), edge(random, 16), edge(random, 16))
    return message(
        VALIDATION, body + text(random.choice((b"anonymous", b"", b"x509", b"A" * 300))) + description(random)
    )


def conversation(random: Random, prefix: str) -> list[bytes]:
    """A login, a channel, and requests of which some are wrong; each waits for an answer to the one before."""
    steps = [login(random), message(CREATE, struct.pack("<HI", 1, 1) + text(name(random, prefix)))]
    for _ in range(random.randrange(1, 6)):
        steps.extend(request(random, prefix))
    return steps


def request(random: Random, prefix: str) -> list[bytes]:
    """One request; each of its numbers may be wrong."""
    sid = FIRST_SID if random.random() < 0.8 else edge(random, 32)
    ioid = random.randrange(1, 4) if random.random() < 0.8 else edge(random, 32)
    ids = struct.pack("<II", sid, ioid)
    flags = random.choice((0, 0, 0, 0, BIG, 0x40, *SEGMENTS))
    match random.randrange(12):
        case 0 | 1 | 2 | 3:
            operation = random.choice(OPERATIONS)
            begin = message(operation, ids + b"\x08" + selection(random), 0)
            act = ids + bytes((random.choice((0, 0, 0x40, 0x44, 0x04, 0x80, 0x10, edge(random, 8))),)) + _value(random)
            return [begin, message(operation, act, flags)]
        case 4:
            return [message(random.choice(OPERATIONS), ids + random.randbytes(random.randrange(40)), flags)]
        case 5:
            count = random.choice((0, 1, 2, edge(random, 16)))
            names = b"".join(
                struct.pack("<I", edge(random, 32)) + text(name(random, prefix)) for _ in range(min(count, 20))
            )
            return [message(CREATE, struct.pack("<H", count) + names, flags)]
        case 6:
            return [
                message(
                    random.choice((DESTROY, DESTROY_REQUEST, CANCEL)), ids + random.randbytes(random.choice((0, 4)))
                ),
            ]
        case 7:
            return [message(GET_FIELD, ids + text(random.choice((b"", b"value", b"a.b.c" * 400))), flags)]
        case 8:
            return [message(edge(random, 8), random.randbytes(random.choice((0, 4, 40, 4000))), flags)]
        case 9:
            return [
                message(edge(random, 8), struct.pack("<I", edge(random, 32)), flags | CONTROL, size=edge(random, 32))
            ]
        case 10:
            return [message(random.choice(OPERATIONS), ids + b"\x08" + selection(random), flags, size=edge(random, 32))]
        case _:
            body = ids + b"\x08" + description(random) + size(edge(random, 32)) + random.randbytes(20)
            cut = random.randrange(len(body) + 1)
            return [
                message(RPC, body[:cut], random.choice(SEGMENTS)),
                message(RPC, body[cut:], random.choice(SEGMENTS)),
            ]


def searches(random: Random, prefix: str) -> bytes:
    """One datagram: a search, a beacon or what passes for one."""
    if random.random() < 0.2:
        return message(
            random.choice((BEACON, ORIGIN, ECHO, edge(random, 8))), random.randbytes(random.choice((0, 16, 40, 300)))
        )
    count = random.choice((1, 1, 3, 30, edge(random, 16)))
    names = b"".join(struct.pack("<I", edge(random, 32)) + text(name(random, prefix)) for _ in range(min(count, 30)))
    where = random.choice((bytes(16), bytes(10) + b"\xff\xff\x7f\0\0\1", random.randbytes(16)))
    body = struct.pack("<IB3x", edge(random, 32), random.choice((0, 1, 0x80, 0x81))) + where
    body += struct.pack("<H", random.choice((0, 9, 65000, edge(random, 16))))
    body += b"\x01" + text(random.choice((b"tcp", b"tcp", b"tls", b""))) + struct.pack("<H", count) + names
    return message(SEARCH, body, random.choice((0, BIG)), size=None if random.random() < 0.9 else edge(random, 32))[
        :60_000
    ]


def _value(random: Random) -> bytes:
    match random.randrange(4):
        case 0:
            return b""
        case 1:
            return b"\x01\x02" + struct.pack("<d", random.choice((0.01, float("nan"), 1e300)))
        case 2:
            return description(random) + random.randbytes(20)
        case _:
            return size(edge(random, 32)) + random.randbytes(random.choice((4, 40, 400)))
