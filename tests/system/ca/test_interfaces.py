"""Searches on a network of this host, beyond loopback."""

import asyncio
import socket
import struct

import pytest
from conftest import EpicsPorts

from gnomon.ioc.outputs.bank import Bank
from gnomon.ioc.servers.ca.ca_server import CaServer, CaSettings
from gnomon.ioc.servers.interfaces import _networks
from system.ca.stage import HEADER, SPECS, START_NS
from system.fake_sink import FakeSink


async def _search(address: str, target: str, port: int) -> tuple[str, int]:
    """Search at `target`; return the address that answers, and the TCP port in the answer."""
    bank = Bank(SPECS, START_NS)
    server = CaServer(CaSettings((address,), port))
    server.add(bank, FakeSink(bank))
    await server.start()
    try:
        with socket.socket(type=socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            sock.bind((address, 0))
            sock.sendto(HEADER.pack(6, 16, 5, 13, 7, 7) + b"T:current".ljust(16, b"\0"), (target, port))
            loop = asyncio.get_running_loop()
            datagram, sender = await asyncio.wait_for(loop.sock_recvfrom(sock, 2048), 3.0)
            assert struct.unpack_from(">HHHHII", datagram)[0] == 6
            return sender[0], server.port
    finally:
        await server.stop()


def test_a_server_on_one_interface_hears_what_is_sent_to_all_of_its_network(epics_ports: EpicsPorts) -> None:
    networks = _networks()
    if not networks:
        pytest.skip("this host has no network besides loopback")
    address, broadcast = networks[0]
    assert asyncio.run(_search(address, address, epics_ports.ca))[0] == address
    assert asyncio.run(_search(address, broadcast, epics_ports.ca))[0] == address
