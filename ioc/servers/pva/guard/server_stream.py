"""The server's messages, followed from header to header: where a message ends is known, not guessed.

So an answer of the guard's own is only ever put between two messages. Bodies are not looked at, except those that tell
which channels there are, and the echo that the guard has asked for, which is taken out.
"""

import struct
from collections.abc import Callable

from gnomon.ioc.wire.pva_framing import BIG_ENDIAN, CONTROL, FIRST, HEADER_BYTES, MAGIC, MIDDLE, SEGMENT, Command
from gnomon.lattice import GnomonError

_SIZE = (struct.Struct("<I").unpack_from, struct.Struct(">I").unpack_from)
_IDS = {"<": struct.Struct("<II"), ">": struct.Struct(">II")}
_LOOKED_AT = frozenset({Command.ECHO, Command.CREATE_CHANNEL, Command.DESTROY_CHANNEL})
_MAX_KEPT = 4096  # bytes of a message that is looked at; an echo of the client's own may be longer and is not ours
_OK_STATUS = (0xFF, 0x00, 0x01)  # success, success with a message, warning


class ServerStreamError(GnomonError):
    """The server's bytes are not what a server sends: the connection cannot go on."""


class ServerStream:
    """Walk through the bytes of one connection of the server.

    `created` is called with the client's and the server's number of a channel, the latter None for one that is not
    made; `destroyed` with the server's number. `echo` is the body of the echo that was asked for, empty when none was.
    """

    def __init__(self, created: Callable[[int, int | None], None], destroyed: Callable[[int], None]) -> None:
        self.echo = b""
        self.echoed = False  # the echo has come; for the caller to reset
        self._created = created
        self._destroyed = destroyed
        self._left = 0  # bytes of the present message that are still to come
        self._in_segments = False
        self._held = b""  # the beginning of a message that is judged when more is there

    @property
    def between_messages(self) -> bool:
        """True if what was passed on ended with a whole message."""
        return not self._left and not self._in_segments

    def feed(self, data: memoryview, answers: bytes = b"") -> tuple[list[bytes | memoryview], bytes]:
        """Return what of the server's bytes goes to the client now, and what is left of `answers`, none if all are in.

        Answers go where one message ends and the next begins. Raises ServerStreamError.
        """
        if self._held:
            data, self._held = memoryview(self._held + data), b""
        at, end, start = self._left, len(data), 0
        pieces: list[bytes | memoryview] = []
        if at > end:
            self._left = at - end
            return [data], answers
        last = end - HEADER_BYTES
        looked_at, sizes = _LOOKED_AT, _SIZE
        while at <= last:
            if data[at] != MAGIC:
                raise ServerStreamError("the server sent something else than messages")
            flags, command = data[at + 2], data[at + 3]
            if answers and not self._in_segments:
                pieces += (data[start:at], answers)
                answers, start = b"", at
            if flags & CONTROL:
                at += HEADER_BYTES
                continue
            (size,) = sizes[flags >> 7](data, at + 4)
            after = at + HEADER_BYTES + size
            if flags & SEGMENT:
                self._in_segments = flags & SEGMENT in (FIRST, MIDDLE)
            elif command in looked_at and size <= _MAX_KEPT:
                if after > end:
                    break
                if self._is_taken_out(command, data[at + HEADER_BYTES : after], ">" if flags & BIG_ENDIAN else "<"):
                    pieces.append(data[start:at])
                    start = after
            at = after
        if at < end:
            self._held, self._left = bytes(data[at:end]), 0
            pieces.append(data[start:at])
        else:
            self._left = at - end
            pieces.append(data[start:end])
        if answers and self.between_messages:
            pieces.append(answers)
            answers = b""
        return [piece for piece in pieces if len(piece)], answers

    def _is_taken_out(self, command: int, body: memoryview, order: str) -> bool:
        if command == Command.ECHO:
            if not self.echo or body != self.echo:
                return False
            self.echo, self.echoed = b"", True
            return True
        if len(body) >= _IDS[order].size:
            first, second = _IDS[order].unpack_from(body)
            if command == Command.DESTROY_CHANNEL:
                self._destroyed(first)
            else:
                made = len(body) > 8 and body[8] in _OK_STATUS
                self._created(first, second if made else None)
        return False
