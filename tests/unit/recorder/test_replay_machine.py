"""The fake and the real client keep the same contract; the real one does so in processes of its own."""

import socket
import subprocess

import pytest

from programs.running import command, environment, run
from unit.recorder.fake_machine import FakeMachine, FakePv
from unit.recorder.machine_contract import check_machine_client


def test_the_fake_machine_keeps_the_contract() -> None:
    check_machine_client(
        FakeMachine(
            {
                "c:set": FakePv(1.0, 0.0, 10.0),
                "c:rdbk": FakePv(1.0, writable=False, follows="c:set"),
                "c:free": FakePv(2.0),
                "c:bad": FakePv(3.0, severity=3),
                "c:text": FakePv(0.0, numeric=False),
            }
        )
    )


@pytest.mark.network
def test_a_machine_over_channel_access_keeps_the_contract() -> None:
    port = str(free_port())
    more = {
        "EPICS_CA_SERVER_PORT": port,
        "EPICS_CAS_SERVER_PORT": port,
        "EPICS_CA_ADDR_LIST": "127.0.0.1",
        "EPICS_CA_AUTO_ADDR_LIST": "NO",
        "EPICS_CAS_BEACON_ADDR_LIST": "127.0.0.1",
        "EPICS_CAS_AUTO_BEACON_ADDR_LIST": "NO",
    }
    serving = command("caproto_machine")
    with subprocess.Popen(serving, env=environment(more), stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == "ready\n"
            client = run("machine_client", more=more)
        finally:
            server.kill()
    assert client.returncode == 0, client.stderr


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
