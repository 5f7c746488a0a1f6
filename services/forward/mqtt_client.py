"""A client of aiomqtt that notices what aiomqtt passes over: refused messages, and the largest packet of the broker."""

import asyncio
from typing import Any

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

__all__ = ["CheckedClient", "json_properties"]

#: Bytes that a packet may have besides its payload: topic and properties.
OVERHEAD = 1024


def json_properties(correlation: bytes = b"") -> Properties:
    """Make the properties of a message that is JSON, and an answer to the request with these correlation data."""
    made = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    made.ContentType, made.PayloadFormatIndicator = "application/json", 1
    if correlation:
        made.CorrelationData = correlation
    return made


class CheckedClient(aiomqtt.Client):
    """The client of one connection.

    `refusal` is the broker's reason for the last message that it acknowledged as refused, empty if there is none;
    `max_payload` is the largest payload that fits into a packet that the broker takes [bytes].
    """

    refusal: str = ""
    max_payload: int = 2**28 - 1 - OVERHEAD

    def _on_publish(self, client: Any, userdata: Any, mid: int, reason_code: Any, properties: Any) -> None:
        if reason_code is not None and reason_code.is_failure:
            self.refusal = str(reason_code)
        super()._on_publish(client, userdata, mid, reason_code, properties)

    def _on_connect(
        self, client: Any, userdata: Any, flags: Any, reason_code: Any, properties: Any | None = None
    ) -> None:
        largest = getattr(properties, "MaximumPacketSize", None)
        if largest is not None:
            self.max_payload = max(0, int(largest) - OVERHEAD)
        super()._on_connect(client, userdata, flags, reason_code, properties)

    async def wait_until_disconnected(self) -> None:
        """Wait until the connection ends. Raises MqttError if it was lost."""
        try:
            await asyncio.shield(self._disconnected)
        except (OSError, ValueError) as error:
            raise aiomqtt.MqttError(str(error)) from error
