"""MQTT 5: items as messages of QoS 1, state and presence retained, requests answered. Needs the extra `mqtt`."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from gnomon.ioc.base.forward_config import MqttConfig
from gnomon.ioc.base.log_limits import SparingLog
from gnomon.services.forward.downstream import DeliveryError, Parcel, RefusedItemError
from gnomon.services.forward.forward_messages import Kind, StateMessage
from gnomon.services.forward.topics import Topics

if TYPE_CHECKING:
    import aiomqtt

    from gnomon.services.forward.mqtt_requests import Requests

__all__ = ["MqttDownstream", "require_aiomqtt"]

#: Time between two signs of life on a quiet connection; after half as much again the broker publishes the will [s].
KEEPALIVE_S = 10
#: Time for connecting, and for the acknowledgement of state and presence [s].
ANSWER_S = 10.0
#: Number of messages that are on their way at once.
BATCH = 100
#: Number of requests that wait; more are thrown away by the client, and get no answer.
MAX_WAITING = 64
ONLINE, OFFLINE = b"online", b"offline"

#: Reads the state of the server with a prefix.
ReadState = Callable[[str], Awaitable[StateMessage]]

_log = logging.getLogger("gnomon.forward")
_sparing = SparingLog(_log)


def require_aiomqtt() -> None:
    """Raise DeliveryError with the command that installs aiomqtt, unless it is installed."""
    if find_spec("aiomqtt") is None:
        raise DeliveryError("MQTT needs aiomqtt, which is not installed; pip install 'gnomon[mqtt]'")


class MqttDownstream:
    """A broker. `read_state` gives the retained state, and `requests` carries out what is asked for; None: neither."""

    name = "mqtt"
    kinds: frozenset[Kind] = frozenset({"commands", "outcomes", "faults", "results"})
    batch = BATCH
    from_oldest = False

    def __init__(
        self,
        config: MqttConfig,
        password: str | None = None,
        read_state: ReadState | None = None,
        requests: "Requests | None" = None,
    ) -> None:
        require_aiomqtt()
        self._config, self._password = config, password
        self._read_state, self._requests = read_state, requests

    @asynccontextmanager
    async def session(self, prefix: str, journal: str) -> "AsyncIterator[MqttSession]":
        """See `Downstream`."""
        import aiomqtt

        topics = Topics(self._config.topic, prefix)
        tasks: list[asyncio.Task[None]] = []
        try:
            async with await self._client(topics, journal) as client:
                session = MqttSession(client, topics)
                await client.publish(topics.online, ONLINE, qos=1, retain=True)
                if self._read_state is not None:
                    tasks.append(asyncio.create_task(self._show_state(client, topics, self._read_state)))
                if self._requests is not None:
                    for topic in (topics.settings, topics.faults):
                        await client.subscribe(topic, qos=1)
                    tasks.append(asyncio.create_task(self._requests.serve(client, topics)))
                try:
                    yield session
                finally:
                    for task in tasks:
                        task.cancel()
                    await asyncio.gather(*tasks, return_exceptions=True)
                    with suppress(aiomqtt.MqttError):
                        await client.publish(topics.online, OFFLINE, qos=1, retain=True, timeout=1.0)
        except aiomqtt.MqttError as error:
            raise DeliveryError(self._reason(error)) from error

    async def _client(self, topics: Topics, journal: str) -> "aiomqtt.Client":
        import aiomqtt

        from gnomon.services.forward.mqtt_client import CheckedClient

        config = self._config
        client = CheckedClient(
            str(config.host),
            config.tcp_port,
            username=config.user,
            password=self._password,
            identifier=f"gnomon-{journal}",
            protocol=aiomqtt.ProtocolVersion.V5,
            will=aiomqtt.Will(topics.online, OFFLINE, 1, True),
            keepalive=KEEPALIVE_S,
            timeout=ANSWER_S,
            max_inflight_messages=BATCH,
            max_queued_incoming_messages=MAX_WAITING,
            tls_context=await asyncio.to_thread(self._context) if config.tls else None,
        )
        client.pending_calls_threshold = 4 * BATCH  # below it, they are no reason for a warning
        return client

    def _context(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self._config.ca_file)
            if self._config.certificate_file is not None:
                context.load_cert_chain(self._config.certificate_file)
        except OSError as error:
            raise DeliveryError(f"a file of certificates cannot be used: {error}") from error
        return context

    async def _show_state(self, client: "aiomqtt.Client", topics: Topics, read: ReadState) -> None:
        """Publish the state when it has changed, as long as the connection lasts."""
        import aiomqtt

        shown: dict[str, Any] | None = None
        with suppress(aiomqtt.MqttError):  # `lost` tells
            while True:
                state = await read(topics.prefix)
                told = state.model_dump(mode="json", exclude={"time_ns", "key"})
                if told != shown:
                    payload = state.model_dump_json(by_alias=True)
                    await client.publish(topics.state, payload, qos=1, retain=True)
                    shown = told
                await asyncio.sleep(self._config.state_s)

    def _reason(self, error: Exception) -> str:
        return f"the broker {self._config.host}: {error}"


class MqttSession:
    """A connection to a broker."""

    def __init__(self, client: Any, topics: Topics) -> None:
        self._client, self._topics = client, topics

    async def deliver(self, parcels: Sequence[Parcel]) -> None:
        """See `Session`: each message is acknowledged by the broker; they are sent in order."""
        import aiomqtt

        from gnomon.services.forward.mqtt_client import json_properties

        about = json_properties()

        def publish(parcel: Parcel, payload: bytes) -> Awaitable[None]:
            topic = self._topics.of(parcel.kind, parcel.message.prefix)
            sent: Awaitable[None] = self._client.publish(topic, payload, 1, properties=about, timeout=60.0)
            return sent

        payloads = [parcel.encode() for parcel in parcels]
        fits = next((n for n, each in enumerate(payloads) if len(each) > self._client.max_payload), len(parcels))
        pairs = list(zip(parcels, payloads, strict=True))[:fits]
        done = await asyncio.gather(*(publish(*pair) for pair in pairs), return_exceptions=True)
        acknowledged = next((n for n, each in enumerate(done) if each is not None), len(done))
        if refusal := self._client.refusal:
            self._client.refusal = ""
            raise RefusedItemError(f"the broker refuses a message: {refusal}")
        if acknowledged < fits:
            error = done[acknowledged]
            if isinstance(error, aiomqtt.MqttError | ValueError):
                raise DeliveryError(f"the broker did not acknowledge: {error}", acknowledged) from error
            assert isinstance(error, BaseException)
            raise error
        if fits < len(parcels):
            raise RefusedItemError(
                f"{parcels[fits].key} has {len(payloads[fits])} bytes, and the broker takes {self._client.max_payload}",
                fits,
            )

    async def lost(self) -> None:
        """See `Session`."""
        import aiomqtt

        try:
            await self._client.wait_until_disconnected()
        except aiomqtt.MqttError as error:
            raise DeliveryError(f"the connection to the broker was lost: {error}") from error
        raise DeliveryError("the connection to the broker was closed")
