"""`gnomon fork` on a running server: another twin beside the first, which never feels it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import EpicsPorts, free_port
from patience import PATIENCE_S

from programs import access, forks
from system.twin_process import TwinProcess

pytestmark = pytest.mark.slow  # servers and commands started one by one


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwinProcess]:
    ports = EpicsPorts(free_port(), free_port(), free_port())
    folder = tmp_path_factory.mktemp("twin")
    with TwinProcess(ports.environment, folder, "--config", str(_config(folder))) as process:
        yield process
        assert "Traceback" not in process.log.read_text()


def _config(folder: Path) -> Path:
    path = folder / "config.yaml"
    path.write_text('forks:\n  most: 2\n  start: {early: "EARLY:"}\n')
    return path


def gnomon(twin: TwinProcess, *arguments: str, works: bool = True) -> str:
    done = twin.gnomon(*arguments)
    assert (done.returncode == 0) is works, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout if works else done.stderr


def test_a_fork_begins_as_the_twin_is_and_goes_its_own_way(twin: TwinProcess) -> None:
    before = twin.client(forks.put_and_look, "TWIN:HS4P1D1R:set", 0.1 + 0.2)
    assert before in gnomon(twin, "fork", "add", "WHATIF")
    rows = twin.client(forks.part_ways)
    assert rows[0][:2] == [before, 0.1 + 0.2]
    assert rows[1][0] == before
    assert rows[1][1] != before
    assert rows[1][2:5] == [True, 0.1 + 0.2, 1.0]
    assert rows[1][5] != rows[1][6]
    assert rows[2] == [1.0, rows[1][1]]


def test_every_command_works_on_a_fork_by_its_prefix(twin: TwinProcess) -> None:
    journal = next(line for line in gnomon(twin, "fork", "list").splitlines() if "journal of WHATIF" in line)
    on_fork = ("--journal", journal.split(": ")[1])
    listed = gnomon(twin, "log", *on_fork).splitlines()
    assert "fork of 'TWIN:' at lattice" in listed[1]
    assert [line.split()[4] for line in listed[2:]] == ["WHATIF:HS4P1D1R:set", "WHATIF:Q1PDR:set"]
    gnomon(twin, "fault", "add", "abandon", "HS1PD2R", "--prefix", "WHATIF:")
    assert twin.client(access.caget_all, ["WHATIF:dt:faults:count", "TWIN:dt:faults:count"]) == [1, 0]
    gnomon(twin, "log", "undo", "--yes", *on_fork, "2")
    gnomon(twin, "restore", "--to", "1", "--yes", *on_fork)
    assert twin.client(access.caget_all, ["WHATIF:HS4P1D1R:rdbk", "TWIN:HS4P1D1R:rdbk"]) == [
        0.1 + 0.2,
        0.2,
    ]


def ask(twin: TwinProcess, *calls: dict[str, str]) -> list[Any]:
    """The answers of `TWIN:dt:fork`, or what it refuses with."""
    return list(twin.client(forks.ask, list(calls)))


def test_invalid_requests_are_refused_with_the_reason(twin: TwinProcess) -> None:
    refused = [
        ({"do": "add", "name": "third"}, "2 forks exist already, the limit (forks.most); drop one first"),
        ({"do": "drop", "name": "third"}, "there is no fork 'third'; existing forks: early, WHATIF"),
        (
            {"do": "drop", "name": "WHATIF", "on": "WHATIF:"},
            "fork 'WHATIF' cannot drop itself; call dt:fork of 'TWIN:'",
        ),
        ({"do": "drop", "name": "early"}, ""),
        ({"do": "add", "name": "WHATIF"}, "fork 'WHATIF' already exists"),
        ({"do": "add", "name": "new", "prefix": "TWIN:"}, "the prefix 'TWIN:' is already used by this server"),
        ({"do": "add", "name": "new", "prefix": "NO PREFIX"}, "prefix: string should match"),
        ({"do": "add", "name": "no name"}, "invalid fork name 'no name': use 1 to 20 letters, digits, '_' or '-'"),
        ({"do": "add", "name": "new", "snapshot": "never"}, "there is no snapshot 'never'"),
        ({"do": "add", "name": "new", "lattice": "zzz"}, "lattice 'zzz' is not in the journal"),
        ({"do": "add", "name": "new", "lattice": "a", "nominal": "true"}, "give only one of them"),
        (
            {"do": "add", "name": "new", "colour": "red"},
            "unknown argument of add: colour; known arguments: name, prefix",
        ),
        ({"do": "burn"}, "it must be add, list or drop"),
    ]
    answers = ask(twin, *(call for call, _ in refused), {"do": "list"})
    for (_, why), answer in zip(refused, answers, strict=False):
        assert why in answer if why else answer["name"] == "early"
    assert [fork["name"] for fork in answers[-1]] == ["WHATIF"]


def test_a_prefix_of_another_server_is_refused(twin: TwinProcess, epics_ports: EpicsPorts, tmp_path: Path) -> None:
    elsewhere = epics_ports.environment | {
        "EPICS_CA_SERVER_PORT": twin.environment["EPICS_CA_SERVER_PORT"],
        "EPICS_PVA_BROADCAST_PORT": twin.environment["EPICS_PVA_BROADCAST_PORT"],
    }
    with TwinProcess(elsewhere, tmp_path, "--machine", "bessy2", "--prefix", "OTHER:"):
        refusal = gnomon(twin, "fork", "add", "new", "--as", "OTHER:", works=False)
    assert "the prefix 'OTHER:' cannot be used: another server at " in refusal
    assert "already serves 'OTHER:" in refusal


def test_a_fork_can_begin_nominal_or_at_an_earlier_lattice_or_at_a_snapshot(twin: TwinProcess) -> None:
    wanted = twin.client(forks.put_and_look, "TWIN:HS4P2D1R:set", 0.25)
    gnomon(twin, "snapshot", "save", "quarter", "--journal", str(twin.journal))
    twin.client(access.caput, "TWIN:HS4P2D1R:set", 0.5)
    wishes = [{"nominal": "true"}, {"snapshot": "quarter"}, {"lattice": wanted[:8]}]
    calls = [({"do": "add", "name": "new", **wish}, {"do": "drop", "name": "new"}) for wish in wishes]
    answers = ask(twin, *(call for pair in calls for call in pair))
    nominal, snapshot, lattice = answers[::2]
    assert nominal["began"] == "fork of 'TWIN:', nominal"
    assert nominal["lattice_id"] != wanted
    assert snapshot["began"] == "fork of 'TWIN:' at snapshot quarter"
    assert lattice["began"].startswith("fork of 'TWIN:' at command ")
    assert snapshot["lattice_id"] == lattice["lattice_id"] == wanted


def test_dropping_disconnects_at_once_and_keeps_the_journal(twin: TwinProcess) -> None:
    journal = next(line for line in gnomon(twin, "fork", "list").splitlines() if "journal of WHATIF" in line)
    states = twin.client(forks.drop_while_connected)
    assert states[:2] == [True, False]
    assert states[2] < PATIENCE_S
    assert states[3:] == [False, True, True, 0.2, []]
    assert "WHATIF:HS4P1D1R:set" in gnomon(twin, "log", "--journal", journal.split(": ")[1])
    assert "no forks" in gnomon(twin, "fork", "list")
