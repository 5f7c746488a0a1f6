"""Processor time of a server of role machine whose readings repeat at 10 Hz, with two clients on every PV.

`python tests/bench/imperfect_machine.py` prints the part of a core that the server takes, for BESSY II without
imperfections, with the default ones, and with ripple on every supply, so that the beam is computed ten times a second.
"""

import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from gnomon.ioc.base.config import Config  # noqa: E402
from gnomon.ioc.base.machines import find_machine, pvs_of  # noqa: E402
from system.test_shadow_operation import ports  # noqa: E402
from system.twin_process import TwinProcess  # noqa: E402

#: Time for clients to connect, and the time that is measured [s].
CONNECT_S, MEASURED_S = 20.0, 20.0
CASES = {"ideal": (0.0, 0.0), "default": (1.0, 0.0), "ripple on every supply": (1.0, 1e-6)}

#: A client that watches the PVs named on its standard input, for ever.
CLIENT = """
import sys, time
from p4p.client.thread import Context
where = {"EPICS_PVA_ADDR_LIST": "127.0.0.1:" + sys.argv[1], "EPICS_PVA_AUTO_ADDR_LIST": "NO"}
context = Context("pva", conf=where, useenv=False, nt=False)
held = [context.monitor(name, lambda value: None) for name in sys.stdin.read().split()]
time.sleep(3600)
"""


def part_of_a_core(scale: float, ripple: float) -> float:
    """Processor time of the server over the time that passes."""
    where = ports()
    names = "\n".join(spec.name for spec in pvs_of(find_machine(Config()), ""))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        config = folder / "machine.yaml"
        config.write_text(
            "role: machine\nprefix: ''\npublish: {repeat_hz: 10.0}\n"
            f"imperfections: {{scale: {scale}, supplies: {{ripple: {ripple}}}}}\n"
        )
        twin = stack.enter_context(TwinProcess(where.environment, folder, "--config", str(config)))
        for _ in range(2):
            command = [sys.executable, "-c", CLIENT, str(where.pva_udp)]
            client = subprocess.Popen(command, stdin=subprocess.PIPE, text=True)
            stack.callback(client.wait)
            stack.callback(client.kill)
            assert client.stdin is not None
            client.stdin.write(names)
            client.stdin.close()
        time.sleep(CONNECT_S)
        server = psutil.Process(twin.process.pid)
        before, began = sum(server.cpu_times()[:2]), time.monotonic()
        time.sleep(MEASURED_S)
        return (sum(server.cpu_times()[:2]) - before) / (time.monotonic() - began)


if __name__ == "__main__":
    for case, (scale, ripple) in CASES.items():
        print(f"{case:24} {100.0 * part_of_a_core(scale, ripple):5.1f} % of a core", flush=True)
