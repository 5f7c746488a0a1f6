"""Checks of `gnomon doctor`: each finds what is wrong, says what to do, and is silent about what is well."""

import os
import resource
import socket
import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from gnomon.ioc.app.checkup import Finding, State, examine, running_checks
from gnomon.ioc.app.checkup import computer_checks as computer
from gnomon.ioc.app.checkup import network_checks as network
from gnomon.ioc.app.checkup import store_checks as stores
from gnomon.ioc.base.config import Config, changed
from gnomon.ioc.base.running_servers import RunningServer
from gnomon.ioc.servers.duplicate_pvs import DuplicatePvError
from gnomon.lattice import DocumentError, GnomonError
from gnomon.recorder import Journal

RUNNING = RunningServer(
    pid=7, prefix="T:", machine="mls", role="twin", ca_address="127.0.0.1:5064", pva_address="127.0.0.1:5075"
)
GIB = 2**30


def states(found: Iterable[Finding]) -> list[State]:
    checked = list(found)
    assert all(bool(each.advice) == (each.state is not State.OK) for each in checked)
    return [each.state for each in checked]


@pytest.mark.parametrize(
    ("now_s", "kept", "state"),
    [(0.0, True, State.ERROR), (1.8e9, False, State.WARNING), (1.8e9, True, State.OK), (1.8e9, None, State.OK)],
)
def test_a_clock_is_to_be_set_and_kept_right(now_s: float, kept: bool | None, state: State) -> None:
    assert states([computer.check_clock(lambda: now_s, lambda: kept)]) == [state]


def test_the_kernel_is_asked_about_the_clock() -> None:
    assert computer.is_synchronised() in (True, False, None)


@pytest.mark.parametrize(("left", "state"), [(50 * GIB, State.OK), (GIB, State.WARNING), (2**20, State.ERROR)])
def test_a_disk_has_room(tmp_path: Path, left: int, state: State) -> None:
    assert states(computer.check_disks({"disk": tmp_path / "made" / "later"}, lambda _: left)) == [state]


def test_a_folder_that_cannot_be_made_is_found(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert states(computer.check_disks({"disk": tmp_path / "file" / "folder"})) == [State.ERROR]


def test_a_token_that_others_can_read_is_found(tmp_path: Path) -> None:
    token = tmp_path / "token"
    assert states(computer.check_secrets({"token": token})) == []
    token.touch(0o600)
    assert states(computer.check_secrets({"token": token})) == [State.OK]
    token.chmod(0o644)
    (found,) = computer.check_secrets({"token": token})
    assert found.advice.startswith(f"chmod 600 {token}")


def test_kernels_that_are_not_compiled_are_told() -> None:
    assert states([computer.check_kernels(lambda: True), computer.check_kernels(lambda: False)]) == ["ok", "warning"]


def test_addresses_are_those_of_this_computer() -> None:
    assert states(network.check_addresses(["127.0.0.1", "0.0.0.0", "192.0.2.1", "nonsense"])) == [
        State.OK,
        State.WARNING,
        State.ERROR,
        State.ERROR,
    ]


def test_addresses_and_ports_are_those_that_the_epics_variables_give() -> None:
    given = Config().network
    assert network.in_force(given, {}) == given
    variables = {
        "EPICS_CAS_INTF_ADDR_LIST": "0.0.0.0",
        "EPICS_CAS_SERVER_PORT": "6064",
        "EPICS_PVAS_SERVER_PORT": "6075",
    }
    used = network.in_force(given, variables)
    assert used.interfaces == ("0.0.0.0", "127.0.0.1")
    assert (used.ca_port, used.pva_port) == (6064, 6075)
    with pytest.raises(GnomonError, match="EPICS_CAS_SERVER_PORT"):
        network.in_force(given, {"EPICS_CAS_SERVER_PORT": "many"})


def test_a_port_in_use_is_known_by_who_has_it() -> None:
    ports = network.ports_of(Config().network, 9100)
    assert [port for port, _ in ports] == [5064, 5075, 9100]
    found = list(network.check_ports("127.0.0.1", ports, [RUNNING], lambda _, port: port == 9100))
    assert [each.state for each in found] == [State.OK] * 3
    assert "in use by a running gnomon, process 7" in found[0].detail
    assert states(network.check_ports("127.0.0.1", ports, [], lambda *_: False)) == ["warning", "warning", "error"]


def test_a_port_is_tried() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        port = taken.getsockname()[1]
        assert not network.can_listen("127.0.0.1", port)
    assert network.can_listen("127.0.0.1", port)


def test_names_that_another_server_serves_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    problem: list[Exception] = [
        DuplicatePvError("another server at h:1 already serves 'T:a'. Stop it"),
        OSError("away"),
    ]

    async def search(names: object, config: object) -> None:
        if problem:
            raise problem.pop(0)

    monkeypatch.setattr(network, "refuse_duplicate_pvs", search)
    config = Config().network
    taken = network.check_names(["T:a"], config, [], "T:")
    assert (taken.state, taken.detail) == (State.ERROR, "another server at h:1 already serves 'T:a'")
    assert network.check_names(["T:a"], config, [], "T:").state is State.WARNING
    assert network.check_names(["T:a"], config, [], "T:").state is State.OK
    assert "process 7" in network.check_names(["T:a"], config, [RUNNING], "T:").detail
    off = changed(Config(), {"network": {"check_names": False}}).network
    assert network.check_names(["T:a"], off, [], "T:").state is State.WARNING


def test_a_broker_that_is_away_is_found_by_its_setting() -> None:
    with socket.socket() as broker:
        broker.bind(("127.0.0.1", 0))
        broker.listen(1)
        port = broker.getsockname()[1]
        there = {"results.tiled": f"http://127.0.0.1:{port}/a", "store.mongodb": f"mongodb://u@127.0.0.1:{port},b/db"}
        assert states(network.check_brokers(there)) == [State.OK, State.OK]
    away = {"results.tiled": f"http://127.0.0.1:{port}", "store.mongodb": f"mongodb://127.0.0.1:{port}/db"}
    found = list(network.check_brokers(away))
    assert [(each.check, each.state) for each in found] == [("results.tiled", "warning"), ("store.mongodb", "error")]
    assert states(network.check_brokers({"store.mongodb": "mongodb+srv://name/db"})) == []


def test_room_for_connections_is_checked_against_the_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 4096))
    assert computer.check_open_files(4096).state is State.OK
    assert "at most 4096, and guard.max_connections needs 4097" in computer.check_open_files(4097).detail
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, resource.RLIM_INFINITY))
    assert computer.check_open_files(4097).state is State.OK


def test_a_machine_that_cannot_be_resolved_is_found() -> None:
    assert states(network.check_hosts("machine", ["127.0.0.1:5064", "no such host."])) == ["ok", "error"]


def test_a_journal_is_readable_and_not_of_the_future(tmp_path: Path) -> None:
    path = tmp_path / "twin.journal"
    assert states([stores.check_journal(path)]) == [State.OK]
    with Journal(path):
        pass
    assert states([stores.check_journal(path)]) == [State.OK]
    path.write_bytes(b"not a journal" * 100)
    assert states([stores.check_journal(path)]) == [State.ERROR]


def test_a_damaged_store_is_found(tmp_path: Path) -> None:
    path = tmp_path / "documents.sqlite"
    assert states([stores.check_store(path)]) == [State.OK]
    with sqlite3.connect(path) as store:
        store.execute("create table t (a)")
        store.executemany("insert into t values (?)", [("x" * 900,)] * 100)
    store.close()
    assert states([stores.check_store(path)]) == [State.OK]
    data = bytearray(path.read_bytes())
    data[4096 * 3 : 4096 * 5] = os.urandom(4096 * 2)
    path.write_bytes(data)
    assert states([stores.check_store(path)]) == [State.ERROR]


def test_a_document_that_cannot_be_read_is_found() -> None:
    def fail() -> str:
        raise DocumentError("ring.json: no supplies")

    found = stores.check_document("machine", fail, "correct it")
    assert (found.state, found.detail, found.advice) == (State.ERROR, "ring.json: no supplies", "correct it")


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> Callable[[Config], list[Finding]]:
    """All checks, without the search for names and the servers of this computer."""
    monkeypatch.setattr(running_checks, "running_servers", list)
    return lambda config: list(examine(changed(config, {"network": {"check_names": False}}), {}, Path("/nowhere")))


def test_all_is_looked_at_in_one_go(
    quiet: Callable[[Config], list[Finding]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    found = quiet(changed(Config(), {"machine": "mls", "metrics": {"port": 9100}}))
    assert [each.check for each in found] == [
        "machine", "kernels", "clock", "open files", "journal's disk", "store's disk", "journal", "document store",
        "address", "port", "port", "port", "PV names",
    ]  # fmt: skip


def test_a_machine_that_is_not_there_ends_no_other_check(
    quiet: Callable[[Config], list[Finding]], tmp_path: Path
) -> None:
    found = quiet(changed(Config(), {"machine": str(tmp_path / "none.json")}))
    assert found[0].state is State.ERROR
    assert {"clock", "port"} <= {each.check for each in found}
    assert "PV names" not in {each.check for each in found}
