"""Channel Access, right in its structure and wrong in what it says.

Source: "Channel Access Protocol Specification", EPICS 7 documentation: message header and commands.
"""

import struct
from random import Random

from fuzz.mutations import edge

HEADER = struct.Struct(">HHHHII")
VERSION, EVENT_ADD, EVENT_CANCEL, READ, WRITE, SEARCH = 0, 1, 2, 3, 4, 6
EVENTS_OFF, EVENTS_ON, READ_SYNC, CLEAR, READ_NOTIFY, CREATE, WRITE_NOTIFY = 8, 9, 10, 12, 15, 18, 19
CLIENT_NAME, HOST_NAME, ECHO = 20, 21, 23

NAMES = ("HS1P2K1RP:setCur", "HS1P2K1RP:rdCur", "TUNEZRP:measX", "beam:orbit:x", "beam:orbit:names", "dt:reason",
         "beam:orbit:found", "dt:active", "dt:generation", "dt:journal:path", "dt:orbit:ref:use",
         "TUNEZRP:measX.DESC", "HS1P2K1RP:setCur.DRVH", "dt:reason.VAL$", "beam:orbit:x.NORD",
         'beam:orbit:x.VAL{"arr":{"s":2,"e":9}}', 'TUNEZRP:measX.VAL{"dbnd":{"d":0.1}}', "TUNEZRP:measX.{")  # fmt: skip


def message(
    command: int, payload: bytes = b"", kind: int = 0, count: int = 0, first: int = 0, second: int = 0
) -> bytes:
    """One message with its payload padded to eight bytes."""
    payload += bytes(-len(payload) % 8)
    return HEADER.pack(command, len(payload), kind & 0xFFFF, count & 0xFFFF, first, second) + payload


def extended(command: int, size: int, kind: int, count: int, first: int, second: int, payload: bytes) -> bytes:
    """A message with the long header of large arrays, which may lie about its size."""
    return HEADER.pack(command, 0xFFFF, kind & 0xFFFF, 0, first, second) + struct.pack(">II", size, count) + payload


def name(random: Random, prefix: str) -> bytes:
    """A name that is served, mostly; else one that is not, is long, or is not a text."""
    match random.randrange(12):
        case 0:
            return random.randbytes(random.randrange(0, 80))
        case 1:
            return b"A" * random.choice((60, 500, 5000, 16000))
        case 2:
            return (
                prefix + random.choice(NAMES) + random.choice((".XYZ", ".", "..", ".VAL.VAL", "{}", ".VAL{"))
            ).encode()
        case _:
            return (prefix + random.choice(NAMES)).encode()


def conversation(random: Random, prefix: str) -> list[bytes]:
    """A login, some channels, and requests of which some are wrong; the server numbers channels from 1."""
    channels = random.randrange(1, 4)
    login = message(VERSION, count=13) + message(CLIENT_NAME, b"fuzz\0") + message(HOST_NAME, b"localhost\0")
    login += b"".join(message(CREATE, name(random, prefix) + b"\0", first=i, second=13) for i in range(channels))
    return [login, b"".join(request(random, prefix, channels) for _ in range(random.randrange(1, 10)))]


def request(random: Random, prefix: str, channels: int) -> bytes:
    """One request; each of its numbers may be wrong."""
    sid = random.randrange(1, channels + 1) if random.random() < 0.8 else edge(random, 32)
    ioid = random.randrange(4) if random.random() < 0.8 else edge(random, 32)
    kind = random.randrange(0, 39) if random.random() < 0.9 else edge(random, 16)
    count = random.choice((0, 1, 1, 2)) if random.random() < 0.8 else edge(random, 16)
    match random.randrange(16):
        case 0 | 1:
            return message(READ_NOTIFY, b"", kind, count, sid, ioid)
        case 2 | 3:
            return message(random.choice((WRITE, WRITE_NOTIFY)), _values(random), kind, count, sid, ioid)
        case 4 | 5:
            mask = struct.pack(">fffHH", 0, 0, 0, random.choice((1, 5, 7, edge(random, 16))), 0)
            return message(EVENT_ADD, mask[: random.choice((16, 16, 16, 8, 0))], kind, count, sid, ioid)
        case 6:
            return message(EVENT_CANCEL, b"", kind, count, sid, ioid)
        case 7:
            return message(CLEAR, b"", 0, 0, sid, ioid)
        case 8:
            return message(CREATE, name(random, prefix) + b"\0" * random.randrange(2), 0, 0, edge(random, 32), 13)
        case 9:
            return message(random.choice((EVENTS_OFF, EVENTS_ON, READ_SYNC, ECHO)), b"", kind, count, sid, ioid)
        case 10:
            return message(random.choice((READ, SEARCH, VERSION)), _values(random), kind, count, sid, ioid)
        case 11:
            return message(edge(random, 16), _values(random), kind, count, sid, ioid)
        case 12:
            size = random.choice((0, 8, 16, 4096, edge(random, 32)))
            return extended(
                random.choice((WRITE, WRITE_NOTIFY, EVENT_ADD, CREATE)),
                size,
                kind,
                edge(random, 32),
                sid,
                ioid,
                _values(random),
            )
        case 13:
            return message(random.choice((CLIENT_NAME, HOST_NAME)), random.randbytes(random.choice((0, 8, 40, 4000))))
        case 14:
            return HEADER.pack(random.choice((WRITE, CREATE, READ_NOTIFY)), edge(random, 16), kind, count, sid, ioid)
        case _:
            return random.randbytes(random.randrange(1, 200))


def searches(random: Random, prefix: str) -> bytes:
    """One datagram of searches, some of them wrong."""
    result = message(VERSION, kind=edge(random, 16), count=13, first=edge(random, 32)) if random.random() < 0.8 else b""
    for _ in range(random.choice((1, 1, 3, 40))):
        cid = edge(random, 32)
        result += message(SEARCH, name(random, prefix) + b"\0", random.choice((5, 10, edge(random, 16))), 13, cid, cid)
        if random.random() < 0.1:
            result += HEADER.pack(SEARCH, edge(random, 16), 5, 13, cid, cid)
    return result[:60_000]


def _values(random: Random) -> bytes:
    match random.randrange(6):
        case 0:
            return struct.pack(">d", random.choice((0.0, 0.01, float("nan"), float("inf"), -1e308, 5e-324)))
        case 1:
            return random.randbytes(random.choice((0, 1, 8, 40, 400)))
        case 2:
            return b"0.01\0".ljust(40, b"\0")
        case 3:
            return b"x" * random.choice((39, 40, 41, 4000))
        case 4:
            return struct.pack(">h", edge(random, 16) - 0x8000)
        case _:
            return struct.pack(">dd", 0.01, 0.02)
