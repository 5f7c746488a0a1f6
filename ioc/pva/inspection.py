"""What a client sends, looked through on its way to the server: only whole, known and bounded messages pass.

Bodies are not decoded, except those that the guard itself needs: who the client is (validation), which channels it
wants, and its searches, which are taken out, since the guard answers them. What a client describes by itself, in the
beginning of an operation and as the argument of a call, is walked through (`contents`).
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass

from gnomon.ioc.pva import wire
from gnomon.ioc.pva.contents import Contents, ContentsError
from gnomon.ioc.pva.wire import Command, Header, WireError
from gnomon.lattice import GnomonError

_LAST_CONTROL = 4
_OPERATION = {order: struct.Struct(order + "IIB") for order in "<>"}
_U32 = {order: struct.Struct(order + "I") for order in "<>"}
_LONG = 254  # a size from here on follows in four bytes
_IDS = {order: struct.Struct(order + "II") for order in "<>"}
_INIT, _DESTROY = 0x08, 0x10
_LONGEST_MASK = 1024  # bytes that say which fields a put brings: more than any type has
_WHOLE = frozenset({Command.VALIDATION, Command.SEARCH, Command.CREATE_CHANNEL})
_OPERATIONS = frozenset({Command.GET, Command.PUT, Command.PUT_GET, Command.MONITOR, Command.PROCESS, Command.RPC})
_LISTS = frozenset({Command.SEARCH, Command.CREATE_CHANNEL})
_LONGEST_LIST = 2**16  # bytes of names in one message, which are looked up one by one; as many as in a datagram
_PUTS = frozenset({Command.PUT, Command.PUT_GET})
_ENDINGS = frozenset({Command.DESTROY_REQUEST, Command.DESTROY_CHANNEL})
_BEFORE_VALIDATION = frozenset({Command.VALIDATION, Command.ECHO, Command.SEARCH})
_FROM_SERVER_ONLY = frozenset({Command.BEACON, Command.SEARCH_RESPONSE, Command.VALIDATED, Command.MULTIPLE_DATA})


class Breach(GnomonError):
    """A client that breaks the protocol or a limit: it is disconnected."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest message in bytes; the most channels, and open operations, of one client."""

    message_bytes: int
    subscriptions: int


class Inspector:
    """Looks through one client's bytes, in pieces of any size.

    `readable` says whether the client may have the channel of a name; `search` is called with the body and byte order
    of a search. Channels that the server closes by itself still count until the client ends them or goes.
    """

    def __init__(self, limits: Limits, readable: Callable[[str], bool], search: Callable[[bytes, str], None]) -> None:
        self.validated = False
        self.user = ""
        self.messages = 0  # how many have begun
        self._limits = limits
        self._readable = readable
        self._search = search
        self._head = b""  # the beginning of a message, too short to judge
        self._left = 0  # bytes of the present message that are still to come
        self._whole: bytearray | None = None  # the present message, when it is kept until it is complete
        self._segmented: Header | None = None
        self._segmented_bytes = 0
        self._channels = 0
        self._operations: dict[int, set[int]] = {}
        self._contents = Contents()
        self._open = 0

    @property
    def between_messages(self) -> bool:
        """Whether all that came were whole messages."""
        return not (self._left or self._head or self._segmented)

    def feed(self, data: bytes) -> list[bytes]:
        """What of the client's bytes, and of those held back before, may pass now. Raises Breach."""
        if self._head:
            data, self._head = self._head + data, b""
        passing: list[bytes] = []
        start = at = 0  # data[start:at] is judged and not yet passed on
        end = len(data)
        while at < end:
            if self._left:
                took = min(self._left, end - at)
                self._left -= took
                if self._whole is not None:
                    self._whole += data[at : at + took]
                    start = at + took
                    if not self._left:
                        passing.append(self._completed())
                at += took
                continue
            head = self._judged(data, at)
            if head is None:
                break
            self.messages += 1
            if not head.flags & wire.CONTROL:
                self._left = head.size
                if head.command in _WHOLE or self._brings_a_type(head, data, at):
                    passing.append(data[start:at])
                    self._whole = bytearray(data[at : at + wire.HEADER_BYTES])
                    start = at + wire.HEADER_BYTES
                    if not head.size:
                        passing.append(self._completed())
            at += wire.HEADER_BYTES
        self._head = data[at:]
        passing.append(data[start:at])
        return [piece for piece in passing if piece]

    def _judged(self, data: bytes, at: int) -> Header | None:
        """The header at `at`; None when too little is there to judge it."""
        if len(data) - at < wire.HEADER_BYTES:
            if data[at] != wire.MAGIC:
                raise Breach("sent what is not PV Access")
            return None
        try:
            head = wire.header(data, at)
        except WireError as error:
            raise Breach(f"sent {data[at : at + 8]!r}, which is {error}") from None
        if head.flags & wire.FROM_SERVER:
            raise Breach("sent a message as only a server does")
        if head.flags & wire.CONTROL:
            if head.command > _LAST_CONTROL:
                raise Breach(f"sent an unknown control message ({head.command})")
            return head
        if head.command > Command.ORIGIN_TAG or head.command in _FROM_SERVER_ONLY:
            raise Breach(f"sent a message that no client sends ({head.command})")
        if not self.validated and head.command not in _BEFORE_VALIDATION:
            raise Breach("sent requests before it said who it is")
        return head if self._within_size(head) and self._counted(head, data, at) else None

    def _within_size(self, head: Header) -> bool:
        part = head.flags & wire.SEGMENT
        first, continued = self._segmented, part in (wire.MIDDLE, wire.LAST)
        if continued != (first is not None) or (first is not None and first.command != head.command):
            raise Breach("sent a message in pieces that do not belong together")
        if part and head.command in _WHOLE:
            raise Breach(f"sent {Command(head.command).name} in pieces")
        size = head.size + (self._segmented_bytes if continued else 0)
        limit = self._limits.message_bytes
        if head.command in _LISTS:
            limit = min(limit, _LONGEST_LIST)
        if size > limit:
            raise Breach(f"announced a message of {size} bytes; the limit is {limit}")
        return True

    def _counted(self, head: Header, data: bytes, at: int) -> bool:
        """Keep count of what the client has open; False when too little of the message is there."""
        part = head.flags & wire.SEGMENT
        body = at + wire.HEADER_BYTES
        if part in (0, wire.FIRST) and (head.command in _OPERATIONS or head.command in _ENDINGS):
            layout = (_OPERATION if head.command in _OPERATIONS else _IDS)[head.order]
            if head.size < layout.size:
                raise Breach(f"sent a {Command(head.command).name} that is too short")
            if len(data) - body < layout.size:
                return False
            if head.command == Command.DESTROY_CHANNEL:
                sid, _ = layout.unpack_from(data, body)
                self._channels -= 1
                self._open -= len(self._operations.pop(sid, ()))
            elif head.command == Command.DESTROY_REQUEST:
                self._end(*layout.unpack_from(data, body))
            else:
                sid, operation, step = layout.unpack_from(data, body)
                if head.command in _PUTS and not step & _INIT and not _mask_is_bounded(head, data, body + layout.size):
                    return False
                if step & _INIT:
                    self._begin(sid, operation)
                elif step & _DESTROY:
                    self._end(sid, operation)
        self._segmented_bytes = head.size + (self._segmented_bytes if part in (wire.MIDDLE, wire.LAST) else 0)
        self._segmented = head if part in (wire.FIRST, wire.MIDDLE) else None
        return True

    def _brings_a_type(self, head: Header, data: bytes, at: int) -> bool:
        """Whether the client describes something in this message, which is then looked through when it is whole."""
        if head.command not in _OPERATIONS or head.flags & wire.SEGMENT in (wire.MIDDLE, wire.LAST):
            return False
        step = data[at + wire.HEADER_BYTES + 8]
        brings = bool(step & _INIT) or (head.command == Command.RPC and head.size > _OPERATION["<"].size)
        if brings and head.flags & wire.SEGMENT:
            raise Breach(f"sent {Command(head.command).name} with a type in pieces")
        return brings

    def _begin(self, sid: int, operation: int) -> None:
        operations = self._operations.setdefault(sid, set())
        self._open += operation not in operations
        operations.add(operation)
        if self._open > self._limits.subscriptions:
            raise Breach(f"has more than {self._limits.subscriptions} subscriptions and requests open")

    def _end(self, sid: int, operation: int) -> None:
        operations = self._operations.get(sid)
        if operations and operation in operations:
            operations.remove(operation)
            self._open -= 1
            if not operations:
                del self._operations[sid]

    def _completed(self) -> bytes:
        """The message that was kept until it was whole, as it passes on."""
        kept, self._whole = bytes(self._whole or b""), None
        head, body = wire.header(kept), kept[wire.HEADER_BYTES :]
        try:
            if head.command == Command.SEARCH:
                self._search(body, head.order)
                return b""
            if head.command == Command.CREATE_CHANNEL:
                return kept[: wire.HEADER_BYTES] + self._granted(body, head.order)
            if head.command in _OPERATIONS:
                self._contents.check(body, _OPERATION["<"].size, head.order)
                return kept
            _, at = wire.text_at(body, 8, head.order)
            if at < len(body):
                self._contents.check(body, at, head.order)
            self.user = user_of(body, head.order)
        except (WireError, ContentsError) as error:
            raise Breach(f"sent {Command(head.command).name} in which {error}") from None
        self.validated = True
        return kept

    def _granted(self, body: bytes, order: str) -> bytes:
        """The channels asked for; names that the client may not have are made such that no PV has them."""
        if len(body) < 2:
            raise WireError("the number of channels is missing")
        (count,) = struct.unpack_from(order + "H", body)
        self._channels += count
        if self._channels > self._limits.subscriptions:
            raise Breach(f"has more than {self._limits.subscriptions} channels")
        granted, at = bytearray(body), 2
        for _ in range(count):
            name, after = wire.text_at(body, at + 4, order)
            if not self._readable(name.decode(errors="replace")):
                granted[after - len(name) : after] = b"\x01" * len(name)
            at = after
        return bytes(granted)


def _mask_is_bounded(head: Header, data: bytes, at: int) -> bool:
    """Whether a put's mask is short; False when too little of the message is there. Raises Breach for one that is not.

    pvxs makes room for as long a mask as is announced.
    """
    left = head.size - _OPERATION[head.order].size
    if not left:
        return True
    if at >= len(data):
        return False
    size = data[at]
    if size == _LONG:
        if left < 1 + _U32[head.order].size:
            raise Breach(f"sent a {Command(head.command).name} that is too short")
        if len(data) - at < 1 + _U32[head.order].size:
            return False
        (size,) = _U32[head.order].unpack_from(data, at + 1)
    if size > _LONGEST_MASK:
        raise Breach(f"sent a {Command(head.command).name} with a mask of {size} bytes")
    return True


def user_of(body: bytes, order: str) -> str:
    """The account in a validation message; empty when the client gives none. Raises WireError for a broken message.

    The account is the field `user` of the structure that goes with the method "ca": two strings, `user` and `host`.
    """
    method, at = wire.text_at(body, 8, order)
    if method != b"ca":
        return ""
    if body[at : at + 1] == b"\xfd":  # the type's number in the client's registry
        at += 3
    if body[at : at + 1] != b"\x80":
        return ""
    _, at = wire.text_at(body, at + 1, order)
    if body[at : at + 1] != b"\x02":
        return ""
    at += 1
    fields: list[bytes] = []
    for _ in range(2):
        name, at = wire.text_at(body, at, order)
        if body[at : at + 1] != b"\x60":
            return ""
        fields.append(name)
        at += 1
    for name in fields:
        content, at = wire.text_at(body, at, order)
        if name == b"user":
            return content.decode(errors="replace").rpartition("/")[2]
    return ""
