"""Clients that put and vanish, over both protocols, do not freeze the server or fill its log."""

import socket
import struct
import subprocess
import sys
from pathlib import Path

from conftest import EpicsPorts

from system.twin_process import TwinProcess

PUT_AND_VANISH = """
import os, threading, time
from p4p.client.thread import Context
ctx = Context('pva')
ctx.get('TWIN:HS3P2K1RP:setCur', timeout=5)
def puts():
    while True:
        ctx.put('TWIN:HS3P2K1RP:setCur', 0.1, timeout=5)
for _ in range(20):
    threading.Thread(target=puts, daemon=True).start()
time.sleep(0.2)
os._exit(0)
"""
GET = "import epics\nresult = epics.caget('TWIN:TUNEZRP:measX', timeout=5, use_monitor=False)\n"
HEADER = struct.Struct(">HHHHII")


def test_pv_access_clients_that_vanish_amid_puts_leave_a_server_that_answers(
    epics_ports: EpicsPorts, tmp_path: Path
) -> None:
    with TwinProcess(epics_ports.environment, tmp_path, "--machine", "mls") as server:
        for _ in range(12):
            subprocess.run([sys.executable, "-c", PUT_AND_VANISH], env=server.environment, timeout=30, check=True)
        assert server.code(GET) > 0.0
        assert server.stop() == 0
        assert "Traceback" not in server.log.read_text()


def test_channel_access_clients_that_vanish_amid_puts_leave_no_traceback(
    epics_ports: EpicsPorts, tmp_path: Path
) -> None:
    with TwinProcess(epics_ports.environment, tmp_path, "--machine", "mls") as server:
        for i in range(60):
            with socket.create_connection(("127.0.0.1", epics_ports.ca), timeout=5) as client:
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
        assert server.code(GET) > 0.0
        assert server.stop() == 0
        assert "Traceback" not in server.log.read_text()


def test_a_stop_amid_puts_and_delayed_commands_is_clean(epics_ports: EpicsPorts, tmp_path: Path) -> None:
    with TwinProcess(epics_ports.environment, tmp_path, "--machine", "mls") as server:
        assert server.gnomon("fault", "add", "delay", "HS1*", "--delay", "60").returncode == 0
        server.code(
            "import epics\n"
            "pvs = [epics.PV(f'TWIN:{n}:setCur') for n in ('HS1P2K1RP', 'HS3P2K1RP')]\n"
            "for pv in pvs: pv.wait_for_connection(5)\n"
            "for i in range(50):\n"
            "    for pv in pvs: pv.put(i / 100)\n"
            "result = pvs[1].put(0.5, wait=True, timeout=5)\n"
        )
        assert server.stop() == 0
        assert "Traceback" not in server.log.read_text()
        rows = server.gnomon("log", "--journal", str(server.journal), "--outcome", "failed", "-n", "3").stdout
        assert "the server stopped while the command was delayed" in rows
