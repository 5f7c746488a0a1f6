"""The journal over a real mosquitto: topics, retained state, last will, TLS and passwords, refusals."""

import json
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
from conftest import free_port
from self_signed import self_signed

from gnomon.ioc.base.forward_config import MqttConfig
from gnomon.services.forward.feeder import Feeder, Source
from gnomon.services.forward.forward_messages import StateMessage
from gnomon.services.forward.moving import move_cursor
from gnomon.services.forward.mqtt_downstream import MqttDownstream
from system.mqtt_broker import Broker, Listener, listening
from unit.services.forward.feeding import add_commands, feeding, make_source, until

pytestmark = pytest.mark.network


@asynccontextmanager
async def forwarding(source: Source, port: int, **how: Any) -> AsyncIterator[Feeder]:
    """Feed a broker from the oldest command on, in this process."""
    password, state = how.pop("password", None), how.pop("state", None)
    config = MqttConfig(host="127.0.0.1", port=port, state_s=0.1, **how)
    move_cursor(source, "mqtt", "oldest")
    async with feeding(MqttDownstream(config, password, state), source, mqtt=config) as feeder:
        yield feeder


async def state(prefix: str) -> StateMessage:
    return StateMessage(key="k", prefix=prefix, text="well", runs=True, time_ns=1, attention=(), readings={})


async def test_topics_retained_state_and_presence(tmp_path: Path) -> None:
    source, listener = make_source(tmp_path, 3), Listener()
    with Broker(tmp_path, free_port()) as broker:
        async with listening(listener, broker.port):
            async with forwarding(source, broker.port, state=state):
                await until(lambda: len(listener.documents) == 6)
                await until(lambda: "gnomon/TWIN:/state" in listener.newest)
                late = Listener()
                async with listening(late, broker.port):  # who comes later knows at once
                    await until(lambda: len(late.newest) == 2)
                add_commands(source, 4, 4)
                await until(lambda: len(listener.documents) == 8)
            await until(lambda: listener.newest["gnomon/TWIN:/online"][0] == b"offline")
    assert late.newest["gnomon/TWIN:/online"] == (b"online", True)
    assert json.loads(late.newest["gnomon/TWIN:/state"][0])["text"] == "well"
    assert late.documents == []
    assert listener.numbers("command") == listener.numbers("outcome") == [1, 2, 3, 4]
    assert {each["topic"] for each in listener.documents} == {"gnomon/TWIN:/commands", "gnomon/TWIN:/outcomes"}


@pytest.fixture
def secured(tmp_path: Path) -> Broker:
    """A broker with TLS, two users, and a list of who may write what."""
    certificate, key = self_signed(tmp_path)
    passwords, rights = tmp_path / "passwords", tmp_path / "rights"
    for user in ("writer", "reader"):
        create = [] if passwords.exists() else ["-c"]
        subprocess.run(["mosquitto_passwd", "-b", *create, passwords, user, f"{user}'s secret"], check=True)
    passwords.chmod(0o600)
    rights.write_text("user writer\ntopic write gnomon/#\nuser reader\ntopic read gnomon/#\n")
    lines = [f"certfile {certificate}", f"keyfile {key}", "allow_anonymous false"]
    return Broker(tmp_path, free_port(), [*lines, f"password_file {passwords}", f"acl_file {rights}"])


async def test_tls_and_password_are_needed_and_refused_ones_say_why(tmp_path: Path, secured: Broker) -> None:
    source, listener, certificate = make_source(tmp_path, 2), Listener(), tmp_path / "certificate.pem"
    good = {"tls": True, "ca_file": certificate, "user": "writer", "password": "writer's secret"}
    tls = aiomqtt.TLSParameters(str(certificate))
    reader = {"username": "reader", "password": "reader's secret", "tls_params": tls}
    wrong: list[tuple[dict[str, Any], Callable[[str], bool]]] = [
        ({"password": "wrong"}, lambda reason: "authori" in reason.lower()),
        ({"ca_file": None}, lambda reason: "certificate" in reason.lower()),
        # It may listen and not write: the broker acknowledges each message as refused.
        ({"user": "reader", "password": "reader's secret"}, lambda reason: "Not authorized" in reason),
    ]
    with secured:
        for change, told in wrong:
            async with forwarding(source, secured.port, **(good | change)) as feeder:
                await until(partial(_told, feeder, told))
                assert feeder._cursor is not None
                assert feeder._cursor.position.sequence == 0
        async with listening(listener, secured.port, **reader), forwarding(source, secured.port, **good):
            await until(lambda: len(listener.documents) == 4)
    assert listener.numbers("command") == [1, 2]


def _told(feeder: Feeder, fits: Callable[[str], bool]) -> bool:
    return fits(feeder._reason)


async def test_a_message_that_the_broker_does_not_take_is_told_and_stays(tmp_path: Path) -> None:
    source = make_source(tmp_path, 2)
    with Broker(tmp_path, free_port(), ["allow_anonymous true", "max_packet_size 1100"]) as broker:
        async with forwarding(source, broker.port) as feeder:
            await until(lambda: "bytes, and the broker takes" in feeder._reason)
            assert (await feeder.status()).state == "stopped"
