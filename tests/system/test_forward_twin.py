"""A twin, its forwarding process and a real mosquitto: commands, requests over MQTT, and what operators see."""

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import aiomqtt
import pytest
from conftest import EpicsPorts, free_port
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from patience import PATIENCE_S

from gnomon.clients.epics_client import EpicsClient
from gnomon.clients.server_choice import Target
from system.mqtt_broker import Broker, Listener, listening
from system.services_process import until_ready
from system.twin_process import GNOMON, TwinProcess
from unit.services.forward.feeding import until

pytestmark = [pytest.mark.slow(seconds=15), pytest.mark.network]

TOKEN = "f" * 32


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with Broker(tmp_path_factory.mktemp("broker"), free_port()) as broker:
        yield broker


@pytest.fixture(scope="module")
def twin(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwinProcess]:
    """A twin of the MLS, and `gnomon forward run` beside it with the same configuration."""
    folder, ports = tmp_path_factory.mktemp("twin"), EpicsPorts(free_port(), free_port(), free_port())
    mqtt = {"host": "127.0.0.1", "port": broker.port, "state_s": 0.2, "requests": True}
    (folder / "ring.yaml").write_text(json.dumps({"machine": "mls", "forward": {"mqtt": mqtt}}))
    environment = ports.environment | {"GNOMON_SERVICES_TOKEN": TOKEN, "GNOMON_CONFIG": str(folder / "ring.yaml")}
    with TwinProcess(environment, folder, "--config", str(folder / "ring.yaml")) as twin:
        with (folder / "forward.log").open("w") as log:
            process = subprocess.Popen(
                [*GNOMON, "forward", "run", "--journal", str(twin.journal)],
                env=os.environ | twin.environment, stdout=subprocess.PIPE, stderr=log, text=True,
            )  # fmt: skip
        try:
            until_ready(process)
            yield twin
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE_S) == 0
        finally:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()


@pytest.fixture
def ring(twin: TwinProcess) -> Iterator[EpicsClient]:
    told = {name: text for name, text in twin.environment.items() if name.startswith(("EPICS_", "XDG_"))}
    with EpicsClient(Target("TWIN:", told), timeout_s=PATIENCE_S) as client:
        yield client


class Asking:
    """A client of MQTT that asks for something and waits for the answer."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self._client = client
        self._count = 0

    async def ask(self, what: str, asked: Any, token: str | None = TOKEN) -> dict[str, Any]:
        self._count += 1
        about: Any = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        about.ResponseTopic, about.CorrelationData = "replies/me", str(self._count).encode()
        if token is not None:
            about.UserProperty = ("token", token)
        await self._client.publish(f"gnomon/TWIN:/request/{what}", json.dumps(asked), qos=1, properties=about)
        async with asyncio.timeout(PATIENCE_S):
            async for message in self._client.messages:
                told: Any = message.properties
                if told.CorrelationData == str(self._count).encode():
                    return dict(json.loads(bytes(message.payload)))
        raise AssertionError("no answer")


@asynccontextmanager
async def asking(port: int) -> AsyncIterator[Asking]:
    async with aiomqtt.Client("127.0.0.1", port, protocol=aiomqtt.ProtocolVersion.V5) as client:
        await client.subscribe("replies/me", qos=1)
        yield Asking(client)


async def until_forwarded(broker: Broker) -> None:
    """Wait until the process is connected."""
    listener = Listener()
    async with listening(listener, broker.port):
        await until(lambda: listener.newest.get("gnomon/TWIN:/online", (b"",))[0] == b"online")


async def test_a_put_is_told_and_the_state_shows_its_beam(broker: Broker, ring: EpicsClient) -> None:
    listener = Listener()
    await until_forwarded(broker)
    async with listening(listener, broker.port):
        await asyncio.to_thread(ring.put, "VS3P2K1RP:setCur", 0.2)
        await until(lambda: len(listener.documents) >= 2)

        def beam() -> Any:
            payload, _ = listener.newest.get("gnomon/TWIN:/state", (b"{}", False))
            return json.loads(payload).get("readings", {}).get("beam.found", {}).get("value")

        await until(lambda: beam() is not None)
    command, outcome = listener.documents[-2:]
    assert (command["kind"], outcome["kind"], outcome["outcome"]["outcome"]) == ("command", "outcome", "applied")
    assert command["command"]["changes"][0]["new"] == 0.2
    assert outcome["key"].startswith(command["key"] + ":")


async def test_settings_and_faults_can_be_requested_with_the_token(
    broker: Broker, twin: TwinProcess, ring: EpicsClient
) -> None:
    await until_forwarded(broker)
    setting = {"settings": [{"pv": "VS3P2K1RP:setCur", "value": 0.3}], "note": "over MQTT"}
    async with asking(broker.port) as client:
        refused = await client.ask("settings", setting, token=None)
        assert (refused["ok"], refused["problem"]["status"]) == (False, 401)
        made = await client.ask("settings", setting)
        assert made["ok"], made
        outside = await client.ask("settings", {"settings": [{"pv": "VS3P2K1RP:setCur", "value": 1e6}]})
        assert outside["problem"]["limit"]
        lost = {"kind": "abandon", "keys": {"device": "VS3P2K1RP", "count": 1}}
        added = await client.ask("faults", {"do": "add", **lost})
        assert added["ok"], added
        listed = await client.ask("faults", {"do": "list"})
        assert [each["id"] for each in listed["result"]["faults"]] == [added["result"]["id"]]
        assert (await client.ask("faults", {"do": "clear"}))["ok"]
    (reading,) = await asyncio.to_thread(ring.get, "VS3P2K1RP:setCur")
    assert reading.value == pytest.approx(0.3)
    journal = ("--journal", str(twin.journal))
    shown = await asyncio.to_thread(twin.gnomon, "log", "show", str(made["result"]["sequence"]), *journal)
    assert "over MQTT" in shown.stdout


async def test_operators_see_that_all_is_delivered(broker: Broker, twin: TwinProcess, ring: EpicsClient) -> None:
    await until_forwarded(broker)

    def delivering() -> bool:
        state, backlog, reason = ring.get("dt:forward", "dt:forward:backlog", "dt:forward:reason")
        return (state.value, backlog.value, reason.value, state.severity) == ("delivering", 0, "", 0)

    journal = ("--journal", str(twin.journal))
    deadline = asyncio.get_running_loop().time() + PATIENCE_S
    while not await asyncio.to_thread(delivering):
        assert asyncio.get_running_loop().time() < deadline
    listed = await asyncio.to_thread(twin.gnomon, "forward", "list", *journal)
    assert listed.returncode == 0, listed.stdout
    assert "mqtt" in listed.stdout
    status = await asyncio.to_thread(twin.gnomon, "status")
    assert "forwarding" in status.stdout
    again = await asyncio.to_thread(twin.gnomon, "forward", "move", "mqtt", "--to", "oldest", *journal)
    assert again.returncode == 1
    assert "stop it first" in again.stderr
