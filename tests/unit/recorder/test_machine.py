"""The fake and the real client keep the same contract; the real one does so in processes of its own."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from unit.recorder.fake_machine import FakeMachine, FakePv
from unit.recorder.machine_contract import check_machine_client

SERVER = """
import sys
from caproto import AlarmSeverity, AlarmStatus, AccessRights, ChannelAlarm, ChannelDouble, ChannelString
from caproto.asyncio.server import run

class ReadOnly(ChannelDouble):
    def check_access(self, hostname, username):
        return AccessRights.READ

readback = ReadOnly(value=1.0)

class Set(ChannelDouble):
    async def verify_value(self, value):
        await readback.write(value)
        return value

limits = dict(lower_ctrl_limit=0.0, upper_ctrl_limit=10.0)
bad = ChannelDouble(value=3.0, alarm=ChannelAlarm(status=AlarmStatus.UDF, severity=AlarmSeverity.INVALID_ALARM))
pvs = {
    "c:set": Set(value=1.0, **limits), "c:rdbk": readback, "c:free": ChannelDouble(value=2.0),
    "c:bad": bad, "c:text": ChannelString(value="hello"),
}
async def ready(library):
    print("ready", flush=True)
run(pvs, interfaces=["127.0.0.1"], log_pv_names=False, startup_hook=ready)
"""

CLIENT = """
from gnomon.recorder.epics_machine import EpicsMachine
from unit.recorder.machine_contract import check_machine_client
check_machine_client(EpicsMachine())
"""


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
    environment = {
        **os.environ,
        "EPICS_CA_SERVER_PORT": port,
        "EPICS_CAS_SERVER_PORT": port,
        "EPICS_CA_ADDR_LIST": "127.0.0.1",
        "EPICS_CA_AUTO_ADDR_LIST": "NO",
        "EPICS_CAS_BEACON_ADDR_LIST": "127.0.0.1",
        "EPICS_CAS_AUTO_BEACON_ADDR_LIST": "NO",
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]),
    }
    with subprocess.Popen([sys.executable, "-c", SERVER], env=environment, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == "ready\n"
            client = subprocess.run(
                [sys.executable, "-c", CLIENT], env=environment, capture_output=True, text=True, check=False, timeout=60
            )
        finally:
            server.kill()
    assert client.returncode == 0, client.stderr


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
