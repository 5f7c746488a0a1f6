"""A shadow next to a machine: it follows over both protocols, through a network that is cut, and never writes to it."""

import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import EpicsPorts, free_port
from p4p import Type, Value
from p4p.client.thread import Context
from patience import PATIENCE_S

from programs import access
from system.machine_relay import Relay
from system.twin_process import TwinProcess

INVALID = 3

#: After the network is cut, what depends on it is INVALID within this time [s]: 2 to 3.5 s, and more where
#: other programs leave the servers little time to compute.
NOTICED_S = PATIENCE_S


def ports() -> EpicsPorts:
    return EpicsPorts(free_port(), free_port(), free_port())


def client_of(port: int) -> Context:
    """A client of the server that hears searches on a port."""
    addresses = {"EPICS_PVA_ADDR_LIST": f"127.0.0.1:{port}", "EPICS_PVA_AUTO_ADDR_LIST": "NO"}
    return Context("pva", conf=addresses, useenv=False)


class Served:
    """A server and a client of it."""

    def __init__(self, process: TwinProcess, where: EpicsPorts, prefix: str) -> None:
        self.process = process
        self.prefix = prefix
        self.client = client_of(where.pva_udp)

    def get(self, name: str) -> Any:
        return self.client.get(self.prefix + name)

    def put(self, name: str, value: Any) -> None:
        self.client.put(self.prefix + name, value)

    def set(self, **arguments: list[Any]) -> None:
        self.call("dt:set", **arguments)

    def call(self, procedure: str, **arguments: Any) -> None:
        codes = {str: "s", float: "d"}
        types = [
            (key, "a" + codes[type(value[0])] if isinstance(value, list) else codes[type(value)])
            for key, value in arguments.items()
        ]
        query = Value(Type([("query", ("S", None, types))], id="epics:nt/NTURI:1.0"), {"query": arguments})
        self.client.rpc(self.prefix + procedure, query)

    def commands(self) -> list[dict[str, Any]]:
        done = self.process.gnomon("log", "export", "--journal", str(self.process.journal), "-")
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]


class Machine(Served):
    """A gnomon that stands in for the real machine, and can be started again where it was."""

    def __init__(self, folder: Path) -> None:
        self.where = ports()
        self._folder = folder
        super().__init__(self.start(), self.where, "")

    def start(self, *arguments: str) -> TwinProcess:
        return TwinProcess(self.where.environment, self._folder, "--role", "machine", "--ideal", *arguments)


class Shadow(Served):
    """A gnomon that follows the machine through a relay."""

    def __init__(self, protocol: str, machine: Machine, folder: Path) -> None:
        where = ports()
        self.protocol = protocol
        self.machine = machine
        self.relay = Relay(protocol, machine.where.ca if protocol == "ca" else machine.where.pva_udp)
        follow = ("--role", "shadow", "--follow", f"{protocol}://127.0.0.1:{self.relay.port}")
        super().__init__(TwinProcess(where.environment, folder, *follow), where, "TWIN:")

    def equals_machine(self) -> bool:
        """Orbit and tunes are the machine's. Lattice ids may differ: a strength gives its trim but for the last bit."""
        if self.get("ORBITCC:rdPos").severity != 0:
            return False
        tunes = [abs(float(self.get(n)) - float(self.machine.get(n))) for n in ("TUNEZR:flq:rdH", "TUNEZR:flq:rdV")]
        return self.orbit_difference_nm() < 1.0 and max(tunes) < 1e-9

    def shows(self, state: str) -> bool:
        found = self.get("dt:machine:connected")
        return bool(found.raw.value.choices[found.raw.value.index] == state)

    def orbit_difference_nm(self) -> float:
        return float(np.abs(self.get("ORBITCC:rdPos") - self.machine.get("ORBITCC:rdPos")).max())


def until(condition: Callable[[], bool], timeout_s: float = PATIENCE_S) -> float:
    """Wait for a condition; the time that it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < timeout_s, "it did not happen in time"
        time.sleep(0.05)
    return time.monotonic() - began


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    found = Machine(tmp_path_factory.mktemp("machine"))
    try:
        # A state that is not nominal, and whose order matters: the trim is on top of the current of then.
        found.put("Q1M1D1R:Cm:set", 2.43)
        found.put("Q1PDR:set", 219.0)
        found.put("HS4P1D1R:set", 0.2)
        yield found
    finally:
        found.client.close()
        found.process.stop()


@pytest.fixture(scope="module")
def shadows(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Shadow]]:
    with ExitStack() as stack:
        made = {}
        for protocol in ("ca", "pva"):
            shadow = made[protocol] = Shadow(protocol, machine, tmp_path_factory.mktemp(protocol))
            stack.callback(shadow.relay.stop)
            stack.callback(shadow.process.stop)
            stack.callback(shadow.client.close)
        yield made


@pytest.fixture(params=["ca", "pva"])
def shadow(request: pytest.FixtureRequest, shadows: dict[str, Shadow]) -> Shadow:
    found = shadows[request.param]
    until(lambda: found.shows("followed") and found.equals_machine())
    return found


def test_a_shadow_begins_with_the_machines_state_and_follows_its_puts(machine: Machine, shadow: Shadow) -> None:
    first = shadow.commands()[0]
    assert (first["note"], first["protocol"]) == ("catch up", shadow.protocol)
    assert first["user"] == "shadow-of the machine"
    caught_up = [command for command in shadow.commands() if command["note"] == "catch up"]  # PVA may find in pieces
    assert {"Q1PDR", "HS4P1D1R", "Q1M1D1R"} <= {c["device"] for command in caught_up for c in command["changes"]}
    machine.put("HS4P1D1R:set", 0.3)
    machine.put("Q1PDR:set", 218.8)
    machine.set(names=["HS1PD1R:set", "VS3P2T5R:set"], values=[0.1, -0.1])
    machine.put("Q1M1D1R:Cm:set", 2.44)
    until(shadow.equals_machine)
    last = shadow.commands()[-1]  # what the machine does in one go may come together, or in pieces
    assert last["note"] == "follow"
    assert "TWIN:Q1M1D1R:Cm:set" in [change["pv"] for change in last["changes"]]


def test_an_offset_of_a_monitor_of_the_machine_shows_as_residual(machine: Machine, shadow: Shadow) -> None:
    names = list(shadow.get("dt:orbit:names"))
    at = names.index("BPMZ6D1R")
    until(lambda: shadow.get("dt:residual:x").severity == 0 and abs(shadow.get("dt:residual:x")).max() < 1e-6)
    machine.set(devices=["BPMZ6D1R"], properties=["offset_x"], values=[1e-4])
    try:
        until(lambda: abs(shadow.get("dt:residual:x")[at] + 0.1) < 1e-6)
        assert abs(np.delete(shadow.get("dt:residual:x"), at)).max() < 1e-6
        assert abs(shadow.get("dt:residual:y")).max() < 1e-6
        assert shadow.get("dt:residual:x:where").raw.value == "BPMZ6D1R"
        assert float(shadow.get("dt:residual:x:max")) == pytest.approx(-0.1, abs=1e-6)
        assert float(shadow.get("dt:residual:x:rms")) == pytest.approx(0.1 / np.sqrt(len(names)), abs=1e-6)
        assert float(shadow.get("dt:residual:x:z:max")) == pytest.approx(-100.0, abs=1e-3)
        assert abs(float(shadow.get("dt:residual:tune:x"))) < 1e-9
        assert shadow.get("dt:residual:fresh").tolist() == [1.0] * len(names)
    finally:
        machine.set(devices=["BPMZ6D1R"], properties=["offset_x"], values=[0.0])


def test_a_cut_network_makes_outputs_invalid_and_the_shadow_catches_up_by_itself(
    machine: Machine, shadow: Shadow
) -> None:
    until(lambda: shadow.get("dt:residual:x").severity == 0)
    before = shadow.get("dt:residual:x").timestamp
    shadow.relay.cut()
    try:
        until(lambda: shadow.shows("not reached"), NOTICED_S)
        for name in (
            "Q1PDR:set",
            "ORBITCC:rdPos",
            "BPMZ6D1R:rdX",
            "dt:residual:x",
            "dt:residual:x:rms",
            "dt:machine:age",
        ):
            assert shadow.get(name).severity == INVALID, name
        assert shadow.get("dt:residual:x").timestamp <= before + NOTICED_S
        assert not any(shadow.get("dt:residual:fresh"))
        assert "is not reached" in str(shadow.get("dt:machine:reason"))
        machine.put("HS4P1D1R:set", 0.25)
        machine.put("Q1M1D1R:Cm:set", 2.45)
        machine.put("Q1PDR:set", 218.9)
    finally:
        shadow.relay.mend()
    until(lambda: shadow.shows("followed") and shadow.equals_machine())
    assert shadow.get("Q1PDR:set").severity == 0
    until(lambda: shadow.get("dt:residual:x").severity == 0 and abs(shadow.get("dt:residual:x")).max() < 1e-6)


def test_no_road_leads_from_the_shadow_to_the_machine(machine: Machine, shadow: Shadow) -> None:
    state = machine.get("dt:lattice").raw.value
    reason = "this shadow follows"
    with pytest.raises(Exception, match=reason):
        shadow.put("Q1PDR:set", 218.0)
    with pytest.raises(Exception, match=reason):
        shadow.set(names=["HS4P1D1R:set", "HS1PD1R:set"], values=[0.5, 0.5])
    shadow.process.client(access.caput, "TWIN:HS4P1D1R:set", 0.7)
    journal = ("--journal", str(shadow.process.journal))
    assert reason in shadow.process.gnomon("log", "undo", "1", "--force", "--yes", *journal).stderr
    with pytest.raises(Exception, match=reason):
        shadow.call("dt:fault", do="add", kind="abandon", device="HS4P1D1R")
    shadow.put("par:mode", "twin")
    assert shadow.shows("alone")
    assert shadow.get("dt:residual:x").severity == INVALID
    shadow.put("HS4P1D1R:set", 0.6)
    assert shadow.process.gnomon("restore", "--to", "1", "--yes", *journal).returncode == 0
    shadow.put("dt:active", 0)
    shadow.put("dt:active", 1)
    shadow.put("par:mode", "shadow")
    until(lambda: shadow.shows("followed") and shadow.equals_machine())
    assert machine.get("dt:lattice").raw.value == state
    assert not [c for c in machine.commands() if c["user"].startswith("shadow")]
    assert shadow.relay.writes == {}
    assert sum(shadow.relay.commands.values()) > 2000  # it did listen to what goes by


@pytest.mark.parametrize("protocol", ["ca", "pva"])
def test_the_relay_would_show_a_put(machine: Machine, protocol: str) -> None:
    relay = Relay(protocol, machine.where.ca if protocol == "ca" else machine.where.pva_udp)
    try:
        if protocol == "ca":
            environment = machine.process.environment
            machine.process.environment = environment | {"EPICS_CA_ADDR_LIST": f"127.0.0.1:{relay.port}"}
            machine.process.client(access.caput, "HS1PD2R:set", 0.01)
            machine.process.environment = environment
            assert relay.writes == {"WRITE_NOTIFY": 1}
        else:
            with client_of(relay.port) as client:
                client.put("HS1PD2R:set", 0.02)
            assert relay.writes["PUT"] >= 1
    finally:
        relay.stop()


def test_a_machine_that_is_killed_and_started_again_is_found_by_its_shadows(
    machine: Machine, shadows: dict[str, Shadow]
) -> None:
    machine.process.stop(signal.SIGKILL)
    for shadow in shadows.values():
        until(lambda shadow=shadow: shadow.shows("not reached"), NOTICED_S)  # type: ignore[misc]
        assert shadow.get("ORBITCC:rdPos").severity == INVALID
    machine.process = machine.start("--restore")
    try:
        machine.put("HS4P1D1R:set", 0.05)
        for shadow in shadows.values():
            until(lambda shadow=shadow: shadow.shows("followed") and shadow.equals_machine())  # type: ignore[misc]
            assert shadow.relay.writes == {}
    finally:
        machine.process.stop()  # it belongs to this test
