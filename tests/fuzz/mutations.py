"""Mutations of valid bytes: the damage that networks, bugs and people do."""

import struct
from collections.abc import Sequence
from random import Random

#: Numbers that break things: borders of types, sizes beyond all memory, and the protocols' own marks.
EDGES = (0, 1, 2, 7, 8, 0x7F, 0x80, 0xFD, 0xFE, 0xFF, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000,
         0xFFFFFFF0, 0xFFFFFFFE, 0xFFFFFFFF)  # fmt: skip


def edge(random: Random, bits: int) -> int:
    """A number of so many bits, from the borders more often than not."""
    return (random.choice(EDGES) if random.random() < 0.8 else random.getrandbits(bits)) & ((1 << bits) - 1)


def damaged(random: Random, message: bytes) -> bytes:
    """A message with one kind of damage."""
    if not message:
        return random.randbytes(random.randrange(1, 64))
    at = random.randrange(len(message))
    match random.randrange(8):
        case 0:
            return message[:at] + bytes([message[at] ^ (1 << random.randrange(8))]) + message[at + 1 :]
        case 1:
            return message[:at] + random.randbytes(random.randrange(1, 9)) + message[at + 1 :]
        case 2:
            return message[:at]
        case 3:
            return message[:at] + message[random.randrange(at, len(message)) :]
        case 4:
            piece = message[at : at + random.randrange(1, 33)]
            return message[:at] + piece * random.choice((2, 3, 100)) + message[at:]
        case 5:
            return message[:at] + struct.pack(random.choice((">I", "<I")), edge(random, 32)) + message[at + 4 :]
        case 6:
            return message[:at] + struct.pack(random.choice((">H", "<H")), edge(random, 16)) + message[at + 2 :]
        case _:
            return message + random.randbytes(random.choice((1, 7, 16, 300, 5000)))


def mutated(random: Random, messages: Sequence[bytes], others: Sequence[bytes]) -> list[bytes]:
    """A conversation with one to four things wrong: damaged, lost, repeated, swapped or foreign messages."""
    result = list(messages)
    for _ in range(random.randrange(1, 5)):
        at = random.randrange(len(result)) if result else 0
        match random.randrange(8):
            case 0 if result:
                del result[at]
            case 1 if result:
                result.insert(at, result[at])
            case 2 if len(result) > 1:
                other = random.randrange(len(result))
                result[at], result[other] = result[other], result[at]
            case 3 if others:
                result.insert(at, random.choice(others))
            case _ if result:
                result[at] = damaged(random, result[at])
    return result
