"""Clients that put and vanish, over both protocols, do not freeze the server or fill its log."""

import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import EpicsPorts
from patience import PATIENCE_S

from programs import access, endless_puts
from system.twin_process import TwinProcess

pytestmark = pytest.mark.slow  # servers and commands started one by one

STEERER, TUNE = "TWIN:HS3P2K1RP:setCur", "TWIN:TUNEZRP:measX"
HEADER = struct.Struct(">HHHHII")


def test_pv_access_clients_that_vanish_amid_puts_leave_a_server_that_answers(
    epics_ports: EpicsPorts, tmp_path: Path, soak: bool
) -> None:
    with TwinProcess(epics_ports.environment, tmp_path, "--machine", "mls") as server:
        for _ in range(12 if soak else 4):
            command = [sys.executable, "-m", "programs.endless_puts", "vanish", STEERER]
            subprocess.run(command, env=server.client_environment, timeout=2.0 * PATIENCE_S, check=True)
        assert server.client(access.caget, TUNE) > 0.0
        assert server.stop() == 0
        assert "Traceback" not in server.log.read_text()


def test_channel_access_clients_that_vanish_amid_puts_leave_no_traceback(
    epics_ports: EpicsPorts, tmp_path: Path
) -> None:
    with TwinProcess(epics_ports.environment, tmp_path, "--machine", "mls") as server:
        for i in range(60):
            with socket.create_connection(("127.0.0.1", epics_ports.ca), timeout=PATIENCE_S) as client:
                name = b"TWIN:HS3P2K1RP:setCur\0\0\0"
                client.sendall(HEADER.pack(0, 0, 0, 13, 0, 0) + HEADER.pack(18, len(name), 0, 0, 1, 13) + name)
                reply = b""
                while len(reply) < 48:
                    reply += client.recv(4096)
                channel = next(
                    HEADER.unpack_from(reply, at)[5]
                    for at in range(0, len(reply), 16)
                    if HEADER.unpack_from(reply, at)[0] == 18
                )
                value = struct.pack(">d", i / 1000)
                client.sendall(HEADER.pack(19, 8, 6, 1, channel, i) + value)
        assert server.client(access.caget, TUNE) > 0.0
        assert server.stop() == 0
        assert "Traceback" not in server.log.read_text()


def test_a_stop_amid_puts_and_delayed_commands_is_clean(epics_ports: EpicsPorts, tmp_path: Path) -> None:
    with TwinProcess(epics_ports.environment, tmp_path, "--machine", "mls") as server:
        assert server.gnomon("fault", "add", "delay", "HS1*", "delay_s=60").returncode == 0
        names = [f"TWIN:{name}:setCur" for name in ("HS1P2K1RP", "HS3P2K1RP")]
        assert server.client(endless_puts.many_over_ca, names) == 1
        assert server.stop() == 0
        assert "Traceback" not in server.log.read_text()
        rows = server.gnomon("log", "--journal", str(server.journal), "--outcome", "failed", "-n", "3").stdout
        assert "the server stopped while the command was delayed" in rows
