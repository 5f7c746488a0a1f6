"""Announcements hold what clients need, as long as the twin is served."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gnomon.db import StorePlace
from gnomon.ioc.app.announcer import Announcer
from gnomon.ioc.app.servers import Servers
from gnomon.ioc.app.twin import Twin
from gnomon.ioc.base.running_servers import RunningServer, running_servers


def twin(folder: Path) -> Twin:
    made = SimpleNamespace(
        prefix="T:",
        machine=SimpleNamespace(ring=SimpleNamespace(name="small")),
        config=SimpleNamespace(role="virtual", store_place=lambda: StorePlace(folder / "documents.sqlite")),
        journal=SimpleNamespace(path=folder / "twin.journal"),
    )
    return cast("Twin", made)


def servers(ca: tuple[str, ...], pva: list[str]) -> Servers:
    made: Any = SimpleNamespace(
        ca=SimpleNamespace(
            where=SimpleNamespace(interfaces=ca), port=20064, client_variables={"EPICS_CA_SERVER_PORT": "20064"}
        ),
        pva_endpoint=SimpleNamespace(
            interfaces=pva, port=20075, client_variables={"EPICS_PVA_NAME_SERVERS": "127.0.0.1:20075"}
        ),
    )
    return cast("Servers", made)


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_RUNTIME_DIR", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))


def shown(announcer: Announcer, served: Servers, folder: Path, fork: str = "") -> RunningServer:
    with announcer.announced(served, twin(folder), fork):
        (found,) = running_servers()
    assert running_servers() == ()
    return found


def test_a_twin_is_known_while_it_is_served_and_no_longer(tmp_path: Path) -> None:
    found = shown(Announcer(tmp_path / "x" / ".." / "ring.yaml"), servers(("10.1.2.3",), ["10.1.2.4"]), tmp_path, "A")
    assert (found.pid, found.prefix, found.machine, found.role) == (os.getpid(), "T:", "small", "virtual")
    assert (found.ca_address, found.pva_address) == ("10.1.2.3:20064", "10.1.2.4:20075")
    assert found.environment == {"EPICS_CA_SERVER_PORT": "20064", "EPICS_PVA_NAME_SERVERS": "127.0.0.1:20075"}
    assert found.config == str((tmp_path / "ring.yaml").resolve())
    assert (found.journal, found.store) == (str(tmp_path / "twin.journal"), str(tmp_path / "documents.sqlite"))
    assert found.fork == "A"


def test_the_shipped_configuration_is_an_empty_text(tmp_path: Path) -> None:
    assert shown(Announcer(), servers(("10.1.2.3",), ["10.1.2.4"]), tmp_path).config == ""


@pytest.mark.parametrize(
    ("interfaces", "address"),
    [
        ((), "127.0.0.1"),
        (("0.0.0.0",), "127.0.0.1"),
        (("::", ""), "127.0.0.1"),
        (("0.0.0.0", "10.1.2.3", "10.1.2.4"), "10.1.2.3"),
    ],
)
def test_an_address_for_all_interfaces_is_announced_as_one_that_clients_reach(
    tmp_path: Path, interfaces: tuple[str, ...], address: str
) -> None:
    found = shown(Announcer(), servers(interfaces, list(interfaces)), tmp_path)
    assert (found.ca_address, found.pva_address) == (f"{address}:20064", f"{address}:20075")
