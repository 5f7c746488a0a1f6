"""Section `forward`: secrets and impossible addresses are refused, and files are relative to the configuration."""

from pathlib import Path
from typing import Any

import pytest

from gnomon.ioc.base.config import Config, read_config
from gnomon.ioc.base.forward_config import ForwardConfig
from gnomon.lattice import GnomonError


@pytest.mark.parametrize(
    "forward",
    [
        {"mongodb": {"uri": "mongodb://user:secret@host"}},
        {"logbook": {"url": "https://user:secret@host/"}},
        {"logbook": {"url": "file:///etc/passwd"}},
        {"mqtt": {"topic": "a/#"}},
        {"mqtt": {"password": "secret"}},
        {"mqtt": {"port": 0}},
    ],
)
def test_secrets_and_impossible_addresses_are_refused_in_the_configuration(forward: Any) -> None:
    with pytest.raises(ValueError, match="forward"):
        Config.model_validate({"forward": forward})


@pytest.mark.parametrize("place", ["mongodb: {uri: 'mongodb+srv", "logbook: {url: 'https", "logbook: {url: 'HTTPS"])
def test_the_refusal_of_an_address_does_not_repeat_its_password(place: str, tmp_path: Path) -> None:
    (tmp_path / "ring.yaml").write_text(f"forward: {{{place}://user:secret@host/entries'}}}}\n")
    with pytest.raises(GnomonError, match=r"://user:\*\*\*@host/entries") as refusal:
        read_config(tmp_path / "ring.yaml")
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(("mqtt", "port"), [({}, 1883), ({"tls": True}, 8883), ({"tls": True, "port": 1884}, 1884)])
def test_the_port_of_a_broker_is_that_of_mqtt_with_tls_or_without(mqtt: Any, port: int) -> None:
    assert ForwardConfig.model_validate({"mqtt": mqtt}).mqtt.tcp_port == port


def test_files_are_relative_to_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "ring.yaml").write_text("forward: {mqtt: {host: h, password_file: pw, ca_file: /etc/ca.pem}}\n")
    read = read_config(tmp_path / "ring.yaml").forward.mqtt
    assert (read.password_file, read.ca_file) == (tmp_path / "pw", Path("/etc/ca.pem"))


@pytest.mark.parametrize(
    ("forward", "used"),
    [
        ({}, False),
        ({"mqtt": {"host": "h"}}, True),
        ({"mongodb": {"uri": "mongodb://h"}}, True),
        ({"tiled": {"enabled": True}}, True),
        ({"logbook": {"url": "http://h/"}}, True),
        ({"mqtt": {"port": 1}}, False),
    ],
)
def test_the_server_knows_whether_anything_is_forwarded(forward: Any, used: bool) -> None:
    assert ForwardConfig.model_validate(forward).is_used is used
