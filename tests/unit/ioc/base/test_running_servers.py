"""Servers make themselves known for as long as they run, and a file that a dead one left is not taken for one."""

import fcntl
import json
import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from gnomon.ioc.base.running_servers import RunningServer, announced, folders, running_servers

SERVER = RunningServer(
    pid=os.getpid(), prefix="TWIN:", machine="bessy2", role="twin", ca_address="127.0.0.1:5064",
    pva_address="127.0.0.1:5075", environment={"EPICS_CA_ADDR_LIST": "127.0.0.1"}, started_ns=5,
)  # fmt: skip


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "run").mkdir()
    return tmp_path / "run" / "gnomon"


def test_a_server_is_found_while_it_is_announced_and_not_after() -> None:
    assert running_servers() == ()
    with announced(SERVER):
        assert running_servers() == (SERVER,)
    assert running_servers() == ()


def test_the_folder_is_the_users_alone_and_left_empty(folder: Path) -> None:
    with announced(SERVER):
        assert folder.stat().st_mode & 0o777 == 0o700
        assert [path.stat().st_mode & 0o777 for path in folder.iterdir()] == [0o600]
    assert list(folder.iterdir()) == []


def test_two_twins_of_one_process_are_listed_the_older_first() -> None:
    fork = replace(SERVER, prefix="WHATIF:", fork="WHATIF", started_ns=6)
    with announced(fork), announced(SERVER):
        assert running_servers() == (SERVER, fork)


def test_the_file_of_a_killed_server_is_recognised_and_removed(folder: Path) -> None:
    code = (
        "import os, dataclasses\nfrom gnomon.ioc.base.running_servers import *\n"
        "told = dict(prefix='T:', machine='m', role='twin', ca_address='', pva_address='')\n"
        "server = RunningServer(pid=os.getpid(), **told)\n"
        "with announced(server): os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    assert len(list(folder.iterdir())) == 1
    assert running_servers() == ()
    assert list(folder.iterdir()) == []


def test_without_a_runtime_folder_the_state_folder_serves_and_is_searched_with_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run").rmdir()
    with announced(SERVER):
        assert list((tmp_path / "state" / "gnomon" / "running").iterdir())
        (tmp_path / "run").mkdir()
        assert len(folders()) == 2
        assert running_servers() == (SERVER,)


def test_a_folder_that_cannot_be_written_does_not_stop_a_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "run" / "gnomon").write_text("a file")
    (tmp_path / "state").write_text("a file")
    with announced(SERVER):
        assert running_servers() == ()
    assert "cannot make this server known" in caplog.text


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", "{}", '{"pid": 1}', json.dumps(asdict(SERVER) | {"pid": "1"}), "null", "3", "\xff"],
)
def test_a_file_of_something_else_is_passed_over(folder: Path, text: str) -> None:
    folder.mkdir()
    with (folder / "1-2.json").open("w") as file:
        file.write(text)
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX)
        assert running_servers() == ()


def test_a_server_of_another_computer_that_shares_the_home_is_not_ours() -> None:
    with announced(replace(SERVER, host="elsewhere")):
        assert running_servers() == ()


def test_a_key_of_a_later_version_is_passed_over(folder: Path) -> None:
    with announced(SERVER):
        (path,) = folder.iterdir()
        path.write_text(json.dumps(json.loads(path.read_text()) | {"colour": "blue"}))
        assert running_servers() == (SERVER,)


def test_a_pipe_among_the_files_is_passed_over_at_once(folder: Path) -> None:
    folder.mkdir()
    os.mkfifo(folder / "1-2.json")
    assert running_servers() == ()


def test_a_folder_of_another_user_is_neither_read_nor_written(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir()
    folder.symlink_to(tmp_path / "mine")
    monkeypatch.setattr(os, "getuid", lambda: tmp_path.stat().st_uid + 1)
    with announced(SERVER):
        assert list((tmp_path / "mine").iterdir()) == []
        assert running_servers() == ()


def test_without_a_home_and_with_a_runtime_folder_out_of_reach_no_server_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown() -> Path:
        raise RuntimeError("Could not determine home directory.")

    def denied(self: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setattr(Path, "home", unknown)
    monkeypatch.setattr(Path, "is_dir", denied)
    assert running_servers() == ()


def test_looking_for_servers_leaves_no_file_open() -> None:
    with announced(SERVER):
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(5):
            assert running_servers() == (SERVER,)
        assert len(os.listdir("/proc/self/fd")) == before


def test_a_server_that_cannot_finish_its_file_leaves_nothing_and_uses_the_next_folder(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    calls: list[int] = []

    def full_at_first(descriptor: int, data: bytes) -> int:
        calls.append(descriptor)
        if len(calls) == 1:
            raise OSError(28, "No space left on device")
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", full_at_first)
    with announced(SERVER):
        assert list(folder.iterdir()) == []
        assert len(list((tmp_path / "state" / "gnomon" / "running").iterdir())) == 1
        assert running_servers() == (SERVER,)
