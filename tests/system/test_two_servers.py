"""A recorded range is shown for another server; faults, undo and restore on a running one; exit codes."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import EpicsPorts, free_port
from patience import PATIENCE_S

from programs import access, restoring
from system.twin_process import TwinProcess

pytestmark = pytest.mark.slow  # servers and commands started one by one


def ports() -> EpicsPorts:
    return EpicsPorts(free_port(), free_port(), free_port())


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwinProcess]:
    with TwinProcess(ports().environment, tmp_path_factory.mktemp("twin")) as process:
        yield process


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwinProcess]:
    with TwinProcess(ports().environment, tmp_path_factory.mktemp("machine"), "--prefix", "") as process:
        yield process


def both(twin: TwinProcess, machine: TwinProcess) -> dict[str, str]:
    """The environment of a client that finds both servers."""
    port = machine.environment["EPICS_CA_SERVER_PORT"]
    return {"EPICS_CA_ADDR_LIST": f"127.0.0.1 127.0.0.1:{port}"}


def recorded(twin: TwinProcess, *puts: tuple[str, float]) -> tuple[int, int]:
    """Put to the twin; the numbers of the first and last command."""
    first = len(commands(twin)) + 1
    twin.client(access.caput_all, [(f"TWIN:{name}", value) for name, value in puts])
    return first, len(commands(twin))


def commands(twin: TwinProcess) -> list[dict[str, object]]:
    done = twin.gnomon("log", "export", "--journal", str(twin.journal), "-")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_recorded_range_is_shown_and_not_written(twin: TwinProcess, machine: TwinProcess) -> None:
    first, last = recorded(twin, ("HS4P1D1R:set", 0.2), ("Q1M1D1R:Cm:set", 2.43), ("Q1PDR:set", 218.6))
    twin.environment |= both(twin, machine)
    arguments = ("replay", "--journal", str(twin.journal), "--from", str(first), "--to", str(last), "--prefix", "")
    names = ["HS4P1D1R:set", "HS4P1D1R:rdbk", "Q1M1D1R:Cm:rdbk", "Q1PDR:rdbk", "BPMZ6D1R:rdX"]
    before = machine.client(access.caget_all, names)

    dry = twin.gnomon(*arguments)
    assert dry.returncode == 0, dry.stdout + dry.stderr
    assert "HS4P1D1R:set" in dry.stdout
    assert "dry run" in dry.stdout.lower()
    assert machine.client(access.caget_all, names) == before

    armed = twin.gnomon(*arguments, "--arm")
    assert armed.returncode == 2
    assert machine.client(access.caget_all, names) == before


def test_faults_are_added_listed_shown_and_cleared_on_a_running_server(twin: TwinProcess) -> None:
    added = twin.gnomon("fault", "add", "modify", "VS3P2T*", "offset=0.25")
    assert added.returncode == 0, added.stderr
    assert "VS3P2T*" in twin.gnomon("fault", "list").stdout
    assert twin.client(access.caget_all, ["TWIN:dt:faults:count", "TWIN:dt:faults:count.SEVR"]) == [1, 1]
    recorded(twin, ("VS3P2T5R:set", 0.5))
    assert twin.client(access.caget_all, ["TWIN:VS3P2T5R:set", "TWIN:VS3P2T5R:rdbk"]) == [0.5, 0.75]
    last = commands(twin)[-1]
    assert last["outcomes"][-1]["outcome"] == "modified"  # type: ignore[index]
    assert (last["changes"][0]["new"], last["outcomes"][-1]["effects"][0]["done"]) == (0.5, 0.75)  # type: ignore[index]
    assert twin.gnomon("fault", "clear", "--all").returncode == 0
    assert "no fault" in twin.gnomon("fault", "list").stdout


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (("fault", "add", "explode", "Q1*"), 1, "kind"),
        (("fault", "add", "delay", "Q1*"), 1, "delay_s"),
        (("fault", "clear", "999"), 1, "no fault 999"),
        (("fault", "clear"), 2, "--all"),
        (("machine", "show", "als"), 1, "no machine 'als'"),
        (("log", "show", "99999"), 1, "99999"),
        (("nonsense",), 2, "nonsense"),
        (("serve", "--config", "/nowhere.yaml"), 1, "/nowhere.yaml"),
    ],
)
def test_exit_codes_tell_refusal_from_wrong_use(
    twin: TwinProcess, arguments: tuple[str, ...], status: int, text: str
) -> None:
    if arguments[0] == "log":
        arguments = (*arguments, "--journal", str(twin.journal))
    done = twin.gnomon(*arguments)
    assert done.returncode == status, done.stdout + done.stderr
    assert text in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_undo_and_restore_put_a_running_twin_back_as_new_commands(twin: TwinProcess) -> None:
    (before,) = twin.client(access.caget_all, ["TWIN:Q1M2D1R:Cm:rdbk"])
    first, last = recorded(twin, ("HS4P2D1R:set", 0.1), ("Q1M2D1R:Cm:set", 2.44), ("HS4P2D1R:set", 0.7))
    journal = ("--journal", str(twin.journal))
    lattice = twin.client(restoring.lattice, "TWIN:")
    assert twin.gnomon("log", "undo", str(last), "--yes", *journal).returncode == 0
    assert twin.client(access.caget_all, ["TWIN:HS4P2D1R:rdbk", "TWIN:HS4P2D1R:set"]) == [0.1, 0.1]
    assert twin.gnomon("restore", "--to", str(first - 1), "--yes", *journal).returncode == 0
    assert twin.client(access.caget_all, ["TWIN:HS4P2D1R:rdbk", "TWIN:Q1M2D1R:Cm:rdbk"]) == [0.0, before]
    assert twin.gnomon("restore", "--to", str(last), "--yes", *journal).returncode == 0
    now = twin.client(restoring.lattice, "TWIN:")
    assert now == lattice
    assert [c["note"] for c in commands(twin)[-3:]] == [
        f"undo {last}",
        f"restore --to {first - 1}",
        f"restore --to {last}",
    ]


def test_the_log_follows_a_running_server(twin: TwinProcess, tmp_path: Path) -> None:
    import subprocess
    import time

    from system.twin_process import GNOMON

    out = tmp_path / "followed"
    with out.open("w") as file:
        follower = subprocess.Popen(
            [*GNOMON, "log", "list", "--follow", "--journal", str(twin.journal), "--pv", "TWIN:HS4P1T1R:set"],
            env=twin.environment | {"COLUMNS": "200", "PYTHONUNBUFFERED": "1"},
            stdout=file,
        )
        try:
            time.sleep(2.0)
            recorded(twin, ("HS4P1T1R:set", 0.123))
            end = time.monotonic() + PATIENCE_S
            while "0.123" not in out.read_text() and time.monotonic() < end:
                time.sleep(0.1)
        finally:
            follower.terminate()
            follower.wait(PATIENCE_S)
    assert "0.123" in out.read_text()
