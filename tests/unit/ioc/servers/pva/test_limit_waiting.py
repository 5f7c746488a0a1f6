"""Limit of what pvxs keeps for a client that does not read."""

import socket
import sys

import pytest

from gnomon.ioc.servers.pva.listening import limit_waiting

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists descriptors so")


def test_a_socket_that_a_port_accepts_keeps_no_more_than_half_the_bound_and_others_are_left_alone() -> None:
    with socket.create_server(("127.0.0.1", 0)) as bounded, socket.create_server(("127.0.0.1", 0)) as other:
        before = other.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
        limit_waiting(bounded.getsockname()[1], 400_000)
        with socket.create_connection(bounded.getsockname()), bounded.accept()[0] as accepted:
            assert 2 * accepted.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) == 400_000
        assert other.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) == before
