"""The stand-in for the repeater: clients are told that one is there."""

import struct
from contextlib import closing
from socket import SO_REUSEADDR, SOCK_DGRAM, SOL_SOCKET, inet_aton, socket

import pytest

from gnomon.testing.quiet_repeater import QuietRepeater

REGISTRATION = struct.pack(">HHHHI4s", 24, 0, 0, 0, 0, inet_aton("127.0.0.1"))


@pytest.mark.parametrize("message", [REGISTRATION, b""])
def test_a_registration_is_confirmed_and_the_port_given_back_at_the_end(message: bytes) -> None:
    repeater = QuietRepeater()
    with closing(socket(type=SOCK_DGRAM)) as client:
        client.settimeout(5.0)
        client.sendto(message, ("127.0.0.1", repeater.port))
        assert struct.unpack_from(">H", client.recv(64))[0] == 17
        repeater.stop()
    with closing(socket(type=SOCK_DGRAM)) as other:
        other.setsockopt(SOL_SOCKET, SO_REUSEADDR, 0)
        other.bind(("127.0.0.1", repeater.port))
