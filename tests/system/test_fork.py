"""`gnomon fork` on a running server: another twin beside the first, which never feels it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import EpicsPorts, free_port

from system.twin_process import TwinProcess

CLIENTS = (
    "import epics, time\nfrom p4p.client.thread import Context\nctx = Context('pva')\n"
    "look = lambda prefix: ctx.get(prefix + 'dt:lattice').raw.value\n"
    "put = lambda name, value: epics.caput(name, value, wait=True, timeout=5)\n"
    "get = lambda name: epics.caget(name, timeout=5, use_monitor=False)\n"
)


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
    before = twin.code(CLIENTS + "put('TWIN:HS4P1D1R:set', 0.1 + 0.2); result = look('TWIN:')")
    assert before in gnomon(twin, "fork", "add", "WHATIF")
    rows = twin.code(
        CLIENTS + "result = [[look('WHATIF:'), get('WHATIF:HS4P1D1R:set'), get('WHATIF:TUNEZR:rdH')]]\n"
        "old = get('TWIN:BPMZ6D1R:rdX'), get('TWIN:dt:generation')\n"
        "ctx.put('WHATIF:HS4P1D1R:set', 1.0, timeout=5)\n"
        "put('WHATIF:Q1PDR:set', get('WHATIF:Q1PDR:set') * 1.001)\n"
        "new = get('TWIN:BPMZ6D1R:rdX'), get('TWIN:dt:generation')\n"
        "result += [[look('TWIN:'), look('WHATIF:'), old == new, get('TWIN:HS4P1D1R:rdbk'),"
        " get('WHATIF:HS4P1D1R:rdbk'), get('TWIN:BPMZ6D1R:rdX'), get('WHATIF:BPMZ6D1R:rdX')]]\n"
        "put('TWIN:HS4P1D1R:set', 0.2); result += [get('WHATIF:HS4P1D1R:rdbk'), look('WHATIF:')]\n"
    )
    assert rows[0][:2] == [before, 0.1 + 0.2]
    assert rows[1][0] == before
    assert rows[1][1] != before
    assert rows[1][2:5] == [True, 0.1 + 0.2, 1.0]
    assert rows[1][5] != rows[1][6]
    assert rows[2:] == [1.0, rows[1][1]]


def test_every_command_works_on_a_fork_by_its_prefix(twin: TwinProcess) -> None:
    journal = next(line for line in gnomon(twin, "fork", "list").splitlines() if "journal of WHATIF" in line)
    on_fork = ("--journal", journal.split(": ")[1])
    listed = gnomon(twin, "log", *on_fork).splitlines()
    assert "fork of 'TWIN:' at lattice" in listed[1]
    assert [line.split()[4] for line in listed[2:]] == ["WHATIF:HS4P1D1R:set", "WHATIF:Q1PDR:set"]
    gnomon(twin, "fault", "add", "abandon", "HS1PD2R", "--prefix", "WHATIF:")
    assert twin.code(CLIENTS + "result = [get('WHATIF:dt:faults:count'), get('TWIN:dt:faults:count')]") == [1, 0]
    gnomon(twin, "log", "undo", *on_fork, "2")
    gnomon(twin, "restore", "--to", "1", *on_fork)
    assert twin.code(CLIENTS + "result = [get('WHATIF:HS4P1D1R:rdbk'), get('TWIN:HS4P1D1R:rdbk')]") == [
        0.1 + 0.2,
        0.2,
    ]


def ask(twin: TwinProcess, *calls: dict[str, str]) -> list[Any]:
    """The answers of `TWIN:dt:fork`, or what it refuses with."""
    code = (
        "import json\nfrom gnomon.recorder.remote import RemoteError, call_procedure\nresult = []\n"
        "for call in calls:\n"
        "    on = call.pop('on', 'TWIN:')\n"
        "    try: result.append(json.loads(call_procedure(on + 'dt:fork', call, 10.0)))\n"
        "    except RemoteError as error: result.append(str(error))\n"
    )
    return twin.code(code, calls=calls)


def test_what_cannot_be_is_refused_in_words(twin: TwinProcess) -> None:
    refused = [
        ({"do": "add", "name": "third"}, "2 forks exist already, the limit (forks.most); drop one first"),
        ({"do": "drop", "name": "third"}, "there is no fork 'third'; existing forks: early, WHATIF"),
        ({"do": "drop", "name": "WHATIF", "on": "WHATIF:"}, "'WHATIF' cannot drop itself; ask 'TWIN:'"),
        ({"do": "drop", "name": "early"}, ""),
        ({"do": "add", "name": "WHATIF"}, "fork 'WHATIF' already exists"),
        ({"do": "add", "name": "new", "prefix": "TWIN:"}, "the prefix 'TWIN:' is already used by this server"),
        ({"do": "add", "name": "new", "prefix": "NO PREFIX"}, "prefix: string should match"),
        ({"do": "add", "name": "no name"}, "invalid fork name 'no name': use 1 to 20 letters, digits, '_' or '-'"),
        ({"do": "add", "name": "new", "snapshot": "never"}, "there is no snapshot 'never'"),
        ({"do": "add", "name": "new", "lattice": "zzz"}, "lattice 'zzz' is not in the journal"),
        ({"do": "add", "name": "new", "lattice": "a", "nominal": "true"}, "give only one of them"),
        ({"do": "add", "name": "new", "colour": "red"}, "not colour"),
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
    wanted = twin.code(CLIENTS + "put('TWIN:HS4P2D1R:set', 0.25); result = look('TWIN:')")
    gnomon(twin, "snapshot", "save", "quarter", "--journal", str(twin.journal))
    twin.code(CLIENTS + "put('TWIN:HS4P2D1R:set', 0.5); result = 0")
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
    states = twin.code(
        CLIENTS + "import threading\nfrom p4p.client.thread import Disconnected\n"
        "from gnomon.recorder.remote import call_procedure\n"
        "breaks = []\n"
        "def connection(conn=None, **_):\n"
        "    if not conn: breaks.append(1)\n"
        "ca = epics.PV('WHATIF:HS4P1D1R:set')\n"
        "twin = epics.PV('TWIN:HS4P1D1R:rdbk', connection_callback=connection)\n"
        "ca.wait_for_connection(5); twin.wait_for_connection(5)\n"
        "gone = threading.Event(); got = threading.Event()\n"
        "def event(value):\n"
        "    got.set()\n"
        "    if isinstance(value, Disconnected): gone.set()\n"
        "sub = ctx.monitor('WHATIF:HS4P1D1R:rdbk', event, notify_disconnect=True)\n"
        "got.wait(5); time.sleep(0.2); gone.clear()\n"
        "result = [ca.connected, gone.is_set()]\n"
        "start = time.monotonic()\n"
        "drop = threading.Thread(target=lambda:"
        " call_procedure('TWIN:dt:fork', {'do': 'drop', 'name': 'WHATIF'}, 5.0))\n"
        "drop.start()\n"
        "while ca.connected and time.monotonic() - start < 3:\n"
        "    try: ca.put(0.1, timeout=0.05); epics.ca.poll(1e-4, 1e-3)\n"
        "    except (epics.ca.ChannelAccessException, epics.ca.CASeverityException): break\n"
        "drop.join()\n"
        "while time.monotonic() - start < 3 and (ca.connected or not gone.is_set()): time.sleep(0.01)\n"
        "result += [time.monotonic() - start, ca.connected, gone.is_set()]\n"
        "result += [twin.connected, get('TWIN:HS4P1D1R:rdbk'), breaks]\n"
    )
    assert states[:2] == [True, False]
    assert states[2] < 3.0
    assert states[3:] == [False, True, True, 0.2, []]
    assert "WHATIF:HS4P1D1R:set" in gnomon(twin, "log", "--journal", journal.split(": ")[1])
    assert "no forks" in gnomon(twin, "fork", "list")
