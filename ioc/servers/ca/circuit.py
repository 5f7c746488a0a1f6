"""One client's channels, subscriptions, reads and puts."""

import asyncio
import struct
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import numpy as np

from gnomon.ioc.base.config import GuardConfig
from gnomon.ioc.base.protocols import HangingPut, PutReply
from gnomon.ioc.servers.access import AccessRules, Rights
from gnomon.ioc.servers.ca import dbr
from gnomon.ioc.servers.ca.channel import Channel, rights_to
from gnomon.ioc.servers.ca.client_transport import Connection, log
from gnomon.ioc.servers.ca.closing_circuits import ClosingCircuits
from gnomon.ioc.servers.ca.dbr import NotATextError, Unconvertible
from gnomon.ioc.servers.ca.directory import Directory, Hosted
from gnomon.ioc.servers.ca.points import Point, put_value
from gnomon.ioc.servers.ca.publisher import Subscription
from gnomon.ioc.servers.ca.udp_search import reply
from gnomon.ioc.servers.connection_limits import Admission
from gnomon.ioc.wire.ca_framing import (
    BAD_COUNT,
    BAD_TYPE,
    GET_FAILED,
    HEADER,
    NO_READ,
    NO_WRITE,
    NORMAL,
    PROTOCOL_VERSION,
    PUT_FAILED,
    PUT_IN_PROGRESS,
    TOO_MANY,
    Command,
    InvalidMessageError,
    Message,
    text,
)
from gnomon.lattice import Client

#: What an EVENT_ADD has behind its header; the three numbers before the mask mean nothing.
MASK = struct.Struct(">12xH2x")
#: Puts of one client under way; its next messages wait until some have ended.
MAX_PUTS = 4096
#: Longest time that a second put with completion, and all that follows it, waits for one to the same channel that
#: hangs; EPICS's own server then ends the first one [s].
PUT_PATIENCE_S = 60.0
#: What is answered with values.
READS = frozenset((Command.READ, Command.READ_NOTIFY, Command.EVENT_ADD))
#: Why nobody can acknowledge an alarm.
NO_ACKNOWLEDGEMENT = "alarms are not acknowledged here, and stay as long as their cause does; nothing was changed"
#: Longest reason of a failure that a client is told [bytes].
MAX_REASON = 500
#: What a channel and a subscription take [bytes]; measured.
CHANNEL_BYTES, SUBSCRIPTION_BYTES = 250, 450
#: Longest names that clients may give themselves.
MAX_CLAIM = 64


def claimed(payload: bytes) -> str:
    """The name that a client gives itself; bytes that are not UTF-8 stand as replacement characters."""
    return payload.split(b"\0", 1)[0].decode(errors="replace")[:MAX_CLAIM]


class ChannelWithdrawnError(Exception):
    """A message about a channel that no longer exists: it may have crossed the news of that, and means nothing."""


class Circuit(Connection):
    """The conversation with one client: its messages, and the answers."""

    def __init__(
        self,
        directory: Directory,
        access: AccessRules,
        guard: GuardConfig,
        admission: Admission,
        port: int,
        circuits: "set[Circuit]",
        closing: ClosingCircuits,
    ) -> None:
        super().__init__(guard, admission)
        self._directory = directory
        self._access = access
        self._port = port
        self._circuits = circuits
        self._closing = closing
        self._channels: dict[int, Channel] = {}
        self._next_sid = 1
        self._subscriptions = 0
        self._events_on = True
        self._puts = 0
        self._pending_puts = 0  # puts that their PVs do not show yet
        self._hanging: dict[int, HangingPut] = {}  # puts that never complete, by channel
        self._waits_for_put: asyncio.TimerHandle | None = None
        self._late: set[asyncio.TimerHandle] = set()  # channels that an injected fault lets be made late
        self._user = self._host = ""
        self._thread = threading.get_ident()
        self._loop = asyncio.get_running_loop()

    @property
    def ready(self) -> bool:
        """True while the client wants events and keeps up with them."""
        return self._events_on and not self._full

    @property
    def held(self) -> bool:
        """True while the client's next messages have to wait."""
        waits = self._pending_puts > 0 or self._waits_for_put is not None
        return self._full or self._puts >= MAX_PUTS or (self._kept is not None and waits)

    @property
    def held_bytes(self) -> int:
        """See `Connection.held_bytes`."""
        known = CHANNEL_BYTES * len(self._channels) + SUBSCRIPTION_BYTES * self._subscriptions
        plans = sum(hosted.publisher.plan_bytes(self) for hosted in self._directory)
        return super().held_bytes + known + plans

    def has_to_wait(self, message: Message) -> bool:
        """See `Connection.has_to_wait`: what a client reads shows what it has put before."""
        if self._hanging and message.command == Command.WRITE_NOTIFY and message.first in self._hanging:
            hanging = self._hanging[message.first]
            self._waits_for_put = self._loop.call_later(PUT_PATIENCE_S, hanging.replace)
            return True
        return self._pending_puts > 0 and message.command in READS

    def opened(self) -> None:
        """Say which version is spoken here."""
        self._circuits.add(self)
        self._closing.opened(self.address)
        self.send(Command.VERSION, 0, PROTOCOL_VERSION, 0, 0)

    def closed(self) -> None:
        """Forget the client; puts that it has sent go on."""
        self._circuits.discard(self)
        self._closing.closed(self.address, id(self))
        for hosted in self._directory:
            hosted.publisher.forget(self)
        self._channels.clear()
        for timer in (*self._late, *filter(None, (self._waits_for_put,))):
            timer.cancel()
        self._late.clear()
        self._hanging.clear()

    def caught_up(self) -> None:
        """Send the newest values of what the client has missed."""
        if self.ready:
            for hosted in self._directory:
                hosted.publisher.catch_up(self)

    def describe(self) -> str:
        """See `Connection.describe`."""
        claims = "@".join(claim for claim in (self._user, self._host) if claim)
        return f"{self.address} ({claims})" if claims else self.address

    def withdraw(
        self, hosted: Hosted, is_gone: Callable[[Point], bool] = lambda point: True, close: bool = False
    ) -> None:
        """Tell the client that channels to a bank no longer exist: all, or those to what is gone.

        With `close`, the connection ends instead if no other channel is left.
        """
        gone = [each for each in self._channels.values() if each.hosted is hosted and is_gone(each.point)]
        if close and gone and len(gone) == len(self._channels):
            self.end()
            return
        for channel in gone:
            self._forget(channel)
            self.send(Command.SERVER_DISCONN, 0, 0, channel.cid, 0)
        if gone and not self._channels:
            self._closing.emptied(self.address, id(self))

    def review_rights(self, hosted: Hosted) -> None:
        """Tell the client of changed rights to a bank's PVs, as EPICS's own server does when access security changes.

        Subscriptions get the present value again; or they hear that they may not read, and go on when they may.
        """
        publisher, renewed = hosted.publisher, []
        for channel in [each for each in self._channels.values() if each.hosted is hosted]:
            before = channel.rights
            channel.rights = rights_to(hosted, channel.point, self._access, self._user, self.address)
            if channel.rights == before:
                continue
            if not channel.rights & Rights.READ:
                for number in sorted(channel.subscriptions or ()):
                    self._refuse_reading(channel, publisher.unsubscribe(self, (channel.sid, number), channel.point))
            elif channel.unreadable is not None:
                waiting, channel.unreadable = channel.unreadable, None
                for wanted in waiting.values():
                    publisher.subscribe(self, wanted)
            elif channel.subscriptions:
                renewed.append(channel.point.index)
            self.send(Command.ACCESS_RIGHTS, 0, 0, channel.cid, channel.shown_rights)
        if renewed:
            publisher.renew(self, np.unique(renewed))

    def _refuse_reading(self, channel: Channel, wanted: Subscription | None) -> None:
        """Keep a subscription until its channel may be read, and say that it may not."""
        if wanted is None:
            return
        number = wanted.key[1]
        if channel.unreadable is None:
            channel.unreadable = {}
        channel.unreadable[number] = wanted
        self.send(Command.EVENT_ADD, wanted.data_type, 0, NO_READ, number, bytes(8))

    def take(self, message: Message) -> None:
        """See `Connection.take`. What the client sent to a channel before it heard of its end is passed over."""
        try:
            TAKE[message.command](self, message)
        except ChannelWithdrawnError:
            if message.command == Command.CLEAR_CHANNEL:
                self.send(message.command, 0, 0, message.first, message.second)

    def _version(self, message: Message) -> None:
        """The client's version: those before 4.13 would ask in ways that nobody does any more."""

    def _claim_user(self, message: Message) -> None:
        if not self._channels:  # rights do not change under a channel
            self._user = claimed(message.payload)

    def _claim_host(self, message: Message) -> None:
        if not self._channels:
            self._host = claimed(message.payload)

    def _echo(self, message: Message) -> None:
        self.send(message.command, 0, 0, 0, 0)

    def _search(self, message: Message) -> None:
        delay_s = self._directory.search_delay_s(text(message.payload))
        if delay_s is None:
            return
        answer = reply(message.first, self._port)
        if delay_s:
            self._later(delay_s, lambda: self.write(answer))
        else:
            self.write(answer)

    def _later(self, delay_s: float, act: Callable[[], None]) -> None:
        """Do something late, unless the client has gone by then, or has left too much waiting already."""
        if len(self._late) >= self.guard.max_subscriptions:
            return

        def due() -> None:
            self._late.discard(timer)
            act()

        timer = self._loop.call_later(delay_s, due)
        self._late.add(timer)

    def _create(self, message: Message) -> None:
        self._make(message.first, text(message.payload))

    def _make(self, cid: int, name: str, *, is_late: bool = False) -> None:
        """Make a channel, if there is something of this name; later, if an injected fault says so."""
        try:
            if len(self._channels) >= self.guard.max_subscriptions:
                log.warning(
                    "Channel Access: client %s has %d channels, guard.max_subscriptions allows no more",
                    self.describe(),
                    len(self._channels),
                )
                raise KeyError
            hosted, point = self._directory.find(name)
        except KeyError:
            self.send(Command.CREATE_CH_FAIL, 0, 0, cid, 0)
            return
        if not (is_late or hosted.gate.idle) and (delay_s := hosted.gate.channel_delay_s(hosted.name_of(point))):
            self._later(delay_s, lambda: self._make(cid, name, is_late=True))
            return
        sid = self._next_sid
        self._next_sid += 1
        if not self._channels:
            self._closing.used(self.address, id(self))
        rights = rights_to(hosted, point, self._access, self._user, self.address)
        channel = self._channels[sid] = Channel(sid, cid, hosted, point, rights)
        self.send(Command.ACCESS_RIGHTS, 0, 0, cid, channel.shown_rights)
        self.send(Command.CREATE_CHAN, point.native, point.length, cid, sid)

    def _clear(self, message: Message) -> None:
        self._forget(self._channel(message))
        if not self._channels:
            self._closing.emptied(self.address, id(self))
        self.send(message.command, 0, 0, message.first, message.second)

    def _subscribe(self, message: Message) -> None:
        channel = self._channel(message)
        number = message.second
        if len(message.payload) < MASK.size:
            raise InvalidMessageError("sent a subscription without a mask")
        if not dbr.is_readable(message.data_type):
            raise InvalidMessageError(f"subscribed to type {message.data_type}, which does not exist")
        status = NORMAL
        if message.count > max(channel.point.length, 1):
            status = BAD_COUNT
        elif self._subscriptions >= self.guard.max_subscriptions:
            status = TOO_MANY
            log.warning(
                "Channel Access: client %s has %d subscriptions, guard.max_subscriptions allows no more",
                self.describe(),
                self._subscriptions,
            )
        elif channel.subscriptions is not None and number in channel.subscriptions:
            raise InvalidMessageError(f"subscribed twice as number {number}")
        if status != NORMAL:
            self.send(Command.EVENT_ADD, message.data_type, 0, status, number, bytes(8))
            return
        (mask,) = MASK.unpack_from(message.payload)
        if channel.subscriptions is None:
            channel.subscriptions = set()
        channel.subscriptions.add(number)
        self._subscriptions += 1
        wanted = Subscription((channel.sid, number), channel.point, message.data_type, message.count, mask)
        if channel.rights & Rights.READ:
            channel.hosted.publisher.subscribe(self, wanted)
        else:
            self._refuse_reading(channel, wanted)

    def _unsubscribe(self, message: Message) -> None:
        channel = self._channel(message)
        number = message.second
        if channel.subscriptions is not None and number in channel.subscriptions:
            channel.subscriptions.remove(number)
            self._subscriptions -= 1
            channel.hosted.publisher.unsubscribe(self, (channel.sid, number), channel.point)
            if channel.unreadable is not None:
                channel.unreadable.pop(number, None)
        self.send(Command.EVENT_ADD, message.data_type, 0, channel.cid, number)

    def _events_off(self, message: Message) -> None:
        self._events_on = False

    def _events_come_on(self, message: Message) -> None:
        self._events_on = True
        self.caught_up()

    def _read(self, message: Message) -> None:
        channel = self._channel(message)
        status, payload, count, reason = NORMAL, b"", 0, ""
        if not dbr.is_readable(message.data_type):
            status, reason = BAD_TYPE, f"values cannot be read as type {message.data_type}"
        elif not channel.rights & Rights.READ:
            status, reason = NO_READ, f"{self.describe()} may not read it"
        elif message.count > (max_count := max(channel.point.length, 1)):
            status, reason = BAD_COUNT, f"{message.count} values were asked for; it has at most {max_count}"
        else:
            try:
                payload, count = channel.point.payload(channel.hosted.bank, message.data_type, message.count)
            except Unconvertible as error:
                status, reason = GET_FAILED, str(error)
        if message.command == Command.READ:
            # The old way of reading has no place for a status: the client's channel stands there.
            if status == NORMAL:
                self.send(Command.READ, message.data_type, count, channel.cid, message.second, payload)
            else:
                name = channel.hosted.bank.specs[channel.point.index].name
                self._complain(message, channel, status, f"{name}: {reason}")
        else:
            self.send(Command.READ_NOTIFY, message.data_type, count, status, message.second, payload)

    def _write(self, message: Message) -> None:
        channel = self._channel(message)
        point, spec = channel.point, channel.hosted.bank.specs[channel.point.index]
        if not channel.rights & Rights.WRITE:
            log.warning("Channel Access: client %s may not write %s; refused", self.describe(), spec.name)
            self._answer(message, channel, NO_WRITE, f"{self.describe()} may not write {spec.name}")
            return
        if message.data_type > dbr.DOUBLE:  # acknowledging an alarm, for one, is not a value: nothing may move
            acknowledges = message.data_type in (dbr.PUT_ACKT, dbr.PUT_ACKS)
            reason = NO_ACKNOWLEDGEMENT if acknowledges else "only plain values can be put; nothing was changed"
            self._answer(message, channel, PUT_FAILED, f"{spec.name}: {reason}")
            return
        try:
            values = dbr.decode(message.data_type, message.count, message.payload)
            value = put_value(spec, message.data_type, values, long=point.long)
        except Unconvertible as error:
            raise InvalidMessageError(f"sent an invalid put: {error}") from error
        except NotATextError as error:
            self._answer(message, channel, PUT_FAILED, f"{spec.name}: {error}")
            return
        if point.field is not None:  # one that processes its record
            channel.hosted.bank.process(point.index, time.time_ns())
            self._answer(message, channel, NORMAL)
            return
        client = Client(self._user, self._host or self.address, "ca", self.peer)
        future = channel.hosted.sink.put(channel.point.index, value, client)
        if future.done():
            self._answer(message, channel, *_end_of(future))
            return
        if isinstance(future, HangingPut) and message.command == Command.WRITE_NOTIFY:
            self._hanging[channel.sid] = future
        message.payload = b""  # it may be long, and thousands of puts may wait
        self._puts += 1
        self._pending_puts += 1
        future.when_shown(self._put_shown)
        future.add_done_callback(lambda done: self._put_ended(message, channel, done))

    def _put_shown(self) -> None:
        """Go on with what had to wait for a put, in the thread of the loop."""
        if threading.get_ident() != self._thread:
            self._loop.call_soon_threadsafe(self._put_shown)
            return
        self._pending_puts -= 1
        if not self._pending_puts and self._kept is not None and self.admitted:
            self.go_on()

    def _put_ended(self, message: Message, channel: Channel, done: "Future[PutReply]") -> None:
        """Answer in the thread of the loop; at once when this is it, so that the answer follows the updates."""
        if threading.get_ident() == self._thread:
            self._put_answered(message, channel, done)
        else:
            self._loop.call_soon_threadsafe(self._put_answered, message, channel, done)

    def _put_answered(self, message: Message, channel: Channel, done: "Future[PutReply]") -> None:
        self._puts -= 1
        if self._hanging.get(channel.sid) is done:
            self._stop_waiting(channel.sid)
        if self.admitted:
            if channel.sid in self._channels:  # nobody answers on a channel that has ended
                self._answer(message, channel, *_end_of(done))
            if self._puts == MAX_PUTS // 2:
                self.go_on()

    def _stop_waiting(self, sid: int) -> None:
        """Let no put of a channel hang any more, and go on if one has waited for that."""
        self._hanging.pop(sid, None)
        if self._waits_for_put is not None and self._kept is not None and self._kept.first == sid:
            self._waits_for_put.cancel()
            self._waits_for_put = None
            if self.admitted:
                self._loop.call_soon(self.go_on)

    def _answer(self, message: Message, channel: Channel, status: int, reason: str = "") -> None:
        """The end of a put; one without notice is answered only when it has failed, and with the reason."""
        if message.command == Command.WRITE_NOTIFY:
            self.write(
                HEADER.pack(Command.WRITE_NOTIFY, 0, message.data_type, message.count & 0xFFFF, status, message.second)
            )
        elif status != NORMAL:
            self._complain(message, channel, status, reason)

    def _complain(self, message: Message, channel: Channel, status: int, reason: str) -> None:
        """Tell that a message without an answer of its own has failed, and why."""
        head = HEADER.pack(message.command, 0, message.data_type, message.count & 0xFFFF, message.first, message.second)
        text = dbr.cut(reason or channel.hosted.bank.specs[channel.point.index].name, MAX_REASON)
        self.send(Command.ERROR, 0, 0, channel.cid, status, head + text + b"\0")

    def _channel(self, message: Message) -> Channel:
        channel = self._channels.get(message.first)
        if channel is not None:
            return channel
        if 0 < message.first < self._next_sid:  # there was one of that number
            raise ChannelWithdrawnError
        raise InvalidMessageError(f"spoke of channel {message.first}, which it does not have")

    def _forget(self, channel: Channel) -> None:
        del self._channels[channel.sid]
        if self._hanging:
            self._stop_waiting(channel.sid)
        for number in channel.subscriptions or ():
            self._subscriptions -= 1
            channel.hosted.publisher.unsubscribe(self, (channel.sid, number), channel.point)


def _end_of(done: "Future[PutReply]") -> tuple[int, str]:
    """The status of a put that has ended, and why it has failed."""
    if done.cancelled() or done.exception() is not None:
        return PUT_FAILED, ""
    if isinstance(done, HangingPut) and done.replaced:
        return PUT_IN_PROGRESS, ""
    reply = done.result()
    return (NORMAL, "") if reply.accepted else (PUT_FAILED, reply.message)


TAKE: dict[int, Callable[[Circuit, Message], Any]] = {
    Command.VERSION: Circuit._version,
    Command.CLIENT_NAME: Circuit._claim_user,
    Command.HOST_NAME: Circuit._claim_host,
    Command.ECHO: Circuit._echo,
    Command.READ_SYNC: Circuit._echo,
    Command.SEARCH: Circuit._search,
    Command.CREATE_CHAN: Circuit._create,
    Command.CLEAR_CHANNEL: Circuit._clear,
    Command.EVENT_ADD: Circuit._subscribe,
    Command.EVENT_CANCEL: Circuit._unsubscribe,
    Command.EVENTS_OFF: Circuit._events_off,
    Command.EVENTS_ON: Circuit._events_come_on,
    Command.READ: Circuit._read,
    Command.READ_NOTIFY: Circuit._read,
    Command.WRITE: Circuit._write,
    Command.WRITE_NOTIFY: Circuit._write,
}
