"""One server is found by itself; of several, a message says which there are and how to choose."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from gnomon.clients.errors import NoServerError
from gnomon.clients.server_choice import Target, choose_server, find_again
from gnomon.ioc.base.running_servers import RunningServer, announced

NOTHING: dict[str, str] = {}
TWIN = RunningServer(
    pid=11, prefix="TWIN:", machine="bessy2", role="twin", ca_address="127.0.0.1:5064", pva_address="127.0.0.1:5075",
    environment={"EPICS_PVA_ADDR_LIST": "127.0.0.1"}, started_ns=1,
)  # fmt: skip
FORK = replace(TWIN, prefix="WHATIF:", fork="WHATIF", started_ns=2)
MLS = replace(TWIN, pid=22, prefix="MLS:", machine="mls", config="/etc/mls.yaml", started_ns=3)
BARE = replace(TWIN, pid=33, prefix="", role="machine", started_ns=4)


class Running:
    def __init__(self, stack: ExitStack, environ: dict[str, str]) -> None:
        self._stack = stack
        self.environ = environ

    def add(self, *servers: RunningServer) -> dict[str, str]:
        for server in servers:
            self._stack.enter_context(announced(server))
        return self.environ


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    environ = {"XDG_RUNTIME_DIR": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")}
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    with ExitStack() as stack:
        yield Running(stack, environ)


def test_the_only_server_is_found_with_its_ports(running: Running) -> None:
    assert choose_server(environ=running.add(TWIN)) == Target("TWIN:", TWIN.environment, TWIN)


def test_a_fork_does_not_stand_in_the_way_of_its_server_and_is_chosen_by_prefix_or_by_names(running: Running) -> None:
    environ = running.add(TWIN, FORK)
    assert choose_server(environ=environ).prefix == "TWIN:"
    assert choose_server("WHATIF:", environ=environ).server == FORK
    assert choose_server(names=["WHATIF:TUNEZR:rdH"], environ=environ).server == FORK
    assert choose_server(names=["TUNEZR:rdH"], environ=environ).server == TWIN


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        ({"prefix": "MLS:"}, MLS),
        ({"machine": "mls"}, MLS),
        ({"machine": "shared/mls.json"}, MLS),
        ({"config": Path("/etc/mls.yaml")}, MLS),
        ({"server": "11"}, TWIN),
        ({"prefix": ""}, BARE),
        ({"names": ["MLS:a", "MLS:b"]}, MLS),
    ],
)
def test_several_servers_are_listed_with_their_differences(
    running: Running, chosen: dict[str, object], found: RunningServer
) -> None:
    assert choose_server(**chosen, environ=running.add(TWIN, MLS, BARE)).server == found  # type: ignore[arg-type]


def test_several_without_a_choice_are_listed_with_how_to_choose(running: Running) -> None:
    with pytest.raises(NoServerError) as told:
        choose_server(environ=running.add(TWIN, MLS))
    assert "--prefix" in str(told.value)
    assert "--server" in str(told.value)
    for part in ("'TWIN:'", "bessy2", "process 11", "'MLS:'", "mls", "process 22", "127.0.0.1:5075"):
        assert part in str(told.value)


def test_a_choice_that_fits_no_server_lists_those_that_run(running: Running) -> None:
    with pytest.raises(NoServerError, match="none of the running servers") as told:
        choose_server(server="99", environ=running.add(TWIN))
    assert "process 11" in str(told.value)


def test_no_server_says_how_to_start_one(running: Running) -> None:
    with pytest.raises(NoServerError, match="gnomon serve"):
        choose_server(environ=running.environ)


def test_a_server_elsewhere_is_searched_for_by_the_epics_variables(running: Running) -> None:
    environ = running.add(TWIN) | {"EPICS_PVA_ADDR_LIST": "192.0.2.7", "HOME": "/"}
    told = {"EPICS_PVA_ADDR_LIST": "192.0.2.7"}
    assert choose_server("SIM:", environ=environ) == Target("SIM:", told)
    assert choose_server(server="epics", environ=environ) == Target("TWIN:", told)


def test_a_configuration_gives_prefix_and_ports_of_a_server_that_is_not_found(running: Running, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("{prefix: 'C:', network: {ca_port: 6064, pva_broadcast_port: 6076}}")
    ports = {"EPICS_CA_SERVER_PORT": "6064", "EPICS_PVA_BROADCAST_PORT": "6076"}
    assert choose_server(config=file, environ=running.environ) == Target("C:", ports)


def test_the_number_of_a_process_means_its_server_and_not_its_forks(running: Running) -> None:
    environ = running.add(FORK, TWIN)
    assert choose_server(server="11", environ=environ).server == TWIN
    assert choose_server("WHATIF:", server="11", environ=environ).server == FORK


def test_a_fork_is_chosen_where_nothing_else_runs(running: Running) -> None:
    assert choose_server(environ=running.add(FORK)).server == FORK


@pytest.mark.parametrize(
    "variable", ["EPICS_PVA_ADDR_LIST", "EPICS_CA_ADDR_LIST", "EPICS_PVA_NAME_SERVERS", "EPICS_CA_NAME_SERVERS"]
)
def test_epics_variables_alone_are_enough_to_search_by_unless_they_are_blank(running: Running, variable: str) -> None:
    assert choose_server(environ=running.environ | {variable: "192.0.2.7"}) == Target("TWIN:", {variable: "192.0.2.7"})
    with pytest.raises(NoServerError, match="no server of this user runs"):
        choose_server(environ=running.environ | {variable: " "})


def test_a_target_is_described_by_its_server_or_by_how_it_is_searched_for() -> None:
    assert Target("SIM:").describe() == "prefix 'SIM:', by the EPICS variables"
    assert Target("TWIN:", {}, TWIN).describe() == (
        "prefix 'TWIN:': bessy2, twin, process 11, 127.0.0.1:5064 (CA), 127.0.0.1:5075 (PVA)"
    )


def test_a_twin_is_found_again_at_its_new_addresses_alone(running: Running) -> None:
    before = Target("TWIN:", TWIN.environment, TWIN)
    assert find_again(before, running.environ) is None  # it does not run
    moved = replace(TWIN, pid=99, environment={"EPICS_PVA_ADDR_LIST": "127.0.0.1", "EPICS_PVA_BROADCAST_PORT": "9999"})
    environ = running.add(moved, MLS)
    assert find_again(before, environ) == Target("TWIN:", moved.environment, moved)
    assert find_again(Target("TWIN:", moved.environment, moved), environ) is None  # it is where it was
    assert find_again(Target("TWIN:", {}), environ) is None  # searched for by the EPICS variables
