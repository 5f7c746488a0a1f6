"""A case by its seed and number: the same bytes on every machine, whenever it is asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from random import Random

from fuzz import ca_messages, pva_messages
from fuzz.mutations import damaged, mutated

CORPUS = Path(__file__).parent / "corpus"
PREFIX = "TWIN:"


class Road(StrEnum):
    """Way in which a case reaches the server."""

    CA_TCP = "ca-tcp"
    CA_UDP = "ca-udp"
    PVA_TCP = "pva-tcp"
    PVA_UDP = "pva-udp"


class End(StrEnum):
    """Way in which a client leaves: says goodbye and reads what still comes, just closes, or resets the connection."""

    POLITE = "polite"
    CLOSE = "close"
    RESET = "reset"


@dataclass(frozen=True, slots=True)
class Case:
    """Steps of one client. Each step waits for a moment for an answer to the one before."""

    number: int
    road: Road
    steps: tuple[bytes, ...]
    end: End = End.CLOSE


class Corpus:
    """Real exchanges and everything that was found: the client's bytes, one file each, whose name begins with the road.

    A new file changes what cases a seed gives.
    """

    def __init__(self, folder: Path = CORPUS) -> None:
        self._folder = folder

    @cached_property
    def conversations(self) -> dict[Road, list[list[bytes]]]:
        """All files of a road, message by message."""
        files = sorted(self._folder.glob("*.bin"))
        return {road: [messages(road, f.read_bytes()) for f in files if f.name.startswith(road.value)] for road in Road}


def messages(road: Road, stream: bytes) -> list[bytes]:
    """A stream cut at the ends of its messages; what does not fit is the last piece."""
    result = []
    while stream:
        if road in (Road.CA_TCP, Road.CA_UDP):
            length = 16 + int.from_bytes(stream[2:4], "big")
        else:
            control, big = stream[2:3] > b"" and stream[2] & 1, stream[2:3] > b"" and stream[2] & 0x80
            length = 8 + (0 if control else int.from_bytes(stream[4:8], "big" if big else "little"))
        result.append(stream[:length])
        stream = stream[length:]
    return result


def make(seed: int, number: int, corpus: Corpus) -> Case:
    """The case of this seed and number."""
    random = Random(f"{seed}/{number}")
    road = random.choice((Road.CA_TCP, Road.CA_TCP, Road.PVA_TCP, Road.PVA_TCP, Road.CA_UDP, Road.PVA_UDP))
    end = random.choice((End.POLITE, End.POLITE, End.CLOSE, End.RESET))
    protocol = ca_messages if road in (Road.CA_TCP, Road.CA_UDP) else pva_messages
    if road in (Road.CA_UDP, Road.PVA_UDP):
        return Case(number, road, (_datagram(random, protocol.searches(random, PREFIX), corpus.conversations[road]),))
    kept = corpus.conversations[road]
    match random.randrange(10):
        case 0:
            steps: Sequence[bytes] = [random.randbytes(random.choice((1, 16, 200, 4000)))]
        case 1:
            steps = [
                random.choice((b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"SSH-2.0-fuzz\r\n", b"\x16\x03\x01\x02\x00\x01"))
            ]
        case 2 | 3 | 4 if kept:
            steps = mutated(random, random.choice(kept), [m for messages in kept for m in messages])
        case 5:
            steps = mutated(random, protocol.conversation(random, PREFIX), [])
        case 6 if kept:
            steps = random.choice(kept)  # a good exchange in between
        case _:
            steps = protocol.conversation(random, PREFIX)
    return Case(number, road, tuple(step for step in steps if step), end)


def _datagram(random: Random, made: bytes, kept: Sequence[Sequence[bytes]]) -> bytes:
    match random.randrange(4):
        case 0 if kept:
            return damaged(random, b"".join(random.choice(kept)))[:60_000]
        case 1:
            return damaged(random, made)[:60_000]
        case 2:
            return random.randbytes(random.choice((0, 1, 15, 16, 40, 1500)))
        case _:
            return made
