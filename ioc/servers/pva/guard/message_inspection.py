"""Inspection of a client's messages on their way to the server: only whole, known and bounded messages pass.

A message is kept until it is complete, one that comes in segments until its last, and then passes as one: so what the
server has had always ends with a message, and something of the guard's own may follow.

Bodies are not decoded, except those that the guard itself needs: who the client is (validation), which channels it
wants, and its searches, which are taken out, since the guard answers them. What a client describes by itself, in the
beginning of an operation and as the argument of a call, is walked through (`contents`).
"""

import struct
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from gnomon.ioc.servers.pva.guard.contents import Contents, ContentsError
from gnomon.ioc.wire import pva_framing as wire
from gnomon.ioc.wire.pva_framing import Command, Header, WireError
from gnomon.lattice import GnomonError
from gnomon.lattice.text import NotANumberError, parse_number, shorten

_LAST_CONTROL = 4
_OPERATION = {order: struct.Struct(order + "IIB") for order in "<>"}
_U32 = {order: struct.Struct(order + "I") for order in "<>"}
_LONG = 254  # a size from here on follows in four bytes
_IDS = {order: struct.Struct(order + "II") for order in "<>"}
_INIT, _DESTROY, _PIPELINE, _GET, _START = 0x08, 0x10, 0x80, 0x40, 0x44
_MAX_MASK = 1024  # bytes that say which fields a put brings: more than any type has
_WHOLE = frozenset({Command.VALIDATION, Command.SEARCH, Command.CREATE_CHANNEL})
_OPERATIONS = frozenset({Command.GET, Command.PUT, Command.PUT_GET, Command.MONITOR, Command.PROCESS, Command.RPC})
_LISTS = frozenset({Command.SEARCH, Command.CREATE_CHANNEL})
_MAX_LIST = 2**16  # bytes of names in one message, which are looked up one by one; as many as in a datagram
_PUTS = frozenset({Command.PUT, Command.PUT_GET})
_ENDINGS = frozenset({Command.DESTROY_REQUEST, Command.DESTROY_CHANNEL, Command.CANCEL_REQUEST})
_TO_CHANNELS = _OPERATIONS | _ENDINGS | {Command.GET_FIELD}  # those that begin with the number of a channel
_LOOKED_AT = _WHOLE | _TO_CHANNELS
_BEFORE_VALIDATION = frozenset({Command.VALIDATION, Command.ECHO, Command.SEARCH})
_FROM_SERVER_ONLY = frozenset({Command.BEACON, Command.SEARCH_RESPONSE, Command.VALIDATED, Command.MULTIPLE_DATA})
#: Longest queue that a client may have its updates kept in; pvxs keeps as many as it is told.
MAX_QUEUE = 10_000
_DEFAULT_QUEUE = 4
#: What pvxs and we keep for a channel, and for an operation [bytes]; measured, rounded up.
CHANNEL_BYTES, OPERATION_BYTES = 1000, 3500
UPDATE_BYTES = 600  # an update in a queue, besides its value
_ANSWER_BYTES = 500  # an answer without a value: at most a type


#: Channels whose end the server has caused and the client may not have heard of.
_MAX_WITHDRAWN = 10_000

#: What pvxs knows the list of PVs as, which clients know as `server`; as long as that.
SERVER_CHANNEL = "\x01erver"


class Breach(GnomonError):
    """A client that breaks the protocol or a limit: it is disconnected."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest message in bytes; the most channels, and open operations, of one client."""

    message_bytes: int
    subscriptions: int


class Inspector:
    """Inspector of one client's bytes, in pieces of any size.

    `readable` says whether the client may have the channel of a name; `search` is called with the body and byte order
    of a search; `value_bytes` says how large an update of a name is. `delay_s` says by how much the channel of a name
    is made late; `wait` is then called with that time and a wish to give to `late_channel` after it. The server's side
    tells which channels there are (`created`, `destroyed`).
    """

    def __init__(
        self,
        limits: Limits,
        readable: Callable[[str], bool],
        search: Callable[[bytes, str], None],
        value_bytes: Callable[[str], int] = lambda name: 0,
        delay_s: Callable[[str], float] = lambda name: 0.0,
        wait: Callable[[float, bytes], None] = lambda delay_s, wish: None,
    ) -> None:
        self.validated = False
        self.user = ""
        self.messages = 0  # how many are complete
        self.asked_bytes = 0  # of what has passed, and of the answers to it, since the caller last set this to 0
        self.max_asked_bytes = 2**40  # no more passes until then
        self.puts = 0  # that have passed, and may not be shown yet, since the caller last set this to 0
        self.waits = False  # the next message reads, and there are such puts
        self._limits = limits
        self._readable = readable
        self._search = search
        self._value_bytes = value_bytes
        self._delay_s = delay_s
        self._wait = wait
        self._data = bytearray()  # the beginning of a message, and what follows when no more may pass
        self._needed = 0  # bytes until there is something to do
        self._segmented: Header | None = None
        self._segments = bytearray()
        self._awaited: dict[int, list[tuple[int, str]]] = {}  # by the client's number: size of an update, and the name
        self._awaited_count = 0
        self._names: dict[int, tuple[int, str]] = {}  # of the channels there are: the client's number, and the name
        self._withdrawn: dict[int, None] = {}  # channels that we have ended: what still comes for them does not pass
        self._channels: dict[int, int] = {}  # the same of those that there are, by the server's number
        self._operations: dict[int, dict[int, int]] = {}  # by channel: the length of each one's queue
        self._contents = Contents()
        self._open = 0
        self._queue_bytes = 0
        self._acknowledged_s: dict[tuple[int, int], float] = {}  # of pipelined monitors: when the last updates were

    @property
    def between_messages(self) -> bool:
        """True if all that came were whole messages."""
        return not (self._data or self._segmented)

    @property
    def full(self) -> bool:
        """True if no more may pass now."""
        return self.asked_bytes >= self.max_asked_bytes

    @property
    def held_bytes(self) -> int:
        """Approximate size of what we and pvxs keep for the client when nothing waits for it."""
        channels = self._awaited_count + len(self._channels)
        return len(self._data) + len(self._segments) + CHANNEL_BYTES * channels + OPERATION_BYTES * self._open

    @property
    def queue_bytes(self) -> int:
        """Approximate size that the client's queues of updates can reach."""
        return self._queue_bytes

    def unacknowledged_bytes(self, since_s: float) -> int:
        """Size that the queues can have that the client empties by acknowledging, and has not since then."""
        return sum(
            self._operations.get(sid, {}).get(operation, 0) * self._channels.get(sid, 0)
            for (sid, operation), at_s in self._acknowledged_s.items()
            if at_s < since_s
        )

    def created(self, cid: int, sid: int | None) -> None:
        """The server has answered the wish for a channel; `sid` is None when there is none. Raises Breach."""
        wishes = self._awaited.get(cid)
        if not wishes:
            return
        size, name = wishes.pop(0)
        self._awaited_count -= 1
        if not wishes:
            del self._awaited[cid]
        if sid is not None:
            self._channels[sid] = size + UPDATE_BYTES
            self._names[sid] = cid, name

    def channels_to(self, is_meant: Callable[[str], bool]) -> list[tuple[int, int]]:
        """List the channels to some names, by the server's and the client's number."""
        return [(sid, cid) for sid, (cid, name) in self._names.items() if is_meant(name)]

    @property
    def channels(self) -> int:
        """Number of channels that there are."""
        return len(self._channels)

    def withdraw(self, sid: int) -> None:
        """Let nothing pass to a channel any more; the server is about to end it."""
        self._withdrawn[sid] = None
        if len(self._withdrawn) > _MAX_WITHDRAWN:
            del self._withdrawn[next(iter(self._withdrawn))]

    def late_channel(self, wish: bytes) -> bytes:
        """Return the message for a channel that is made late; none if the client has too many by now."""
        if self._awaited_count + len(self._channels) >= self._limits.subscriptions:
            return b""
        return wire.message(Command.CREATE_CHANNEL, self._granted(wish, ">", late=True))

    def destroyed(self, sid: int) -> None:
        """The server has ended a channel, by itself or because the client wished so."""
        self._names.pop(sid, None)
        operations = self._operations.pop(sid, {})
        for operation in operations:
            self._acknowledged_s.pop((sid, operation), None)
        self._open -= len(operations)
        self._queue_bytes -= sum(operations.values()) * self._channels.pop(sid, 0)

    def feed(self, data: bytes) -> list[bytes]:
        """Return what of the client's bytes, and of those held back, may pass now: whole messages. Raises Breach."""
        if self._data:
            self._data += data
            if len(self._data) < self._needed:
                return []
            data, self._data = bytes(self._data), bytearray()
        passing: list[bytes] = []
        start = at = 0  # data[start:at] is judged and not yet passed on
        end = len(data)
        self._needed = 0
        while at < end and not self.full:
            head = self._judged(data, at)
            if head is None:
                self._needed = wire.HEADER_BYTES
                break
            if head.flags & wire.CONTROL:
                at += wire.HEADER_BYTES
                continue
            after = at + wire.HEADER_BYTES + head.size
            if after > end:
                self._needed = after - at
                break
            self.waits = self.puts > 0 and _reads(head, data, at)
            if self.waits:
                break
            self.asked_bytes += after - at + _ANSWER_BYTES
            if head.flags & wire.SEGMENT or head.command in _LOOKED_AT:
                instead = self._looked_at(head, data[at + wire.HEADER_BYTES : after])
                if instead is not None:
                    passing += (data[start:at], instead)
                    start = after
            self.messages += not self._segmented
            at = after
        self._data += data[at:]
        passing.append(data[start:at])
        return [piece for piece in passing if piece]

    def _judged(self, data: bytes, at: int) -> Header | None:
        """The header at `at`; None when too little is there to judge it. Keeps no count: it may be judged again."""
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
        self._check_size(head)
        return head

    def _check_size(self, head: Header) -> None:
        part = head.flags & wire.SEGMENT
        first, continued = self._segmented, part in (wire.MIDDLE, wire.LAST)
        if continued != (first is not None) or (
            first is not None and (first.command, first.order) != (head.command, head.order)
        ):
            raise Breach("sent a message in pieces that do not belong together")
        if part and head.command in _WHOLE:
            raise Breach(f"sent {Command(head.command).name} in pieces")
        size = head.size + len(self._segments)
        limit = self._limits.message_bytes
        if head.command in _LISTS:
            limit = min(limit, _MAX_LIST)
        if size > limit:
            raise Breach(f"announced a message of {size} bytes; the limit is {limit}")

    def _looked_at(self, head: Header, body: bytes) -> bytes | None:
        """Return what passes in place of a whole message, or of a segment; None: itself."""
        part = head.flags & wire.SEGMENT
        if not part:
            return self._whole(head, body)
        self._segments += body
        if part != wire.LAST:
            self._segmented = head
            return b""
        body, self._segments, self._segmented = bytes(self._segments), bytearray(), None
        flags = head.flags & ~wire.SEGMENT
        whole = Header(head.version, flags, head.command, len(body), head.order)
        instead = self._whole(whole, body)
        joined = struct.pack(head.order + "BBBBI", wire.MAGIC, head.version, flags, head.command, len(body)) + body
        return joined if instead is None else instead

    def _whole(self, head: Header, body: bytes) -> bytes | None:
        command = head.command
        if self._withdrawn and command in _TO_CHANNELS and self._is_withdrawn(body, head.order):
            return b""
        try:
            if command in _OPERATIONS:
                self._operate(head, body)
            elif command in _ENDINGS:
                if len(body) < _IDS[head.order].size:
                    raise Breach(f"sent a {Command(command).name} that is too short")
                if command == Command.DESTROY_REQUEST:
                    self._end(*_IDS[head.order].unpack_from(body))
            elif command == Command.SEARCH:
                self._search(body, head.order)
                return b""
            elif command == Command.CREATE_CHANNEL:
                granted = self._granted(body, head.order)
                if granted == bytes(2):  # all of them are made late
                    return b""
                flags = head.version, head.flags, command
                return struct.pack(head.order + "BBBBI", wire.MAGIC, *flags, len(granted)) + granted
            elif command == Command.VALIDATION:
                _, at = wire.text_at(body, 8, head.order)
                if at < len(body):
                    self._contents.check(body, at, head.order)
                self.user = user_of(body, head.order)
                self.validated = True
        except (WireError, ContentsError) as error:
            raise Breach(f"sent {Command(command).name} in which {error}") from None
        return None

    def _is_withdrawn(self, body: bytes, order: str) -> bool:
        return len(body) >= _U32[order].size and _U32[order].unpack_from(body)[0] in self._withdrawn

    def _operate(self, head: Header, body: bytes) -> None:
        """Keep count of what the client has open, and look through what it describes."""
        layout, command = _OPERATION[head.order], head.command
        if len(body) < layout.size:
            raise Breach(f"sent a {Command(command).name} that is too short")
        sid, operation, step = layout.unpack_from(body)
        if command != Command.PUT:  # monitors, too: to start one again and again has it send as often
            self.asked_bytes += self._channels.get(sid, 0)
        if step & _INIT:
            described = self._contents.check(body, layout.size, head.order)
            self._begin(sid, operation, self._queue(described) if command == Command.MONITOR else 0)
            if command == Command.MONITOR and step & _PIPELINE:
                self._acknowledged_s[sid, operation] = time.monotonic()
            return
        if command == Command.MONITOR and step & _PIPELINE and (sid, operation) in self._acknowledged_s:
            self._acknowledged_s[sid, operation] = time.monotonic()
        if command == Command.RPC:
            self._contents.check(body, layout.size, head.order)
        elif command in _PUTS:
            _check_mask(head, body, layout.size)
            self.puts += not step & _GET
        if step & _DESTROY:
            self._end(sid, operation)

    def _queue(self, wanted: dict[str, str]) -> int:
        """Read how many updates a monitor asks to be kept beyond the usual. Raises Breach above MAX_QUEUE.

        The usual few are those that all clients wait for, and pvxs has their values only once.
        """
        text = wanted.get("record._options.queueSize", "").strip()
        if not text:
            return 0
        try:
            size = parse_number(text)
        except NotANumberError:
            raise Breach(f"asked for a queue of {shorten(text, 30)} updates, which is not a number") from None
        if not 0 <= size <= MAX_QUEUE:
            raise Breach(f"asked for a queue of {size:g} updates; the limit is {MAX_QUEUE}")
        return max(int(size) - _DEFAULT_QUEUE, 0)

    def _begin(self, sid: int, operation: int, queue: int) -> None:
        self._end(sid, operation)
        self._operations.setdefault(sid, {})[operation] = queue
        self._open += 1
        self._queue_bytes += queue * self._channels.get(sid, 0)
        if self._open > self._limits.subscriptions:
            raise Breach(f"has more than {self._limits.subscriptions} subscriptions and requests open")

    def _end(self, sid: int, operation: int) -> None:
        operations = self._operations.get(sid)
        if operations and operation in operations:
            self._acknowledged_s.pop((sid, operation), None)
            self._queue_bytes -= operations.pop(operation) * self._channels.get(sid, 0)
            self._open -= 1
            if not operations:
                del self._operations[sid]

    def _granted(self, body: bytes, order: str, *, late: bool = False) -> bytes:
        """The channels asked for; names that the client may not have are made such that no PV has them.

        Those that an injected fault makes late are left out, unless their time has come (`late`).
        """
        if len(body) < 2:
            raise WireError("the number of channels is missing")
        (count,) = struct.unpack_from(order + "H", body)
        if self._awaited_count + len(self._channels) + count > self._limits.subscriptions:
            raise Breach(f"has more than {self._limits.subscriptions} channels")
        granted: list[bytes] = []
        at = 2
        for _ in range(count):
            name, after = wire.text_at(body, at + 4, order)
            text, wish = name.decode(errors="replace"), body[at:after]
            (cid,) = _U32[order].unpack_from(body, at)
            if not self._readable(text):
                text = ""
                nobody_s = SERVER_CHANNEL.encode() if name == b"server" else b"\x01" * len(name)
                wish = wish[: len(wish) - len(name)] + nobody_s
            elif not late and (delay_s := self._delay_s(text)):
                self._wait(delay_s, struct.pack(">HI", 1, cid) + wire.string(text))
                at = after
                continue
            granted.append(wish)
            self._awaited.setdefault(cid, []).append((self._value_bytes(text), sys.intern(text)))
            self._awaited_count += 1
            at = after
        return struct.pack(order + "H", len(granted)) + b"".join(granted) + body[at:]


def _check_mask(head: Header, body: bytes, at: int) -> None:
    """Raise Breach for a put whose mask is long: pvxs makes room for as long a mask as is announced."""
    if at >= len(body):
        return
    size = body[at]
    if size == _LONG:
        if len(body) - at < 1 + _U32[head.order].size:
            raise Breach(f"sent a {Command(head.command).name} that is too short")
        (size,) = _U32[head.order].unpack_from(body, at + 1)
    if size > _MAX_MASK:
        raise Breach(f"sent a {Command(head.command).name} with a mask of {size} bytes")


def _reads(head: Header, data: bytes, at: int) -> bool:
    """Tell whether the whole message at `at` is answered with a value, or starts a monitor."""
    if head.size < _OPERATION[head.order].size or head.flags & wire.SEGMENT in (wire.MIDDLE, wire.LAST):
        return False
    step = data[at + wire.HEADER_BYTES + 8]
    if head.command == Command.MONITOR:  # pvxs takes the first value when a monitor begins, and sends it at the start
        return bool(step & _INIT) or step & _START == _START
    if step & _INIT:
        return False
    return head.command in (Command.GET, Command.PUT_GET) or (head.command == Command.PUT and bool(step & _GET))


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
