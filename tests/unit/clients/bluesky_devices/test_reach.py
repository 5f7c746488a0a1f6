"""EPICS libraries find a server of this computer, unless the user has said where to search."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gnomon.clients.bluesky_devices import reach
from gnomon.clients.errors import NoServerError
from gnomon.ioc.base.running_servers import RunningServer, announced

TWIN = RunningServer(
    pid=11, prefix="TWIN:", machine="bessy2", role="twin", ca_address="", pva_address="", started_ns=1,
    environment={
        "EPICS_CA_ADDR_LIST": "127.0.0.1", "EPICS_CA_SERVER_PORT": "5164",
        "EPICS_PVA_ADDR_LIST": "127.0.0.1", "EPICS_PVA_BROADCAST_PORT": "5176",
    },
)  # fmt: skip
MACHINE = RunningServer(
    pid=12, prefix="", machine="bessy2", role="machine", ca_address="", pva_address="", started_ns=2,
    environment={"EPICS_CA_ADDR_LIST": "127.0.0.1", "EPICS_CA_SERVER_PORT": "5264"},
)  # fmt: skip


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    places = {"XDG_RUNTIME_DIR": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")}
    for name, value in places.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(reach, "_made", {})
    with announced(TWIN), announced(MACHINE):
        yield places


def test_addresses_of_all_rings_are_listed_with_their_ports(environ: dict[str, str]) -> None:
    assert reach.reach_server("bessy2", "TWIN:", environ) == "TWIN:"
    assert reach.reach_server("bessy2", "", environ) == ""
    assert environ["EPICS_CA_ADDR_LIST"] == "127.0.0.1:5164 127.0.0.1:5264"
    assert environ["EPICS_PVA_ADDR_LIST"] == "127.0.0.1:5176"
    assert environ["EPICS_CA_AUTO_ADDR_LIST"] == "NO"


def test_lists_of_the_user_stay(environ: dict[str, str]) -> None:
    environ |= {"EPICS_CA_ADDR_LIST": "192.0.2.1", "EPICS_PVA_NAME_SERVERS": "192.0.2.1:5075"}
    reach.reach_server("bessy2", "TWIN:", environ)
    assert environ["EPICS_CA_ADDR_LIST"] == "192.0.2.1"
    assert "EPICS_PVA_ADDR_LIST" not in environ


def test_a_prefix_that_nobody_serves_here_is_searched_for_elsewhere(environ: dict[str, str]) -> None:
    assert reach.reach_server("mls", "MLS:", environ) == "MLS:"
    assert "EPICS_CA_ADDR_LIST" not in environ


def test_without_a_prefix_there_must_be_one_server(environ: dict[str, str]) -> None:
    with pytest.raises(NoServerError, match="several servers run"):
        reach.reach_server("bessy2", None, environ)
    with pytest.raises(NoServerError, match="none of the running servers"):
        reach.reach_server("mls", None, environ)
